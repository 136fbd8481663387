package mode

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	maxBrake  = 500 * time.Millisecond // of one write
	brakeFor  = 2 * time.Second        // after which it ends by itself: its coordinator is gone
	brakeFrom = time.Millisecond       // less is none
)

// brake is what this replica knows of it.
type brake struct{ now atomic.Pointer[braking] }

type braking struct {
	delay time.Duration
	until time.Time // by the monotonic clock: without the database it ends, too
}

func (b *brake) set(delayMS float64, until time.Time) {
	if delayMS < 1 {
		b.now.Store(nil)
		return
	}
	b.now.Store(&braking{min(time.Duration(delayMS*float64(time.Millisecond)), maxBrake), until})
}

func (b *brake) delay() time.Duration {
	now := b.now.Load()
	if now == nil || !time.Now().Before(now.until) {
		return 0
	}
	return now.delay
}

// wait keeps a write for as long as it is braked; it goes on at once when the brake is taken off.
func (b *brake) wait(ctx context.Context, state func() (State, <-chan struct{})) error {
	if b.delay() == 0 {
		return nil
	}
	for began := time.Now(); ; {
		_, changed := state()
		left := b.delay() - time.Since(began)
		if left <= 0 {
			return nil
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-changed:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
		t.Stop()
	}
}

// Brake slows writes down on all replicas: each waits for delay, at most half a second, before it takes its ticket. It ends with the step for whose sake it is, and by
// itself two seconds after the last call. Below a millisecond it is none.
func (k *Keeper) Brake(ctx context.Context, delay time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := pgx.BeginFunc(ctx, k.pool, func(tx pgx.Tx) error {
		var err error
		if delay < brakeFrom {
			_, err = tx.Exec(ctx, `DELETE FROM facade.brake`)
		} else {
			_, err = tx.Exec(ctx, `INSERT INTO facade.brake (delay_ms, until) VALUES ($1, clock_timestamp() + $2)
				ON CONFLICT (only_one) DO UPDATE SET delay_ms = excluded.delay_ms, until = excluded.until`, float64(min(delay, maxBrake))/float64(time.Millisecond), brakeFor)
		}
		if err != nil {
			return err
		}
		return notify(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("brake writes: %w", err)
	}
	k.brake.set(float64(delay)/float64(time.Millisecond), time.Now().Add(brakeFor))
	k.poke()
	return nil
}

// release takes the brake off.
func (k *Keeper) release(ctx context.Context) {
	if k.brake.delay() == 0 {
		return
	}
	if err := k.Brake(context.WithoutCancel(ctx), 0); err != nil {
		k.cfg.Log.Warn("the brake can't be taken off; it ends by itself", "error", err)
	}
}
