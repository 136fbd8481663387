package ledger

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// The kinds of entry that are no trade's.
const (
	KindPosting    Kind = "posting"           // postings given by the caller as they are
	KindCancel     Kind = "trade.cancel"      // the exact negation of what a trade made
	KindOpen       Kind = "account.open"      // defines an account
	KindInstrument Kind = "instrument.define" // defines an instrument
)

// Command asks the ledger to record one business event. It is plain data; [Books] knows the accounts and instruments that it names.
type Command struct {
	Kind Kind
	// Key makes the command idempotent: unique in the ledger, for ever. Needed on all but definitions and what only the ledger books.
	Key      string
	Source   string            // who sent it, free text
	Metadata map[string]string // free-form notes, [MaxMetadataBytes] together

	TradeDate     Date // needed on trades
	SettleDate    Date // only if irregular; not before the trade date
	EffectiveDate Date // the trade date, else the business date, else (before the first roll) the day of booking, when left out

	Trade    *Trade            // trades
	Replaces *Target           // on a trade: cancels that trade in the same step, or with [Target.Link] only links an already cancelled one
	Target   *Target           // on a cancel: the trade
	Postings []PostingRequest  // on KindPosting
	Account  *Account          // on KindOpen
	Define   *Instrument       // on KindInstrument
	Day      *Day              // on KindDayBegin and KindDayEnd
	Fields   map[string]string // on kinds that have no type of their own
}

// Target names an earlier trade: by id, or by the key that it was booked with. With both it is the trade that was booked with the key, or, if
// there is none such, the one with the id.
type Target struct {
	Trade ID
	Key   string
	// Link: where the trade to replace is cancelled already, only link the two instead of rejecting.
	Link bool
	// UnlessSettled rejects the command with [ReasonTradeSettled] where the trade is settled with its parties, at the command's place in the
	// journal. One that is cancelled is not settled any more.
	UnlessSettled bool
}

// PostingRequest is a posting as a caller gives it.
type PostingRequest struct {
	Account    AccountRef
	Instrument Identifier
	Bucket     Bucket // 0 is [Settled]
	Quantity   Amount // not zero
}

var fieldPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Normalize fills in what the contract fills in and checks the form of every field. It needs no knowledge of the books, so the
// same request always gives the same result, and equal requests become equal (what [Command.Hash] is taken of).
func (c *Command) Normalize() *Rejection {
	if rej := c.normalizeEnvelope(); rej != nil {
		return rej
	}
	if rej := c.checkParts(); rej != nil {
		return rej
	}
	switch {
	case c.Kind.IsTrade():
		if c.Trade == nil {
			return Reject(ReasonMissing, "trade", "a %s needs its trade", c.Kind)
		}
		if c.TradeDate == 0 {
			return Reject(ReasonMissing, "trade_date", "a trade needs its trade date")
		}
		if c.Replaces != nil {
			if rej := c.Replaces.check("replaces"); rej != nil {
				return rej
			}
		}
		return normalizeTrade(c.Kind, c.TradeDate, c.Trade)
	case c.Kind == KindCancel:
		if c.Target == nil {
			return Reject(ReasonMissing, "target", "a cancel needs the trade to cancel")
		}
		return c.Target.check("target")
	case c.Kind == KindPosting:
		return c.normalizePostings()
	case c.Kind == KindOpen:
		if c.Account == nil {
			return Reject(ReasonMissing, "account", "needed to open an account")
		}
		return c.Account.normalize()
	case c.Kind == KindDayBegin || c.Kind == KindDayEnd:
		if c.Day == nil {
			return Reject(ReasonMissing, "day", "needed to begin or end a day")
		}
		return nil
	case c.Kind == KindInstrument:
		if c.Define == nil {
			return Reject(ReasonMissing, "instrument", "needed to define an instrument")
		}
		return c.Define.normalize()
	}
	var rej *Rejection
	if c.Target != nil {
		rej = c.Target.check("target")
	}
	return earlier(rej, c.checkFields())
}

// checkParts refuses parts that are another kind's: they would be part of the content and of nothing else.
func (c *Command) checkParts() *Rejection {
	trade, definition := c.Kind.IsTrade(), c.IsDefinition()
	day := c.Kind == KindDayBegin || c.Kind == KindDayEnd
	own := !trade && !definition && !day && c.Kind != KindPosting && c.Kind != KindCancel // a kind that was added to the registry
	for _, part := range [...]struct {
		field        string
		there, right bool
	}{
		{"trade", c.Trade != nil, trade}, {"replaces", c.Replaces != nil, trade}, {"target", c.Target != nil, c.Kind == KindCancel || own},
		{"postings", c.Postings != nil, c.Kind == KindPosting}, {"account", c.Account != nil, c.Kind == KindOpen},
		{"instrument", c.Define != nil, c.Kind == KindInstrument}, {"day", c.Day != nil, day}, {"fields", len(c.Fields) > 0, own},
	} {
		if part.there && !part.right {
			return Reject(ReasonInvalid, part.field, "does not belong to a %s", c.Kind)
		}
	}
	return nil
}

// IsDefinition reports whether the command defines an account or an instrument; such a command is idempotent by what it defines.
func (c *Command) IsDefinition() bool { return c.Kind == KindOpen || c.Kind == KindInstrument }

// IsInternal reports whether only the ledger itself books entries of the kind, in a roll or as part of another entry. They have no key: whether one is
// booked already shows in the trade's or the day's state.
func (k Kind) IsInternal() bool {
	switch k {
	case KindTradeOpen, KindSettle, KindReverse, KindLink, KindDayBegin, KindDayEnd:
		return true
	}
	return false
}

func (c *Command) normalizeEnvelope() *Rejection {
	if c.Kind == "" {
		return Reject(ReasonMissing, "kind", "a command needs its kind of event")
	}
	if len(c.Kind) > MaxCodeBytes {
		return Reject(ReasonTooLarge, "kind", "%d bytes, %d are allowed", len(c.Kind), MaxCodeBytes)
	}
	if c.IsDefinition() || c.Kind.IsInternal() {
		c.Key = ""
	} else if c.Key == "" {
		return Reject(ReasonMissing, "key", "an idempotency key of 1 to %d bytes is needed", MaxKeyBytes)
	}
	if rej := checkText("key", c.Key, MaxKeyBytes); rej != nil {
		return rej
	}
	if rej := checkText("source", c.Source, MaxNameBytes); rej != nil {
		return rej
	}
	if rej := CheckMetadata(c.Metadata); rej != nil {
		return rej
	}
	for _, d := range [...]struct {
		field string
		date  Date
	}{{"trade_date", c.TradeDate}, {"effective_date", c.EffectiveDate}, {"settle_date", c.SettleDate}} {
		if d.date != 0 && !d.date.Valid() && !(d.field == "settle_date" && d.date == WhenIssuedDate) {
			return Reject(ReasonInvalid, d.field, "%d is no day between %d and %d", d.date, MinDate, MaxDate)
		}
	}
	if c.SettleDate != 0 && c.SettleDate < c.TradeDate {
		return Reject(ReasonInvalid, "settle_date", "%s is before the trade date %s", c.SettleDate, c.TradeDate)
	}
	if c.EffectiveDate == 0 {
		c.EffectiveDate = c.TradeDate
	}
	return nil
}

// CheckMetadata checks the form of a command's metadata: size first, then names and encoding. It is part of [Command.Normalize], and for
// who must know whether they are too large before the rest of a command is there.
func CheckMetadata(metadata map[string]string) *Rejection {
	size := 0
	for name, value := range metadata {
		if size += len(name) + len(value); size > MaxMetadataBytes {
			return Reject(ReasonTooLarge, "metadata", "more than %d bytes", MaxMetadataBytes)
		}
	}
	for name, value := range metadata {
		if name == "" {
			return Reject(ReasonInvalid, "metadata", "a name is empty")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return Reject(ReasonInvalid, "metadata", "%q is not valid UTF-8", name)
		}
	}
	return nil
}

func (c *Command) normalizePostings() *Rejection {
	switch n := len(c.Postings); {
	case n == 0:
		return Reject(ReasonMissing, "postings", "an entry needs %d to %d postings", MinPostings, MaxPostings)
	case n < MinPostings:
		return Reject(ReasonInvalid, "postings", "%d posting, at least %d are needed", n, MinPostings)
	case n > MaxPostings:
		return Reject(ReasonTooLarge, "postings", "%d postings, %d are allowed", n, MaxPostings)
	}
	for i := range c.Postings {
		p, field := &c.Postings[i], indexed("postings", i)
		if p.Account.IsZero() {
			return Reject(ReasonMissing, field+".account", "a posting needs its account")
		}
		if rej := p.Instrument.check(field + ".instrument"); rej != nil {
			return rej
		}
		p.Instrument = p.Instrument.key()
		switch p.Bucket {
		case 0:
			p.Bucket = Settled
		case Settled, Unsettled:
		default:
			return Reject(ReasonInvalid, field+".bucket", "%q is neither u nor s", string(rune(p.Bucket)))
		}
		if p.Quantity.IsZero() {
			return Reject(ReasonInvalid, field+".quantity", "is zero")
		}
		if !p.Quantity.InRange() {
			return rejectAmount(field+".quantity", ErrAmountRange)
		}
	}
	return nil
}

func (c *Command) checkFields() *Rejection {
	if len(c.Fields) > MaxFields {
		return Reject(ReasonTooLarge, "fields", "%d fields, %d are allowed", len(c.Fields), MaxFields)
	}
	for name, value := range c.Fields {
		if !fieldPattern.MatchString(name) {
			return Reject(ReasonInvalid, "fields", "%q is no field name", name)
		}
		if rej := checkText("fields."+name, value, MaxNameBytes); rej != nil {
			return rej
		}
	}
	return nil
}

func (t *Target) check(field string) *Rejection {
	if t.Trade == 0 && t.Key == "" {
		return Reject(ReasonMissing, field, "the trade's id or key is needed")
	}
	if t.Trade < 0 {
		return Reject(ReasonInvalid, field+".trade", "%d is no trade id", t.Trade)
	}
	return checkText(field+".key", t.Key, MaxKeyBytes)
}

// booking is an entry with room for what most entries are, a trade with a handful of postings: one allocation instead of three.
type booking struct {
	entry    Entry
	trade    Trade
	postings [7]Posting
}

// entry makes the entry that the command asks for, without what the rule and the journal add.
func (c *Command) entry(at time.Time) *Entry {
	var e *Entry
	if c.Kind.IsTrade() {
		b := &booking{trade: *c.Trade}
		e = &b.entry
		e.Trade, e.Postings = &b.trade, b.postings[:0]
	} else {
		e = &Entry{}
	}
	e.BookedAt, e.Kind, e.Key, e.Source, e.Metadata, e.Fields = at, c.Kind, c.Key, c.Source, c.Metadata, c.Fields
	e.TradeDate, e.SettleDate, e.EffectiveDate = c.TradeDate, c.SettleDate, c.EffectiveDate
	if e.EffectiveDate == 0 {
		e.EffectiveDate = DateOf(at)
	}
	return e
}

// checkText checks a free text's length and encoding.
func checkText(field, text string, limit int) *Rejection {
	if len(text) > limit {
		return Reject(ReasonTooLarge, field, "%d bytes, %d are allowed", len(text), limit)
	}
	if !utf8.ValidString(text) {
		return Reject(ReasonInvalid, field, "is not valid UTF-8")
	}
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] == 0x7f {
			return Reject(ReasonInvalid, field, "has a control character")
		}
	}
	return nil
}

// Classes of characters for madeOf.
const (
	capitals = 1 << iota
	smalls
	digits
	letters = capitals | smalls
)

// madeOf reports whether a text has least to most bytes, each of a class or one of the others. By hand, not by a regular
// expression: every trade asks half a dozen times.
func madeOf(text string, least, most, classes int, others string) bool {
	if len(text) < least || len(text) > most {
		return false
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= 'A' && c <= 'Z' && classes&capitals != 0:
		case c >= 'a' && c <= 'z' && classes&smalls != 0:
		case c >= '0' && c <= '9' && classes&digits != 0:
		case strings.IndexByte(others, c) >= 0:
		default:
			return false
		}
	}
	return true
}

func indexed(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }
