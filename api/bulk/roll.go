package bulk

import (
	"fmt"
	"time"

	"github.com/bkledger/bk/ledger"
)

// Roll takes the business date to a day (YYYYMMDD), over every calendar day up to it, with the street side: the entries of package dayroll. The first roll ever begins with the
// day itself. A day before the business date is a *ledger.Rejection; the business date again does nothing.
func (b *Builder) Roll(to int32, at time.Time) error {
	if b.err != nil {
		return b.err
	}
	last := ledger.Date(to)
	if !last.Valid() {
		return ledger.Reject(ledger.ReasonInvalid, "to", "%d is no day between %d and %d", to, ledger.MinDate, ledger.MaxDate)
	}
	if last < b.day.Date {
		return ledger.Reject(ledger.ReasonDayPassed, "to", "the business date is %s already", b.day.Date)
	}
	next := last
	if b.day.Date != 0 {
		next = b.day.Date.Next()
	}
	at = at.UTC().Truncate(time.Microsecond)
	for ; next <= last; next = next.Next() {
		if b.rollDay(ledger.Day{Date: next, To: last, Street: true}, at); b.err != nil {
			return b.err
		}
	}
	return nil
}

// rollDay begins a day, opens and settles what is due, and ends it with its cut.
func (b *Builder) rollDay(day ledger.Day, at time.Time) {
	begin := day
	b.bookOwn(&ledger.Command{Kind: ledger.KindDayBegin, Day: &begin}, at)
	step := func(kind ledger.Kind, due []ledger.ID) int64 {
		for _, id := range due {
			b.bookOwn(&ledger.Command{Kind: kind, Source: "roll", Target: &ledger.Target{Trade: id}}, at)
		}
		return int64(len(due))
	}
	day.Opened = step(ledger.KindTradeOpen, b.lives.due(b.lives.toOpen, day.Date, ledger.TradeNew))
	day.Settled = step(ledger.KindSettle, b.lives.due(b.lives.settle, day.Date, ledger.TradeOpen))
	day.CutRows, day.CutHash = b.cuts.Cut()
	b.bookOwn(&ledger.Command{Kind: ledger.KindDayEnd, Day: &day}, at)
}

// bookOwn books a command of the roll. There is nothing in it that could be rejected.
func (b *Builder) bookOwn(c *ledger.Command, at time.Time) {
	p := &Prepared{command: c, at: at}
	b.prepare(p)
	if _, rej := b.book(p); rej != nil {
		b.fail(fmt.Errorf("roll: %s: %w", c.Kind, rej))
	}
}
