package cash

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// checker sums everything. Days that have come to nothing are forgotten, so it holds what the tables hold.
type checker struct {
	tx   pgx.Tx
	g    projections.Generation
	sums sums
}

func (c *checker) Add(_ context.Context, e *ledger.Entry) error {
	if c.sums.books == nil {
		return errNoBooks
	}
	if err := c.sums.add(e); err != nil {
		return err
	}
	if standOf(e) != leaves {
		return nil
	}
	for _, p := range e.Postings {
		k := dayKey{projections.Key{Account: p.Account, Instrument: p.Instrument}, e.SettleDate}
		if s, ok := c.sums.days[k]; ok && s.IsZero() {
			delete(c.sums.days, k)
		}
	}
	return nil
}

func (c *checker) Finish(ctx context.Context) (rows int64, breaches projections.Breaches, err error) {
	table, seq := c.g.Table(Name), c.g.Checkpoint.Seq
	stored, err := c.tx.Query(ctx, `SELECT `+dayColumns+` FROM `+table)
	if err != nil {
		return 0, breaches, fmt.Errorf("read %s: %w", table, err)
	}
	err = eachDay(stored, func(k dayKey, have Sides) {
		rows++
		should := c.sums.days[k]
		delete(c.sums.days, k)
		switch {
		case should.IsZero():
			breaches.Add(seq, "%s: account %d, instrument %d, settlement date %d is there (%s to pay, %s to receive), no open trade has it",
				table, k.Account, k.Instrument, k.settleDate, have.Debits, have.Credits)
		case have != should:
			breaches.Add(seq, "%s: account %d, instrument %d, settlement date %d is %s to pay, %s to receive, should be %s and %s",
				table, k.Account, k.Instrument, k.settleDate, have.Debits, have.Credits, should.Debits, should.Credits)
		}
	})
	if err != nil {
		return rows, breaches, fmt.Errorf("read %s: %w", table, err)
	}
	for k, should := range c.sums.days {
		if !should.IsZero() {
			breaches.Add(seq, "%s: account %d, instrument %d, settlement date %d is missing, should be %s to pay, %s to receive",
				table, k.Account, k.Instrument, k.settleDate, should.Debits, should.Credits)
		}
	}
	n, more, err := projections.CompareTotals(ctx, c.tx, c.g.Table(totalsName), c.sums.totals, seq)
	breaches.Merge(more)
	return rows + n, breaches, err
}
