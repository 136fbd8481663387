package mode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Errors of [Keeper.Write].
var (
	// ErrClosed: the gate stayed closed for as long as a write may wait, or too many wait already. Nothing was sent to anybody.
	ErrClosed = errors.New("the façade takes no writes at the moment")
	// ErrFull comes with ErrClosed where too many wait.
	ErrFull = errors.New("too many writes wait already")
	// ErrLease is the cause of a ticket's context that ends because the replica may be counted as gone: what the write did is unknown.
	ErrLease = errors.New("the replica's lease has run out")
)

// Ticket is the right to make one write in one mode. The switch to the next mode waits until all are back.
type Ticket struct {
	Epoch   int64
	Mode    Mode
	Context context.Context // the write's; it ends with the lease
	Lease   context.Context // ends with the lease only, for what must not end when the client goes away

	gate *gate
	stop func() bool
	end  context.CancelCauseFunc
	once sync.Once
	long bool
}

// Long says that the write may take minutes: no step is begun meanwhile, as it would only hold writes and be given up. Before [Ticket.End], once.
func (t *Ticket) Long() {
	t.long = true
	t.gate.longer(1)
}

// End gives the ticket back. The second time it does nothing.
func (t *Ticket) End() {
	t.once.Do(func() {
		t.stop()
		t.end(nil)
		if t.long {
			t.gate.longer(-1)
		}
		t.gate.leave()
	})
}

// gate lets writes in while it is open and the lease is good.
type gate struct {
	mu       sync.Mutex
	open     bool
	epoch    int64
	mode     Mode
	deadline time.Time // of the lease, by the monotonic clock
	lease    context.Context
	lapse    context.CancelCauseFunc // ends lease
	inflight int
	long     int // of inflight
	waiting  int
	changed  chan struct{} // closed, and made anew, when it opens, or opens for another epoch
	empty    chan struct{} // a token while the last ticket came back to a closed gate
	limit    int           // of waiting
	closedAt time.Time     // zero while open
	timer    *time.Timer
}

func newGate(limit int) *gate {
	g := &gate{changed: make(chan struct{}), empty: make(chan struct{}, 1), limit: limit, closedAt: time.Now()}
	g.lease, g.lapse = context.WithCancelCause(context.Background())
	g.lapse(ErrLease)
	return g
}

// take gives a ticket of a later epoch than after, at once if the gate is open for one.
func (g *gate) take(ctx context.Context, patience time.Duration, after int64) (*Ticket, error) {
	var late <-chan time.Time
	g.mu.Lock()
	for !g.open || g.epoch <= after || !time.Now().Before(g.deadline) {
		if late == nil {
			if g.waiting >= g.limit {
				g.mu.Unlock()
				return nil, fmt.Errorf("%w: %w: %d", ErrClosed, ErrFull, g.limit)
			}
			g.waiting++
			timer := time.NewTimer(patience)
			defer timer.Stop()
			defer func() { g.mu.Lock(); g.waiting--; g.mu.Unlock() }()
			late = timer.C
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			return nil, fmt.Errorf("%w: waited %s for a switch of modes or for the façade's database", ErrClosed, patience)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		g.mu.Lock()
	}
	t := &Ticket{Epoch: g.epoch, Mode: g.mode, Lease: g.lease, gate: g}
	g.inflight++
	lease := g.lease
	g.mu.Unlock()
	t.Context, t.end = context.WithCancelCause(ctx)
	t.stop = context.AfterFunc(lease, func() { t.end(context.Cause(lease)) })
	return t, nil
}

func (g *gate) longer(by int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.long += by
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inflight--
	if g.inflight == 0 && !g.open {
		select {
		case g.empty <- struct{}{}:
		default:
		}
	}
}

// extend makes the lease good until deadline.
func (g *gate) extend(deadline time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !time.Now().Before(g.deadline) { // it has run out, and the timer is late: what was open then must not go on
		g.shut()
		g.lapse(ErrLease)
	}
	g.deadline = deadline
	if g.lease.Err() != nil {
		g.lease, g.lapse = context.WithCancelCause(context.Background())
	}
	left := time.Until(deadline)
	if g.timer == nil {
		g.timer = time.AfterFunc(left, g.expire)
	} else {
		g.timer.Reset(left)
	}
}

// expire ends the open writes if the lease has run out: the others may go on without us. It runs again if it comes too early.
func (g *gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if left := time.Until(g.deadline); left > 0 {
		g.timer.Reset(left)
		return
	}
	g.shut()
	g.lapse(ErrLease)
}

// left reports whether the gate is closed, and was open for another epoch, or never.
func (g *gate) left(epoch int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.open && g.epoch != epoch
}

// serve opens the gate for an epoch.
func (g *gate) serve(epoch int64, mode Mode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	same := g.epoch == epoch
	g.epoch, g.mode = epoch, mode
	if g.open && same || !time.Now().Before(g.deadline) {
		return
	}
	g.open, g.closedAt = true, time.Time{}
	close(g.changed)
	g.changed = make(chan struct{})
}

// close lets no more writes in, and gives how many are open.
func (g *gate) close() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut()
	return g.inflight
}

func (g *gate) shut() {
	if g.open {
		g.open, g.closedAt = false, time.Now()
	}
}

// stop ends the gate for good.
func (g *gate) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut()
	g.deadline = time.Time{}
	if g.timer != nil {
		g.timer.Stop()
	}
	g.lapse(ErrLease)
}

// longs gives how many of the open writes may take minutes.
func (g *gate) longs() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.long
}

// counts gives the gate as it stands.
func (g *gate) counts() (open bool, inflight, waiting int, closedFor time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	open = g.open && time.Now().Before(g.deadline)
	if !g.closedAt.IsZero() {
		closedFor = time.Since(g.closedAt)
	}
	return open, g.inflight, g.waiting, closedFor
}
