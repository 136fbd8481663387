package legacy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
)

const (
	// dateLock is the advisory lock that rolls take exclusively and all other work shared: "bankdate" in ASCII.
	dateLock int64 = 0x62616e6b64617465

	maxAttempts   = 20 // of a transaction that Postgres gives up for another's sake
	retryPause    = 5 * time.Millisecond
	rollbackBound = 5 * time.Second
)

var (
	// errAgain: what was read before the locks has changed.
	errAgain = errors.New("the rows to hold have changed meanwhile")
	// errRolling: a roll was begun and is not at work; it comes first.
	errRolling = errors.New("an unfinished roll comes first")
)

// clientKey is how a client names a trade.
type clientKey struct {
	account bank.ID
	id      string
}

// scope is what a transaction is going to need: known before it begins, so that everything is locked and read in one round trip, in one order.
type scope struct {
	accounts map[bank.ID]bool
	clients  map[clientKey]bool
	trades   map[bank.ID]bool
	holdings map[holdingKey]bool
	monies   map[moneyKey]bool
	newIDs   int              // trade ids
	more     func(*pgx.Batch) // further queries, after the locks
}

func newScope() *scope {
	return &scope{map[bank.ID]bool{}, map[clientKey]bool{}, map[bank.ID]bool{}, map[holdingKey]bool{}, map[moneyKey]bool{}, 0, nil}
}

// touch adds the rows that a trade changes.
func (s *scope) touch(t *bank.Trade) {
	s.touchIn(t, t.AccountID)
	if isPair(t) {
		s.touchIn(t, t.TargetAccountID)
	}
}

func (s *scope) touchIn(t *bank.Trade, account bank.ID) {
	s.accounts[account] = true
	s.holdings[holdingKey{account, t.Instrument.Identifier}] = true
	s.monies[moneyKey{account, t.Settlement.Currency}] = true
}

// held is what a transaction has locked and read.
type held struct {
	work
	accounts map[bank.ID]bool // those that exist
	byClient map[clientKey]*trade
	byID     map[bank.ID]*trade
	ids      []bank.ID // new trade ids, ascending
}

// transact runs do on what plan says is needed, in one transaction of two round trips: one that locks and reads, one that writes and commits. What do
// writes goes to h.to; if it writes nothing, nothing is committed. Both functions may be called again: after a deadlock, or errAgain.
//
// Locks are taken in one order: the business date (shared), then accounts ascending. Positions, balances and trades have no locks of their own
// before they are written: whoever changes them holds their account. New ids are taken under the accounts' locks, so that an account's
// ids ascend in the order of its work.
func (b *Bank) transact(ctx context.Context, plan func(context.Context, *pgx.Conn) (*scope, error), do func(h *held) error) error {
	for attempt := 1; ; attempt++ {
		err := b.attempt(ctx, plan, do)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errRolling):
			if err := b.finishRoll(ctx); err != nil {
				return err
			}
			continue
		case attempt < maxAttempts && (errors.Is(err, errAgain) || isRetryable(err)):
		default:
			return err
		}
		b.metrics.retries.Inc()
		if err := sleep(ctx, time.Duration(attempt)*retryPause+rand.N(retryPause)); err != nil {
			return err
		}
	}
}

func (b *Bank) attempt(ctx context.Context, plan func(context.Context, *pgx.Conn) (*scope, error), do func(h *held) error) error {
	conn, err := b.writers.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Release()
	s, err := plan(ctx, conn.Conn())
	if err != nil {
		return err
	}
	h, err := b.hold(ctx, conn.Conn(), s)
	if err != nil {
		rollback(ctx, conn.Conn())
		return err
	}
	batch := &pgx.Batch{}
	h.to = rows{batch}
	if err := do(h); err != nil || batch.Len() == 0 {
		rollback(ctx, conn.Conn())
		return err
	}
	return b.commit(ctx, conn, batch)
}

// hold begins the transaction, locks, and reads.
func (b *Bank) hold(ctx context.Context, conn *pgx.Conn, s *scope) (*held, error) {
	h := &held{accounts: map[bank.ID]bool{}, byClient: map[clientKey]*trade{}, byID: map[bank.ID]*trade{}}
	h.holdings, h.monies = map[holdingKey]*holding{}, map[moneyKey]*money{}
	batch := &pgx.Batch{}
	batch.Queue(`BEGIN`)
	batch.Queue(`SELECT pg_advisory_xact_lock_shared($1)`, dateLock)
	batch.Queue(`SELECT date, rolling_to FROM bank.business_date`).QueryRow(func(row pgx.Row) error {
		var rollingTo bank.Date
		if err := row.Scan(&h.date, &rollingTo); err != nil {
			return err
		}
		if rollingTo != 0 {
			return errRolling
		}
		return nil
	})
	for _, account := range slices.Sorted(maps.Keys(s.accounts)) {
		batch.Queue(`SELECT 1 FROM bank.account WHERE account_id = $1 FOR NO KEY UPDATE`, int64(account)).Query(func(found pgx.Rows) error {
			for found.Next() {
				h.accounts[account] = true
			}
			return found.Err()
		})
	}
	for k := range s.clients {
		if !strings.Contains(k.id, "\x00") { // which Postgres cannot even compare
			batch.Queue(sqlTrade+` WHERE account_id = $1 AND client_trade_id = $2`, int64(k.account), k.id).Query(h.take)
		}
	}
	for id := range s.trades {
		batch.Queue(sqlTrade+` WHERE trade_id = $1`, int64(id)).Query(h.take)
	}
	queueRows(batch, &h.work, maps.Keys(s.holdings), maps.Keys(s.monies))
	if s.more != nil {
		s.more(batch)
	}
	if s.newIDs > 0 {
		batch.Queue(`SELECT nextval('bank.trade_id') FROM generate_series(1, $1::integer)`, s.newIDs).Query(func(ids pgx.Rows) error {
			got, err := pgx.CollectRows(ids, pgx.RowTo[int64])
			for _, id := range got {
				h.ids = append(h.ids, bank.ID(id))
			}
			return err
		})
	}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("lock and read: %w", err)
	}
	h.now = time.Now().UnixMilli()
	return h, nil
}

// take keeps the trades of a query.
func (h *held) take(found pgx.Rows) error {
	trades, err := pgx.CollectRows(found, scanTrade)
	for _, t := range trades {
		if known := h.byID[t.TradeID]; known != nil {
			t = known // one row, one copy
		}
		h.byID[t.TradeID] = t
		h.byClient[clientKey{t.AccountID, t.ClientTradeID}] = t
	}
	return err
}

// queueRows reads positions and balances. Those that have no row yet are zero.
func queueRows(batch *pgx.Batch, w *work, holdings func(func(holdingKey) bool), monies func(func(moneyKey) bool)) {
	for k := range holdings {
		row := &holding{}
		w.holdings[k] = row
		batch.Queue(`SELECT quantity, settled_quantity FROM bank.position WHERE account_id = $1 AND symbol = $2`, int64(k.account), k.symbol).Query(func(found pgx.Rows) error {
			for found.Next() {
				if err := found.Scan(&row.quantity, &row.settled); err != nil {
					return err
				}
			}
			return found.Err()
		})
	}
	for k := range monies {
		row := &money{}
		w.monies[k] = row
		batch.Queue(`SELECT settled_cash, unsettled_debits, unsettled_credits FROM bank.balance WHERE account_id = $1 AND currency = $2`, int64(k.account), k.currency).Query(func(found pgx.Rows) error {
			for found.Next() {
				if err := found.Scan(&row.settled, &row.debits, &row.credits); err != nil {
					return err
				}
			}
			return found.Err()
		})
	}
}

// commit writes and commits, in one round trip. The COMMIT is the last statement: Postgres skips it if one before fails. If no answer comes, it may have committed.
func (b *Bank) commit(ctx context.Context, conn *pgxpool.Conn, batch *pgx.Batch) error {
	if ctx.Err() != nil {
		rollback(ctx, conn.Conn())
		return ctx.Err()
	}
	batch.Queue(`COMMIT`)
	err := conn.SendBatch(ctx, batch).Close()
	if err == nil {
		b.relayWake()
		return nil
	}
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.SeverityUnlocalized == "ERROR" || pgconn.SafeToRetry(err) {
		rollback(ctx, conn.Conn())
		return fmt.Errorf("write: %w", err)
	}
	b.log.Warn("no answer to a COMMIT", "error", err)
	b.metrics.unknown.Inc()
	b.relayWake()
	return bank.Errorf(bank.OutcomeUnknown, "the database did not answer: the call may or may not have booked, send the same again to learn")
}

// rollback ends the transaction. A connection on which that fails is not used again: the pool sees its state.
func rollback(ctx context.Context, conn *pgx.Conn) {
	if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackBound)
	defer cancel()
	if _, err := conn.Exec(ctx, `ROLLBACK`); err != nil {
		conn.Close(ctx)
	}
}

// isRetryable knows what Postgres asks to try again: serialisation failure, deadlock, and a row that another transaction inserted first.
func isRetryable(err error) bool {
	pgErr := (*pgconn.PgError)(nil)
	if !errors.As(err, &pgErr) {
		return false
	}
	return pgErr.Code == "40001" || pgErr.Code == "40P01" || pgErr.Code == "23505"
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
