package legacy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// A roll takes each day in turn: all that opens, then all that settles, each by trade id. It may be hundreds of thousands of trades, so it is not one
// transaction but one for each chunk, on a connection that holds the date's lock exclusively all the while: nobody else books, moves cash or cancels.
//
//   - Where it goes is written down first. A chunk changes the states of its trades, so that a roll that was interrupted goes on with those that are left;
//     the day's end writes the date and the event in one transaction.
//   - The process dies, or the database does: the lock is gone with the connection, the target stays. Whoever finds it (the start, a roll, a
//     booking) finishes that roll first. Nobody books in between, as transact looks for it under the lock.
//   - The caller goes away: the roll goes on without it, and the same call again waits for it.
//
// A chunk takes its trades one by one but writes them in bulk: within a night's run there is nobody to be fair to.

const (
	rollChunk = 1000
	rollPause = 200 * time.Millisecond // before a roll whose connection was lost goes on
)

// rolls lets one roll at a time run in this process, in the background.
type rolls struct {
	mu      sync.Mutex
	running *roll
	wg      sync.WaitGroup
}

type roll struct {
	to   bank.Date // 0: finish what was begun
	done chan struct{}
	err  error
}

// Roll implements front.Ledger.
func (b *Bank) Roll(ctx context.Context, to bank.Date) error {
	for {
		r, mine := b.startRoll(to)
		select {
		case <-r.done:
		case <-ctx.Done():
			return bank.Errorf(bank.OutcomeUnknown, "the roll to %d is under way: send the same again to wait for it", to)
		}
		if mine {
			return r.err
		}
	}
}

// finishRoll waits for a roll that is at work in this process, else finishes one that was begun. How another's went is that one's answer: whoever waited
// for it looks again.
func (b *Bank) finishRoll(ctx context.Context) error {
	r, mine := b.startRoll(0)
	select {
	case <-r.done:
		if mine {
			return r.err
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startRoll starts a roll unless one runs; mine says whether it is the one that was asked for.
func (b *Bank) startRoll(to bank.Date) (r *roll, mine bool) {
	b.rolls.mu.Lock()
	defer b.rolls.mu.Unlock()
	if r := b.rolls.running; r != nil {
		return r, r.to == to
	}
	r = &roll{to: to, done: make(chan struct{})}
	b.rolls.running = r
	b.rolls.wg.Go(func() {
		r.err = b.runRoll(b.life, to)
		b.rolls.mu.Lock()
		b.rolls.running = nil
		b.rolls.mu.Unlock()
		close(r.done)
	})
	return r, true
}

// runRoll goes on until the roll is done or refused, or the Bank is closed: whatever is lost on the way, the next attempt continues.
func (b *Bank) runRoll(ctx context.Context, to bank.Date) error {
	for {
		err := b.tryRoll(ctx, to)
		if err == nil || bank.TypeOf(err) != "" {
			return err
		}
		if ctx.Err() != nil {
			return bank.Errorf(bank.OutcomeUnknown, "Bank is ending: send the same again to learn")
		}
		b.log.Error("the roll was interrupted, it goes on", "to", int32(to), "error", err)
		if sleep(ctx, rollPause) != nil {
			return bank.Errorf(bank.OutcomeUnknown, "Bank is ending: send the same again to learn")
		}
	}
}

// dates is the business date's row.
type dates struct{ Date, RollingTo bank.Date }

func readDates(ctx context.Context, conn *pgx.Conn) (dates, error) {
	return one(ctx, conn, "the business date", bank.Errorf(bank.Internal, "there is no business date"), pgx.RowToStructByPos[dates], `SELECT date, rolling_to FROM bank.business_date`)
}

func (b *Bank) tryRoll(ctx context.Context, to bank.Date) (err error) {
	pooled, err := b.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	conn := pooled.Hijack() // whatever happens, the lock goes with it
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackBound)
		defer cancel()
		if closeErr := conn.Close(closing); closeErr != nil && !errors.Is(closeErr, context.Canceled) {
			b.log.Debug("close the roll's connection", "error", closeErr)
		}
	}()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, dateLock); err != nil {
		return fmt.Errorf("lock the business date: %w", err)
	}
	at, err := readDates(ctx, conn)
	if err != nil {
		return err
	}
	if at.RollingTo != 0 { // somebody's that was interrupted
		if err := b.rollDays(ctx, conn, at); err != nil {
			return err
		}
		at = dates{Date: at.RollingTo}
	}
	switch {
	case to == 0 || to == at.Date:
		return nil
	case to < at.Date:
		return bank.DayPassed(to)
	}
	if _, err := conn.Exec(ctx, `UPDATE bank.business_date SET rolling_to = $1`, int32(to)); err != nil {
		return fmt.Errorf("begin the roll: %w", err)
	}
	return b.rollDays(ctx, conn, dates{at.Date, to})
}

// rollDays takes day after day. The first roll of all is one day.
func (b *Bank) rollDays(ctx context.Context, conn *pgx.Conn, at dates) error {
	for at.Date < at.RollingTo {
		day := at.RollingTo
		if at.Date != 0 {
			day = nextDay(at.Date)
		}
		began := time.Now()
		opened, err := b.rollPhase(ctx, conn, day, `state = 'new' AND trade_date <= $1`, (*work).open)
		if err != nil {
			return fmt.Errorf("open the trades of %d: %w", day, err)
		}
		settled, err := b.rollPhase(ctx, conn, day, `state = 'open' AND settle_date <= $1`, (*work).settle)
		if err != nil {
			return fmt.Errorf("settle the trades of %d: %w", day, err)
		}
		if err := b.endDay(ctx, conn, at, day); err != nil {
			return fmt.Errorf("end the roll to %d: %w", day, err)
		}
		at.Date = day
		b.log.Info("rolled", "date", int32(day), "opened", opened, "settled", settled, "took", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// rollPhase does one kind of work on all trades that are due, in chunks.
func (b *Bank) rollPhase(ctx context.Context, conn *pgx.Conn, day bank.Date, due string, do func(*work, *trade) error) (count int, err error) {
	after := int64(0)
	for {
		trades, err := all(ctx, conn, "the trades that are due", scanTrade, sqlTrade+` WHERE `+due+` AND trade_id > $2 ORDER BY trade_id LIMIT $3`, int32(day), after, rollChunk)
		if err != nil || len(trades) == 0 {
			return count, err
		}
		if err := b.rollTrades(ctx, conn, day, trades, do); err != nil {
			return count, err
		}
		count += len(trades)
		after = int64(trades[len(trades)-1].TradeID)
		b.relayWake()
	}
}

func (b *Bank) rollTrades(ctx context.Context, conn *pgx.Conn, day bank.Date, trades []*trade, do func(*work, *trade) error) error {
	s := newScope()
	for _, t := range trades {
		s.touch(&t.Trade)
	}
	chunk := newBulk()
	w := &work{date: day, now: time.Now().UnixMilli(), holdings: map[holdingKey]*holding{}, monies: map[moneyKey]*money{}, to: chunk}
	reads := &pgx.Batch{}
	queueRows(reads, w, maps.Keys(s.holdings), maps.Keys(s.monies))
	if err := conn.SendBatch(ctx, reads).Close(); err != nil {
		return fmt.Errorf("read positions and balances: %w", err)
	}
	for _, t := range trades {
		if err := do(w, t); err != nil {
			return err
		}
		chunk.updateTrade(t)
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		writes := &pgx.Batch{}
		chunk.queue(writes)
		return tx.SendBatch(ctx, writes).Close()
	})
}

// endDay makes the day the business date, and says so.
func (b *Bank) endDay(ctx context.Context, conn *pgx.Conn, at dates, day bank.Date) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		w := &work{date: day, now: time.Now().UnixMilli(), to: rows{batch}}
		w.rolled(at.Date, day)
		batch.Queue(`UPDATE bank.business_date SET date = $1, rolling_to = CASE WHEN rolling_to = $1 THEN 0 ELSE rolling_to END`, int32(day))
		return tx.SendBatch(ctx, batch).Close()
	})
	b.relayWake()
	return err
}
