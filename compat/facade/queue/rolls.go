package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/bkledger/bk/compat/facade/idle"
)

// errRolling says that a roll has everything to itself, or waits for it. The connection has no lock.
var errRolling = errors.New("a roll is under way")

// rolls lets calls wait for the end of a roll, on whichever replica it is, without a connection each: one scout waits in Postgres' own queue behind the rolls that
// are there when it comes, for all.
type rolls struct {
	mu   sync.Mutex
	over chan struct{} // closed by the scout under way; nil if there is none
}

// wait waits for the scout under way, if any. An error: ctx has ended.
func (r *rolls) wait(ctx context.Context) error {
	r.mu.Lock()
	over := r.over
	r.mu.Unlock()
	if over == nil {
		return nil
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of a roll: %w", context.Cause(ctx))
	}
}

// scout sees to it that a scout is under way.
func (q *Queue) scout() {
	r := &q.rolls
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over != nil {
		return
	}
	over := make(chan struct{})
	r.over = over
	q.background(func(ctx context.Context) {
		if err := q.passRolls(ctx); err != nil && ctx.Err() == nil {
			q.cfg.Log.Warn("can't wait for the end of a roll, it is tried again", "error", err)
			idle.For(ctx, retryFirst)
		}
		r.mu.Lock()
		r.over = nil
		r.mu.Unlock()
		close(over)
	})
}

// passRolls returns when the rolls that are there now have ended.
func (q *Queue) passRolls(ctx context.Context) error {
	conn, err := q.calls.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("wait for a connection: %w", err)
	}
	if _, err = conn.Exec(ctx, lockSharedSQL, lockRoll); err == nil {
		_, err = conn.Exec(ctx, unlockSQL)
	}
	if err != nil {
		drop(conn)
		return err
	}
	conn.Release()
	return nil
}
