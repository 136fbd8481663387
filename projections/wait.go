package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// progress is how far this process has taken a projection, while it runs it.
type progress struct {
	mu      sync.Mutex
	driven  bool // the runner has it in hand, whether it goes on or not
	running bool // at is how far it is, and moves
	at      Checkpoint
	oldest  Checkpoint // the first entry after at, if it was looked for; see metrics
	fault   *Fault
	trouble string        // of following
	rebuild string        // trouble of a rebuild beside
	changed chan struct{} // closed and replaced at each change
	wanted  chan struct{} // has a value when a read waits for more than is stored
}

// want asks for entries to be stored at once.
func (p *progress) want() {
	select {
	case p.wanted <- struct{}{}:
	default:
	}
}

func (p *progress) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *progress) enter(at Checkpoint) {
	p.change(func() { p.running, p.at, p.fault = true, at, nil })
}
func (p *progress) leave() {
	p.change(func() { p.driven, p.running, p.fault, p.trouble = false, false, nil, "" })
}
func (p *progress) stop(f *Fault) { p.change(func() { p.running, p.fault = false, f }) }

// take notes that the runner has the projection in hand.
func (p *progress) take() { p.change(func() { p.driven = true }) }

// see notes where the active generation is, before it is known whether it can be gone on with.
func (p *progress) see(at Checkpoint) { p.change(func() { p.at, p.fault = at, nil }) }

func (p *progress) setTrouble(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = text
}

func (p *progress) setRebuildTrouble(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rebuild = text
}

// heldUp says what holds the projection or its rebuild up; "" if nothing. The caller has the lock.
func (p *progress) heldUp() string {
	switch {
	case p.rebuild == "":
		return p.trouble
	case p.trouble == "":
		return "its rebuild: " + p.rebuild
	}
	return p.trouble + "; its rebuild: " + p.rebuild
}

func (p *progress) look() (at Checkpoint, running bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at, p.running, p.changed
}

// WaitFor returns once the projection's active generation has the entry seq. Where this process runs it, it waits for its own
// checkpoint; elsewhere it looks at the one in the database. If ctx ends first, or the projection has stopped before that entry, the
// error is a *[BehindError]; a name that is not configured is [ErrUnknown].
func (r *Runner) WaitFor(ctx context.Context, name string, seq uint64) error {
	l, err := r.lane(name)
	if err != nil {
		return err
	}
	var have uint64
	var trouble error // the last failure to look
	for {
		at, running, changed := l.progress.look()
		var poll <-chan time.Time
		if running {
			have = at.Seq
		} else {
			g, found, err := inState(ctx, r.cfg.Pool, name, r.cfg.Shard, Active, "")
			if trouble = err; err == nil && found {
				if have = g.Checkpoint.Seq; have < seq && g.Fault != "" {
					f := &Fault{Projection: name, Shard: r.cfg.Shard, Seq: have + 1, What: g.Fault}
					return &BehindError{Projection: name, Want: seq, Have: have, Err: f}
				}
			}
			poll = time.After(pollEvery)
		}
		if have >= seq {
			return nil
		}
		l.progress.want()
		select {
		case <-ctx.Done():
			return &BehindError{Projection: name, Want: seq, Have: have, Err: errors.Join(ctx.Err(), trouble)}
		case <-changed:
		case <-poll:
		}
	}
}

// View reads a projection: read gets a snapshot in which the active generation's tables are exactly the fold of the entries up to
// g.Checkpoint, at least up to atLeast (0: whatever is there). View waits for that as [Runner.WaitFor] does. It may call read again,
// with a newer snapshot, so read starts from scratch each time; it should be short. [ErrNotBuilt] where there is nothing to read yet, or nothing
// but a generation of a version that the code's queries can't read (see [Older]).
func (r *Runner) View(ctx context.Context, name string, atLeast uint64, read func(tx pgx.Tx, g Generation) error) error {
	l, err := r.lane(name)
	if err != nil {
		return err
	}
	const attempts = 3
	for attempt := 1; ; {
		if atLeast > 0 {
			if err := r.WaitFor(ctx, name, atLeast); err != nil {
				return err
			}
		}
		var g Generation
		err := pgx.BeginTxFunc(ctx, r.cfg.Pool, snapshot, func(tx pgx.Tx) (err error) {
			var found bool
			if g, found, err = inState(ctx, tx, name, r.cfg.Shard, Active, ""); err != nil {
				return err
			}
			if !found {
				return fmt.Errorf("projection %s: %w", name, ErrNotBuilt)
			}
			if !readable(l.p, g.Version) {
				return fmt.Errorf("projection %s is being rebuilt for version %d, what there is has version %d: %w", name, l.p.Version(), g.Version, ErrNotBuilt)
			}
			if g.Checkpoint.Seq < atLeast {
				return errWentBack
			}
			return read(tx, g)
		})
		switch {
		case errors.Is(err, errWentBack):
			// The server crashed and lost the last chunk, which this process still counts; the runner is about to notice.
			select {
			case <-ctx.Done():
				return &BehindError{Projection: name, Want: atLeast, Have: g.Checkpoint.Seq, Err: ctx.Err()}
			case <-time.After(pollEvery):
			}
		case isUndefinedTable(err) && attempt < attempts:
			attempt++ // the snapshot was older than the grace of the generation that it saw as active
		default:
			return err
		}
	}
}

// readable reports whether the projection's queries can read tables of a version.
func readable(p Projection, version int) bool {
	older, ok := p.(Older)
	return version == p.Version() || ok && older.Reads(version)
}

var errWentBack = errors.New("the checkpoint went back")

func isUndefinedTable(err error) bool {
	e := (*pgconn.PgError)(nil)
	return errors.As(err, &e) && e.Code == "42P01"
}
