package balances

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Name of the projection, and of its tables.
const Name = "balances"

// Projection is the balances' fold and store.
type Projection struct{}

var _ projections.Projection = Projection{}

// Name is [Name].
func (Projection) Name() string { return Name }

// Version of fold and table. 2: by instrument, too.
func (Projection) Version() int { return 2 }

// Create makes the generation's table.
func (Projection) Create(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	if err := projections.CreateTotals(ctx, tx, g.Table(Name)); err != nil {
		return err
	}
	// For package stockrecord. Amounts are not in it, so that their updates leave it alone.
	_, err := tx.Exec(ctx, `CREATE INDEX `+g.Index(Name, "instrument")+` ON `+g.Table(Name)+` (instrument, account)`)
	if err != nil {
		return fmt.Errorf("index %s: %w", g.Table(Name), err)
	}
	return nil
}

// Drop drops it.
func (Projection) Drop(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	_, err := tx.Exec(ctx, `DROP TABLE IF EXISTS `+g.Table(Name))
	return err
}

// Open makes a fold. It needs nothing of what is stored: it stores differences.
func (Projection) Open(_ context.Context, _ pgx.Tx, g projections.Generation) (projections.Fold, error) {
	return &fold{table: g.Table(Name), changes: map[projections.Key]*projections.Holding{}}, nil
}

// Check makes a checker.
func (Projection) Check(tx pgx.Tx, g projections.Generation) projections.Checker {
	return &checker{tx: tx, g: g, want: map[projections.Key]projections.Holding{}}
}

// fold sums what a chunk changes.
type fold struct {
	table   string
	changes map[projections.Key]*projections.Holding
}

func (f *fold) Add(e *ledger.Entry) (err error) {
	if instrument, ok := ledger.Balanced(e.Postings); !ok {
		return fmt.Errorf("the entry does not add up to zero in instrument %d", instrument)
	}
	for _, p := range e.Postings {
		key := projections.Key{Account: p.Account, Instrument: p.Instrument}
		change := f.changes[key]
		if change == nil {
			change = &projections.Holding{}
			f.changes[key] = change
		}
		if *change, err = change.Add(p); err != nil {
			return err
		}
	}
	return nil
}

func (f *fold) Store(ctx context.Context, tx pgx.Tx) error {
	keys := make([]projections.Key, 0, len(f.changes))
	for k := range f.changes {
		keys = append(keys, k)
	}
	err := projections.AddTotals(ctx, tx, f.table, keys, func(k projections.Key) projections.Holding { return *f.changes[k] }, nil)
	clear(f.changes)
	return err
}

// checker sums everything.
type checker struct {
	tx   pgx.Tx
	g    projections.Generation
	want map[projections.Key]projections.Holding
}

func (c *checker) Add(_ context.Context, e *ledger.Entry) (err error) {
	for _, p := range e.Postings {
		key := projections.Key{Account: p.Account, Instrument: p.Instrument}
		if c.want[key], err = c.want[key].Add(p); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) Finish(ctx context.Context) (int64, projections.Breaches, error) {
	return projections.CompareTotals(ctx, c.tx, c.g.Table(Name), c.want, c.g.Checkpoint.Seq)
}
