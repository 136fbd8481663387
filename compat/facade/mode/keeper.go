package mode

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	channel      = "facade_mode"
	connections  = 4           // listening, beating, and two for switches and the status page
	forgottenFor = time.Hour   // after its lease a replica's row is removed
	relisten     = time.Second // pause before listening again
	leaveTimeout = 2 * time.Second
	closeTimeout = 100 * time.Millisecond
)

// ErrOtherMode is the error of [Keeper.Open] where the database is in another mode than the one asked for.
var ErrOtherMode = errors.New("the façade is in another mode")

// Keeper is one replica's part in the modes. Its methods may be called from any goroutine.
type Keeper struct {
	cfg   Config
	run   string // names this process
	pool  *pgxpool.Pool
	gate  *gate
	wake  chan struct{}
	brake brake

	looking sync.Mutex
	told    int64 // the epoch that the others have been told this replica serves; under looking
	state   atomic.Pointer[State]
	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when the state changes
	epochs  []Epoch

	// of the loop alone
	renewed time.Time
	drained int64
	long    int       // as it was told
	newest  int64     // the epoch that this replica came to last,
	newAt   time.Time // and when
}

// New makes a keeper. It does not connect.
func New(cfg Config) (*Keeper, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("modes: configuration: %w", err)
	}
	pc, err := pgxpool.ParseConfig(cfg.Postgres)
	if err != nil {
		return nil, fmt.Errorf("modes: dsn: %w", err)
	}
	// Connections of its own: no load of another part may keep the lease from being renewed.
	pc.MaxConns, pc.MinConns = connections, 0
	pc.ConnConfig.RuntimeParams["application_name"] = "hotswap-mode"
	pc.ConnConfig.RuntimeParams["search_path"] = "pg_catalog"
	pc.ConnConfig.ConnectTimeout = cfg.Lease / 2
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err != nil {
		return nil, fmt.Errorf("modes: %w", err)
	}
	return &Keeper{cfg: cfg, run: rand.Text(), pool: pool, gate: newGate(cfg.MaxWaiting), wake: make(chan struct{}, 1), changed: make(chan struct{})}, nil
}

// Open enters the first mode if the database is fresh, and reads the one in force. [ErrOtherMode] if that is not the configured one.
func (k *Keeper) Open(ctx context.Context) error {
	if err := k.begin(ctx); err != nil {
		return fmt.Errorf("modes: %w", err)
	}
	if _, err := k.pool.Exec(ctx, `DELETE FROM facade.replica WHERE lease_until < clock_timestamp() - $1::interval`, forgottenFor); err != nil {
		return fmt.Errorf("modes: forget replicas that are long gone: %w", err)
	}
	s, err := k.look(ctx, false)
	if err != nil {
		return fmt.Errorf("modes: %w", err)
	}
	if k.cfg.Initial != "" && k.cfg.Initial != s.Mode {
		return fmt.Errorf("%w: it is in %s since %s (epoch %d, by %s: %s), not in %s; leave the mode out to serve in the one that is in force, or switch",
			ErrOtherMode, s.Mode, s.Since.UTC().Format(time.RFC3339), s.Epoch.Epoch, s.Who, s.Why, k.cfg.Initial)
	}
	return nil
}

// begin writes the first epoch of a fresh database.
func (k *Keeper) begin(ctx context.Context) error {
	var there bool
	if err := k.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM facade.mode)`).Scan(&there); err != nil || there {
		return err
	}
	first := k.cfg.Initial
	if first == "" {
		first = BankOnly
	}
	step := Step{To: first}
	if err := k.cfg.Steps.Ready(ctx, step); err != nil {
		return fmt.Errorf("begin in %s: %w", first, err)
	}
	return pgx.BeginFunc(ctx, k.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockMode); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM facade.mode)`).Scan(&there); err != nil || there {
			return err
		}
		bases, err := k.cfg.Steps.Enter(ctx, tx, step)
		if err != nil {
			return fmt.Errorf("begin in %s: %w", first, err)
		}
		return insertEpoch(ctx, tx, Epoch{Epoch: 1, Mode: first, Who: k.cfg.Name, Why: "first start", Bases: bases})
	})
}

// Run keeps the lease and follows the mode until ctx ends. Then it closes the gate, waits for the open writes (it gives up on them when their lease ends),
// and leaves. Nothing is served before Run.
func (k *Keeper) Run(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	var listener sync.WaitGroup
	listener.Go(func() { k.listen(running) })
	for ctx.Err() == nil {
		if err := k.beat(running); err != nil && ctx.Err() == nil {
			k.cfg.Log.Warn("the façade's database does not answer; without it the lease runs out, and no writes are taken", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-k.gate.empty:
		case <-time.After(k.cfg.Poll):
		}
	}
	stop()
	listener.Wait()
	return k.leave()
}

// leave gives the lease back, when no write is open, so that no switch has to wait for it to run out.
func (k *Keeper) leave() error {
	k.gate.close()
	for ended := time.Now().Add(k.cfg.Lease); ; {
		if _, inflight, _, _ := k.gate.counts(); inflight == 0 {
			break
		}
		if time.Now().After(ended) {
			k.gate.stop()
			return errors.New("modes: writes were still open when the lease ran out")
		}
		select {
		case <-k.gate.empty:
		case <-time.After(k.cfg.Poll):
		}
	}
	k.gate.stop()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if _, err := k.pool.Exec(ctx, `DELETE FROM facade.replica WHERE run = $1`, k.run); err != nil {
		return fmt.Errorf("modes: give the lease back (it runs out by itself): %w", err)
	}
	return nil
}

// beat renews the lease if it is time, reads the state, and brings the gate in line with it.
func (k *Keeper) beat(ctx context.Context) error {
	s, err := k.look(ctx, time.Since(k.renewed) >= k.cfg.Renew || k.gate.longs() != k.long)
	if err != nil {
		return err
	}
	if s.Switching == nil && k.gate.left(s.Epoch.Epoch) {
		var arrived bool
		if s, arrived, err = k.arrive(ctx, s); err != nil || !arrived {
			return err
		}
	}
	if s.Switching == nil {
		k.gate.serve(s.Epoch.Epoch, s.Mode)
		return nil
	}
	id := s.Switching.ID
	if k.gate.close() == 0 && k.drained != id {
		k.drained = id
		if _, err := k.look(ctx, true); err != nil {
			k.drained = 0
			return err
		}
	}
	if s.Switching.overdue {
		return k.giveUp(ctx, id, fmt.Sprintf("%s, which led it, did not finish in time", s.Switching.Coordinator), true)
	}
	return nil
}

// arrive says that this replica reads from an epoch's primary, and reports whether all do, as far as they are heard of. Only then are writes taken in it: or
// who writes here and reads there, from the old primary, would miss what he wrote. One that says nothing for Hold is not waited for.
func (k *Keeper) arrive(ctx context.Context, s State) (now State, all bool, err error) {
	if k.newest != s.Epoch.Epoch {
		if s, err = k.look(ctx, true); err != nil {
			return s, false, err
		}
		k.newest, k.newAt = s.Epoch.Epoch, time.Now()
	}
	return s, s.behind == 0 || time.Since(k.newAt) > k.cfg.Hold, nil
}

// look reads the state, after it has renewed the lease if it is told to: in one round trip and in this order, so that a switch that counted this
// replica as gone is either seen, or sees the renewal.
func (k *Keeper) look(ctx context.Context, renew bool) (State, error) {
	k.looking.Lock() // what is read later must not be known earlier
	defer k.looking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, k.cfg.Lease/4)
	defer cancel()
	batch := &pgx.Batch{}
	var serves int64
	if s := k.state.Load(); s != nil {
		serves = s.Epoch.Epoch
	}
	tell := renew && serves != k.told
	if renew {
		_, inflight, _, _ := k.gate.counts()
		k.long = k.gate.longs()
		batch.Queue(`INSERT INTO facade.replica AS r (run, name, admin, lease_until, epoch, drained, inflight, long_writes)
			VALUES ($1, $2, $3, clock_timestamp() + $4, $5, $6, $7, $8)
			ON CONFLICT (run) DO UPDATE SET lease_until = excluded.lease_until, renewed_at = clock_timestamp(), epoch = excluded.epoch,
				drained = excluded.drained, inflight = excluded.inflight, long_writes = excluded.long_writes`,
			k.run, k.cfg.Name, k.cfg.Admin, k.cfg.Lease, serves, k.drained, inflight, k.long)
	}
	if tell { // they may be waiting for it
		batch.Queue(`SELECT pg_notify('` + channel + `', '')`)
	}
	queryState(batch)
	sent := time.Now() // the database's clock starts the lease later than this
	results := k.pool.SendBatch(ctx, batch)
	defer results.Close()
	if renew {
		if _, err := results.Exec(); err != nil {
			return State{}, fmt.Errorf("renew the lease: %w", err)
		}
	}
	if tell {
		if _, err := results.Exec(); err != nil {
			return State{}, fmt.Errorf("tell the other replicas: %w", err)
		}
	}
	s, err := readState(results)
	if err != nil {
		return State{}, err
	}
	if err := results.Close(); err != nil { // with it the renewal is committed
		return State{}, fmt.Errorf("renew the lease: %w", err)
	}
	if renew {
		k.gate.extend(sent.Add(k.cfg.Lease - k.cfg.Lease/10)) // the tenth is for clocks that run at different speeds, and for the end of what was cancelled
		k.renewed, k.told = sent, serves
	}
	k.brake.set(s.BrakeMS, sent.Add(s.brakeLeft))
	return s, k.publish(ctx, s)
}

// publish makes a state known in this process.
func (k *Keeper) publish(ctx context.Context, s State) error {
	was := k.state.Load()
	if was != nil && was.Epoch.Epoch == s.Epoch.Epoch && was.Sampling == s.Sampling && was.BrakeMS == s.BrakeMS && switching(was) == switching(&s) {
		return nil
	}
	if was == nil || was.Epoch.Epoch != s.Epoch.Epoch {
		epochs, err := k.readEpochs(ctx)
		if err != nil {
			return err
		}
		k.mu.Lock()
		k.epochs = epochs
		k.mu.Unlock()
		if k.cfg.Epochs != nil {
			k.cfg.Epochs(epochs)
		}
		k.cfg.Log.Info("mode", "mode", s.Mode, "epoch", s.Epoch.Epoch, "who", s.Who, "why", s.Why, "held_ms", s.HeldMS)
	}
	k.state.Store(&s)
	k.mu.Lock()
	close(k.changed)
	k.changed = make(chan struct{})
	k.mu.Unlock()
	return nil
}

func switching(s *State) int64 {
	if s.Switching == nil {
		return 0
	}
	return s.Switching.ID
}

// listen turns notifications into beats until ctx ends. Polling makes up for those that are lost.
func (k *Keeper) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := k.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			if _, err := c.Exec(ctx, `LISTEN `+channel); err != nil {
				return err
			}
			for {
				if _, err := c.Conn().WaitForNotification(ctx); err != nil {
					// It must not go back to the pool and listen there. What doesn't answer isn't waited for.
					closing, cancel := context.WithTimeout(context.Background(), closeTimeout)
					defer cancel()
					c.Conn().Close(closing)
					return err
				}
				k.poke()
			}
		})
		if ctx.Err() == nil {
			k.cfg.Log.Debug("listening for changes of the mode was interrupted", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(relisten):
			}
		}
	}
}

func (k *Keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Refresh reads what is in force, for who can't wait for the next look. The gate follows as ever.
func (k *Keeper) Refresh(ctx context.Context) error {
	_, err := k.look(ctx, false)
	return err
}

// Close ends the connections, after Run or instead of it.
func (k *Keeper) Close() {
	k.gate.stop()
	k.pool.Close()
}

// Write gives the right to make one write, in a later epoch than after (0: any): at once, or after the switch that is under way; where writes are braked, after
// that time. [ErrClosed] if it takes too long.
func (k *Keeper) Write(ctx context.Context, after int64) (*Ticket, error) {
	if err := k.brake.wait(ctx, k.State); err != nil {
		return nil, err
	}
	return k.gate.take(ctx, k.cfg.Patience, after)
}

// State gives what is in force as far as this replica knows, and a channel that is closed when it knows something else. After [Keeper.Open].
func (k *Keeper) State() (State, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return *k.state.Load(), k.changed
}

// Mode is the one in force as far as this replica knows: what reads go by. After [Keeper.Open].
func (k *Keeper) Mode() Mode { return k.state.Load().Mode }

// Epochs gives the history of modes up to [Keeper.State], the oldest first. It must not be changed.
func (k *Keeper) Epochs() []Epoch {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.epochs
}

// Gate is how writes are doing on this replica.
type Gate struct {
	Open        bool    `json:"open"`
	Inflight    int     `json:"inflight"`
	Waiting     int     `json:"waiting"`
	ClosedForMS float64 `json:"closed_for_ms"`
}

// Gate gives it.
func (k *Keeper) Gate() Gate {
	open, inflight, waiting, closed := k.gate.counts()
	return Gate{open, inflight, waiting, float64(closed.Microseconds()) / 1000}
}
