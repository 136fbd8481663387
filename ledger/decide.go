package ledger

import (
	"fmt"
	"slices"
)

// Moment is a place in the journal, and what is known there.
type Moment struct {
	Next  ID // of the next entry
	Day   BusinessDay
	Books Books
}

// Decide settles what a prepared command does at its place in the journal, which depends on order: the state of the trade that it acts on, and
// the business date. It appends the entries to book to the given ones, with their ids: most commands make one; a correction also cancels or links, the
// cancel of a settled trade also reverses settlements, and a trade that is booked late settles at once. target is the trade that the command names,
// nil if there is none such. What is rejected leaves nothing behind. Definitions are the directory's ([Directory.Reserve]).
func (r *Rules) Decide(to []*Entry, d *Draft, target Life, at Moment) ([]*Entry, *Rejection) {
	c, e := d.Command, d.Entry
	if c.EffectiveDate == 0 && at.Day.Date != 0 && e.Day == nil {
		e.EffectiveDate = at.Day.Date
	}
	switch {
	case e.Day != nil:
		if rej := at.Day.Allows(e); rej != nil {
			return to, rej
		}
	case c.Target != nil:
		if target == nil {
			return to, Reject(ReasonTradeNotFound, "target", "there is no such trade")
		}
		if rej := c.Target.settled("target", target); rej != nil {
			return to, rej
		}
		if c.EffectiveDate == 0 { // trades booked before the first roll are in force before their date
			e.EffectiveDate = max(e.EffectiveDate, target[0].EffectiveDate)
		}
		return r.act(to, e, target, at)
	case c.Replaces != nil:
		before := len(to)
		to, rej := r.replace(to, d, target, at)
		if rej != nil {
			return to, rej
		}
		at.Next += ID(len(to) - before)
		return r.book(to, d, target, at), nil
	case e.Kind.IsTrade():
		return r.book(to, d, nil, at), nil
	}
	e.ID = at.Next
	return append(to, e), nil
}

// book adds a trade, and its settlement if that is due already. replaced is the trade that it is booked in place of, if any.
func (r *Rules) book(to []*Entry, d *Draft, replaced Life, at Moment) []*Entry {
	e := d.Entry
	e.ID, e.Links.Trade = at.Next, at.Next
	to = append(to, e)
	if !at.Day.place(e, d.Command, replaced) {
		return to
	}
	at.Next++
	settle := &Entry{BookedAt: e.BookedAt, Kind: KindSettle, Source: e.Source}
	to, rej := r.act(to, settle, Life{e}, at)
	if rej != nil {
		panic(fmt.Sprintf("ledger: trade %d can't settle: %s", e.ID, rej))
	}
	return to
}

// settled rejects a command that its target's settlement stands against.
func (t *Target) settled(field string, trade Life) *Rejection {
	if t.UnlessSettled && trade.State() == TradeSettled {
		return Reject(ReasonTradeSettled, field, "trade %d is settled already", trade[0].ID)
	}
	return nil
}

// link says of a cancelled trade that the next entry books another in its place.
func (l Life) link(by *Entry, id ID) *Entry {
	e := &Entry{ID: id, BookedAt: by.BookedAt, Kind: KindLink, Source: by.Source}
	l.about(e)
	e.State, e.Links.ReplacedBy = l.State(), id+1
	return e
}

// replace cancels the trade that another is booked in place of, if it is not cancelled yet, and links the two both ways.
func (r *Rules) replace(to []*Entry, d *Draft, target Life, at Moment) ([]*Entry, *Rejection) {
	if target == nil {
		return to, Reject(ReasonTradeNotFound, "replaces", "there is no such trade")
	}
	if rej := d.Command.Replaces.settled("replaces", target); rej != nil {
		return to, rej
	}
	if target.State() == TradeCanceled {
		if !d.Command.Replaces.Link {
			return to, Reject(ReasonTradeCanceled, "replaces", "trade %d is cancelled already", target[0].ID)
		}
		return append(to, target.link(d.Entry, at.Next)), nil
	}
	cancel := &Entry{BookedAt: d.Entry.BookedAt, Kind: KindCancel, Source: d.Entry.Source}
	to, rej := r.act(to, cancel, target, at)
	if rej != nil {
		return to, rej
	}
	cancel.Links.ReplacedBy = cancel.ID + 1
	return to, nil
}

// act lets the rule of the entry's kind make the postings from what the trade did so far. The steps of a trade's own life keep its dates, other
// events their own. Cancelling a settled trade takes more entries than one: first each settlement is reversed, the last one first.
func (r *Rules) act(to []*Entry, e *Entry, trade Life, at Moment) ([]*Entry, *Rejection) {
	given := e.EffectiveDate
	trade.about(e)
	e.State = trade.State()
	if e.Kind != KindCancel && !e.Kind.IsInternal() {
		e.EffectiveDate = given
	}
	if rej := r.byKind[e.Kind].OnTrade(e, trade, &Desk{books: at.Books, day: at.Day}); rej != nil {
		return to, rej
	}
	if instrument, ok := Balanced(e.Postings); !ok {
		return to, Reject(ReasonUnbalanced, "postings", "the quantities of instrument %d do not add up to zero", instrument)
	}
	if e.Kind == KindCancel {
		for i, later := range trade.later() {
			to = append(to, trade.reverse(i, later, e, at.Next))
			at.Next++
		}
	} else if len(e.Postings) == 0 {
		return to, Reject(ReasonUnbalanced, "postings", "the event moves nothing")
	}
	e.ID = at.Next
	return append(to, e), nil
}

// reverse negates the nth of what came after the trade was in force, as a part of its cancel.
func (l Life) reverse(n int, later, cancel *Entry, id ID) *Entry {
	e := &Entry{ID: id, BookedAt: cancel.BookedAt, Kind: KindReverse, Source: cancel.Source, Postings: negated(later.Postings)}
	l.about(e)
	e.EffectiveDate, e.State, e.Links.Reverses = later.EffectiveDate, TradeOpen, later.ID
	if slices.ContainsFunc(l.later()[n+1:], func(e *Entry) bool { return e.Kind == KindSettle }) {
		e.State = TradeSettled // with its parties; that comes next
	}
	return e
}
