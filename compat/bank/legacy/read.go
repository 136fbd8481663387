package legacy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
)

// sqlTrade reads trades for scanTrade.
const sqlTrade = `SELECT trade_id, state, settle_date, gross_amount, sec_fee, taf_fee, net_amount, running, target_running, booked_at, canceled_at, replaced_by, replaces, request
	FROM bank.trade`

func scanTrade(row pgx.CollectableRow) (*trade, error) {
	var t trade
	var id bank.ID
	var state string
	var settleDate bank.Date
	var gross, sec, taf, net bank.Decimal
	var bookedAt int64
	var canceledAt *int64
	var replacedBy, replaces *bank.ID
	var request []byte
	if err := row.Scan(&id, &state, &settleDate, &gross, &sec, &taf, &net, &t.running, &t.targetRunning, &bookedAt, &canceledAt, &replacedBy, &replaces, &request); err != nil {
		return nil, err
	}
	asked, err := bank.ReadTrade(request)
	if err != nil {
		return nil, fmt.Errorf("trade %s as stored: %w", id, errors.New(err.Error())) // not the caller's fault
	}
	t.StoredTrade = bank.StoredTrade{
		TradeID: id, Trade: asked, State: state, SettleDate: settleDate, GrossAmount: gross, SECFee: sec, TAFFee: taf, NetAmount: net,
		BookedAt: bookedAt, CanceledAt: canceledAt, ReplacedBy: replacedBy, Replaces: replaces,
	}
	return &t, nil
}

// querier is a pool or a connection.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// all gives the rows of a query.
func all[T any](ctx context.Context, q querier, what string, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	found, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	out, err := pgx.CollectRows(found, scan)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return out, nil
}

// one gives the first row of a query, or the error that says there is none; nil where there always is one.
func one[T any](ctx context.Context, q querier, what string, none *bank.Error, scan pgx.RowToFunc[T], sql string, args ...any) (first T, err error) {
	found, err := all(ctx, q, what, scan, sql, args...)
	if err != nil {
		return first, err
	}
	switch {
	case len(found) > 0:
		return found[0], nil
	case none == nil: // as an error it would be one that is not nil and can't be read
		return first, fmt.Errorf("read %s: there is no row", what)
	}
	return first, none
}

func findTrade(ctx context.Context, q querier, ref bank.TradeRef) (*trade, error) {
	if ref.TradeID != 0 {
		return one(ctx, q, "trade", ref.NotFound(), scanTrade, sqlTrade+` WHERE trade_id = $1`, int64(ref.TradeID))
	}
	if strings.Contains(ref.ClientTradeID, "\x00") {
		return nil, ref.NotFound()
	}
	return one(ctx, q, "trade", ref.NotFound(), scanTrade, sqlTrade+` WHERE account_id = $1 AND client_trade_id = $2`, int64(ref.AccountID), ref.ClientTradeID)
}

// Trade implements front.Ledger.
func (b *Bank) Trade(ctx context.Context, ref bank.TradeRef) (bank.StoredTrade, error) {
	t, err := findTrade(ctx, b.pool, ref)
	if err != nil {
		return bank.StoredTrade{}, err
	}
	return t.StoredTrade, nil
}

// Entities implements front.Ledger.
func (b *Bank) Entities(ctx context.Context, after bank.ID, limit int) ([]bank.Entity, error) {
	return all(ctx, b.pool, "entities", pgx.RowToStructByPos[bank.Entity],
		`SELECT entity_id, client_code, legal_name FROM bank.entity WHERE entity_id > $1 ORDER BY entity_id LIMIT $2`, int64(after), limit)
}

// Entity implements front.Ledger.
func (b *Bank) Entity(ctx context.Context, id bank.ID) (bank.Entity, error) {
	return one(ctx, b.pool, "entity", bank.Errorf(bank.EntityNotFound, "there is no entity %s", id), pgx.RowToStructByPos[bank.Entity],
		`SELECT entity_id, client_code, legal_name FROM bank.entity WHERE entity_id = $1`, int64(id))
}

const sqlAccount = `SELECT account_id, account_id AS account_number, entity_id, name FROM bank.account`

// Accounts implements front.Ledger.
func (b *Bank) Accounts(ctx context.Context, after bank.ID, limit int) ([]bank.Account, error) {
	return all(ctx, b.pool, "accounts", scanAccount, sqlAccount+` WHERE account_id > $1 ORDER BY account_id LIMIT $2`, int64(after), limit)
}

// Account implements front.Ledger.
func (b *Bank) Account(ctx context.Context, id bank.ID) (bank.Account, error) {
	return one(ctx, b.pool, "account", noAccount(id), scanAccount, sqlAccount+` WHERE account_id = $1`, int64(id))
}

func scanAccount(row pgx.CollectableRow) (a bank.Account, err error) {
	var number bank.ID
	err = row.Scan(&a.AccountID, &number, &a.EntityID, &a.Name)
	a.AccountNumber = number.String()
	return a, err
}

func noAccount(id bank.ID) *bank.Error {
	return bank.Errorf(bank.AccountNotFound, "there is no account %s", id)
}

// AccountTrades implements front.Ledger.
func (b *Bank) AccountTrades(ctx context.Context, account bank.ID, filter front.TradeFilter, after bank.ID, limit int) ([]bank.AccountTrade, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return nil, err
	}
	date := filter.Date
	if date == 0 {
		var err error
		if date, err = b.BusinessDate(ctx); err != nil {
			return nil, err
		}
		if date == 0 {
			return nil, nil
		}
	}
	const which = ` AND trade_date = $2 AND trade_id > $3 AND CASE WHEN $4 = '' THEN state <> 'canceled' ELSE state = $4 END ORDER BY trade_id LIMIT $5)`
	found, err := all(ctx, b.pool, "the account's trades", scanTrade,
		`(`+sqlTrade+` WHERE account_id = $1`+which+` UNION ALL (`+sqlTrade+` WHERE target_account_id = $1`+which+` ORDER BY trade_id LIMIT $5`,
		int64(account), int32(date), int64(after), filter.State, limit)
	if err != nil {
		return nil, err
	}
	out := make([]bank.AccountTrade, len(found))
	for i, t := range found {
		out[i] = t.as(account)
	}
	return out, nil
}

// AccountTrade implements front.Ledger.
func (b *Bank) AccountTrade(ctx context.Context, account, id bank.ID) (bank.AccountTrade, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return bank.AccountTrade{}, err
	}
	t, err := findTrade(ctx, b.pool, bank.TradeRef{TradeID: id})
	if err != nil && bank.TypeOf(err) != bank.TradeNotFound {
		return bank.AccountTrade{}, err
	}
	if err != nil || t.AccountID != account && t.TargetAccountID != account {
		return bank.AccountTrade{}, bank.NoTradeOf(account, id)
	}
	return t.as(account), nil
}

// as gives the trade as one of its accounts sees it.
func (t *trade) as(account bank.ID) bank.AccountTrade {
	side, running := t.Side.Direction, t.running
	switch {
	case t.AccountID != account:
		running = t.targetRunning
		if side == bank.Buy {
			side = bank.Sell
		} else {
			side = bank.Buy
		}
	case t.Side.Qualifier == "short":
		side = "sell-short"
	}
	return bank.AccountTrade{
		TradeID: t.TradeID, AccountID: account, CreatedAt: t.Timestamp, OrderID: t.OrderID, Symbol: t.Instrument.Identifier, Side: side,
		Quantity: t.Quantity, Price: t.Price, RunningPosition: running,
	}
}

// Positions implements front.Ledger.
func (b *Bank) Positions(ctx context.Context, account bank.ID, settled bool, after string, limit int) ([]bank.Position, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return nil, err
	}
	return all(ctx, b.pool, "positions", scanPosition(settled), sqlPosition+` AND symbol > $3 ORDER BY symbol LIMIT $4`, int64(account), settled, after, limit)
}

// Position implements front.Ledger.
func (b *Bank) Position(ctx context.Context, account bank.ID, symbol string, settled bool) (bank.Position, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return bank.Position{}, err
	}
	none := bank.Errorf(bank.PositionNotFound, "account %s has no position in %q", account, symbol)
	if strings.Contains(symbol, "\x00") {
		return bank.Position{}, none
	}
	return one(ctx, b.pool, "position", none, scanPosition(settled), sqlPosition+` AND symbol = $3`, int64(account), settled, symbol)
}

const sqlPosition = `SELECT account_id, symbol, quantity, settled_quantity FROM bank.position
	WHERE account_id = $1 AND (quantity <> 0 OR $2 AND settled_quantity <> 0)`

func scanPosition(settled bool) pgx.RowToFunc[bank.Position] {
	return func(row pgx.CollectableRow) (p bank.Position, err error) {
		var quantity bank.Decimal
		err = row.Scan(&p.AccountID, &p.Symbol, &p.Quantity, &quantity)
		if settled {
			p.SettledQuantity = &quantity
		}
		return p, err
	}
}

// Balances implements front.Ledger.
func (b *Bank) Balances(ctx context.Context, account bank.ID) ([]bank.Balance, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return nil, err
	}
	return all(ctx, b.pool, "balances", pgx.RowToStructByPos[bank.Balance],
		`SELECT currency, settled_cash + unsettled_credits - unsettled_debits, settled_cash, unsettled_debits, unsettled_credits
		FROM bank.balance WHERE account_id = $1 ORDER BY currency`, int64(account))
}

// JournalRows implements front.Ledger.
func (b *Bank) JournalRows(ctx context.Context, account, after bank.ID, limit int) ([]bank.JournalRow, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return nil, err
	}
	return all(ctx, b.pool, "journal", pgx.RowToStructByPos[bank.JournalRow],
		`SELECT journal_id, date, trade_id, symbol, currency, memo, td_quantity, td_amount, sd_quantity, sd_amount
		FROM bank.journal WHERE account_id = $1 AND journal_id > $2 ORDER BY journal_id LIMIT $3`, int64(account), int64(after), limit)
}

// BusinessDate implements front.Ledger.
func (b *Bank) BusinessDate(ctx context.Context) (bank.Date, error) {
	return one(ctx, b.pool, "the business date", bank.Errorf(bank.Internal, "there is no business date"), pgx.RowTo[bank.Date], `SELECT date FROM bank.business_date`)
}
