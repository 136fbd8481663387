package mode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Epoch is a mode that is or was in force.
type Epoch struct {
	Epoch  int64     `json:"epoch"`
	Mode   Mode      `json:"mode"`
	Since  time.Time `json:"since"`
	Who    string    `json:"who"`
	Why    string    `json:"why"`
	Killed bool      `json:"killed"`  // entered by the kill switch: nothing was drained
	Final  bool      `json:"final"`   // no way back
	HeldMS float64   `json:"held_ms"` // how long its switch held writes
	// LeftBehind is how many entries of BK's Bank will never get, as whoever declared bk-only final said; 0 where it had them all.
	LeftBehind int64 `json:"left_behind"`
	Bases
}

// Attempt is a switch: under way, done, or given up.
type Attempt struct {
	ID          int64      `json:"id"`
	FromEpoch   int64      `json:"from_epoch"`
	To          Mode       `json:"to"`
	Who         string     `json:"who"`
	Why         string     `json:"why"`
	Coordinator string     `json:"coordinator"`
	Began       time.Time  `json:"began_at"`
	Ended       *time.Time `json:"ended_at"`
	Outcome     string     `json:"outcome"` // done, given up; "" while it is under way
	Message     string     `json:"message"`

	overdue bool // it can't succeed any more
}

// Replica is a process that serves.
type Replica struct {
	Name       string    `json:"name"`
	Admin      string    `json:"admin"`
	Started    time.Time `json:"started_at"`
	Renewed    time.Time `json:"renewed_at"`
	LeaseUntil time.Time `json:"lease_until"`
	Live       bool      `json:"live"`
	Epoch      int64     `json:"epoch"` // that it serves
	Inflight   int64     `json:"inflight"`
	Long       int64     `json:"long"` // those of them that may take minutes
}

// State is what is in force.
type State struct {
	Epoch
	Sampling  float64  `json:"sampling"`  // share of reads that is asked of both systems
	Switching *Attempt `json:"switching"` // the switch that holds writes at the moment
	BrakeMS   float64  `json:"brake_ms"`  // by which each write is slowed down, for a step that waits for its backlog

	brakeLeft time.Duration // for which it is, if nobody says so again

	behind int // replicas that don't read from its primary yet
}

const (
	epochColumns   = `epoch, mode, since, who, why, killed, final, held_ms, trade_id_base, cash_id_base, first_sequence, bank_event_id, business_date, left_behind, stream, event_id_base`
	attemptColumns = `id, from_epoch, to_mode, who, why, coordinator, began_at, ended_at, coalesce(outcome, ''), message, drain_until <= clock_timestamp()`

	selectEpoch    = `SELECT ` + epochColumns + ` FROM facade.mode ORDER BY epoch DESC LIMIT 1`
	selectSwitch   = `SELECT ` + attemptColumns + ` FROM facade.switch WHERE ended_at IS NULL`
	selectSampling = `SELECT coalesce((SELECT rate FROM facade.sampling ORDER BY id DESC LIMIT 1), 0)`
	selectBehind   = `SELECT count(*) FROM facade.replica WHERE lease_until > clock_timestamp() AND epoch < (SELECT max(epoch) FROM facade.mode)`
	selectBrake    = `SELECT coalesce(max(delay_ms), 0), coalesce(max(extract(epoch FROM until - clock_timestamp())), 0)::float8 FROM facade.brake WHERE until > clock_timestamp()`
)

func scanEpoch(row pgx.Row) (e Epoch, err error) {
	err = row.Scan(&e.Epoch, &e.Mode, &e.Since, &e.Who, &e.Why, &e.Killed, &e.Final, &e.HeldMS, &e.TradeID, &e.CashID, &e.FirstSequence, &e.BankEventID, &e.BusinessDate, &e.LeftBehind,
		&e.Stream, &e.EventID)
	return e, err
}

func scanAttempt(row pgx.Row) (a Attempt, err error) {
	err = row.Scan(&a.ID, &a.FromEpoch, &a.To, &a.Who, &a.Why, &a.Coordinator, &a.Began, &a.Ended, &a.Outcome, &a.Message, &a.overdue)
	return a, err
}

// queryState adds the reading of the state to a batch. The switch comes before the epoch: each statement has a snapshot of its own, and one that sees that a switch is over
// must not stand beside an epoch of before its commit, or the gate would open in it.
func queryState(b *pgx.Batch) {
	b.Queue(selectSwitch)
	b.Queue(selectEpoch)
	b.Queue(selectSampling)
	b.Queue(selectBrake)
	b.Queue(selectBehind)
}

// readState takes its results.
func readState(results pgx.BatchResults) (s State, err error) {
	rows, err := results.Query()
	if err != nil {
		return s, fmt.Errorf("read the switch: %w", err)
	}
	attempts, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (Attempt, error) { return scanAttempt(r) })
	if err != nil {
		return s, fmt.Errorf("read the switch: %w", err)
	}
	if len(attempts) > 0 {
		s.Switching = &attempts[0]
	}
	if s.Epoch, err = scanEpoch(results.QueryRow()); err != nil {
		return s, fmt.Errorf("read the mode: %w", err)
	}
	if err = results.QueryRow().Scan(&s.Sampling); err != nil {
		return s, fmt.Errorf("read the sampling rate: %w", err)
	}
	var left float64
	if err = results.QueryRow().Scan(&s.BrakeMS, &left); err != nil {
		return s, fmt.Errorf("read the brake: %w", err)
	}
	s.brakeLeft = time.Duration(left * float64(time.Second))
	if err = results.QueryRow().Scan(&s.behind); err != nil {
		return s, fmt.Errorf("read where the replicas are: %w", err)
	}
	return s, nil
}

// Attempts gives the latest switches, tried and done, the newest first.
func (k *Keeper) Attempts(ctx context.Context, limit int) ([]Attempt, error) {
	rows, err := k.pool.Query(ctx, `SELECT `+attemptColumns+` FROM facade.switch ORDER BY id DESC LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("read the switches: %w", err)
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (Attempt, error) { return scanAttempt(r) })
}

// listedFor is how long a replica that did not end in order is still listed when its lease is over.
const listedFor = 15 * time.Minute

// Replicas gives the replicas that serve, and those that did not end in order a short while ago.
func (k *Keeper) Replicas(ctx context.Context) ([]Replica, error) {
	rows, err := k.pool.Query(ctx, `SELECT name, admin, started_at, renewed_at, lease_until, lease_until > clock_timestamp(), epoch, inflight, long_writes
		FROM facade.replica WHERE lease_until >= clock_timestamp() - $1::interval ORDER BY name, started_at`, listedFor)
	if err != nil {
		return nil, fmt.Errorf("read the replicas: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Replica, err error) {
		err = row.Scan(&r.Name, &r.Admin, &r.Started, &r.Renewed, &r.LeaseUntil, &r.Live, &r.Epoch, &r.Inflight, &r.Long)
		return r, err
	})
}

func (k *Keeper) readEpochs(ctx context.Context) ([]Epoch, error) { return History(ctx, k.pool) }

// Outlook reads all modes that a façade's database has been in, the first first, and the latest attempt at a step, nil if there was none: as of one instant, so that an epoch that
// is not among them is made by a later attempt, or by one that has not ended. It takes no part in them, but for one thing: a step that is overdue is given up, as by any replica.
func Outlook(ctx context.Context, pool *pgxpool.Pool) (history []Epoch, latest *Attempt, err error) {
	for {
		err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, `SELECT `+epochColumns+` FROM facade.mode ORDER BY epoch`)
			if err != nil {
				return err
			}
			if history, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (Epoch, error) { return scanEpoch(r) }); err != nil {
				return err
			}
			attempt, err := scanAttempt(tx.QueryRow(ctx, `SELECT `+attemptColumns+` FROM facade.switch ORDER BY id DESC LIMIT 1`))
			if latest = &attempt; errors.Is(err, pgx.ErrNoRows) {
				latest, err = nil, nil
			}
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("read the modes: %w", err)
		}
		if latest == nil || latest.Ended != nil || !latest.overdue {
			return history, latest, nil
		}
		if err := giveUp(ctx, pool, latest.ID, fmt.Sprintf("%s, which led it, did not finish in time", latest.Coordinator), true); err != nil { // waits for a commit that is under way
			return nil, nil, err
		}
	}
}

// History reads all modes that a façade's database has been in, the first first; it takes no part in them.
func History(ctx context.Context, pool *pgxpool.Pool) ([]Epoch, error) {
	rows, err := pool.Query(ctx, `SELECT `+epochColumns+` FROM facade.mode ORDER BY epoch`)
	if err != nil {
		return nil, fmt.Errorf("read the history of modes: %w", err)
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (Epoch, error) { return scanEpoch(r) })
}
