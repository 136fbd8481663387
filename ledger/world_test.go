package ledger_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
)

// world is a ledger without a journal: what is decided is booked at once.
type world struct {
	t       testing.TB
	books   *ledger.Directory
	rules   *ledger.Rules
	day     ledger.BusinessDay
	entries []*ledger.Entry
	lives   map[ledger.ID]ledger.Life
	keys    int
}

func newWorld(t testing.TB, more ...ledger.Rule) *world {
	return &world{t: t, books: newBooks(), rules: ledger.StandardRules(more...), lives: map[ledger.ID]ledger.Life{}}
}

// try books a command, or gives why not.
func (w *world) try(c *ledger.Command) ([]*ledger.Entry, *ledger.Rejection) {
	if c.Key == "" && !c.Kind.IsInternal() {
		w.keys++
		c.Key = fmt.Sprint("key ", w.keys)
	}
	draft, rej := w.rules.Prepare(c, w.books, time.UnixMicro(1381132800464123))
	for _, code := range draft.NeedHouse {
		e := &ledger.Entry{Account: &ledger.Account{Code: code}}
		if _, rej := w.books.Reserve(e); rej != nil {
			w.t.Fatal(rej)
		}
		w.books.Apply(e)
	}
	if draft.NeedHouse != nil {
		draft, rej = w.rules.Prepare(c, w.books, time.UnixMicro(1381132800464123))
	}
	if rej != nil {
		return nil, rej
	}
	target := c.Target
	if c.Replaces != nil {
		target = c.Replaces
	}
	var life ledger.Life
	if target != nil {
		life = w.lives[target.Trade]
	}
	next := ledger.MakeID(0, uint64(len(w.entries)+1))
	booked, rej := w.rules.Decide(nil, &draft, life, ledger.Moment{Next: next, Day: w.day, Books: w.books})
	if rej != nil {
		if len(booked) != 0 {
			w.t.Fatalf("rejected, and %d entries: %v", len(booked), rej)
		}
		return nil, rej
	}
	for i, e := range booked {
		if e.ID != next+ledger.ID(i) {
			w.t.Fatalf("entry %d has the id %d", next+ledger.ID(i), e.ID)
		}
		for _, p := range e.Postings {
			if p.Account == 0 || p.Instrument == 0 || p.Quantity.IsZero() {
				w.t.Fatalf("%s %d makes the posting %+v", e.Kind, e.ID, p)
			}
		}
		if _, ok := ledger.Balanced(e.Postings); !ok {
			w.t.Fatalf("%s %d is not balanced: %s", e.Kind, e.ID, show(w.books, e.Postings))
		}
		w.entries, w.day = append(w.entries, e), w.day.After(e)
		if trade := e.Links.Trade; trade != 0 {
			w.lives[trade] = append(w.lives[trade], e)
		}
	}
	return booked, nil
}

// must books a command and gives its last entry.
func (w *world) must(c *ledger.Command) *ledger.Entry {
	w.t.Helper()
	booked, rej := w.try(c)
	if rej != nil {
		w.t.Fatalf("%s: %v", c.Kind, rej)
	}
	return booked[len(booked)-1]
}

// trade books the sample trade with changes and gives its id.
func (w *world) trade(change func(c *ledger.Command, t *ledger.Trade)) ledger.ID {
	w.t.Helper()
	c := exchangeTrade()
	c.Key = ""
	change(c, c.Trade)
	return w.must(c).Links.Trade
}

// on acts on a trade.
func on(kind ledger.Kind, trade ledger.ID) *ledger.Command {
	return &ledger.Command{Kind: kind, Target: &ledger.Target{Trade: trade}}
}

// roll takes the ledger through all days up to one, as the day roll does: what is due opens, then settles, by trade.
func (w *world) roll(to ledger.Date, street bool) {
	w.t.Helper()
	day := ledger.Day{Date: to, To: to, Street: street}
	if w.day.Date != 0 {
		day.Date = w.day.Date.Next()
	}
	for ; day.Date <= to; day.Date = day.Date.Next() {
		today := day
		w.must(&ledger.Command{Kind: ledger.KindDayBegin, Day: &today})
		w.each(ledger.KindTradeOpen, func(e *ledger.Entry) bool { return e.State == ledger.TradeNew && e.TradeDate <= today.Date })
		w.each(ledger.KindSettle, func(e *ledger.Entry) bool { return e.State == ledger.TradeOpen && e.SettleDate <= today.Date })
		w.must(&ledger.Command{Kind: ledger.KindDayEnd, Day: &today})
	}
}

// each takes a step with every trade that is due for it, as its last entry says.
func (w *world) each(step ledger.Kind, due func(last *ledger.Entry) bool) {
	w.t.Helper()
	for _, trade := range slices.Sorted(maps.Keys(w.lives)) {
		if life := w.lives[trade]; due(life[len(life)-1]) {
			w.must(on(step, trade))
		}
	}
}

// log writes all entries, one a line: id, kind, state, effective date, settlement date of a booking, links, postings.
func (w *world) log() string {
	var out strings.Builder
	for _, e := range w.entries {
		fmt.Fprintf(&out, "%d %s", e.ID.Seq(), e.Kind)
		if e.State != "" {
			fmt.Fprintf(&out, " %s", e.State)
		}
		fmt.Fprintf(&out, " %s", e.EffectiveDate)
		if e.Kind.IsTrade() {
			fmt.Fprintf(&out, " settles %s", e.SettleDate)
		}
		for _, link := range []struct {
			name string
			id   ledger.ID
		}{{"trade", e.Links.Trade}, {"reverses", e.Links.Reverses}, {"corrects", e.Links.Corrects}, {"root", e.Links.Root}, {"by", e.Links.ReplacedBy}} {
			if link.id != 0 && link.id != e.ID {
				fmt.Fprintf(&out, " %s %d", link.name, link.id.Seq())
			}
		}
		if len(e.Postings) > 0 {
			fmt.Fprintf(&out, ": %s", show(w.books, e.Postings))
		}
		out.WriteByte('\n')
	}
	return out.String()
}
