package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How long a part may take to start, and to end, on a busy machine.
const (
	startPatience = 90 * time.Second
	stopPatience  = 30 * time.Second
)

// part is something that runs until it is stopped.
type part struct {
	name   string
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // once it has ended
	told   bool  // to stop
	mu     sync.Mutex
}

// run runs something as a part. If it ends before it is told to, failed is called with the reason.
func run(name string, failed func(error), serve func(context.Context) error) *part {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{name: name, cancel: cancel, ended: make(chan struct{})}
	go func() {
		err := serve(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		p.err = err
		close(p.ended)
		if !p.told {
			failed(errors.Join(fmt.Errorf("%s has ended by itself", name), err))
		}
	}()
	return p
}

// launch runs a server as a part, and waits until it serves.
func launch[A any](ctx context.Context, name string, failed func(error), serve func(ctx context.Context, ready func(A)) error) (at A, p *part, err error) {
	addresses := make(chan A, 1)
	p = run(name, failed, func(ctx context.Context) error { return serve(ctx, func(a A) { addresses <- a }) })
	slow := time.NewTimer(startPatience)
	defer slow.Stop()
	select {
	case at = <-addresses:
		return at, p, nil
	case <-p.ended:
		return at, p, errors.Join(fmt.Errorf("%s does not start", name), p.stop())
	case <-slow.C:
		return at, p, errors.Join(fmt.Errorf("%s is not ready after %s", name, startPatience), p.stop())
	case <-ctx.Done():
		return at, p, errors.Join(context.Cause(ctx), p.stop())
	}
}

// stop ends the part and waits for that. Again, it gives the same answer.
func (p *part) stop() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	p.told = true
	p.mu.Unlock()
	p.cancel()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(stopPatience):
		return fmt.Errorf("%s has not ended within %s", p.name, stopPatience)
	}
}
