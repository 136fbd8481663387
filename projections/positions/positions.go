package positions

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Name of the projection and of its table of lines; fillsName is its table of blocks.
const (
	Name      = "positions"
	fillsName = Name + "_fills"
)

// Books knows accounts and instruments, up to the journal's head; a *[ledger.Directory] does.
type Books interface {
	InstrumentByID(int64) (ledger.Instrument, bool)
	Account(ledger.AccountRef) (ledger.Account, bool)
}

// Projection is the positions' fold and store.
type Projection struct {
	// Books tells owners from others and securities from currencies. What it does not know stops the fold.
	Books Books
}

var _ projections.Projection = Projection{}

// Name is [Name].
func (Projection) Name() string { return Name }

// Version of fold and tables.
func (Projection) Version() int { return 1 }

// Create makes the generation's tables.
func (Projection) Create(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	for _, sql := range []string{
		`CREATE TABLE ` + g.Table(Name) + ` (
			account    bigint           NOT NULL,
			instrument bigint           NOT NULL,
			currency   text COLLATE "C" NOT NULL,
			unsettled  numeric(38,10)   NOT NULL,
			settled    numeric(38,10)   NOT NULL,
			cost       numeric(38,10)   NOT NULL,
			realised   numeric(38,10)   NOT NULL,
			PRIMARY KEY (account, instrument, currency)
		) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05)`,
		`CREATE TABLE ` + g.Table(fillsName) + ` (
			account     bigint           NOT NULL,
			instrument  bigint           NOT NULL,
			currency    text COLLATE "C" NOT NULL,
			first_date  integer          NOT NULL,
			first_trade bigint           NOT NULL,
			first_seq   bigint           NOT NULL,
			latest      bigint           NOT NULL,
			mark        bytea            NOT NULL,
			records     bytea            NOT NULL,
			PRIMARY KEY (account, instrument, currency, first_date, first_trade, first_seq)
		) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)`,
		// Dense already; and trying to compress the last block of each line at each chunk is work for nothing.
		`ALTER TABLE ` + g.Table(fillsName) + ` ALTER COLUMN records SET STORAGE EXTERNAL, ALTER COLUMN mark SET STORAGE PLAIN`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create %s: %w", g.Table(Name), err)
		}
	}
	return nil
}

// Drop drops them.
func (Projection) Drop(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	_, err := tx.Exec(ctx, `DROP TABLE IF EXISTS `+g.Table(Name)+`, `+g.Table(fillsName))
	return err
}

// Open makes a fold. It reads what it needs of the tables as it goes.
func (p Projection) Open(_ context.Context, _ pgx.Tx, g projections.Generation) (projections.Fold, error) {
	return &fold{extractor: newExtractor(p.Books), g: g, lines: map[lineKey]*line{}}, nil
}

// Check makes a checker.
func (p Projection) Check(tx pgx.Tx, g projections.Generation) projections.Checker {
	return newChecker(tx, g, p.Books)
}
