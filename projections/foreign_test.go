package projections_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/foldtest"
)

// TestRebuildAfterCut: a projection with entries that the journal lost is held up, which is seen; what was being built then is given
// up; a rebuild repairs it, and it goes on.
func TestRebuildAfterCut(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, j, nil)
	stop := start(t, r)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(30, 30)), 400, 20, 3, true)...)
	waitFor(t, r, 400)
	killed := newRunner(t, pool, j, func(c *projections.Config) { c.MaxChunkEntries, c.Log = 380, nil })
	reached, over := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(over) })
	var once sync.Once
	go killed.Rebuild(context.Background(), balances.Name, func(uint64, uint64) { //nolint:errcheck // it is dead
		once.Do(func() { close(reached) })
		<-over
	})
	<-reached
	stop()
	j.Truncate(300)

	var log lockedBuffer
	reg := prometheus.NewRegistry()
	// Chunks that are smaller than what the old generation is ahead.
	r = newRunner(t, pool, j, func(c *projections.Config) { c.Log, c.Metrics, c.MaxChunkEntries = log.logger(), reg, 50 })
	start(t, r)
	eventually(t, "the shorter journal is noticed, and what was being built given up", func() bool {
		s := mustStatus(t, r)
		return s[0].Running && strings.Contains(s[0].Trouble, "beyond the journal's head 300") &&
			strings.Contains(s[1].Trouble, "beyond the journal's head 300") && s[0].Building.Number == 0
	})
	if got := gauges(t, reg, "bk_projection_held_up"); got != [2]float64{1, 1} {
		t.Errorf("held up: %v", got)
	}
	if got := gauges(t, reg, "bk_projection_lag_entries"); got != [2]float64{0, 0} {
		t.Errorf("lag: %v", got)
	}
	eventually(t, "the given up one is out of the way", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err := r.Rebuild(ctx, balances.Name, nil)
		if err != nil && !errors.Is(err, projections.ErrRebuilding) {
			t.Fatal(err)
		}
		return err == nil
	})
	if err := r.Rebuild(t.Context(), "statement", nil); err != nil {
		t.Fatal(err)
	}
	verifySound(t, pool, j)
	for _, part := range []string{"level=WARN", "not of this journal", "the journal ends before it", " seq=400 ", " new_seq=300 "} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log has no %q:\n%s", part, log.String())
		}
	}
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(31, 31)), 20, 20, 3, false)...)
	waitFor(t, r, 320)
	verifySound(t, pool, j)
	eventually(t, "nothing holds them up any more", func() bool {
		s := mustStatus(t, r)
		return s[0].Trouble == "" && s[1].Trouble == "" && gauges(t, reg, "bk_projection_held_up") == [2]float64{}
	})
}

// TestRebuildOfAnotherHistory: a projection that was folded from another journal stopped; a rebuild in another process repairs it,
// and the one that stopped goes on.
func TestRebuildOfAnotherHistory(t *testing.T) {
	t.Parallel()
	pool := foldtest.Pool(t, pgtest.New(t))
	one, other := foldtest.NewJournal(shard), foldtest.NewJournal(shard)
	one.Append(foldtest.Trades(rand.New(rand.NewPCG(32, 32)), 30, 5, 2, false)...)
	other.Append(foldtest.Trades(rand.New(rand.NewPCG(33, 33)), 40, 5, 2, false)...)
	r := newRunner(t, pool, one, nil)
	stop := start(t, r)
	waitFor(t, r, 30)
	stop()

	r = newRunner(t, pool, other, func(c *projections.Config) { c.Log = nil })
	start(t, r)
	eventually(t, "both have stopped", func() bool {
		s := mustStatus(t, r)
		return strings.Contains(s[0].Active.Fault, "another journal") && strings.Contains(s[1].Active.Fault, "another journal")
	})
	var log lockedBuffer
	standby := newRunner(t, pool, other, func(c *projections.Config) { c.Log = log.logger() })
	for _, p := range both() {
		if err := standby.Rebuild(t.Context(), p.Name(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(log.String(), "its chain hash is not that of the entry") {
		t.Errorf("the log says\n%s", log.String())
	}
	verifySound(t, pool, other)
	other.Append(foldtest.Trades(rand.New(rand.NewPCG(34, 34)), 5, 5, 2, false)...)
	waitFor(t, r, 45)
	verifySound(t, pool, other)
}

// late is a journal of which this process has heard only a part, as on a standby.
type late struct {
	*foldtest.Journal
	mu   sync.Mutex
	head uint64
}

func (l *late) known() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

func (l *late) hear(head uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = head
}

func (l *late) Head() ledger.Token { return ledger.Token{Shard: shard, Seq: l.known()} }

func (l *late) Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	head := l.known()
	if after >= head {
		return nil, ctx.Err()
	}
	return l.Journal.Read(ctx, after, min(limit, int(head-after)))
}

// TestRebuildOnStandby: a process that hasn't heard of all entries must not take the journal for a shorter one.
func TestRebuildOnStandby(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, j, nil)
	start(t, r)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(35, 35)), 300, 20, 3, true)...)
	waitFor(t, r, 300)

	behind := &late{Journal: j, head: 200}
	standby := newRunner(t, pool, behind, func(c *projections.Config) { c.Log, c.MaxChunkEntries = nil, 50 })
	rebuilt := make(chan error, 1)
	go func() { rebuilt <- standby.Rebuild(t.Context(), balances.Name, nil) }()
	eventually(t, "the rebuild waits for the entries", func() bool {
		s := mustStatus(t, standby)[0]
		return strings.Contains(s.Trouble, "this process knows the journal up to 200 so far") && s.Building.Checkpoint.Seq == 200
	})
	if s := mustStatus(t, r)[0]; s.Active.Number != 1 || s.Active.Checkpoint.Seq != 300 {
		t.Errorf("status meanwhile %+v", s)
	}
	behind.hear(300)
	select {
	case err := <-rebuilt:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("the rebuild does not end")
	}
	if s := mustStatus(t, standby)[0]; s.Active.Number != 2 || s.Active.Checkpoint.Seq != 300 || s.Trouble != "" {
		t.Errorf("status %+v", s)
	}
	verifySound(t, pool, j)
}

// unreadable is a journal whose head is known and whose entries can't be read.
type unreadable struct{ *foldtest.Journal }

func (unreadable) Read(context.Context, uint64, int) ([]*ledger.Entry, error) {
	return nil, errors.New("the disk hums")
}

// TestHeldUpIsSeen: a projection that can't even be opened has its lag and its trouble in the metrics.
func TestHeldUpIsSeen(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, j, nil)
	stop := start(t, r)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(36, 36)), 10, 5, 2, false)...)
	waitFor(t, r, 10)
	stop()
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(37, 37)), 5, 5, 2, false)...)

	reg := prometheus.NewRegistry()
	r = newRunner(t, pool, unreadable{j}, func(c *projections.Config) { c.Log, c.Metrics = nil, reg })
	start(t, r)
	eventually(t, "both are held up", func() bool {
		s := mustStatus(t, r)
		return strings.Contains(s[0].Trouble, "hums") && strings.Contains(s[1].Trouble, "hums")
	})
	for name, want := range map[string]float64{"bk_projection_held_up": 1, "bk_projection_lag_entries": 5, "bk_projection_stopped": 0} {
		if got := gauges(t, reg, name); got != [2]float64{want, want} {
			t.Errorf("%s: %v, should be %v", name, got, want)
		}
	}
	err := r.View(t.Context(), balances.Name, 0, func(_ pgx.Tx, g projections.Generation) error {
		if g.Checkpoint.Seq != 10 {
			t.Errorf("a read at %d", g.Checkpoint.Seq)
		}
		return nil
	})
	if err != nil {
		t.Errorf("a read meanwhile: %v", err)
	}
}
