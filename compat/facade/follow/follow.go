package follow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/compat/facade/idle"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
)

const (
	standBy    = 200 * time.Millisecond // between two looks whether the lock is free, whether there is a window
	pollFor    = 50 * time.Millisecond  // one poll of Kafka, at most: other things are due, too
	pollShort  = 3 * time.Millisecond   // while events wait for Bank, or for what is read next
	pollEvents = 5000
	lookEvery  = 250 * time.Millisecond // at the window, while there is nothing to write
	caughtPoll = 5 * time.Millisecond
	topicsPoll = 2 * time.Second // for new partitions

	metadataAge = 200 * time.Millisecond // of what the Kafka client knows of topics, at least
	pruneEvery  = time.Minute
	keepSeen    = 24 * time.Hour
	minPause    = 100 * time.Millisecond
	maxPause    = 5 * time.Second
)

// Follower puts what Bank does while it is alone into the queue, out of Bank's own events.
type Follower struct {
	cfg Config

	known atomic.Pointer[[]Gap] // as last read

	mu    sync.Mutex
	admin *kadm.Client // for Caught
}

// New makes a follower. It calls nobody yet.
func New(cfg Config) (*Follower, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("follow Bank: %w", err)
	}
	return &Follower{cfg: cfg}, nil
}

// Run follows, on one of all replicas and while there is a window, until ctx ends. Nothing but that ends it.
func (f *Follower) Run(ctx context.Context) {
	defer f.close()
	var watching sync.WaitGroup
	watching.Go(func() { f.watchGaps(ctx) })
	defer watching.Wait()
	for pause := minPause; ctx.Err() == nil; {
		began := time.Now()
		if err := f.lead(ctx); err != nil && !errors.Is(err, errWindow) && ctx.Err() == nil {
			f.cfg.Log.Warn("following Bank failed, it is tried again", "in", pause, "error", err)
		}
		if time.Since(began) > maxPause {
			pause = minPause
		}
		idle.For(ctx, pause)
		pause = min(2*pause, maxPause)
	}
}

func (f *Follower) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.admin != nil {
		f.admin.Close()
		f.admin = nil
	}
}

// lead waits for the lock, and follows one window after the other while it has it.
func (f *Follower) lead(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, f.cfg.Pool.Config().ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("connect for the lock: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // the lock goes with the session, whatever happens
	}()
	for got := false; !got; {
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, f.cfg.Lock).Scan(&got); err != nil {
			return fmt.Errorf("take the lock: %w", err)
		}
		if !got && !idle.For(ctx, standBy) {
			return nil
		}
	}
	if err := f.adopt(ctx); err != nil {
		return err
	}
	var pruned time.Time
	for {
		if _, err := conn.Exec(ctx, `SELECT 1`); err != nil {
			return fmt.Errorf("the session with the lock is lost: %w", err)
		}
		w, ok, err := f.current(ctx)
		if err != nil {
			return err
		}
		gaps, err := f.gaps(ctx)
		if err != nil {
			return err
		}
		if ok && len(gaps) == 0 {
			if err := f.follow(ctx, conn, w); err != nil && !errors.Is(err, errWindow) && !errors.Is(err, ErrGap) {
				return err
			}
		} else if time.Since(pruned) > pruneEvery {
			pruned = time.Now()
			if err := f.prune(ctx); err != nil {
				return err
			}
		}
		if !idle.For(ctx, standBy) {
			return nil
		}
	}
}
