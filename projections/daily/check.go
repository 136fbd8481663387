package daily

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// books are the movements and totals in memory.
type books struct {
	day       ledger.BusinessDay
	movements map[ledger.Date]map[projections.Key]projections.Holding
	totals    map[projections.Key]projections.Holding
	nonZero   int64 // totals

	totalsOnly bool // movements that are in force are forgotten
}

func newBooks() *books {
	return &books{
		movements: map[ledger.Date]map[projections.Key]projections.Holding{},
		totals:    map[projections.Key]projections.Holding{},
	}
}

func (b *books) add(e *ledger.Entry) error {
	if isDay(e) {
		if err := checkDay(b.day, e); err != nil {
			return err
		}
		before := b.day.Date
		b.day = b.day.After(e)
		for date, movements := range b.movements {
			if inForce(date, b.day.Date) && !inForce(date, before) {
				for k, h := range movements {
					b.count(k, h)
				}
				if b.totalsOnly {
					delete(b.movements, date)
				}
			}
		}
		return nil
	}
	for _, p := range e.Postings {
		h, err := projections.Holding{}.Add(p)
		if err != nil {
			return err
		}
		k := projections.Key{Account: p.Account, Instrument: p.Instrument}
		due := inForce(e.EffectiveDate, b.day.Date)
		if due {
			b.count(k, h)
		}
		if due && b.totalsOnly {
			continue
		}
		on := b.movements[e.EffectiveDate]
		if on == nil {
			on = map[projections.Key]projections.Holding{}
			b.movements[e.EffectiveDate] = on
		}
		on[k] = on[k].Plus(h)
	}
	return nil
}

// count adds to a total.
func (b *books) count(k projections.Key, h projections.Holding) {
	before := b.totals[k]
	after := before.Plus(h)
	b.totals[k] = after
	switch {
	case before.IsZero() && !after.IsZero():
		b.nonZero++
	case !before.IsZero() && after.IsZero():
		b.nonZero--
	}
}

// checker folds on its own, and compares each cut where its day ends, the rest in the end. It holds all movements and totals, and a
// line for each day.
type checker struct {
	tx       pgx.Tx
	g        projections.Generation
	books    *books
	days     map[ledger.Date]*dayRow
	rows     int64
	breaches projections.Breaches
}

// dayRow is a day as the journal has it; end is nil while it is under way.
type dayRow struct {
	begin, end *ledger.Entry
}

func (c *checker) Add(ctx context.Context, e *ledger.Entry) error {
	if err := c.books.add(e); err != nil {
		return err
	}
	switch e.Kind {
	case ledger.KindDayBegin:
		c.days[e.Day.Date] = &dayRow{begin: e}
	case ledger.KindDayEnd:
		c.days[e.Day.Date].end = e
		return c.compareCut(ctx, e)
	}
	return nil
}

// compareCut compares a day's frozen rows with the totals as they are when it ends.
func (c *checker) compareCut(ctx context.Context, e *ledger.Entry) error {
	day, table, seq := e.Day.Date, c.g.Table(cutName), e.ID.Seq()
	rows, err := c.tx.Query(ctx, cutRows(c.g), day)
	if err != nil {
		return fmt.Errorf("read the cut of %s: %w", day, err)
	}
	before, right := c.breaches.Count, int64(0)
	h := NewHasher(day)
	err = projections.EachTotal(rows, func(k projections.Key, have projections.Holding) {
		c.rows++
		h.Add(k, have)
		switch should := c.books.totals[k]; {
		case should.IsZero():
			c.breaches.Add(seq, "%s: day %s, account %d, instrument %d is there (%s unsettled, %s settled), it was zero then",
				table, day, k.Account, k.Instrument, have.Unsettled, have.Settled)
		case have != should:
			right++ // the row, not what is in it
			c.breaches.Add(seq, "%s: day %s, account %d, instrument %d is %s unsettled, %s settled, should be %s and %s",
				table, day, k.Account, k.Instrument, have.Unsettled, have.Settled, should.Unsettled, should.Settled)
		default:
			right++
		}
	})
	if err != nil {
		return fmt.Errorf("read the cut of %s: %w", day, err)
	}
	if right != c.books.nonZero {
		if err := c.nameMissing(ctx, e); err != nil {
			return err
		}
	}
	if n, hash := h.Sum(); before == c.breaches.Count && (n != e.Day.CutRows || hash != e.Day.CutHash) {
		c.breaches.Add(seq, "the end of day %s states a cut of %d rows with the hash %x, the books make one of %d rows with the hash %x",
			day, e.Day.CutRows, e.Day.CutHash, n, hash)
	}
	return nil
}

// nameMissing reads the cut again and names the rows that are not in it.
func (c *checker) nameMissing(ctx context.Context, e *ledger.Entry) error {
	there := map[projections.Key]bool{}
	rows, err := c.tx.Query(ctx, cutRows(c.g), e.Day.Date)
	if err == nil {
		err = projections.EachTotal(rows, func(k projections.Key, _ projections.Holding) { there[k] = true })
	}
	if err != nil {
		return fmt.Errorf("read the cut of %s: %w", e.Day.Date, err)
	}
	for k, should := range c.books.totals {
		if !should.IsZero() && !there[k] {
			c.breaches.Add(e.ID.Seq(), "%s: day %s, account %d, instrument %d is missing, should be %s unsettled, %s settled",
				c.g.Table(cutName), e.Day.Date, k.Account, k.Instrument, should.Unsettled, should.Settled)
		}
	}
	return nil
}

func (c *checker) Finish(ctx context.Context) (int64, projections.Breaches, error) {
	for _, compare := range []func(context.Context) error{c.compareMovements, c.compareDays, c.compareOtherCuts} {
		if err := compare(ctx); err != nil {
			return 0, c.breaches, err
		}
	}
	rows, breaches, err := projections.CompareTotals(ctx, c.tx, c.g.Table(totalsName), c.books.totals, c.g.Checkpoint.Seq)
	c.breaches.Merge(breaches)
	return c.rows + rows, c.breaches, err
}

func (c *checker) compareMovements(ctx context.Context) error {
	table, seq := c.g.Table(Name), c.g.Checkpoint.Seq
	var m movement
	var unsettled, settled string
	rows, err := c.tx.Query(ctx, `SELECT account, instrument, effective_date, unsettled::text, settled::text FROM `+table)
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	_, err = pgx.ForEachRow(rows, []any{&m.Account, &m.Instrument, &m.date, &unsettled, &settled}, func() (err error) {
		c.rows++
		var have projections.Holding
		if have.Unsettled, err = projections.ParseSum(unsettled); err != nil {
			return err
		}
		if have.Settled, err = projections.ParseSum(settled); err != nil {
			return err
		}
		should, ok := c.books.movements[m.date][m.Key]
		delete(c.books.movements[m.date], m.Key)
		switch {
		case !ok:
			c.breaches.Add(seq, "%s: account %d, instrument %d, effective %s is there (%s unsettled, %s settled), no entry touches it",
				table, m.Account, m.Instrument, m.date, have.Unsettled, have.Settled)
		case have != should:
			c.breaches.Add(seq, "%s: account %d, instrument %d, effective %s is %s unsettled, %s settled, should be %s and %s",
				table, m.Account, m.Instrument, m.date, have.Unsettled, have.Settled, should.Unsettled, should.Settled)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	for date, left := range c.books.movements {
		for k, should := range left {
			c.breaches.Add(seq, "%s: account %d, instrument %d, effective %s is missing, should be %s unsettled, %s settled",
				table, k.Account, k.Instrument, date, should.Unsettled, should.Settled)
		}
	}
	return nil
}

func (c *checker) compareDays(ctx context.Context) error {
	table := c.g.Table(dayName)
	var (
		day        ledger.Date
		begun      int64
		seq, count *int64
		hash       []byte
		booked     *time.Time
	)
	rows, err := c.tx.Query(ctx, `SELECT day, begun, seq, hash, rows, booked_at FROM `+table)
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	seen := map[ledger.Date]bool{}
	_, err = pgx.ForEachRow(rows, []any{&day, &begun, &seq, &hash, &count, &booked}, func() error {
		c.rows++
		seen[day] = true
		want := c.days[day]
		if want == nil {
			c.breaches.Add(c.g.Checkpoint.Seq, "%s: day %s is there, no entry begins it", table, day)
			return nil
		}
		if uint64(begun) != want.begin.ID.Seq() {
			c.breaches.Add(want.begin.ID.Seq(), "%s: day %s begins with entry %d, should be %d", table, day, begun, want.begin.ID.Seq())
		}
		if want.end == nil {
			if seq != nil || hash != nil || count != nil || booked != nil {
				c.breaches.Add(want.begin.ID.Seq(), "%s: day %s has ended, no entry ends it", table, day)
			}
			return nil
		}
		end := want.end
		if seq == nil || uint64(*seq) != end.ID.Seq() || count == nil || *count != end.Day.CutRows ||
			!bytes.Equal(hash, end.Day.CutHash[:]) || booked == nil || !booked.Equal(end.BookedAt) {
			c.breaches.Add(end.ID.Seq(), "%s: the end of day %s is entry %s, %s rows, hash %x, booked %s; should be entry %d, %d rows, hash %x, booked %s",
				table, day, text(seq), text(count), hash, text(booked), end.ID.Seq(), end.Day.CutRows, end.Day.CutHash, end.BookedAt)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	for day, want := range c.days {
		if !seen[day] {
			c.breaches.Add(want.begin.ID.Seq(), "%s: day %s is missing", table, day)
		}
	}
	return nil
}

// text writes a column that may be null.
func text[T any](v *T) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(*v)
}

// compareOtherCuts looks for frozen rows of days that have not ended.
func (c *checker) compareOtherCuts(ctx context.Context) error {
	ended := []int32{}
	for day, row := range c.days {
		if row.end != nil {
			ended = append(ended, int32(day))
		}
	}
	table := c.g.Table(cutName)
	var day ledger.Date
	var count int64
	rows, err := c.tx.Query(ctx, `SELECT day, count(*) FROM `+table+` WHERE day <> ALL ($1::integer[]) GROUP BY day ORDER BY day`, ended)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&day, &count}, func() error {
			c.breaches.Add(c.g.Checkpoint.Seq, "%s: day %s has %d rows, no entry ends it", table, day, count)
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	return nil
}
