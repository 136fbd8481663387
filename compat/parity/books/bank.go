package books

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// fromBank are Bank's tables, each as a query whose columns are those of a table here behind its first, side. The parameter are the accounts that are read, null for all.
var fromBank = []struct {
	to  *dialect.Table
	sql string
}{
	{accounts, `SELECT account_id, entity_id FROM bank.account WHERE $1::bigint[] IS NULL OR account_id = ANY ($1)`},
	{dates, `SELECT date FROM bank.business_date WHERE true OR $1::bigint[] IS NULL`},
	{trades, `SELECT trade_id, NULL::bigint, state, account_id, target_account_id, trade_date, settle_date, symbol, currency, CASE WHEN sell THEN 'sell' ELSE 'buy' END,
		quantity::text, price::text, coalesce(request -> 'fees' ->> 'commission', '0'), coalesce(request -> 'interest' ->> 'accrued', '0'),
		gross_amount::text, sec_fee::text, taf_fee::text, net_amount::text, booked_at, canceled_at, replaced_by, replaces, request::text
		FROM bank.trade WHERE $1::bigint[] IS NULL OR account_id = ANY ($1)`},
	{journal, `SELECT account_id, journal_id, date, trade_id, NULL::bigint, cash_id, symbol, currency, memo, td_quantity::text, td_amount::text, sd_quantity::text, sd_amount::text,
		NULL::bigint, NULL::integer FROM bank.journal WHERE $1::bigint[] IS NULL OR account_id = ANY ($1)`},
	{positions, `SELECT account_id, symbol, quantity::text, settled_quantity::text FROM bank.position
		WHERE (quantity <> 0 OR settled_quantity <> 0) AND ($1::bigint[] IS NULL OR account_id = ANY ($1))`},
	{balances, `SELECT account_id, currency, settled_cash::text, unsettled_debits::text, unsettled_credits::text, (settled_cash + unsettled_credits - unsettled_debits)::text FROM bank.balance
		WHERE (settled_cash <> 0 OR unsettled_debits <> 0 OR unsettled_credits <> 0) AND ($1::bigint[] IS NULL OR account_id = ANY ($1))`},
}

// bankSide reads Bank's tables.
type bankSide struct {
	dsn string
	w   *warehouse
}

// load lands what Bank has of some accounts, of all where they are nil, as of one moment, and gives the last event id of then.
func (b *bankSide) load(ctx context.Context, accounts []int64) (last bank.ID, landed int64, err error) {
	config, err := pgx.ParseConfig(b.dsn)
	if err != nil {
		return 0, 0, fmt.Errorf("Bank's database: %w", err)
	}
	config.RuntimeParams["application_name"] = "hotswap-books"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, 0, fmt.Errorf("Bank's database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing hangs on it
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT last_value FROM bank.event_id`).Scan((*int64)(&last)); err != nil {
			return fmt.Errorf("Bank's database: how far it has come: %w", err)
		}
		for _, from := range fromBank {
			n, err := b.table(ctx, tx, from.to, from.sql, accounts)
			landed += n
			if err != nil {
				return fmt.Errorf("Bank's rows for %s: %w", from.to.Name, err)
			}
		}
		return nil
	})
	return last, landed, err
}

// table lands a query's rows as they come.
func (b *bankSide) table(ctx context.Context, tx pgx.Tx, t *dialect.Table, sql string, accounts []int64) (int64, error) {
	rows, err := tx.Query(ctx, sql, accounts)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	to := b.w.into(t)
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return to.landed, err
		}
		if err := to.add(ctx, append([]any{sideBank}, values...)...); err != nil {
			return to.landed, err
		}
	}
	if err := rows.Err(); err != nil {
		return to.landed, err
	}
	err = to.flush(ctx)
	return to.landed, err
}
