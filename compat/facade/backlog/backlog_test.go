package backlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// sink takes rows and checks their order.
type sink struct {
	mu      sync.Mutex
	last    map[int64]int64 // by key: the last position
	done    map[int64]int   // by position: how often
	faults  []string
	refuse  func(Row) bool
	stumble func() bool // answers with an error for all
}

func (s *sink) deliver(_ context.Context, rows []Row) ([]Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stumble != nil && s.stumble() {
		return nil, errors.New("away")
	}
	results := make([]Result, len(rows))
	stuck := map[int64]bool{}
	for i, row := range rows {
		keys := row.Keys
		if slices.ContainsFunc(keys, func(k int64) bool { return stuck[k] }) {
			results[i].Untouched = true
		} else if s.refuse != nil && s.refuse(row) {
			results[i].Err = errors.New("refused")
		} else {
			s.take(row)
			continue
		}
		for _, k := range keys {
			stuck[k] = true
		}
	}
	return results, nil
}

func (s *sink) take(row Row) {
	if s.done[row.Position]++; s.done[row.Position] > 1 {
		return // a repeat
	}
	if row.Keys[0] == All {
		for key, last := range s.last {
			if last > row.Position {
				s.faults = append(s.faults, fmt.Sprintf("row %d of key %d before the barrier %d", last, key, row.Position))
			}
		}
	}
	for _, key := range append([]int64{All}, row.Keys...) {
		if key == All && row.Keys[0] != All {
			if s.last[All] > row.Position {
				s.faults = append(s.faults, fmt.Sprintf("row %d behind the barrier %d", row.Position, s.last[All]))
			}
			continue
		}
		if s.last[key] > row.Position {
			s.faults = append(s.faults, fmt.Sprintf("key %d: row %d after %d", key, row.Position, s.last[key]))
		}
		s.last[key] = row.Position
	}
}

func newSink() *sink { return &sink{last: map[int64]int64{}, done: map[int64]int{}} }

func newStore(t *testing.T) *Store {
	t.Helper()
	dsn := pgtest.New(t)
	if err := schema.Up(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return NewStore(pool, "facade.queue")
}

func (s *Store) put(t *testing.T, kind string, keys ...int64) (position int64) {
	t.Helper()
	err := s.pool.QueryRow(t.Context(), `INSERT INTO facade.queue (origin, epoch, kind, keys, size, request) VALUES (1, 1, $1, $2, 1, '{}') RETURNING position`, kind, keys).Scan(&position)
	if err != nil {
		t.Fatal(err)
	}
	return position
}

func (s *Store) work(t *testing.T, cfg Config) (w *Worker, stop func()) {
	t.Helper()
	cfg.Lock, cfg.Log = 1, slog.New(slog.NewTextHandler(t.Output(), nil))
	w, err := NewWorker(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return w, stop
}

func (s *Store) waiting(t *testing.T) int {
	t.Helper()
	st, err := s.Stats(t.Context(), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return st.Waiting
}

func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ask() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(10 * time.Millisecond) // the pace of asking
	}
}

// A blocked account with far more rows behind it than fit into memory, and others that hang on it, doesn't hold up the rest, in front of a barrier.
func TestLongTail(t *testing.T) {
	t.Parallel()
	s, k := newStore(t), newSink()
	refusing := true
	k.refuse = func(r Row) bool { return r.Kind == "bad" && refusing }
	first := s.put(t, "bad", 1)
	for i := range 300 {
		s.put(t, "x", 1)
		if i%50 == 0 {
			s.put(t, "x", 1, 2)
			s.put(t, "x", 2, 3)
		}
		s.put(t, "x", 3)
	}
	beside := s.put(t, "x", 4)
	s.put(t, "x", All)
	behind := s.put(t, "x", 5)
	for range 3 {
		_, stop := s.work(t, Config{Deliver: k.deliver, Window: 20, MaxBlocked: 5, Batch: 7, FirstPause: 50 * time.Millisecond})
		eventually(t, "the other account goes on", func() bool {
			k.mu.Lock()
			defer k.mu.Unlock()
			return k.done[beside] > 0
		})
		stop()
	}
	k.mu.Lock()
	if k.done[first+1] > 0 || k.done[behind] > 0 {
		t.Error("rows behind a blocked one are done")
	}
	refusing = false
	k.mu.Unlock()
	s.work(t, Config{Deliver: k.deliver, Window: 20, MaxBlocked: 5, Batch: 7, FirstPause: 50 * time.Millisecond})
	eventually(t, "all is done", func() bool { return s.waiting(t) == 0 })
	if len(k.faults) > 0 {
		t.Error(k.faults[0])
	}
}

// Calls of many trades count by their size: what is read at a time is bounded by it, one that is beyond it goes alone, and of a blocked one only the place is kept.
func TestWindow(t *testing.T) {
	t.Parallel()
	s, k := newStore(t), newSink()
	for i := range 40 {
		position := s.put(t, "x", int64(i+1))
		if _, err := s.pool.Exec(t.Context(), `UPDATE facade.queue SET size = $2, request = '{"trades": 1}' WHERE position = $1`, position, 3+100*(i%8/7)); err != nil {
			t.Fatal(err)
		}
	}
	rows, more, err := s.fetch(t.Context(), nil, nil, 10)
	if err != nil || len(rows) != 4 || !more {
		t.Fatalf("%d rows of 3 in 10, more: %t, %v", len(rows), more, err)
	}
	known := []int64{rows[0].Position, rows[1].Position, rows[2].Position, rows[3].Position}
	blocked := map[int64]*item{rows[0].Position: {row: rows[0]}}
	if rows, more, err = s.fetch(t.Context(), known, blocked, 10); err != nil || len(rows) != 4 || rows[3].Size != 103 || !more {
		t.Fatalf("%d rows with a large one as the last, more: %t, %v", len(rows), more, err)
	}
	if rows, more, err = s.fetch(t.Context(), known, nil, 1000); err != nil || len(rows) != 36 || more {
		t.Fatalf("%d rows of all, more: %t, %v", len(rows), more, err)
	}

	refused := map[int64]bool{}
	k.refuse = func(r Row) bool {
		if len(r.Request) == 0 {
			k.faults = append(k.faults, fmt.Sprintf("row %d came without its request", r.Position))
		}
		again := refused[r.Position]
		refused[r.Position] = true
		return !again && r.Position%5 == 0
	}
	s.work(t, Config{Deliver: k.deliver, Window: 20, MaxBlocked: 5, Batch: 7, FirstPause: 10 * time.Millisecond})
	eventually(t, "all is done", func() bool { return s.waiting(t) == 0 })
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.faults) > 0 {
		t.Error(k.faults[0])
	}
}

// What runs, waits and is blocked counts in memory, each once, whatever becomes of it.
func TestPlanSize(t *testing.T) {
	t.Parallel()
	p := newPlan()
	want := func(what string, size int) {
		t.Helper()
		if p.size != size {
			t.Errorf("%s: %d in memory, not %d", what, p.size, size)
		}
	}
	items := make([]*item, 4)
	for i := range items {
		items[i] = &item{row: Row{Position: int64(i + 1), Keys: []int64{int64(i + 1)}, Size: 10, Request: []byte("{}")}}
		p.put(items[i])
	}
	want("read", 40)
	batch := p.batch(20, func(string) bool { return false })
	want("two run", 40)
	p.reset()
	want("two are dropped", 20)
	p.stop(batch[0])
	want("one is blocked", 10)
	if batch[0].row.Request != nil {
		t.Error("the request of a blocked row is in memory")
	}
	p.done(batch[1])
	want("one is done", 0)
	batch[0].running = false
	p.reset()
	want("the blocked one stays", 0)
	p.resume(batch[0], content{Request: []byte("{}")})
	want("it is tried again", 10)
	p.done(batch[0])
	want("it is done", 0)
}

// A row that is due again is not dropped with those around it: it waits for nobody, and what is behind it waits for it.
func TestPlanKeepsWhatIsDue(t *testing.T) {
	t.Parallel()
	p := newPlan()
	first := &item{row: Row{Position: 1, Keys: []int64{5}, Size: 1, Attempts: 1}, blocked: true}
	p.put(first)
	p.put(&item{row: Row{Position: 2, Keys: []int64{5}, Size: 1}})
	p.resume(first, content{Request: []byte("{}")})
	p.reset()
	if len(p.items) != 1 || p.size != 1 || len(p.stopped) != 0 {
		t.Fatalf("%d rows of size %d are there, %d of them blocked", len(p.items), p.size, len(p.stopped))
	}
	behind := &item{row: Row{Position: 2, Keys: []int64{5}, Size: 1}}
	p.put(behind)
	if behind.waits != 1 {
		t.Error("what is behind it does not wait for it")
	}
	if batch := p.batch(1, func(string) bool { return false }); len(batch) != 1 || batch[0] != first {
		t.Errorf("it is not what is tried next: %v", batch)
	}
}

// What was left out is counted by its outcome.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, outcome := range []string{Done, Skipped, Unmappable, Skipped} {
		position := s.put(t, "x", 1)
		if _, err := s.pool.Exec(t.Context(), `UPDATE facade.queue SET done_at = clock_timestamp(), outcome = $2 WHERE position = $1`, position, outcome); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.Stats(t.Context(), 10)
	if err != nil || len(st.LeftOut) != 2 || st.LeftOut[Skipped] != 2 || st.LeftOut[Unmappable] != 1 {
		t.Errorf("left out: %v (%v)", st.LeftOut, err)
	}
}

// Rows of one and two keys and barriers, written while they are worked off by workers that come and go, with rejections and times in which the other side is away.
func TestRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s, k := newStore(t), newSink()
			random := rand.New(rand.NewPCG(1, seed))
			chance := rand.New(rand.NewPCG(2, seed)) // under the sink's lock
			k.refuse = func(Row) bool { return chance.IntN(60) == 0 }
			k.stumble = func() bool { return chance.IntN(20) == 0 }
			cfg := Config{
				Deliver: k.deliver, Window: 40, MaxBlocked: 10, Batch: 8, Parallel: 4, FirstPause: 10 * time.Millisecond, AwayPause: 100 * time.Millisecond,
				KeepRows: 100, Alone: func(kind string) bool { return kind == "alone" },
			}
			w, stop := s.work(t, cfg)
			s.work(t, cfg) // stands by
			count := 0
			for i := range 800 {
				switch n := random.Int64N(100); {
				case n == 0:
					s.put(t, "alone", All)
				case n < 30:
					a := 1 + random.Int64N(5)
					s.put(t, "x", a, a+1+random.Int64N(5))
				case n < 35:
					s.put(t, "alone", 1+random.Int64N(5))
				default:
					s.put(t, "x", 1+random.Int64N(10))
				}
				w.Wake()
				if count++; i%300 == 299 {
					stop()
					w, stop = s.work(t, cfg)
				}
			}
			defer func() {
				if t.Failed() {
					rows, err := s.List(context.Background(), 0, 30, false)
					t.Log(rows, err, w.State())
				}
			}()
			eventually(t, "all is done", func() bool { return s.waiting(t) == 0 })
			k.mu.Lock()
			defer k.mu.Unlock()
			if len(k.faults) > 0 {
				t.Error(k.faults[0])
			}
			if len(k.done) != count {
				t.Errorf("%d of %d rows are done", len(k.done), count)
			}
		})
	}
}

// Rows that are done go, those that were left out stay.
func TestPrune(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var positions []int64
	for range 50 {
		positions = append(positions, s.put(t, "x", 1))
	}
	if late, err := s.finish(t.Context(), positions[:40]); err != nil || len(late) > 0 {
		t.Fatal(late, err)
	}
	if more, err := s.prune(t.Context(), 20, time.Hour, 10); err != nil || !more {
		t.Errorf("more: %t, %v", more, err)
	}
	if more, err := s.prune(t.Context(), 20, time.Hour, 100); err != nil || more {
		t.Errorf("more: %t, %v", more, err)
	}
	var left int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM facade.queue`).Scan(&left); err != nil || left != 21 {
		t.Errorf("%d rows are left (%v)", left, err)
	}
	if w := s.waiting(t); w != 10 {
		t.Errorf("%d rows wait", w)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := NewWorker(newStore(t), Config{Batch: -1, Window: 1, FirstPause: time.Hour})
	for _, field := range []string{"Lock", "Deliver", "Batch", "Window", "FirstPause"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("nothing is said of %s: %v", field, err)
		}
	}
}
