package daily

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Name of the projection and of its table of movements; the others' names begin with it.
const (
	Name       = "daily"
	totalsName = Name + "_totals"
	cutName    = Name + "_cut"
	dayName    = Name + "_day"
)

// Projection is the fold and the store of what counts from which day on.
type Projection struct{}

var _ projections.Projection = Projection{}

// Name is [Name].
func (Projection) Name() string { return Name }

// Version of fold and tables.
func (Projection) Version() int { return 1 }

// Create makes the generation's tables.
func (Projection) Create(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	for _, sql := range []string{
		`CREATE TABLE ` + g.Table(Name) + ` (
			account        bigint         NOT NULL,
			instrument     bigint         NOT NULL,
			effective_date integer        NOT NULL,
			unsettled      numeric(38,10) NOT NULL,
			settled        numeric(38,10) NOT NULL,
			PRIMARY KEY (account, instrument, effective_date)
		) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)`,
		// What a day that begins brings into force.
		`CREATE INDEX ` + g.Index(Name, "date") + ` ON ` + g.Table(Name) + ` (effective_date)`,
		`CREATE TABLE ` + g.Table(cutName) + ` (
			day        integer        NOT NULL,
			account    bigint         NOT NULL,
			instrument bigint         NOT NULL,
			unsettled  numeric(38,10) NOT NULL,
			settled    numeric(38,10) NOT NULL,
			PRIMARY KEY (day, account, instrument)
		)`,
		// begun is the day.begin entry; the others are null until the day has ended: its day.end entry, the cut's hash and number of
		// rows, and when the entry was booked.
		`CREATE TABLE ` + g.Table(dayName) + ` (
			day       integer PRIMARY KEY,
			begun     bigint NOT NULL,
			seq       bigint,
			hash      bytea,
			rows      bigint,
			booked_at timestamptz
		)`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create the tables of %s: %w", g.Table(Name), err)
		}
	}
	return projections.CreateTotals(ctx, tx, g.Table(totalsName))
}

// Drop drops them.
func (Projection) Drop(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	_, err := tx.Exec(ctx, `DROP TABLE IF EXISTS `+g.Table(Name)+`, `+g.Table(totalsName)+`, `+g.Table(cutName)+`, `+g.Table(dayName))
	return err
}

// Open makes a fold that knows the business date.
func (Projection) Open(ctx context.Context, tx pgx.Tx, g projections.Generation) (projections.Fold, error) {
	day, err := businessDay(ctx, tx, g)
	if err != nil {
		return nil, err
	}
	return newFold(g, day), nil
}

// Check makes a checker.
func (Projection) Check(tx pgx.Tx, g projections.Generation) projections.Checker {
	return &checker{tx: tx, g: g, books: newBooks(), days: map[ledger.Date]*dayRow{}}
}

// businessDay gives the last day that began, as far as the order of days depends on it; zero before the first one.
func businessDay(ctx context.Context, tx pgx.Tx, g projections.Generation) (day ledger.BusinessDay, err error) {
	err = tx.QueryRow(ctx, `SELECT day, seq IS NOT NULL FROM `+g.Table(dayName)+` ORDER BY day DESC LIMIT 1`).Scan(&day.Date, &day.Ended)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return day, fmt.Errorf("read the business date from %s: %w", g.Table(dayName), err)
	}
	return day, nil
}

// movement names what an account's holding of an instrument changes by on an effective date.
type movement struct {
	projections.Key
	date ledger.Date
}

// inForce reports whether what is effective on a date counts when the business date is today.
func inForce(date, today ledger.Date) bool { return today != 0 && date <= today }

// checkDay makes sure that a day entry follows the days before it.
func checkDay(day ledger.BusinessDay, e *ledger.Entry) error {
	if e.Day == nil {
		return fmt.Errorf("the entry is of kind %s and does not say which day", e.Kind)
	}
	if len(e.Postings) != 0 {
		return fmt.Errorf("the entry is of kind %s and has postings", e.Kind)
	}
	if rejection := day.Allows(e); rejection != nil {
		return rejection
	}
	return nil
}

func isDay(e *ledger.Entry) bool { return e.Kind == ledger.KindDayBegin || e.Kind == ledger.KindDayEnd }
