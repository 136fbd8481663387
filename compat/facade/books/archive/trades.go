package archive

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// Trade is a row of trades. State is settled or canceled; "" says that BK has the trade, and the archive what it was before.
type Trade struct {
	ID, Account, Target bank.ID // Target is 0 but for allocations and transfers
	Date                bank.Date
	State               string
	ClientID            string
	Content             Hash
	Replaces            bank.ID // the trade in whose place it stands, 0: none

	body                   string
	running, targetRunning string
}

// Over reports whether the archive has all of the trade, and BK nothing.
func (t *Trade) Over() bool { return t != nil && t.State != "" }

// Stored gives the trade as Bank's API told it at the opening, ReplacedBy as of then.
func (t *Trade) Stored() (s bank.StoredTrade, err error) {
	if err = json.Unmarshal([]byte(t.body), &s); err != nil {
		return s, fmt.Errorf("archived trade %d: %w", t.ID, err)
	}
	return s, nil
}

// Running gives the position of one of its accounts right after it opened; nil if it has not by the opening.
func (t *Trade) Running(account bank.ID) (*bank.Decimal, error) {
	text := t.running
	if account != t.Account {
		text = t.targetRunning
	}
	if text == "" {
		return nil, nil
	}
	d, err := bank.ParseDecimal(text)
	if err != nil {
		return nil, fmt.Errorf("archived trade %d: running position: %w", t.ID, err)
	}
	return &d, nil
}

const columns = `bank_id, account_id, target_id, trade_date, state, client_id, content, body, running, target_running, replaces`

func scanTrade(row pgx.CollectableRow) (t *Trade, err error) {
	t = &Trade{}
	var content []byte
	err = row.Scan((*int64)(&t.ID), (*int64)(&t.Account), (*int64)(&t.Target), (*int32)(&t.Date), &t.State, &t.ClientID, &content, &t.body, &t.running, &t.targetRunning, (*int64)(&t.Replaces))
	if err == nil {
		t.Content, err = scanHash(content)
	}
	return t, err
}

func (s *Store) trades(ctx context.Context, where string, args ...any) ([]*Trade, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+columns+` FROM facade.archive_trade WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read archived trades: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanTrade)
	if err != nil {
		return nil, fmt.Errorf("read archived trades: %w", err)
	}
	return found, nil
}

// ByID gives rows of trades, those that BK has included.
func (s *Store) ByID(ctx context.Context, ids ...bank.ID) (map[bank.ID]*Trade, error) {
	found, err := s.trades(ctx, `bank_id = ANY ($1)`, integers(ids))
	all := make(map[bank.ID]*Trade, len(found))
	for _, t := range found {
		all[t.ID] = t
	}
	return all, err
}

// Name is how a client names a trade.
type Name struct {
	Account  bank.ID
	ClientID string
}

// ByName gives the trades that are over, by the client's ids of them.
func (s *Store) ByName(ctx context.Context, names ...Name) (map[Name]*Trade, error) {
	accounts, clients := make([]int64, len(names)), make([]string, len(names))
	for i, n := range names {
		accounts[i], clients[i] = int64(n.Account), n.ClientID
	}
	found, err := s.trades(ctx, `state <> '' AND (account_id, client_id) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))`, accounts, clients)
	all := make(map[Name]*Trade, len(found))
	for _, t := range found {
		all[Name{t.Account, t.ClientID}] = t
	}
	return all, err
}

// List gives up to limit trades that are over of an account on a trade date, in one state ("": settled), behind an id, by id.
func (s *Store) List(ctx context.Context, account bank.ID, date bank.Date, state string, after bank.ID, limit int) ([]*Trade, error) {
	if state == "" {
		state = bank.StateSettled
	}
	return s.trades(ctx, `(account_id = $1 OR target_id = $1) AND trade_date = $2 AND state = $3 AND bank_id > $4 ORDER BY bank_id LIMIT $5`,
		int64(account), int32(date), state, int64(after), limit)
}

// Each gives all trades of some accounts, of all where they are nil, by id; those that BK has included.
func (s *Store) Each(ctx context.Context, accounts []int64, do func(*Trade) error) error {
	rows, err := s.pool.Query(ctx, `SELECT `+columns+` FROM facade.archive_trade WHERE $1::bigint[] IS NULL OR account_id = ANY ($1) ORDER BY bank_id`, accounts)
	if err != nil {
		return fmt.Errorf("read archived trades: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		t, err := scanTrade(rows)
		if err == nil {
			err = do(t)
		}
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

// NoteReplacing notes that a trade that BK is about to book under a key stands in the place of a cancelled one.
func (s *Store) NoteReplacing(ctx context.Context, replaced bank.ID, key string) error {
	if _, err := s.pool.Exec(ctx, `INSERT INTO facade.archive_replaced (bank_id, trade_key) VALUES ($1, $2) ON CONFLICT DO NOTHING`, int64(replaced), key); err != nil {
		return fmt.Errorf("note what stands in the place of trade %d: %w", replaced, err)
	}
	return nil
}

// Replacing gives BK's keys of the trades that may stand in the place of a cancelled one.
func (s *Store) Replacing(ctx context.Context, replaced bank.ID) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT trade_key FROM facade.archive_replaced WHERE bank_id = $1`, int64(replaced))
	if err != nil {
		return nil, fmt.Errorf("find what stands in the place of trade %d: %w", replaced, err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("find what stands in the place of trade %d: %w", replaced, err)
	}
	return keys, nil
}

// Replaced gives the cancelled trades in whose place one may stand that was booked since.
func (s *Store) Replaced(ctx context.Context) (map[bank.ID]bool, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT bank_id FROM facade.archive_replaced`)
	if err != nil {
		return nil, fmt.Errorf("find archived trades that were replaced: %w", err)
	}
	all := map[bank.ID]bool{}
	var id bank.ID
	if _, err := pgx.ForEachRow(rows, []any{(*int64)(&id)}, func() error { all[id] = true; return nil }); err != nil {
		return nil, fmt.Errorf("find archived trades that were replaced: %w", err)
	}
	return all, nil
}
