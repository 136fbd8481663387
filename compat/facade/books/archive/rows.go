package archive

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// Row is a row of Bank's journal.
type Row struct {
	bank.JournalRow
	Account bank.ID
	Cash    bank.ID // the movement that it is of, 0: it is a trade's
}

func scanRow(row pgx.CollectableRow) (r Row, err error) {
	var trade bank.ID
	var amounts [4]string
	err = row.Scan((*int64)(&r.JournalID), (*int64)(&r.Account), (*int32)(&r.Date), (*int64)(&trade), (*int64)(&r.Cash), &r.Symbol, &r.Currency, &r.Memo,
		&amounts[0], &amounts[1], &amounts[2], &amounts[3])
	if err != nil {
		return r, err
	}
	if trade != 0 {
		r.TradeID = &trade
	}
	for i, to := range []*bank.Decimal{&r.TDQuantity, &r.TDAmount, &r.SDQuantity, &r.SDAmount} {
		if *to, err = bank.ParseDecimal(amounts[i]); err != nil {
			return r, fmt.Errorf("archived journal row %d: %w", r.JournalID, err)
		}
	}
	return r, nil
}

const rowColumns = `row_id, account_id, date, trade_id, cash_id, symbol, currency, memo, td_quantity, td_amount, sd_quantity, sd_amount`

// Rows gives up to limit journal rows of an account behind an id, by id.
func (s *Store) Rows(ctx context.Context, account, after bank.ID, limit int) ([]Row, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+rowColumns+` FROM facade.archive_journal WHERE account_id = $1 AND row_id > $2 ORDER BY row_id LIMIT $3`, int64(account), int64(after), limit)
	if err != nil {
		return nil, fmt.Errorf("read archived journal rows: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanRow)
	if err != nil {
		return nil, fmt.Errorf("read archived journal rows: %w", err)
	}
	return found, nil
}

// EachRow gives all journal rows, by id.
func (s *Store) EachRow(ctx context.Context, do func(Row) error) error {
	rows, err := s.pool.Query(ctx, `SELECT `+rowColumns+` FROM facade.archive_journal ORDER BY row_id`)
	if err != nil {
		return fmt.Errorf("read archived journal rows: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRow(rows)
		if err == nil {
			err = do(r)
		}
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

// Cash is a cash movement.
type Cash struct {
	ID       bank.ID
	ClientID string
	Content  Hash
}

// Cash gives cash movements by their clients' ids.
func (s *Store) Cash(ctx context.Context, clients ...string) (map[string]Cash, error) {
	rows, err := s.pool.Query(ctx, `SELECT cash_id, client_id, content FROM facade.archive_cash WHERE client_id = ANY ($1)`, clients)
	if err != nil {
		return nil, fmt.Errorf("read archived cash movements: %w", err)
	}
	all := map[string]Cash{}
	var c Cash
	var content []byte
	_, err = pgx.ForEachRow(rows, []any{(*int64)(&c.ID), &c.ClientID, &content}, func() (err error) {
		c.Content, err = scanHash(content)
		all[c.ClientID] = c
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read archived cash movements: %w", err)
	}
	return all, nil
}
