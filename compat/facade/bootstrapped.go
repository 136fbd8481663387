package facade

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// bootstrapped gives Bank's place that BK and this database were filled up to before the first start, by the bootstrapper; zeros if they were not. An error while they are being filled.
// No bootstrapper begins before the transaction ends.
func bootstrapped(ctx context.Context, tx pgx.Tx) (event bank.ID, date bank.Date, err error) {
	if _, err := tx.Exec(ctx, `LOCK facade.bootstrap IN ROW EXCLUSIVE MODE`); err != nil {
		return 0, 0, fmt.Errorf("look for what was loaded: %w", err)
	}
	var state, who string
	err = tx.QueryRow(ctx, `SELECT event_id, business_date, state, who FROM facade.bootstrap`).Scan(&event, &date, &state, &who)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look for what was loaded: %w", err)
	}
	if state != "loaded" {
		return 0, 0, fmt.Errorf("the façade's database is being loaded by %s (hotswap bootstrap): it must end first, or be aborted", who)
	}
	return event, date, nil
}
