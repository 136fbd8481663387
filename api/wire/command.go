package wire

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// envelope is what all booking requests have in common; requests that lack a part of it leave it out.
type envelope interface {
	GetKey() string
	GetSource() string
	GetMetadata() map[string]string
}

// dated is an envelope with dates.
type dated interface {
	envelope
	GetTradeDate() int32
	GetSettleDate() int32
	GetEffectiveDate() int32
}

func command(e envelope) *ledger.Command {
	return &ledger.Command{Key: e.GetKey(), Source: e.GetSource(), Metadata: e.GetMetadata()}
}

func datedCommand(e dated) *ledger.Command {
	c := command(e)
	c.TradeDate, c.SettleDate, c.EffectiveDate = ledger.Date(e.GetTradeDate()), ledger.Date(e.GetSettleDate()), ledger.Date(e.GetEffectiveDate())
	return c
}

// BookEntry converts a request to book postings. Its form is [EntryForm].
func BookEntry(r *bkv1.BookEntryRequest) (*ledger.Command, *ledger.Rejection) {
	return withPostings(datedCommand(r), r.GetEntry())
}

// BookTrade converts a request to book a trade. Its form is [TradeForm].
func BookTrade(r *bkv1.BookTradeRequest) (*ledger.Command, *ledger.Rejection) {
	return withTrade(datedCommand(r), r.GetTrade(), r.GetReplaces())
}

// CancelTrade converts a request to cancel a trade. Its form is [CancelForm].
func CancelTrade(r *bkv1.CancelTradeRequest) (*ledger.Command, *ledger.Rejection) {
	return withTarget(command(r), r.GetTarget(), r.GetUnlessSettled()), nil
}

// CorrectTrade converts a request to correct a trade. Its form is [CorrectForm].
func CorrectTrade(r *bkv1.CorrectTradeRequest) (*ledger.Command, *ledger.Rejection) {
	return withCorrection(datedCommand(r), r)
}

// Command converts a command of a batch or stream. Rejections have the request's own names; for later ones there is the form.
func Command(r *bkv1.Command) (*ledger.Command, Form, *ledger.Rejection) {
	c := datedCommand(r)
	if _, isTrade := r.GetCommand().(*bkv1.Command_Trade); !isTrade && r.GetReplaces() != nil {
		return nil, TradeForm, ledger.Reject(ledger.ReasonInvalid, "replaces", "only a trade can replace another")
	}
	form := TradeForm
	var rej *ledger.Rejection
	switch of := r.GetCommand().(type) {
	case *bkv1.Command_Trade:
		c, rej = withTrade(c, of.Trade, r.Replaces)
	case *bkv1.Command_Entry:
		form = EntryForm
		c, rej = withPostings(c, of.Entry)
	case *bkv1.Command_Cancel:
		form = CancelCommandForm
		if rej = undated(r); rej == nil {
			c = withTarget(c, of.Cancel.GetTarget(), of.Cancel.GetUnlessSettled())
		}
	case *bkv1.Command_Correct:
		form = CorrectCommandForm
		c, rej = withCorrection(c, of.Correct)
	case *bkv1.Command_Event:
		form = EventForm
		c, rej = withEvent(c, of.Event)
	default:
		rej = ledger.Reject(ledger.ReasonMissing, "command", "one of trade, entry, cancel, correct and event is needed")
	}
	if rej != nil {
		return nil, form, form.Rename(rej)
	}
	return c, form, nil
}

// undated rejects dates on a cancel, which keeps those of its trade.
func undated(r *bkv1.Command) *ledger.Rejection {
	for _, d := range []struct {
		field string
		date  int32
	}{{"trade_date", r.TradeDate}, {"settle_date", r.SettleDate}, {"effective_date", r.EffectiveDate}} {
		if d.date != 0 {
			return ledger.Reject(ledger.ReasonInvalid, d.field, "a cancel keeps the dates of its trade")
		}
	}
	return nil
}

func withTrade(c *ledger.Command, t *bkv1.Trade, replaces *bkv1.Replaces) (*ledger.Command, *ledger.Rejection) {
	var rej *ledger.Rejection
	if c.Kind, c.Trade, rej = trade(t); rej != nil {
		return nil, rej
	}
	if replaces != nil {
		c.Replaces = &ledger.Target{
			Trade: ledger.ID(replaces.Trade), Key: replaces.Key, Link: replaces.LinkIfCanceled, UnlessSettled: replaces.UnlessSettled,
		}
	}
	return c, nil
}

func withTarget(c *ledger.Command, t *bkv1.Target, unlessSettled bool) *ledger.Command {
	c.Kind = ledger.KindCancel
	c.Target = target(t, unlessSettled)
	return c
}

// correction is what the two requests for one have in common.
type correction interface {
	GetTarget() *bkv1.Target
	GetTrade() *bkv1.Trade
	GetUnlessSettled() bool
}

func withCorrection(c *ledger.Command, r correction) (*ledger.Command, *ledger.Rejection) {
	if r.GetTarget() == nil {
		return nil, ledger.Reject(ledger.ReasonMissing, "target", "the trade to correct is needed")
	}
	c, rej := withTrade(c, r.GetTrade(), nil)
	if rej != nil {
		return nil, rej
	}
	c.Replaces = target(r.GetTarget(), r.GetUnlessSettled())
	return c, nil
}

// target converts a target; none stays none, which the ledger calls missing.
func target(t *bkv1.Target, unlessSettled bool) *ledger.Target {
	if t == nil {
		return nil
	}
	return &ledger.Target{Trade: ledger.ID(t.Trade), Key: t.Key, UnlessSettled: unlessSettled}
}

func withPostings(c *ledger.Command, e *bkv1.NewEntry) (*ledger.Command, *ledger.Rejection) {
	c.Kind = ledger.KindPosting
	if n := len(e.GetPostings()); n > ledger.MaxPostings {
		return nil, ledger.Reject(ledger.ReasonTooLarge, "entry.postings", "%d postings, %d are allowed", n, ledger.MaxPostings)
	}
	c.Postings = make([]ledger.PostingRequest, len(e.GetPostings()))
	for i, p := range e.GetPostings() {
		to, field := &c.Postings[i], indexed("entry.postings", i)
		var rej *ledger.Rejection
		if rej = checkRef(field+".account", p.GetAccount()); rej != nil {
			return nil, rej
		}
		to.Account = AccountRefFrom(p.GetAccount())
		if to.Instrument, rej = IdentifierFrom(field+".instrument", p.GetInstrument()); rej != nil {
			return nil, rej
		}
		if to.Bucket, rej = buckets.to(field+".bucket", p.GetBucket()); rej != nil {
			return nil, rej
		}
		if to.Quantity, rej = Amount(field+".quantity", p.GetQuantity()); rej != nil {
			return nil, rej
		}
	}
	return c, nil
}

// BookEvent converts a request to book an event. Its form is [EventForm].
func BookEvent(r *bkv1.BookEventRequest) (*ledger.Command, *ledger.Rejection) {
	return withEvent(datedCommand(r), r.GetEvent())
}

// withEvent converts an event by kind. Kinds that have a type of their own are refused, since they need what fields can't hold, and so are
// those that only the ledger books.
func withEvent(c *ledger.Command, e *bkv1.NewEvent) (*ledger.Command, *ledger.Rejection) {
	c.Kind, c.Fields, c.Target = ledger.Kind(e.GetKind()), e.GetFields(), target(e.GetTarget(), false)
	switch {
	case c.Kind == "":
		return nil, ledger.Reject(ledger.ReasonMissing, "kind", "an event needs its kind")
	case c.Kind.IsTrade(), c.Kind == ledger.KindPosting, c.Kind == ledger.KindCancel, c.IsDefinition():
		return nil, ledger.Reject(ledger.ReasonInvalid, "kind", "%q has a request of its own", c.Kind)
	case c.Kind.IsInternal():
		return nil, ledger.Reject(ledger.ReasonInvalid, "kind", "a %s is booked by the ledger itself", c.Kind)
	}
	return c, nil
}
