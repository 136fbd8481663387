package loader

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bkledger/bk/api/client"
)

// Pauses before a call is made again, and how long one call may take.
const (
	firstPause  = 20 * time.Millisecond
	longPause   = 2 * time.Second
	callTimeout = 30 * time.Second
)

// GaveUpError ends a load that has not gone forward for [Config.Timeout].
type GaveUpError struct {
	After time.Duration
	Last  error // what the last call failed with
}

// Error says how long it was tried and what went wrong last.
func (e *GaveUpError) Error() string {
	return fmt.Sprintf("gave up after %s without progress: %v", e.After.Round(time.Second), client.Describe(e.Last))
}

// Unwrap gives the last failure.
func (e *GaveUpError) Unwrap() error { return e.Last }

// retries makes calls again until nothing has gone forward for timeout.
type retries struct {
	timeout time.Duration
	report  func(error, time.Duration)

	mu       sync.Mutex
	progress time.Time
	wait     time.Duration
}

// progressed starts the clock anew.
func (r *retries) progressed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress, r.wait = time.Now(), 0
}

// call makes a call until it succeeds or fails for good.
func (r *retries) call(ctx context.Context, do func(context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, min(callTimeout, r.timeout))
		err := do(attempt)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !client.Retryable(err):
			return err
		}
		if err := r.pause(ctx, err); err != nil {
			return err
		}
	}
}

// pause waits before the next attempt, longer every time, or gives up.
func (r *retries) pause(ctx context.Context, cause error) error {
	r.mu.Lock()
	idle := time.Since(r.progress)
	r.wait = min(max(2*r.wait, firstPause), longPause)
	wait := r.wait
	r.mu.Unlock()
	if idle >= r.timeout {
		return &GaveUpError{After: idle, Last: cause}
	}
	wait = wait/2 + rand.N(wait/2+1)
	wait = min(wait, r.timeout-idle)
	r.mu.Lock()
	r.report(cause, wait)
	r.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
