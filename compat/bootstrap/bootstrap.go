package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/bootstrap/store"
)

var (
	// ErrRules: the work store was begun with other rules than this program has.
	ErrRules = errors.New("the work store was begun with other rules")
	// ErrPlan: it was begun with other settings.
	ErrPlan = errors.New("the work store was begun with other settings")
	// ErrRunning: another process is at it.
	ErrRunning = errors.New("another bootstrapper is at work")
	// ErrDiffers: old and new differ by more than what is accounted for.
	ErrDiffers = errors.New("Bank and BK differ")
	// ErrNotFresh: the façade's database is not an empty one.
	ErrNotFresh = errors.New("the façade's database is in use")
)

// runLock is the advisory lock in the façade's database of the one bootstrapper at work: "bkboot" in ASCII.
const runLock int64 = 0x626b626f6f74

// Bootstrap brings all of Bank's data into BK.
type Bootstrap struct {
	cfg      Config
	store    *store.Store
	log      *slog.Logger
	bank     *bank.Client // nil: none was given
	throttle *source.Throttle
	meter    meter
}

// Open opens the work store. Nobody else is called yet.
func Open(ctx context.Context, cfg Config) (*Bootstrap, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("bootstrap: configuration: %w", err)
	}
	b := &Bootstrap{cfg: cfg, log: cfg.Log}
	b.meter.tell = cfg.Progress
	if cfg.Bank != "" {
		var err error
		if b.bank, err = bank.NewClient(bank.ClientConfig{API: cfg.Bank, Operations: cfg.Operations, Key: cfg.Key}); err != nil {
			return nil, fmt.Errorf("bootstrap: Bank: %w", err)
		}
	}
	var measures []source.Measure
	if cfg.BankDB != "" {
		measures = append(measures, source.DatabaseLatency(cfg.BankDB, cfg.Latency), source.ReplicationLag(cfg.BankDB, cfg.Lag))
	}
	if b.bank != nil {
		measures = append(measures, source.APILatency(b.bank, cfg.Latency))
	}
	b.throttle = source.NewThrottle(cfg.Lookout, cfg.Log, measures...)
	var err error
	if b.store, err = store.Open(ctx, cfg.Work, !cfg.Look); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	return b, nil
}

// Close gives the work store back.
func (b *Bootstrap) Close() error {
	if b.bank != nil {
		b.bank.Close()
	}
	return b.store.Close()
}

// Run does all that is left to do, phase by phase, and gives verify's report; nil with DryRun. Called again after whatever ended it, it goes on. [ErrDiffers] if what it made is not what
// Bank has.
func (b *Bootstrap) Run(ctx context.Context) (*Report, error) {
	ctx, unlock, err := b.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := b.plan(ctx); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	defer b.keepProgress(ctx)()
	m, err := b.manifest(ctx)
	if errors.Is(err, store.ErrMissing) {
		m, err = b.prepare(ctx)
	}
	if err != nil {
		return nil, err
	}
	if b.cfg.DryRun {
		return nil, nil
	}
	if err := b.load(ctx, m); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	systems, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := systems.stop(); err != nil {
			b.log.Warn("a system that ran for the bootstrapper ended badly", "error", err)
		}
	}()
	if err := b.catchUp(ctx, m, systems); err != nil {
		return nil, fmt.Errorf("catch-up: %w", err)
	}
	report, err := b.verify(ctx, m, systems)
	if err != nil {
		return report, fmt.Errorf("verify: %w", err)
	}
	return report, nil
}

// prepare does the phases before load.
func (b *Bootstrap) prepare(ctx context.Context) (m Manifest, err error) {
	at, pieces, err := b.extract(ctx)
	if err != nil {
		return m, fmt.Errorf("extract: %w", err)
	}
	made, err := b.transform(ctx, pieces)
	if err != nil {
		return m, fmt.Errorf("transform: %w", err)
	}
	if m, err = b.stage(ctx, at, pieces, made); err != nil {
		return m, fmt.Errorf("stage: %w", err)
	}
	return m, nil
}

// plan decides, or holds what was decided against what is asked for.
func (b *Bootstrap) plan(ctx context.Context) error {
	defer b.meter.phase("plan", 1)()
	now := Plan{Mode: b.cfg.Mode, Rules: history.Version, Source: "database", ChunkRows: b.cfg.ChunkRows, JournalRows: b.cfg.JournalRows, CreatedAt: time.Now().UTC(), Who: b.cfg.Who}
	if b.cfg.Quiesced {
		now.Source = "api"
	}
	var was Plan
	there, err := b.find(ctx, planDoc, &was)
	if err != nil {
		return err
	}
	if !there {
		return b.store.Note(ctx, planDoc, now)
	}
	if was.Mode != now.Mode || was.Source != now.Source {
		return fmt.Errorf("%w: mode %s from Bank's %s, not %s from Bank's %s; use another folder", ErrPlan, was.Mode, was.Source, now.Mode, now.Source)
	}
	if was.Rules == now.Rules {
		b.meter.add(1)
		return nil
	}
	if !b.cfg.Replan {
		return fmt.Errorf("%w: version %s, this program has %s; --replan makes transform and stage anew by these (what was extracted stays)", ErrRules, was.Rules, now.Rules)
	}
	if there, err := b.find(ctx, loadDoc, &struct{}{}); err != nil || there {
		return errors.Join(err, fmt.Errorf("%w: version %s, and it is loaded: abort comes first", ErrRules, was.Rules))
	}
	if err := b.store.Remove(ctx, manifestDoc); err != nil {
		return err
	}
	if err := b.store.Remove(ctx, "transform/"); err != nil {
		return err
	}
	was.Rules = now.Rules
	return b.store.Note(ctx, planDoc, was)
}

// lock sees to it that one bootstrapper is at work. What it gives ends with the lock.
func (b *Bootstrap) lock(ctx context.Context) (context.Context, func(), error) {
	conn, err := pgx.Connect(ctx, b.cfg.FacadeDB)
	if err != nil {
		return nil, nil, errors.New("bootstrap: the façade's database can't be reached") // pgx's error may show what is in the DSN
	}
	var got bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, runLock).Scan(&got); err != nil || !got {
		conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing hangs on it
		if err == nil {
			err = fmt.Errorf("%w on this façade's database", ErrRunning)
		}
		return nil, nil, fmt.Errorf("bootstrap: %w", err)
	}
	held, lose := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() { // the lock is this session's
		defer close(watched)
		const every = time.Second
		for {
			select {
			case <-held.Done():
				return
			case <-time.After(every):
			}
			if err := ping(held, conn); err != nil {
				lose(fmt.Errorf("the session that holds the bootstrapper's lock is gone: %w", err))
				return
			}
		}
	}()
	return held, func() {
		lose(nil)
		<-watched
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = conn.Exec(closing, `SELECT pg_advisory_unlock($1)`, runLock) // by its end alone the server lets go of it a moment later
		conn.Close(closing)                                                 //nolint:errcheck // the server ends it anyway
	}, nil
}

// ping is not cut short by what ends the run: that would end the session.
func ping(ctx context.Context, conn *pgx.Conn) error {
	const most = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	defer cancel()
	return conn.Ping(ctx)
}
