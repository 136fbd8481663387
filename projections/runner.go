package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Runner folds a shard's journal into its projections while this process leads, and lets the process read them whether it leads or
// not. It is safe for concurrent use.
type Runner struct {
	cfg     Config
	lanes   []*lane
	byName  map[string]*lane
	metrics *metrics
	running atomic.Bool
}

// lane is what a process knows of one projection.
type lane struct {
	p        Projection
	progress progress
	kick     chan struct{} // capacity 1: the active generation is another one now
	mu       sync.Mutex
	building bool // by this process
}

// New makes a runner. It does nothing until [Runner.Run] or [Runner.Rebuild] is called; reads work at once.
func New(cfg Config) (*Runner, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg, byName: map[string]*lane{}}
	for _, p := range cfg.Projections {
		l := &lane{p: p, kick: make(chan struct{}, 1)}
		l.progress.changed, l.progress.wanted = make(chan struct{}), make(chan struct{}, 1)
		r.lanes = append(r.lanes, l)
		r.byName[p.Name()] = l
	}
	var err error
	if r.metrics, err = newMetrics(r, cfg.Metrics); err != nil {
		return nil, fmt.Errorf("projections: register metrics: %w", err)
	}
	return r, nil
}

func (r *Runner) lane(name string) (*lane, error) {
	if l, ok := r.byName[name]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("%w %q", ErrUnknown, name)
}

// Run runs all projections until ctx ends; then it returns nil, or [ErrRunning] at once if it runs already. Run it while this
// process leads; if two processes run, each entry is still applied once, and the two get in each other's way.
func (r *Runner) Run(ctx context.Context) error {
	if !r.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer r.running.Store(false)
	var wg sync.WaitGroup
	for _, l := range r.lanes {
		wg.Go(func() { r.drive(ctx, l, &wg) })
		wg.Go(func() { r.sweepAll(ctx, l) })
	}
	wg.Wait()
	return nil
}

// drive keeps one projection going: errors are retried for ever, a fault stops it until a rebuild gives it a sound generation.
func (r *Runner) drive(ctx context.Context, l *lane, wg *sync.WaitGroup) {
	l.progress.take()
	defer l.progress.leave()
	t := r.trouble(l)
	for ctx.Err() == nil {
		err := r.follow(ctx, l, t, wg)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if f := (*Fault)(nil); errors.As(err, &f) {
			r.stop(ctx, l, f, t)
			continue
		}
		t.pause(ctx, err, l.kick)
	}
}

// follow folds the journal into the active generation as it grows. It returns nil where another generation has to be looked at.
func (r *Runner) follow(ctx context.Context, l *lane, t *trouble, wg *sync.WaitGroup) error {
	active, found, err := inState(ctx, r.cfg.Pool, l.p.Name(), r.cfg.Shard, Active, "")
	if err != nil {
		return err
	}
	if !found {
		_, err := r.begin(ctx, l.p, Active)
		return err
	}
	l.progress.see(active.Checkpoint)
	if active.Version != l.p.Version() {
		// Nobody here has the fold that made it: it stays as it is, and is read, until the new one is there.
		l.progress.enter(active.Checkpoint)
		return r.upgrade(ctx, l, active, t)
	}
	if err := r.resume(ctx, l, wg); err != nil {
		return err
	}
	w, err := r.open(ctx, l.p, active.Number)
	if err != nil {
		return err
	}
	l.progress.enter(w.g.Checkpoint)
	// What waits at the start is stored at once.
	for store := w.step; ; store = func(ctx context.Context) (int, error) { return w.paced(ctx, l.progress.wanted) } {
		n, err := store(ctx)
		if errors.Is(err, ErrMoved) && l.kicked() {
			return nil // a rebuild of this process took over
		}
		if err != nil {
			return err
		}
		t.over()
		if n > 0 {
			l.progress.enter(w.g.Checkpoint)
		} else if err := r.cfg.Source.Wait(ctx, w.to.Seq); err != nil {
			return fmt.Errorf("wait for an entry after %d: %w", w.to.Seq, err)
		}
	}
}

// stop makes a fault known and waits until there is another generation, of this process or of another one, or ctx ends.
func (r *Runner) stop(ctx context.Context, l *lane, f *Fault, t *trouble) {
	r.cfg.Log.Error("projection stopped", "projection", f.Projection, "shard", f.Shard, "seq", f.Seq, "what", f.What)
	l.progress.stop(f)
	var stopped int64
	for ctx.Err() == nil {
		active, found, err := inState(ctx, r.cfg.Pool, l.p.Name(), r.cfg.Shard, Active, "")
		if err == nil && found {
			err = r.recordFault(ctx, active, f)
		}
		if err == nil {
			stopped = active.Number
			break
		}
		t.pause(ctx, err, nil)
	}
	t.forget()
	tick := time.NewTicker(max(r.cfg.MaxBackoff, minBackoff))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.kick:
			return
		case <-tick.C:
			if active, _, err := inState(ctx, r.cfg.Pool, l.p.Name(), r.cfg.Shard, Active, ""); err == nil && active.Number != stopped {
				return
			}
		}
	}
}

func (l *lane) kicked() bool {
	select {
	case <-l.kick:
		return true
	default:
		return false
	}
}

// sweepAll drops retired generations as their grace ends.
func (r *Runner) sweepAll(ctx context.Context, l *lane) {
	tick := time.NewTicker(min(max(r.cfg.Grace/2, 50*time.Millisecond), 30*time.Second))
	defer tick.Stop()
	last := ""
	for {
		err := r.sweep(ctx, l.p)
		if err != nil && ctx.Err() == nil && err.Error() != last {
			last = err.Error()
			r.cfg.Log.Warn("projection generation not dropped yet", "projection", l.p.Name(), "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// trouble paces retries, and logs an error when it changes and when it is over.
type trouble struct {
	r     *Runner
	l     *lane
	what  string
	note  func(text string) // for Status and metrics
	last  string
	delay time.Duration
}

func (r *Runner) trouble(l *lane) *trouble {
	return &trouble{r: r, l: l, what: "projection", note: l.progress.setTrouble}
}

// rebuildTrouble is that of a rebuild beside the following: the one going on doesn't mean that the other does.
func (r *Runner) rebuildTrouble(l *lane) *trouble {
	return &trouble{r: r, l: l, what: "projection rebuild", note: l.progress.setRebuildTrouble}
}

// pause waits longer each time, or until wake, which may be nil, has a value.
func (t *trouble) pause(ctx context.Context, err error, wake <-chan struct{}) {
	if ctx.Err() != nil {
		return
	}
	if text := err.Error(); text != t.last {
		t.last = text
		t.note(text)
		t.r.cfg.Log.Warn(t.what+" is held up, trying again", "projection", t.l.p.Name(), "error", err)
	}
	t.delay = min(max(2*t.delay, minBackoff), max(t.r.cfg.MaxBackoff, minBackoff))
	timer := time.NewTimer(t.delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

func (t *trouble) over() {
	if t.last == "" {
		return
	}
	t.r.cfg.Log.Info(t.what+" goes on", "projection", t.l.p.Name())
	t.forget()
}

// forget ends the trouble without a word: what had it is over.
func (t *trouble) forget() {
	t.note("")
	t.last, t.delay = "", 0
}
