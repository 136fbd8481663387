package ledger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Books is what rules may ask of the ledger while they make postings.
type Books interface {
	// Account finds an account by id or code (if both are given they must agree).
	Account(AccountRef) (Account, bool)
	// Instrument finds an instrument by one of its identifiers.
	Instrument(Identifier) (Instrument, bool)
}

// Rule says what one kind of business event does to the books. A new business event is a new Rule and nothing else.
type Rule struct {
	Kind Kind
	// Fields are the command's fields that events of the kind have, if they have no type of their own: they are checked and made canonical before
	// anything else is done with them. [EventRule] makes a rule that reads them.
	Fields []Field
	// Post makes the entry's postings from the command alone. It must be a pure function of the command and of accounts and
	// instruments, which never change once defined.
	Post func(c *Command, e *Entry, d *Desk) *Rejection
	// OnTrade, on events that act on an earlier trade, makes the postings from what that trade did so far. It runs in the
	// sequencer, in journal order, and must be quick. The entry has the trade, its dates and links already, and State as it was. House accounts
	// that it posts to are asked for in Post, which runs before.
	OnTrade func(e *Entry, trade Life, d *Desk) *Rejection
}

// Rules is the registry: one rule for each kind of event.
type Rules struct{ byKind map[Kind]Rule }

// NewRules makes a registry; two rules of one kind are a fault of the program.
func NewRules(rules ...Rule) *Rules {
	r := &Rules{byKind: make(map[Kind]Rule, len(rules))}
	for _, rule := range rules {
		if _, taken := r.byKind[rule.Kind]; taken || rule.Kind == "" || rule.Post == nil && rule.OnTrade == nil {
			panic(fmt.Sprintf("ledger: rule %q is registered twice or does nothing", rule.Kind))
		}
		checkSchema(rule.Kind, rule.Fields)
		r.byKind[rule.Kind] = rule
	}
	return r
}

// StandardRules are the rules of bookkeeping.md that BK ships; more can be added.
func StandardRules(more ...Rule) *Rules {
	return NewRules(slices.Concat(tradeRules(), lifeRules(), dayRules(), []Rule{postingRule(), openRule(), instrumentRule()},
		cashRules(), journalRules(), interestRules(), []Rule{fxRule()}, more)...)
}

// Draft is a command made ready for the sequencer: checked, hashed, and with all the postings that need no knowledge of order.
type Draft struct {
	Command *Command
	Entry   *Entry // without id, epoch and, for events on earlier trades, postings
	Content Content
	// NeedHouse lists codes of house accounts that a rule posts to and that are not open yet; the entry is incomplete until they
	// are, and the command is to be prepared anew.
	NeedHouse []string
}

// Prepare checks a command, works out its content hash and lets its rule make the postings. The command is normalised in place.
// Where the rejection is of a reason behind [ReasonKeyConflict], the draft's Content is set, so that the caller can let a conflict
// take precedence.
func (r *Rules) Prepare(c *Command, books Books, at time.Time) (Draft, *Rejection) {
	if rej := c.Normalize(); rej != nil {
		return Draft{}, rej
	}
	rule, ok := r.byKind[c.Kind]
	if !ok {
		return Draft{}, Reject(ReasonUnknownKind, "kind", "no rule for %q", c.Kind)
	}
	var rej *Rejection
	switch {
	case c.Target != nil && rule.OnTrade == nil:
		rej = Reject(ReasonInvalid, "target", "a %s acts on no trade", c.Kind)
	case c.Target == nil && rule.OnTrade != nil:
		rej = Reject(ReasonMissing, "target", "a %s needs the trade that it acts on", c.Kind)
	}
	if rej = earlier(rej, c.normalizeFields(rule.Fields)); rej != nil {
		return Draft{}, rej
	}
	desk := &Desk{books: books}
	desk.resolveRefs(c)
	desk.resolveFields(c, rule.Fields)
	d := Draft{Command: c, Content: c.Hash(), Entry: c.entry(at.UTC().Truncate(time.Microsecond))}
	d.Entry.Content = d.Content
	if rule.Post != nil {
		rej := rule.Post(c, d.Entry, desk)
		if n := len(d.Entry.Postings); rej == nil && n > MaxPostings {
			rej = Reject(ReasonTooLarge, "postings", "the event makes %d postings, %d are allowed", n, MaxPostings)
		}
		if rej != nil && slices.Index(Reasons(), rej.Reason) < slices.Index(Reasons(), ReasonKeyConflict) {
			return Draft{}, rej
		}
		if rej == nil && len(d.Entry.Postings) == 0 && desk.missing == nil && rule.OnTrade == nil && d.Entry.Day == nil && !c.IsDefinition() {
			rej = Reject(ReasonUnbalanced, "postings", "the event moves nothing")
		}
		if rej != nil {
			return d, rej
		}
	}
	if d.NeedHouse = desk.missing; d.NeedHouse != nil {
		return d, nil
	}
	if instrument, ok := Balanced(d.Entry.Postings); !ok {
		return d, Reject(ReasonUnbalanced, "postings", "the quantities of %s do not add up to zero", desk.symbol(c, d.Entry, instrument))
	}
	return d, nil
}

// Desk is a rule's way to accounts and instruments.
type Desk struct {
	books   Books
	day     BusinessDay
	missing []string
}

// Account gives the account that a request names, or a rejection for field.
func (d *Desk) Account(field string, ref AccountRef) (int64, *Rejection) {
	a, ok := d.books.Account(ref)
	if !ok {
		name := ref.Code
		if name == "" {
			name = fmt.Sprint(ref.ID)
		}
		return 0, Reject(ReasonUnknownAccount, field, "there is no account %s", name)
	}
	return a.ID, nil
}

// House gives one of the ledger's own accounts; where it is not open yet, it will be before the entry is booked.
func (d *Desk) House(code string) int64 {
	a, ok := d.books.Account(AccountRef{Code: code})
	if !ok && !slices.Contains(d.missing, code) {
		d.missing = append(d.missing, code)
	}
	return a.ID
}

// Instrument gives the instrument that a request names, or a rejection for field.
func (d *Desk) Instrument(field string, id Identifier) (int64, *Rejection) {
	in, ok := d.books.Instrument(id)
	if !ok {
		return 0, Reject(ReasonUnknownInstrument, field, "there is no instrument %s", id)
	}
	return in.ID, nil
}

// Currency gives the instrument of an ISO 4217 code, or a rejection for field.
func (d *Desk) Currency(field, code string) (int64, *Rejection) {
	in, ok := d.books.Instrument(CurrencyID(code))
	if !ok {
		return 0, Reject(ReasonWrongCurrency, field, "%s is not a currency of this ledger", code)
	}
	return in.ID, nil
}

// resolveRefs replaces account codes by ids, so that the same account named in two ways is the same content.
func (d *Desk) resolveRefs(c *Command) {
	resolve := func(ref *AccountRef) {
		if ref.Code == "" {
			return
		}
		if a, ok := d.books.Account(*ref); ok {
			*ref = AccountRef{ID: a.ID}
		}
	}
	if c.Trade != nil {
		resolve(&c.Trade.Account)
		if !c.Trade.Target.IsZero() {
			resolve(&c.Trade.Target)
		}
	}
	for i := range c.Postings {
		resolve(&c.Postings[i].Account)
	}
}

// resolveFields does so in an event's fields.
func (d *Desk) resolveFields(c *Command, schema []Field) {
	for i := range schema {
		if name := schema[i].Name; schema[i].Type == AccountField {
			if a, ok := d.books.Account(AccountRef{Code: c.Fields[name]}); ok {
				c.Fields[name] = strconv.FormatInt(a.ID, 10)
			}
		}
	}
}

// symbol names an instrument as the caller did.
func (d *Desk) symbol(c *Command, e *Entry, instrument int64) string {
	for i, p := range e.Postings {
		if p.Instrument == instrument && i < len(c.Postings) {
			return c.Postings[i].Instrument.Value
		}
	}
	return fmt.Sprintf("instrument %d", instrument)
}

// postingRule books postings as they are given.
func postingRule() Rule {
	return Rule{Kind: KindPosting, Post: func(c *Command, e *Entry, d *Desk) *Rejection {
		e.Postings = make([]Posting, len(c.Postings))
		for i, p := range c.Postings {
			field := indexed("postings", i)
			account, rej := d.Account(field+".account", p.Account)
			if rej != nil {
				return rej
			}
			instrument, rej := d.Instrument(field+".instrument", p.Instrument)
			if rej != nil {
				return rej
			}
			e.Postings[i] = Posting{Account: account, Instrument: instrument, Bucket: p.Bucket, Quantity: p.Quantity}
		}
		return nil
	}}
}

func openRule() Rule {
	return Rule{Kind: KindOpen, Post: func(c *Command, e *Entry, _ *Desk) *Rejection {
		account := *c.Account // the ledger gives it an id
		e.Account = &account
		return nil
	}}
}

func instrumentRule() Rule {
	return Rule{Kind: KindInstrument, Post: func(c *Command, e *Entry, _ *Desk) *Rejection {
		instrument := *c.Define
		e.Define = &instrument
		return nil
	}}
}

// HouseAccount makes the command that opens one of the ledger's own accounts.
func HouseAccount(code string) *Command {
	return &Command{Kind: KindOpen, Source: "bk", Account: &Account{Code: code, Name: strings.ReplaceAll(code, ":", " ")}}
}
