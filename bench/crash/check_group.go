package main

import (
	"fmt"

	"github.com/bkledger/bk/ledger"
)

// group is what one command makes, entry after entry: nothing comes in between, and all is one term's.
//
//	booking [settle]                                of a trade; the settlement if it is due already
//	reverse... cancel                               a cancel; each settlement is reversed before
//	reverse... cancel booking [settle]              a correction
//	link booking [settle]                           a correction of a trade that is cancelled already
//	an event
//
// The entry that has the command's key is the booking, the cancel of a cancel, or the event.
type group struct {
	want  wanted
	trade ledger.ID // to cancel or settle
	next  ledger.ID // the trade to book in place of the cancelled one
	key   string    // of the command, once it is there
	epoch int64
}

// wanted is what must follow.
type wanted byte

const (
	anything  wanted = iota // the next command, or a day
	cancels                 // another reversal, or the cancel
	rebooking               // the trade in place of a cancelled one
	settles                 // the settlement of a trade that was booked late
)

// missing says what must follow.
func (g *group) missing() string {
	switch g.want {
	case cancels:
		return fmt.Sprintf("the cancel of trade %d, whose settlement was reversed,", g.trade)
	case rebooking:
		return fmt.Sprintf("trade %d in place of the cancelled trade %d", g.next, g.trade)
	case settles:
		return fmt.Sprintf("the settlement of trade %d, which was booked late,", g.trade)
	}
	return "nothing"
}

// place checks that an entry stands where it may: days and what they bring are one uninterrupted row, the entries of a command another; what
// has no key belongs to one of them, or defines something.
func (j *journalCheck) place(e *ledger.Entry) {
	g := &j.group
	if g.want != anything && !g.takes(e) {
		j.breach("entry %d, a %s, follows where %s must", e.ID.Seq(), e.Kind, g.missing())
		*g = group{}
	}
	if e.Key != "" {
		j.remembered(e)
	} else if e.Account == nil && e.Define == nil {
		j.keyless++
	}
	if e.Day != nil || j.days.rolling() {
		j.onDay(e)
		return
	}
	if e.Account != nil || e.Define != nil {
		return
	}
	if g.want == anything {
		*g = group{epoch: e.Epoch, trade: e.Links.Trade}
		if e.Key == "" && e.Kind != ledger.KindReverse && (e.Kind != ledger.KindCancel && e.Kind != ledger.KindLink || e.Links.ReplacedBy == 0) {
			j.breach("entry %d, a %s, has no key, and belongs to no command and no roll", e.ID.Seq(), e.Kind)
			return
		}
		if e.Links.Corrects != 0 && e.Kind.IsTrade() {
			j.breach("entry %d corrects trade %d, and the entry before it isn't the cancel or the link that belongs to it", e.ID.Seq(), e.Links.Corrects)
		}
	}
	g.take(e, j.days.isDue(e))
	if g.want == anything {
		j.groupEnds(e)
	}
}

// takes reports whether an entry is what must follow.
func (g *group) takes(e *ledger.Entry) bool {
	if e.Epoch != g.epoch {
		return false
	}
	switch g.want {
	case cancels:
		return e.Links.Trade == g.trade && (e.Kind == ledger.KindReverse && e.Key == "" || e.Kind == ledger.KindCancel)
	case rebooking:
		return e.ID == g.next && e.Kind.IsTrade() && e.Key != "" && e.Links.Corrects == g.trade
	}
	return e.Kind == ledger.KindSettle && e.Key == "" && e.Links.Trade == g.trade
}

// take goes on behind an entry that may stand here.
func (g *group) take(e *ledger.Entry, due bool) {
	if e.Key != "" {
		g.key = e.Key
	}
	g.want = anything
	switch {
	case e.Kind == ledger.KindReverse:
		g.want = cancels
	case e.Kind == ledger.KindCancel && e.Key == "", e.Kind == ledger.KindLink:
		g.want, g.next = rebooking, e.Links.ReplacedBy
	case e.Kind.IsTrade() && due:
		g.want, g.trade = settles, e.ID
	}
}

// groupEnds holds the last entry of a command against the place that its client was given.
func (j *journalCheck) groupEnds(e *ledger.Entry) {
	r, ok := j.receipts[j.group.key]
	if !ok {
		return // told already
	}
	if seq := e.ID.Seq(); r.upTo < seq || r.upTo > seq && !r.repeat {
		j.breach("key %s: its client was told that entry %d is its last, it is %d", j.group.key, r.upTo, seq)
	}
}
