package backlog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// stalled is a sink of which one delivery is held up on its way, whatever becomes of who sent it, and lands when it is let go.
type stalled struct {
	*sink
	once  sync.Once
	begun chan []Row // the rows that are held up
	land  chan struct{}
	ended chan struct{}
}

func (s *stalled) deliver(ctx context.Context, rows []Row) ([]Result, error) {
	held := false
	s.once.Do(func() { held = true })
	if !held {
		return s.sink.deliver(ctx, rows)
	}
	s.begun <- rows
	<-s.land
	defer close(s.ended)
	return s.sink.deliver(ctx, rows)
}

// loseLock cuts the session of whoever works, and no other one.
func (s *Store) loseLock(t *testing.T) {
	t.Helper()
	tag, err := s.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("%d sessions cut, %v", tag.RowsAffected(), err)
	}
}

// A worker's session is cut while a delivery of it is on its way. Another one does all there is, and more of the same account; then the delivery lands: it finds all of its
// rows done, and in the end one works.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	k := &stalled{sink: newSink(), begun: make(chan []Row, 1), land: make(chan struct{}), ended: make(chan struct{})}
	positions := []int64{s.put(t, "x", 1), s.put(t, "x", 1, 2), s.put(t, "x", 2), s.put(t, "x", All), s.put(t, "x", 1)}
	cfg := Config{Deliver: k.deliver, Batch: 3}
	a, _ := s.work(t, cfg)
	held := <-k.begun
	s.loseLock(t)
	b, _ := s.work(t, cfg)
	positions = append(positions, s.put(t, "x", 1), s.put(t, "x", All), s.put(t, "x", 2))
	eventually(t, "the other one has done all", func() bool { return s.waiting(t) == 0 })
	close(k.land)
	<-k.ended
	k.mu.Lock()
	for i, position := range positions {
		want := 1
		if slices.ContainsFunc(held, func(r Row) bool { return r.Position == position }) {
			want = 2
		}
		if k.done[position] != want {
			t.Errorf("row %d was done %d times, want %d", i, k.done[position], want)
		}
	}
	if len(held) == 0 || len(k.faults) > 0 {
		t.Errorf("%d rows were held up: %v", len(held), k.faults)
	}
	k.mu.Unlock()
	eventually(t, "one works", func() bool { return a.State().Working != b.State().Working })
}

// A row is skipped while it is tried again: what is behind it waits for the try, which does it after all, and so it is marked.
func TestSkippedWhileTried(t *testing.T) {
	t.Parallel()
	s, k := newStore(t), newSink()
	tried, land := make(chan struct{}), make(chan struct{})
	again := false
	deliver := func(ctx context.Context, rows []Row) ([]Result, error) {
		if rows[0].Kind == "bad" {
			if !again {
				again = true
				return []Result{{Err: errors.New("refused")}}, nil
			}
			close(tried)
			<-land
		}
		return k.deliver(ctx, rows)
	}
	bad := s.put(t, "bad", 1)
	s.work(t, Config{Deliver: deliver, Alone: func(kind string) bool { return kind == "bad" }, FirstPause: 10 * time.Millisecond})
	<-tried
	behind := s.put(t, "x", 1)
	beside := s.put(t, "x", 2)
	if err := s.Skip(t.Context(), bad, "ann", "why not"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is beside it is done", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.done[beside] == 1
	})
	k.mu.Lock()
	if k.done[behind] > 0 {
		t.Error("what is behind it did not wait")
	}
	k.mu.Unlock()
	close(land)
	eventually(t, "all is done", func() bool { return s.waiting(t) == 0 })
	var outcome, who string
	if err := s.pool.QueryRow(t.Context(), `SELECT outcome, who FROM facade.queue WHERE position = $1`, bad).Scan(&outcome, &who); err != nil || outcome != Done || who != "ann" {
		t.Errorf("it is %s, skipped by %s, %v", outcome, who, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.done[bad] != 1 || len(k.faults) > 0 {
		t.Errorf("done %d times, %v", k.done[bad], k.faults)
	}
}
