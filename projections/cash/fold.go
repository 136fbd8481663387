package cash

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// fold sums what a chunk changes.
type fold struct {
	table, totals string
	sums          sums
}

func (f *fold) Add(e *ledger.Entry) error {
	if instrument, ok := ledger.Balanced(e.Postings); !ok {
		return fmt.Errorf("the entry does not add up to zero in instrument %d", instrument)
	}
	return f.sums.add(e)
}

func (f *fold) Store(ctx context.Context, tx pgx.Tx) error {
	keys := make([]projections.Key, 0, len(f.sums.totals))
	for k := range f.sums.totals {
		keys = append(keys, k)
	}
	err := projections.AddTotals(ctx, tx, f.totals, keys, func(k projections.Key) projections.Holding { return f.sums.totals[k] }, nil)
	if err != nil {
		return err
	}
	days := make([]dayKey, 0, len(f.sums.days))
	for k, change := range f.sums.days {
		if !change.IsZero() { // a trade that came and went
			days = append(days, k)
		}
	}
	if err := f.storeDays(ctx, tx, days); err != nil {
		return err
	}
	clear(f.sums.totals)
	clear(f.sums.days)
	return nil
}

const (
	daysGiven = ` (SELECT a, i, d, p::numeric(38,10), r::numeric(38,10)
		FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::text[]) AS g (a, i, d, p, r)) AS x (a, i, d, p, r) `
	sameDay = ` t.account = x.a AND t.instrument = x.i AND t.settle_date = x.d `
)

// storeDays adds to the rows that are there, deletes those that have come to nothing, and inserts the others.
func (f *fold) storeDays(ctx context.Context, tx pgx.Tx, days []dayKey) error {
	slices.SortFunc(days, dayKey.compare) // neighbours share pages
	there := make([]bool, len(days))
	var empty []dayKey
	rows, err := f.write(ctx, tx, days, `UPDATE `+f.table+` AS t SET debits = t.debits + x.p, credits = t.credits + x.r FROM`+daysGiven+
		`WHERE`+sameDay+`RETURNING t.account, t.instrument, t.settle_date, t.debits = 0 AND t.credits = 0`)
	if err == nil {
		var k dayKey
		var nothing bool
		_, err = pgx.ForEachRow(rows, []any{&k.Account, &k.Instrument, &k.settleDate, &nothing}, func() error {
			if i, found := slices.BinarySearchFunc(days, k, dayKey.compare); found {
				there[i] = true
			}
			if nothing {
				empty = append(empty, k)
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("add to %s: %w", f.table, err)
	}
	missing := make([]dayKey, 0, len(days))
	for i, k := range days {
		if !there[i] {
			missing = append(missing, k)
		}
	}
	if err := f.exec(ctx, tx, empty, `DELETE FROM `+f.table+` AS t USING`+daysGiven+`WHERE`+sameDay); err != nil {
		return err
	}
	return f.exec(ctx, tx, missing, `INSERT INTO `+f.table+` SELECT a, i, d, p, r FROM`+daysGiven)
}

// exec is write for a statement that must do something with each of the days.
func (f *fold) exec(ctx context.Context, tx pgx.Tx, days []dayKey, sql string) error {
	if len(days) == 0 {
		return nil
	}
	rows, err := f.write(ctx, tx, days, sql)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		return fmt.Errorf("write to %s: %w", f.table, err)
	}
	if n := rows.CommandTag().RowsAffected(); n != int64(len(days)) {
		return fmt.Errorf("write to %s: %d rows written instead of %d", f.table, n, len(days))
	}
	return nil
}

// write gives the days' changes to a statement.
func (f *fold) write(ctx context.Context, tx pgx.Tx, days []dayKey, sql string) (pgx.Rows, error) {
	n := len(days)
	accounts, instruments, dates := make([]int64, n), make([]int64, n), make([]int32, n)
	debits, credits := make([]string, n), make([]string, n)
	for i, k := range days {
		change := f.sums.days[k]
		accounts[i], instruments[i], dates[i] = k.Account, k.Instrument, int32(k.settleDate)
		debits[i], credits[i] = change.Debits.String(), change.Credits.String()
	}
	return tx.Query(ctx, sql, accounts, instruments, dates, debits, credits)
}
