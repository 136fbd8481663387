package trades

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// maxDueDates is up to how many days' trades are merged in one statement. Once days roll there is one at a time; the first roll ever finds the days
// of all that was booked before.
const maxDueDates = 64

// DueToOpen gives up to limit (1 to [MaxLimit]) trades behind after, by id, that are new and whose trade date is the day or before it. It waits until
// the entry atLeast is in.
func (r *Reader) DueToOpen(ctx context.Context, day ledger.Date, after ledger.ID, limit int, atLeast uint64) ([]ledger.ID, error) {
	return r.due(ctx, `trade_date`, isNew, day, after, limit, atLeast)
}

// DueToSettle does so for trades that are open and whose settlement date is the day or before it.
func (r *Reader) DueToSettle(ctx context.Context, day ledger.Date, after ledger.ID, limit int, atLeast uint64) ([]ledger.ID, error) {
	return r.due(ctx, `settle_date`, isOpen, day, after, limit, atLeast)
}

func (r *Reader) due(
	ctx context.Context, date, state string, day ledger.Date, after ledger.ID, limit int, atLeast uint64,
) (due []ledger.ID, err error) {
	if limit < 1 || limit > MaxLimit {
		return nil, ErrLimit
	}
	err = r.view(ctx, atLeast, func(tx pgx.Tx, g projections.Generation) error {
		rows, err := tx.Query(ctx, dueDatesSQL(g, date, state), int32(day), maxDueDates+1)
		if err != nil {
			return fmt.Errorf("find days with trades that are due: %w", err)
		}
		dates, err := pgx.CollectRows(rows, pgx.RowTo[int32])
		if err != nil {
			return fmt.Errorf("find days with trades that are due: %w", err)
		}
		if len(dates) == 0 {
			due = nil
			return nil
		}
		rows, err = tx.Query(ctx, dueSQL(g, date, state, dates), int32(day), int64(after), limit)
		if err != nil {
			return fmt.Errorf("find trades that are due: %w", err)
		}
		if due, err = pgx.CollectRows(rows, pgx.RowTo[ledger.ID]); err != nil {
			return fmt.Errorf("find trades that are due: %w", err)
		}
		return nil
	})
	return due, err
}

// dueDatesSQL gives the first $2 different days up to $1 with trades in that state: one look into the index for each.
func dueDatesSQL(g projections.Generation, date, state string) string {
	next := func(after string) string { // not min(): where the planner takes the index to be small, it reads all of it
		return `(SELECT ` + date + ` FROM ` + g.Table(lifeName) + ` WHERE ` + state + ` AND ` + date + ` > ` + after +
			` AND ` + date + ` <= $1 ORDER BY ` + date + `, trade LIMIT 1)`
	}
	return `WITH RECURSIVE days (day) AS (` + next(`0`) + `
			UNION ALL SELECT ` + next(`d.day`) + ` FROM days AS d WHERE d.day IS NOT NULL)
		SELECT day FROM days WHERE day IS NOT NULL LIMIT $2`
}

// dueSQL gives the first $3 trades behind $2 in that state with a day up to $1, by id. The index has each day's trades by id: a few days are merged, and no
// more is read than is given. Where there are very many days, nearly all trades are due, and going through them by id is best.
func dueSQL(g projections.Generation, date, state string, dates []int32) string {
	of := func(days string) string {
		return `SELECT trade FROM ` + g.Table(lifeName) + ` WHERE ` + state + ` AND ` + date + days +
			` AND ` + date + ` <= $1 AND trade > $2 ORDER BY trade`
	}
	if len(dates) > maxDueDates {
		return of(` > 0`) + ` LIMIT $3`
	}
	var merged []string
	for _, d := range dates {
		merged = append(merged, `(`+of(fmt.Sprintf(" = %d", d))+`)`)
	}
	return `SELECT trade FROM (` + strings.Join(merged, ` UNION ALL `) + `) AS due ORDER BY trade LIMIT $3`
}
