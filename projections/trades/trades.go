package trades

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Name of the projection and of its table of trades as booked; lifeName is its table of where they stand.
const (
	Name     = "trades"
	lifeName = Name + "_life"
)

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
func (Projection) Version() int { return 2 }

// linkedVersion is the first that finds what replaced a trade by what the replacing trade corrects; before, a trade's row said so.
const linkedVersion = 2

// Create makes the generation's tables.
func (Projection) Create(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	trades, life := g.Table(Name), g.Table(lifeName)
	index := func(table, name, on string) string {
		return `CREATE INDEX ` + g.Index(table, name) + ` ON ` + g.Table(table) + ` ` + on
	}
	for _, sql := range []string{
		// The widest types first, so that nothing is lost to alignment.
		`CREATE TABLE ` + trades + ` (
			trade           bigint      PRIMARY KEY,
			account         bigint      NOT NULL,
			target          bigint,
			instrument      bigint      NOT NULL,
			corrects        bigint,
			booked_at       timestamptz NOT NULL,
			trade_date      int         NOT NULL,
			settle_date     int         NOT NULL,
			effective_date  int         NOT NULL,
			kind            text        NOT NULL,
			direction       text        NOT NULL,
			currency        text        NOT NULL,
			client_trade_id text        NOT NULL,
			quantity        numeric     NOT NULL,
			price           numeric     NOT NULL,
			gross           numeric     NOT NULL,
			net             numeric     NOT NULL,
			commission      numeric     NOT NULL,
			sec_fee         numeric     NOT NULL,
			taf_fee         numeric     NOT NULL,
			accrued         numeric     NOT NULL
		)`,
		index(Name, "account", `(account, trade)`),
		index(Name, "account_day", `(account, trade_date, trade)`),
		index(Name, "target", `(target, trade) WHERE target IS NOT NULL`),
		index(Name, "target_day", `(target, trade_date, trade) WHERE target IS NOT NULL`),
		index(Name, "instrument", `(instrument, trade)`),
		index(Name, "corrects", `(corrects, trade) WHERE corrects IS NOT NULL`),
		`CREATE TABLE ` + life + ` (
			trade       bigint PRIMARY KEY,
			opened      bigint,
			settled     bigint,
			street      bigint,
			canceled    bigint,
			trade_date  int    NOT NULL,
			settle_date int    NOT NULL,
			settled_on  int,
			street_on   int,
			state       text   NOT NULL
		) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)`,
		index(lifeName, "new", `(trade_date, trade) WHERE state = 'new'`),
		index(lifeName, "open", `(settle_date, trade) WHERE state = 'open'`),
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create %s: %w", trades, err)
		}
	}
	return nil
}

// Drop drops them.
func (Projection) Drop(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	_, err := tx.Exec(ctx, `DROP TABLE IF EXISTS `+g.Table(Name)+`, `+g.Table(lifeName))
	return err
}

// Open makes a fold. It needs nothing of what is stored: what a trade has come to is added to its row.
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
