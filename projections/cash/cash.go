package cash

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Name of the projection and of its table of what is to be paid and received by day; totalsName is its table of balances.
const (
	Name       = "cash"
	totalsName = Name + "_totals"
)

// Books tells currencies from securities and owners from the street; *[ledger.Directory] does. It must know all that the entries folded name.
type Books interface {
	InstrumentByID(int64) (ledger.Instrument, bool)
	Account(ledger.AccountRef) (ledger.Account, bool)
}

// Projection is the cash's fold and store.
type Projection struct{ Books Books }

var _ projections.Projection = Projection{}

var errNoBooks = errors.New("cash: books: needed")

// Name is [Name].
func (Projection) Name() string { return Name }

// Version of fold and tables.
func (Projection) Version() int { return 1 }

// Create makes the generation's tables.
func (Projection) Create(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	// Rows come with a day's first trades and go when it settles; while they are there they change often, so there is room for new versions.
	_, err := tx.Exec(ctx, `CREATE TABLE `+g.Table(Name)+` (
		account     bigint         NOT NULL,
		instrument  bigint         NOT NULL,
		settle_date int            NOT NULL,
		debits      numeric(38,10) NOT NULL,
		credits     numeric(38,10) NOT NULL,
		PRIMARY KEY (account, instrument, settle_date)
	) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05)`)
	if err != nil {
		return fmt.Errorf("create %s: %w", g.Table(Name), err)
	}
	return projections.CreateTotals(ctx, tx, g.Table(totalsName))
}

// Drop drops them.
func (Projection) Drop(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	_, err := tx.Exec(ctx, `DROP TABLE IF EXISTS `+g.Table(Name)+`, `+g.Table(totalsName))
	return err
}

// Open makes a fold. It needs nothing of what is stored: it stores differences.
func (p Projection) Open(_ context.Context, _ pgx.Tx, g projections.Generation) (projections.Fold, error) {
	if p.Books == nil {
		return nil, errNoBooks
	}
	return &fold{table: g.Table(Name), totals: g.Table(totalsName), sums: newSums(p.Books)}, nil
}

// Check makes a checker.
func (p Projection) Check(tx pgx.Tx, g projections.Generation) projections.Checker {
	return &checker{tx: tx, g: g, sums: newSums(p.Books)}
}
