package mode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Errors of [Keeper.Switch], [Keeper.Kill] and [Keeper.Finalise].
var (
	ErrRequest  = errors.New("the request for a switch is not complete")
	ErrNoStep   = errors.New("there is no such step")
	ErrFinal    = errors.New("bk-only is final, there is no way back")
	ErrBusy     = errors.New("another switch is under way")
	ErrNotReady = errors.New("not ready") // before writes were held
	ErrGivenUp  = errors.New("given up")  // after; the old mode goes on
)

const (
	lockMode    = `LOCK TABLE facade.mode IN SHARE ROW EXCLUSIVE MODE`
	lockReplica = `LOCK TABLE facade.replica IN SHARE ROW EXCLUSIVE MODE`

	ackPoll       = 5 * time.Millisecond
	retryPause    = 250 * time.Millisecond // between the attempts of a switch; it doubles, up to
	maxRetryPause = 2 * time.Second
	askTimeout    = 5 * time.Second // of the database's answer while no writes are held
	endTimeout    = 2 * time.Second // of saying that a switch is given up; after that it is overdue and others say so
)

// Request asks for a switch.
type Request struct {
	To       Mode
	Who, Why string
	// Wait is how long it is tried again if it can't be made; 0 tries once.
	Wait time.Duration
}

// Switch makes a step to an adjacent mode. It returns when the step is committed, or with an error; then the old mode is in force. Being there already is a
// success.
func (k *Keeper) Switch(ctx context.Context, r Request) error {
	if _, err := Parse(string(r.To)); err != nil {
		return fmt.Errorf("%w: %w", ErrNoStep, err)
	}
	return k.try(ctx, r, Step{To: r.To})
}

// Renewal asks for ids that go on behind others.
type Renewal struct {
	TradeID, CashID int64 // 0: none to pass
	Who, Why        string
	Wait            time.Duration // as in [Request]
}

// Renew makes the ids that BK gives go on behind others: an epoch of the same mode, made as a switch is. [ErrNoStep] where BK is not the primary.
func (k *Keeper) Renew(ctx context.Context, r Renewal) error {
	return k.try(ctx, Request{Who: r.Who, Why: r.Why, Wait: r.Wait}, Step{TradeID: r.TradeID, CashID: r.CashID})
}

// try makes a step, again and again for as long as is asked for. A step to no mode is a renewal.
func (k *Keeper) try(ctx context.Context, r Request, step Step) error {
	if err := signed(r.Who, r.Why); err != nil {
		return err
	}
	step.Until = time.Now().Add(r.Wait)
	until, pause := step.Until, retryPause
	defer k.release(ctx)
	for {
		err := k.attempt(ctx, r, step)
		if err == nil || errors.Is(err, ErrNoStep) || errors.Is(err, ErrFinal) || ctx.Err() != nil || time.Now().Add(pause).After(until) {
			return err
		}
		k.cfg.Log.Info("switch: trying again", "to", r.To, "in", pause, "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause = min(2*pause, maxRetryPause)
	}
}

func signed(who, why string) error {
	if who == "" || why == "" || len(who) > 256 || len(why) > 1024 {
		return fmt.Errorf("%w: who and why are needed, of at most 256 and 1024 bytes", ErrRequest)
	}
	return nil
}

// attempt tries once.
func (k *Keeper) attempt(ctx context.Context, r Request, step Step) (err error) {
	from, err := k.current(ctx)
	if err != nil {
		return err
	}
	step.From = from
	switch {
	case step.Final && from.Mode != BKOnly:
		return fmt.Errorf("%w: only bk-only can be final, the mode is %s", ErrNoStep, from.Mode)
	case step.Final && from.Final:
		return nil
	case step.Final:
		step.To, r.To = BKOnly, BKOnly
	case step.To == "" && from.Mode.Primary() != BK:
		return fmt.Errorf("%w: in %s BK gives no ids", ErrNoStep, from.Mode)
	case step.To == "":
		step.To, r.To = from.Mode, from.Mode
	case from.Mode == r.To:
		return nil
	case from.Final:
		return ErrFinal
	case !from.Mode.Adjacent(r.To):
		return fmt.Errorf("%w: from %s to %s; only to a neighbour of %s", ErrNoStep, from.Mode, r.To, strings.Join(names(), ", "))
	}
	if err := k.cfg.Steps.Ready(ctx, step); err != nil {
		return fmt.Errorf("%w %s: %w", ErrNotReady, step, err)
	}
	if err := k.silent(ctx); err != nil {
		return err
	}

	// From here on writes are held.
	began := time.Now()
	holding, cancel := context.WithDeadline(ctx, began.Add(k.cfg.Hold))
	defer cancel()
	id, err := k.hold(holding, from, r)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w after %s, %s goes on: %w", ErrGivenUp, time.Since(began).Round(time.Millisecond), from.Mode, err)
			if endErr := k.giveUp(context.WithoutCancel(ctx), id, err.Error(), false); endErr != nil {
				k.cfg.Log.Warn("switch: can't say that it is given up; it ends by itself", "error", endErr)
			}
		}
	}()
	if err := k.awaitDrained(holding, id); err != nil {
		return err
	}
	step.Attempt = id
	if err := k.cfg.Steps.Drain(holding, step); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return k.commit(ctx, holding, id, step, r)
}

// current reads the epoch in force.
func (k *Keeper) current(ctx context.Context) (Epoch, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	e, err := scanEpoch(k.pool.QueryRow(ctx, selectEpoch))
	if err != nil {
		return e, fmt.Errorf("%w: read the mode: %w", ErrNotReady, err)
	}
	return e, nil
}

func names() []string {
	var all []string
	for _, m := range Modes() {
		all = append(all, string(m))
	}
	return all
}

// silent gives an error while there is a replica that has not been heard of lately and does not count as gone yet, or that has a write that may take minutes: it could
// not answer in the time that writes may be held.
func (k *Keeper) silent(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	rows, err := k.pool.Query(ctx, `SELECT name || ' (gone in ' || round(extract(epoch FROM lease_until + $2 - clock_timestamp()), 1) || ' s)' FROM facade.replica
		WHERE renewed_at < clock_timestamp() - $1::interval AND lease_until + $2 >= clock_timestamp() ORDER BY name`, 3*k.cfg.Renew, k.cfg.Settle)
	if err != nil {
		return fmt.Errorf("%w: read the replicas: %w", ErrNotReady, err)
	}
	silent, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("%w: read the replicas: %w", ErrNotReady, err)
	}
	if len(silent) > 0 {
		return fmt.Errorf("%w: nothing is heard of %s", ErrNotReady, strings.Join(silent, ", "))
	}
	var long string
	if err := k.pool.QueryRow(ctx, `SELECT coalesce(string_agg(name, ', ' ORDER BY name), '') FROM facade.replica WHERE long_writes > 0 AND lease_until >= clock_timestamp()`).Scan(&long); err != nil {
		return fmt.Errorf("%w: read the replicas: %w", ErrNotReady, err)
	}
	if long != "" {
		return fmt.Errorf("%w: a write that takes its time, such as a roll, is under way on %s", ErrNotReady, long)
	}
	return nil
}

// hold tells all replicas to hold writes.
func (k *Keeper) hold(ctx context.Context, from Epoch, r Request) (id int64, err error) {
	err = pgx.BeginFunc(ctx, k.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `INSERT INTO facade.switch (from_epoch, to_mode, who, why, coordinator, drain_until)
			VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6) RETURNING id`, from.Epoch, r.To, r.Who, r.Why, k.cfg.Name, k.cfg.Hold).Scan(&id); err != nil {
			return err
		}
		return notify(ctx, tx)
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.ConstraintName == "switch_under_way" {
		return 0, ErrBusy
	}
	if err != nil {
		return 0, fmt.Errorf("%w: hold writes: %w", ErrNotReady, err)
	}
	k.poke()
	return id, nil
}

// undrained names the replicas that may still have writes open. A replica that is gone has none.
const undrained = `SELECT coalesce(string_agg(name || ' (' || inflight || ' writes)', ', ' ORDER BY name), '') FROM facade.replica
	WHERE drained <> $1 AND lease_until + $2 >= clock_timestamp()`

func (k *Keeper) awaitDrained(ctx context.Context, id int64) error {
	open := "the replicas"
	for {
		if err := k.pool.QueryRow(ctx, undrained, id, k.cfg.Settle).Scan(&open); err != nil {
			return fmt.Errorf("wait for open writes of %s: %w", open, err)
		}
		if open == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for open writes of %s: %w", open, ctx.Err())
		case <-time.After(ackPoll):
		}
	}
}

// commit makes the new epoch the one in force, if the switch is still the one under way, and every replica has drained or is gone.
func (k *Keeper) commit(ctx, holding context.Context, id int64, step Step, r Request) error {
	from := step.From
	next := Epoch{Epoch: from.Epoch + 1, Mode: r.To, Who: r.Who, Why: r.Why, Final: from.Final || step.Final, LeftBehind: from.LeftBehind}
	if step.LeaveBehind != nil {
		next.LeftBehind = step.LeaveBehind.Entries
	}
	err := pgx.BeginFunc(holding, k.pool, func(tx pgx.Tx) error {
		// A coordinator that freezes in here must not keep the others from going on.
		limit := fmt.Sprint(k.cfg.Hold.Milliseconds())
		if _, err := tx.Exec(holding, `SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $1, true),
			set_config('idle_in_transaction_session_timeout', $1, true)`, limit); err != nil {
			return err
		}
		if err := k.lock(holding, tx); err != nil {
			return err
		}
		current, err := scanEpoch(tx.QueryRow(holding, selectEpoch))
		if err != nil {
			return err
		}
		if current.Epoch != from.Epoch {
			return fmt.Errorf("epoch %d has come into force meanwhile (%s, by %s)", current.Epoch, current.Mode, current.Who)
		}
		var live bool
		if err := tx.QueryRow(holding, `SELECT ended_at IS NULL AND drain_until > clock_timestamp(), extract(epoch FROM clock_timestamp() - began_at) * 1000
			FROM facade.switch WHERE id = $1 FOR UPDATE`, id).Scan(&live, &next.HeldMS); err != nil {
			return err
		}
		if !live {
			return errors.New("its time is over")
		}
		if _, err := tx.Exec(holding, lockReplica); err != nil {
			return err
		}
		var open string
		if err := tx.QueryRow(holding, undrained, id, k.cfg.Settle).Scan(&open); err != nil {
			return err
		}
		if open != "" {
			return fmt.Errorf("%s came meanwhile", open)
		}
		if next.Bases, err = k.cfg.Steps.Enter(holding, tx, step); err != nil {
			return fmt.Errorf("enter: %w", err)
		}
		if err := insertEpoch(holding, tx, next); err != nil {
			return err
		}
		if _, err := tx.Exec(holding, `UPDATE facade.switch SET ended_at = clock_timestamp(), outcome = 'done' WHERE id = $1`, id); err != nil {
			return err
		}
		return notify(holding, tx)
	})
	if err != nil {
		if k.committed(ctx, id) { // the answer to COMMIT was lost
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	k.poke()
	return nil
}

// lock keeps others from entering an epoch, and waits for those who are writing something down in the present one.
func (k *Keeper) lock(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, lockMode); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, k.cfg.Fence)
	return err
}

// committed reports whether a switch has succeeded after all. It gives false where that can't be found out; the caller then says that the switch is over, which
// does nothing to one that succeeded.
func (k *Keeper) committed(ctx context.Context, id int64) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	var done bool
	err := k.pool.QueryRow(ctx, `SELECT coalesce(outcome, '') = 'done' FROM facade.switch WHERE id = $1`, id).Scan(&done)
	return err == nil && done
}

// giveUp ends a switch that has not ended; overdue: only if its time is over. After this it can't be committed.
func (k *Keeper) giveUp(ctx context.Context, id int64, why string, overdue bool) error {
	if err := giveUp(ctx, k.pool, id, why, overdue); err != nil {
		return err
	}
	k.poke()
	return nil
}

func giveUp(ctx context.Context, pool *pgxpool.Pool, id int64, why string, overdue bool) error {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE facade.switch SET ended_at = clock_timestamp(), outcome = 'given up', message = $2
			WHERE id = $1 AND ended_at IS NULL AND (NOT $3 OR drain_until <= clock_timestamp())`, id, why, overdue); err != nil {
			return err
		}
		return notify(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("give up switch %d: %w", id, err)
	}
	return nil
}

// Kill leaves the secondary at once, without draining: from a dual mode to its primary alone. The primary stays the same, so writes that are under way end as
// they began. A switch under way is given up. In a mode without secondary it does nothing.
func (k *Keeper) Kill(ctx context.Context, who, why string) error {
	if err := signed(who, why); err != nil {
		return err
	}
	return k.advance(ctx, "kill switch", func(current Epoch) (Epoch, error) {
		if current.Mode.Secondary() == None {
			return current, nil
		}
		current.Mode, current.Who, current.Why, current.Killed, current.HeldMS = current.Mode.Alone(), who, why, true, 0
		current.Epoch++
		return current, nil
	})
}

// Finality asks for bk-only to be declared final.
type Finality struct {
	Who, Why string
	// Wait is as in [Request].
	Wait time.Duration
	// LeaveBehind is what Bank is not to get any more; nil: it gets all before.
	LeaveBehind *Left
}

// Finalise declares bk-only final: there is no way back any more, and nothing is kept for Bank. It is made as a step is, with writes held. [ErrNoStep] in another mode.
func (k *Keeper) Finalise(ctx context.Context, f Finality) error {
	return k.try(ctx, Request{Who: f.Who, Why: f.Why, Wait: f.Wait}, Step{Final: true, LeaveBehind: f.LeaveBehind})
}

// advance enters an epoch of the same primary at once: the kill switch's.
func (k *Keeper) advance(ctx context.Context, what string, next func(Epoch) (Epoch, error)) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := pgx.BeginFunc(ctx, k.pool, func(tx pgx.Tx) error {
		if err := k.lock(ctx, tx); err != nil {
			return err
		}
		current, err := scanEpoch(tx.QueryRow(ctx, selectEpoch))
		if err != nil {
			return err
		}
		to, err := next(current)
		if err != nil || to.Epoch == current.Epoch {
			return err
		}
		if to.Killed {
			if to.Bases, err = k.cfg.Steps.Enter(ctx, tx, Step{From: current, To: to.Mode, Killed: true}); err != nil {
				return fmt.Errorf("enter: %w", err)
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE facade.switch SET ended_at = clock_timestamp(), outcome = 'given up', message = $1 WHERE ended_at IS NULL`,
			what+" by "+to.Who+": "+to.Why); err != nil {
			return err
		}
		if err := insertEpoch(ctx, tx, to); err != nil {
			return err
		}
		return notify(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	k.poke()
	return nil
}

// SetSampling says which share of reads, from 0 to 1, is asked of both systems.
func (k *Keeper) SetSampling(ctx context.Context, rate float64, who, why string) error {
	if err := signed(who, why); err != nil {
		return err
	}
	if !(rate >= 0 && rate <= 1) {
		return fmt.Errorf("%w: rate: %v is not between 0 and 1", ErrRequest, rate)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := pgx.BeginFunc(ctx, k.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO facade.sampling (rate, who, why) VALUES ($1, $2, $3)`, rate, who, why); err != nil {
			return err
		}
		return notify(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("set the sampling rate: %w", err)
	}
	k.poke()
	return nil
}

func insertEpoch(ctx context.Context, tx pgx.Tx, e Epoch) error {
	_, err := tx.Exec(ctx, `INSERT INTO facade.mode (epoch, mode, who, why, killed, final, held_ms, trade_id_base, cash_id_base, first_sequence, bank_event_id, business_date, left_behind,
		stream, event_id_base) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		e.Epoch, e.Mode, e.Who, e.Why, e.Killed, e.Final, e.HeldMS, e.TradeID, e.CashID, e.FirstSequence, e.BankEventID, e.BusinessDate, e.LeftBehind, e.Stream, e.EventID)
	return err
}

func notify(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify('`+channel+`', '')`)
	return err
}
