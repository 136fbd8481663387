package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/idle"
)

const (
	drainPoll  = 10 * time.Millisecond
	statsEvery = time.Second
	pageSize   = 1000 // of entities
	maxPause   = 5 * time.Second
	minPause   = 100 * time.Millisecond
)

// Feed brings what BK has done to Bank. It is safe for concurrent use; each replica has one, and one of them reads, one delivers.
type Feed struct {
	cfg    Config
	store  *backlog.Store
	worker *backlog.Worker
	stats  atomic.Pointer[Stats]
	booked atomic.Int64 // when the last entry that was read was booked, in milliseconds

	mu      sync.Mutex
	paused  bool
	changed chan struct{} // closed when paused changes
	sent    map[bank.ID]bank.Entity
	sending sync.Mutex // one walk over the entities at a time
}

// Stats is how the feed stands.
type Stats struct {
	Place   int64          `json:"place"`    // BK's journal is read up to this sequence
	Head    int64          `json:"head"`     // and it has so many entries
	Lag     int64          `json:"lag"`      // entries that are not read, and rows that wait
	Age     time.Duration  `json:"age"`      // of the oldest of them
	Blocked int            `json:"blocked"`  // rows that Bank has rejected
	LeftOut map[string]int `json:"left_out"` // rows that Bank will not have, by outcome: see [backlog.Stats]
}

// New makes a feed. It is paused until [Feed.Resume].
func New(cfg Config) (*Feed, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the feed: %w", err)
	}
	f := &Feed{cfg: cfg, store: backlog.NewStore(cfg.Pool, "facade.feed"), paused: true, changed: make(chan struct{}), sent: map[bank.ID]bank.Entity{}}
	f.stats.Store(&Stats{})
	working := cfg.Worker
	working.Lock, working.Deliver, working.Batch = cfg.LockDeliver, f.deliver, 1
	var err error
	if f.worker, err = backlog.NewWorker(f.store, working); err != nil {
		return nil, fmt.Errorf("the feed: %w", err)
	}
	return f, nil
}

// Begin says from where BK's journal is for Bank: the entry behind sequence. Earlier ones are never read. It is part of the step that makes BK the primary, in its
// transaction; it never goes back.
func (f *Feed) Begin(ctx context.Context, tx pgx.Tx, sequence int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO facade.feed_place (sequence) VALUES ($1)
		ON CONFLICT (only_one) DO UPDATE SET sequence = greatest(facade.feed_place.sequence, excluded.sequence)`, sequence)
	if err != nil {
		return fmt.Errorf("set the feed's place: %w", err)
	}
	return nil
}

// Pause stops calling Bank; what is under way is finished. The place stays.
func (f *Feed) Pause() { f.set(true) }

// Resume goes on where it stopped.
func (f *Feed) Resume() { f.set(false) }

func (f *Feed) set(paused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.paused != paused {
		f.paused = paused
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

func (f *Feed) state() (paused bool, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.paused, f.changed
}

// Run reads and delivers, while it is not paused, until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	var counting sync.WaitGroup
	counting.Go(func() {
		for idle.For(ctx, statsEvery) {
			if err := f.count(ctx); err != nil && ctx.Err() == nil {
				f.cfg.Log.Warn("the feed: counting failed", "error", err)
			}
		}
	})
	defer counting.Wait()
	for ctx.Err() == nil {
		paused, changed := f.state()
		if paused {
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		working, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		running.Go(func() { f.worker.Run(working) })
		running.Go(func() { f.retry(working, "reading BK's journal", f.read) })
		running.Go(func() { f.retry(working, "bringing entities to Bank", f.entities) })
		select {
		case <-ctx.Done():
		case <-changed:
		}
		stop()
		running.Wait()
	}
}

// retry does something again and again, with growing pauses while it fails.
func (f *Feed) retry(ctx context.Context, what string, do func(context.Context) error) {
	for pause := minPause; ctx.Err() == nil; {
		began := time.Now()
		err := do(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > maxPause {
			pause = minPause
		}
		if err != nil {
			f.cfg.Log.Warn("the feed: "+what+" failed, it is tried again", "in", pause, "error", err)
		}
		idle.For(ctx, pause)
		pause = min(2*pause, maxPause)
	}
}

func (f *Feed) count(ctx context.Context) error {
	var s Stats
	rows, err := f.store.Stats(ctx, f.cfg.Ahead*2)
	if err != nil {
		return err
	}
	if s.Place, err = f.place(ctx); err != nil {
		return err
	}
	if s.Head, err = f.head(ctx); err != nil {
		return err
	}
	s.Head = max(s.Head, s.Place)
	s.Lag, s.Age, s.Blocked, s.LeftOut = s.Head-s.Place+int64(rows.Waiting), rows.Age, rows.Blocked, rows.LeftOut
	if booked := f.booked.Load(); s.Head > s.Place && booked != 0 && rows.Waiting == 0 {
		s.Age = max(0, time.Since(time.UnixMilli(booked)))
	}
	f.stats.Store(&s)
	return nil
}

// Look gives how the feed stands at this moment.
func (f *Feed) Look(ctx context.Context) (Stats, error) {
	if err := f.count(ctx); err != nil {
		return Stats{}, err
	}
	return f.Stats(), nil
}

// Prepare brings Bank the entities that it lacks, so that [Feed.Drained] has little to do.
func (f *Feed) Prepare(ctx context.Context) error { return f.entities(ctx) }

func (f *Feed) head(ctx context.Context) (int64, error) {
	asking, cancel := context.WithTimeout(ctx, maxPause)
	defer cancel()
	status, err := f.cfg.Client.Admin.Status(asking, connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		return 0, fmt.Errorf("ask BK for its head: %w", err)
	}
	return sequenceOf(status.Msg.GetHead())
}

func (f *Feed) place(ctx context.Context) (sequence int64, err error) {
	err = f.cfg.Pool.QueryRow(ctx, `SELECT coalesce((SELECT sequence FROM facade.feed_place), 0)`).Scan(&sequence)
	if err != nil {
		return 0, fmt.Errorf("read the feed's place: %w", err)
	}
	return sequence, nil
}

// Stats gives how the feed stood a second ago, at most.
func (f *Feed) Stats() Stats { return *f.stats.Load() }

// Worker gives what this replica's worker is doing.
func (f *Feed) Worker() backlog.State { return f.worker.State() }

// Rows is what waits for Bank: to list, retry and skip.
func (f *Feed) Rows() *backlog.Store { return f.store }

// Drained waits until Bank has all of BK's journal up to a sequence, and all entities. An error says what is left when ctx ended.
func (f *Feed) Drained(ctx context.Context, through int64) error {
	for {
		var place int64
		var rows, blocked bool
		err := f.cfg.Pool.QueryRow(ctx, `SELECT coalesce((SELECT sequence FROM facade.feed_place), 0), EXISTS (SELECT FROM facade.feed WHERE done_at IS NULL),
			EXISTS (SELECT FROM facade.feed WHERE done_at IS NULL AND attempts > 0)`).Scan(&place, &rows, &blocked)
		if err == nil && place >= through && !rows {
			if err = f.entities(ctx); err == nil {
				return nil
			}
		}
		if !idle.For(ctx, drainPoll) {
			left := fmt.Errorf("the feed is not drained (BK's journal is read up to %d of %d, rows: %t, blocked ones: %t): %w", place, through, rows, blocked, context.Cause(ctx))
			if state := f.worker.State(); state.Away != "" {
				left = fmt.Errorf("%w; Bank is away: %s", left, state.Away)
			}
			if err != nil && !errors.Is(err, ctx.Err()) {
				left = errors.Join(left, err)
			}
			return left
		}
	}
}

// entities brings to Bank those entities that it was not brought before: they are in no journal.
func (f *Feed) entities(ctx context.Context) error {
	f.sending.Lock()
	defer f.sending.Unlock()
	for after := bank.ID(0); ; {
		page, err := f.cfg.Books.Entities(ctx, after, pageSize)
		if err != nil {
			return fmt.Errorf("list entities: %w", err)
		}
		for _, e := range page {
			if err := f.sendEntity(ctx, e); err != nil {
				return err
			}
			after = e.EntityID
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

func (f *Feed) sendEntity(ctx context.Context, e bank.Entity) error {
	f.mu.Lock()
	was, known := f.sent[e.EntityID]
	f.mu.Unlock()
	if known && was == e {
		return nil
	}
	_, err := f.cfg.Bank.CreateEntity(ctx, e)
	if bank.TypeOf(err) == bank.Conflict { // the same again would not help, and all else must not wait for it
		err = f.differs(ctx, e, err)
	}
	if err != nil {
		return fmt.Errorf("bring entity %s to Bank: %w", e.EntityID, err)
	}
	f.mu.Lock()
	f.sent[e.EntityID] = e
	f.mu.Unlock()
	return nil
}

// differs notes that Bank has an entity with other content than BK, for as long as BK has this content: one row, whose position is in front of all of BK's journal.
func (f *Feed) differs(ctx context.Context, e bank.Entity, reason error) error {
	request, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode what differs: %w", err)
	}
	tag, err := f.cfg.Pool.Exec(ctx, `INSERT INTO facade.feed AS had (position, origin, epoch, kind, keys, size, request, done_at, outcome, reason)
		VALUES ($1, $2, 0, $3, $4, 1, $5, clock_timestamp(), $6, $7)
		ON CONFLICT (position) DO UPDATE SET request = excluded.request, done_at = excluded.done_at, reason = excluded.reason WHERE had.request::text <> excluded.request::text`,
		-int64(e.EntityID), int64(e.EntityID), kindEntity, []int64{-int64(e.EntityID)}, request, backlog.Unmappable, reason.Error())
	if err != nil {
		return fmt.Errorf("note that it differs: %w", err)
	}
	if tag.RowsAffected() > 0 {
		f.cfg.Log.Error("Bank has an entity with other content: the systems differ by it", "entity", e.EntityID, "error", reason)
	}
	return nil
}

// Lacks gives how many entries of BK's journal up to a sequence Bank does not have: those that are not read, and rows that wait.
func (f *Feed) Lacks(ctx context.Context, through int64) (entries int64, err error) {
	err = f.cfg.Pool.QueryRow(ctx, `SELECT greatest($1 - coalesce((SELECT sequence FROM facade.feed_place), 0), 0)
		+ (SELECT count(*) FROM facade.feed WHERE done_at IS NULL AND position <= least($1, (SELECT sequence FROM facade.feed_place)))`, through).Scan(&entries)
	if err != nil {
		return 0, fmt.Errorf("count what Bank does not have: %w", err)
	}
	return entries, nil
}
