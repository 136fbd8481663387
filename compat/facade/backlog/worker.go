package backlog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/compat/facade/idle"
	"github.com/jackc/pgx/v5"
)

const (
	lockRetry     = 200 * time.Millisecond // of a worker that stands by
	lockCheck     = time.Second            // whether the session that holds the lock lives
	verdictsEvery = 250 * time.Millisecond // looking whether people have retried or skipped blocked rows
	pruneEvery    = 5 * time.Second
	pruneRows     = 5000
	fillEvery     = 200 * time.Millisecond // while more than a fewOf'th of the window is in memory, or something is blocked
	fewOf         = 16
	firstAway     = 100 * time.Millisecond
	settleTime    = 5 * time.Second // for marking as done what was delivered when the worker ends
)

// Worker works a backlog off. Of the workers of all replicas one does, the others stand by.
type Worker struct {
	store *Store
	cfg   Config
	wake  chan struct{}
	state atomic.Pointer[State]
}

// State is what a worker is doing.
type State struct {
	Working bool      `json:"working"` // this one holds the lock
	Away    string    `json:"away"`    // why the other system can't be reached; "" while it can
	Since   time.Time `json:"since"`
}

// NewWorker makes the worker of a store.
func NewWorker(store *Store, cfg Config) (*Worker, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the worker of %s: %w", store.table, err)
	}
	w := &Worker{store: store, cfg: cfg, wake: make(chan struct{}, 1)}
	w.state.Store(&State{Since: time.Now()})
	return w, nil
}

// Wake says that there are rows. It never waits.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// State gives what the worker is doing.
func (w *Worker) State() State { return *w.state.Load() }

func (w *Worker) set(working bool, away string) {
	if old := w.State(); old.Working != working || old.Away != away {
		w.state.Store(&State{Working: working, Away: away, Since: time.Now()})
	}
}

// Run works until ctx ends. Nothing but that ends it: whatever fails is tried again.
func (w *Worker) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.lead(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Log.Warn("the worker starts again", "table", w.store.table, "error", err)
		}
		w.set(false, "")
		idle.For(ctx, lockRetry)
	}
}

// lead waits for the lock and works while it has it.
func (w *Worker) lead(ctx context.Context) error {
	// Outside the pool, so that nobody waits for a connection that is never given back.
	conn, err := pgx.ConnectConfig(ctx, w.store.pool.Config().ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("connect for the lock: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // whatever happens, the session ends, and with it the lock
	}()
	for got := false; !got; {
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, w.cfg.Lock).Scan(&got); err != nil {
			return fmt.Errorf("take the lock: %w", err)
		}
		if !got && !idle.For(ctx, lockRetry) {
			return nil
		}
	}
	working, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for idle.For(working, lockCheck) {
			asking, cancel := context.WithTimeout(working, 5*lockCheck)
			_, err := conn.Exec(asking, `SELECT 1`)
			cancel()
			if err != nil && working.Err() == nil {
				stop(fmt.Errorf("the session with the lock is lost: %w", err))
			}
		}
	}()
	w.set(true, "")
	err = (&shift{Worker: w, plan: newPlan(), came: make(chan delivered, w.cfg.Parallel), finished: make(chan finished, 1)}).work(working)
	if cause := context.Cause(working); cause != nil && ctx.Err() == nil {
		err = cause
	}
	stop(nil)
	<-watched
	return err
}

// shift is the time of one worker, from taking the lock to losing it.
type shift struct {
	*Worker
	*plan
	came     chan delivered // from deliveries under way
	finished chan finished  // from the marking as done that is under way

	flights   int            // deliveries under way
	marking   bool           // a marking is under way
	unmarked  []int64        // delivered, to be marked
	marked    map[int64]bool // positions delivered and not known to be marked
	away      time.Duration  // the present pause
	awayUntil time.Time
	more      bool // the table may have rows that are not in memory
	dry       bool // but the last look gave all that could be had, and nothing was dropped since
	looked    time.Time
	filled    time.Time // when rows were last read
	pruned    time.Time
}

type delivered struct {
	batch   []*item
	results []Result
	err     error
}

type finished struct {
	positions []int64
	err       error
}

// work is the loop. It returns when ctx has ended and what is under way has come to an end.
func (s *shift) work(ctx context.Context) error {
	s.marked, s.more = map[int64]bool{}, true
	tick := time.NewTicker(s.cfg.Poll)
	defer tick.Stop()
	for {
		if ctx.Err() != nil {
			return s.end(ctx)
		}
		if err := s.fill(ctx); err != nil {
			return errors.Join(err, s.end(ctx))
		}
		s.begin(ctx)
		s.mark(ctx)
		select {
		case <-ctx.Done():
		case d := <-s.came:
			if err := s.land(ctx, d); err != nil {
				return errors.Join(err, s.end(ctx))
			}
		case f := <-s.finished:
			if err := s.settled(f); err != nil {
				return errors.Join(err, s.end(ctx))
			}
		case <-s.wake:
			s.more = true
		case <-tick.C:
			s.more = true
			if err := s.attend(ctx); err != nil {
				return errors.Join(err, s.end(ctx))
			}
		}
	}
}

// fill reads rows while there is room, and work may run out: nothing is begun meanwhile, and it costs the more, the more rows are known. Below half a window at a time it
// waits until what it has is nearly done, or it would read a row or two each time.
func (s *shift) fill(ctx context.Context) error {
	if !s.more || len(s.items)+len(s.marked) > s.cfg.Window/2 || s.size > s.cfg.Window/2 || s.flights == s.cfg.Parallel && len(s.ready) > 0 {
		return nil
	}
	const rounds = 4
	if len(s.ready) >= rounds*s.cfg.Parallel && len(s.items) >= rounds*s.cfg.Parallel*s.cfg.Batch {
		return nil
	}
	if len(s.items) > s.cfg.Window/fewOf && time.Since(s.filled) < fillEvery {
		return nil // few are ready of many: accounts that are hot
	}
	if len(s.stopped) > 0 && s.dry && time.Since(s.filled) < fillEvery {
		return nil // what is behind blocked rows is worked out over all that waits
	}
	s.filled = time.Now()
	known := make([]int64, 0, len(s.items)+len(s.marked))
	for position := range s.items {
		known = append(known, position)
	}
	for position := range s.marked {
		known = append(known, position)
	}
	rows, more, err := s.store.fetch(ctx, known, s.stopped, s.cfg.Window/2)
	if err != nil {
		return err
	}
	s.more, s.dry = more, !more
	again := false
	for _, row := range rows {
		s.put(&item{row: row, blocked: row.Attempts > 0}) // in a worker's first look: whether it is due is seen to later
		again = again || row.Attempts > 0
	}
	if again { // what came with it may be behind it
		s.reload()
		return s.fill(ctx)
	}
	return nil
}

// begin sends batches off.
func (s *shift) begin(ctx context.Context) {
	if time.Now().Before(s.awayUntil) || len(s.marked) > s.cfg.Window || len(s.stopped) >= s.cfg.MaxBlocked {
		return
	}
	for s.flights < s.cfg.Parallel {
		if s.away > 0 && s.flights > 0 {
			return // one probe is enough
		}
		batch := s.batch(s.cfg.Batch, s.alone)
		if len(batch) == 0 {
			return
		}
		s.flights++
		go func() {
			rows := make([]Row, len(batch))
			for i, it := range batch {
				rows[i] = it.row
			}
			results, err := s.cfg.Deliver(ctx, rows)
			if err == nil && len(results) != len(rows) {
				err = fmt.Errorf("%d results for %d rows", len(results), len(rows))
			}
			s.came <- delivered{batch, results, err}
		}()
	}
}

func (s *shift) alone(kind string) bool { return s.cfg.Alone(kind) }

// land takes what became of a batch.
func (s *shift) land(ctx context.Context, d delivered) error {
	s.flights--
	// Until all of it is seen to, none of the batch becomes ready by another one's being done.
	landed := func() {
		for _, it := range d.batch {
			it.running = false
		}
	}
	if d.err != nil {
		landed()
		if !time.Now().Before(s.awayUntil) { // batches that fail at the same time count as one
			s.away = min(max(2*s.away, firstAway), s.cfg.AwayPause)
			s.awayUntil = time.Now().Add(s.away)
		}
		if ctx.Err() == nil {
			if s.State().Away == "" {
				s.cfg.Log.Warn("the other system is away, its work waits", "table", s.store.table, "error", d.err)
			}
			s.set(true, d.err.Error())
		}
		s.reload()
		return nil
	}
	if s.away > 0 {
		s.cfg.Log.Info("the other system is back", "table", s.store.table)
	}
	s.away, s.awayUntil = 0, time.Time{}
	s.set(true, "")
	disturbed := false
	for i, it := range d.batch {
		switch result := d.results[i]; {
		case result.Untouched:
			disturbed = true
		case result.Err != nil:
			disturbed = true
			if err := s.reject(ctx, it, result.Err); err != nil {
				return err
			}
		default:
			s.done(it)
			s.marked[it.row.Position] = true
			s.unmarked = append(s.unmarked, it.row.Position)
		}
	}
	landed()
	if disturbed {
		s.reload()
	}
	return nil
}

// reload drops what neither runs nor was ever rejected, to read it again.
func (s *shift) reload() {
	s.reset()
	s.more, s.dry = true, false
}

// reject blocks a row.
func (s *shift) reject(ctx context.Context, it *item, why error) error {
	it.row.Attempts++
	pause := s.cfg.LastPause
	if shift := it.row.Attempts - 1; shift < 16 {
		pause = min(s.cfg.FirstPause<<shift, s.cfg.LastPause)
	}
	s.stop(it)
	s.cfg.Log.Error("rejected: what is behind it waits", "table", s.store.table, "position", it.row.Position, "kind", it.row.Kind, "keys", it.row.Keys,
		"attempt", it.row.Attempts, "again_in", pause, "error", why)
	return s.store.block(ctx, &it.row, pause, why.Error())
}

// attend sees to blocked rows, and removes old ones.
func (s *shift) attend(ctx context.Context) error {
	if len(s.stopped) > 0 && time.Since(s.looked) >= verdictsEvery {
		s.looked = time.Now()
		verdicts, err := s.store.verdicts(ctx, s.stopped)
		if err != nil {
			return err
		}
		var due []int64
		size := s.size
		for _, v := range verdicts {
			switch it := s.stopped[v.Position]; {
			case !v.Waiting: // skipped
				s.done(it)
				s.dry = false
			case v.Due && (len(due) == 0 || size+it.row.Size <= s.cfg.Window): // the others at the next look
				due = append(due, v.Position)
				size += it.row.Size
			}
		}
		if err := s.resumeAll(ctx, due); err != nil {
			return err
		}
	}
	if time.Since(s.pruned) < pruneEvery {
		return nil
	}
	more, err := s.store.prune(ctx, s.cfg.KeepRows, s.cfg.KeepFor, pruneRows)
	if !more {
		s.pruned = time.Now()
	}
	return err
}

// resumeAll has blocked rows tried again.
func (s *shift) resumeAll(ctx context.Context, due []int64) error {
	if len(due) == 0 {
		return nil
	}
	contents, err := s.store.contents(ctx, due)
	if err != nil {
		return err
	}
	for _, position := range due {
		if c, there := contents[position]; there {
			s.resume(s.stopped[position], c)
		}
	}
	s.dry = false
	return nil
}

// mark has the table told what is done, as much as has gathered, while work goes on.
func (s *shift) mark(ctx context.Context) {
	if s.marking || len(s.unmarked) == 0 {
		return
	}
	positions := s.unmarked
	s.unmarked, s.marking = nil, true
	go func() { s.finished <- finished{positions, s.finish(ctx, positions)} }()
}

// finish marks rows, and tells of those that people thought to be left out.
func (s *shift) finish(ctx context.Context, positions []int64) error {
	late, err := s.store.finish(ctx, positions)
	if len(late) > 0 {
		s.cfg.Log.Error("rows that were skipped while they were being tried are done after all", "table", s.store.table, "positions", late)
	}
	return err
}

func (s *shift) settled(f finished) error {
	s.marking = false
	if f.err != nil {
		return f.err // they are delivered again, which does no harm
	}
	for _, position := range f.positions {
		delete(s.marked, position)
	}
	return nil
}

// end waits for what is under way, and marks what was delivered.
func (s *shift) end(ctx context.Context) error {
	for s.flights > 0 {
		d := <-s.came
		s.flights--
		for i := range d.results {
			if r := d.results[i]; d.err == nil && r.Err == nil && !r.Untouched {
				s.unmarked = append(s.unmarked, d.batch[i].row.Position)
			}
		}
	}
	if s.marking {
		if f := <-s.finished; f.err != nil {
			s.unmarked = append(f.positions, s.unmarked...)
		}
	}
	if len(s.unmarked) == 0 {
		return nil
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	return s.finish(ending, s.unmarked)
}
