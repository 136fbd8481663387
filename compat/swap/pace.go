package swap

import (
	"context"
	"sync"
	"time"
)

// pace says when a client may go on: while what waits for the other system is little, and the tour has gone as far as it should have.
type pace struct {
	limit int // trades that may wait

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, with each change
	ceiling int           // the limit, or more while the other system catches up with what was before
	waiting int           // as the façade's status said
	sent    int           // trades sent since
	begun   int           // rows of the tape in calls that were sent
	until   int           // rows that may be
}

func newPace(limit int) *pace {
	return &pace{limit: limit, ceiling: limit, changed: make(chan struct{})}
}

// take waits until a call may be made that has so many rows of the tape and brings so many trades.
func (p *pace) take(ctx context.Context, rows, trades int) error {
	for {
		p.mu.Lock()
		if p.waiting+p.sent < p.ceiling && (rows == 0 || p.begun < p.until) {
			p.sent += trades
			p.begun += rows
			p.mu.Unlock()
			return nil
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// allow lets rows of the tape be sent up to some number.
func (p *pace) allow(until int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = until
	p.wake()
}

// look takes what waits, as it was when sent was as it is given; entered says that another mode is in force since the last look.
func (p *pace) look(waiting, sent int, entered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting, p.sent = waiting, p.sent-sent
	if entered {
		p.ceiling = max(p.limit, waiting+p.limit)
	}
	p.ceiling = max(p.limit, min(p.ceiling, waiting+p.limit))
	p.wake()
}

func (p *pace) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pace) sentSoFar() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// keep looks at the façade's status until ctx ends. A look that fails leaves everything as it is.
func (p *pace) keep(ctx context.Context, status func(context.Context) (mode string, waiting int, err error)) {
	const every = 50 * time.Millisecond
	before := ""
	for {
		sent := p.sentSoFar()
		if in, waiting, err := status(ctx); err == nil {
			p.look(waiting, sent, in != before)
			before = in
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}
