package trades

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Name of the projection, and its tables.
const (
	Name         = "trades"
	lifeName     = Name + "_life"
	listName     = Name + "_list"
	correctsName = Name + "_corrects"
)

// blockEntries is how many sequence numbers of the journal share a row of a posting list. The larger, the fewer rows are written where many accounts
// trade, and the more of a hot account's or instrument's row is written again with each chunk: 2 bytes for each trade that is in it already. An
// offset has 2 bytes. Changing it needs a new version.
const blockEntries = 16384

// Books finds the security that a trade names; *[ledger.Directory] does. It must know all that the entries folded name.
type Books interface {
	Instrument(ledger.Identifier) (ledger.Instrument, bool)
}

// Projection is the trades' fold and store.
type Projection struct{ Books Books }

var _ projections.Projection = Projection{}

var errNoBooks = errors.New("trades: books: needed")

// Name is [Name].
func (Projection) Name() string { return Name }

// Version of fold and tables.
func (Projection) Version() int { return 3 }

// Create makes the generation's tables.
func (Projection) Create(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	life, list := g.Table(lifeName), g.Table(listName)
	for _, sql := range []string{
		// The widest types first, so that nothing is lost to alignment.
		`CREATE TABLE ` + life + ` (
			trade          bigint PRIMARY KEY,
			opened         bigint,
			settled        bigint,
			street         bigint,
			canceled       bigint,
			trade_date     int    NOT NULL,
			settle_date    int    NOT NULL,
			effective_date int    NOT NULL,
			settled_on     int,
			street_on      int
		) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)`,
		`CREATE INDEX ` + g.Index(lifeName, "new") + ` ON ` + life + ` (trade_date, trade) WHERE ` + isNew,
		`CREATE INDEX ` + g.Index(lifeName, "open") + ` ON ` + life + ` (settle_date, trade) WHERE ` + isOpen,
		// Room for new versions of the rows of the open block, which then leave the index alone.
		`CREATE TABLE ` + list + ` (
			key        bigint NOT NULL,
			block      bigint NOT NULL,
			first_date int    NOT NULL,
			last_date  int    NOT NULL,
			kind       "char" NOT NULL,
			offsets    bytea  NOT NULL,
			PRIMARY KEY (kind, key, block)
		) WITH (fillfactor = 90)`,
		// Compressing a hot row again at each update is work for nothing.
		`ALTER TABLE ` + list + ` ALTER COLUMN offsets SET STORAGE EXTERNAL`,
		`CREATE TABLE ` + g.Table(correctsName) + ` (
			corrects bigint,
			trade    bigint,
			PRIMARY KEY (corrects, trade)
		)`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create the tables of %s: %w", life, err)
		}
	}
	return nil
}

// Drop drops them, and the table of bookings that earlier versions had.
func (Projection) Drop(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	_, err := tx.Exec(ctx, `DROP TABLE IF EXISTS `+g.Table(Name)+`, `+g.Table(lifeName)+`, `+g.Table(listName)+`, `+g.Table(correctsName))
	return err
}

// Open makes a fold. It needs nothing of what is stored: what a trade has come to is added to its row, and a list's row is appended to.
func (p Projection) Open(_ context.Context, _ pgx.Tx, g projections.Generation) (projections.Fold, error) {
	if p.Books == nil {
		return nil, errNoBooks
	}
	return newFold(p.Books, g), nil
}

// Check makes a checker.
func (p Projection) Check(tx pgx.Tx, g projections.Generation) projections.Checker {
	return newChecker(p.Books, tx, g)
}
