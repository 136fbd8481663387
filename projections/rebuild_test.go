package projections_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/statement"
)

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// TestRebuild: a rebuild while entries keep coming and readers keep reading; a read never goes back, never fails and never sees a
// mix; the old tables are gone in the end.
func TestRebuild(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, j, func(c *projections.Config) { c.MaxChunkEntries, c.Log = 300, nil })
	start(t, r)
	all := foldtest.Trades(rand.New(rand.NewPCG(9, 9)), 8000, 50, 3, true)
	j.Append(all[:4000]...)
	waitFor(t, r, 4000)

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { // the writer
		for i := 4000; i < len(all); i += 20 {
			j.Append(all[i : i+20]...)
			time.Sleep(time.Millisecond)
		}
	})
	reader := balances.NewReader(r)
	seen := map[int64]bool{}
	wg.Go(func() { // a reader
		var last uint64
		for ctx.Err() == nil {
			err := r.View(context.Background(), balances.Name, last, func(_ pgx.Tx, g projections.Generation) error {
				seen[g.Number] = true
				return nil
			})
			if err != nil {
				t.Errorf("view: %v", err)
				return
			}
			trial, err := reader.TrialBalance(context.Background(), last, nil)
			if err != nil || len(trial.Off()) != 0 {
				t.Errorf("trial balance: off by %v, %v", trial.Off(), err)
				return
			}
			if trial.At.Seq < last {
				t.Errorf("a read at %d after one at %d", trial.At.Seq, last)
				return
			}
			last = trial.At.Seq
		}
	})
	for range 2 {
		for _, name := range []string{balances.Name, statement.Name} {
			var reports, done, total uint64
			err := r.Rebuild(t.Context(), name, func(d, n uint64) {
				if d < done || n < d {
					t.Errorf("progress %d of %d after %d of %d", d, n, done, total)
				}
				reports, done, total = reports+1, d, n
			})
			if err != nil || reports == 0 || done < 4000 {
				t.Fatalf("rebuild of %s: %v; %d reports, the last %d of %d", name, err, reports, done, total)
			}
		}
	}
	eventually(t, "everything is in", func() bool { return j.Head().Seq == 8000 })
	waitFor(t, r, 8000)
	cancel()
	wg.Wait()
	verifySound(t, pool, j)
	if len(seen) < 2 {
		t.Errorf("the reader saw generations %v only", seen)
	}
	eventually(t, "the old tables are dropped", func() bool { return tables(t, r) == 3 })
	for _, s := range mustStatus(t, r) {
		if s.Active.Number != 3 || s.Building.Number != 0 {
			t.Errorf("status %+v", s)
		}
	}
}

func mustStatus(t testing.TB, r *projections.Runner) []projections.Status {
	t.Helper()
	s, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tables counts the tables of all generations.
func tables(t testing.TB, r *projections.Runner) (n int) {
	t.Helper()
	err := r.View(t.Context(), balances.Name, 0, func(tx pgx.Tx, _ projections.Generation) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'bk_read' AND tablename <> 'projection'`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDropWaitsForReaders: a read in the old generation is not disturbed, however long it takes.
func TestDropWaitsForReaders(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, j, func(c *projections.Config) { c.Grace, c.Log = time.Millisecond, nil })
	start(t, r)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(10, 10)), 100, 5, 2, false)...)
	waitFor(t, r, 100)
	err := r.View(t.Context(), balances.Name, 0, func(tx pgx.Tx, g projections.Generation) error {
		var before, after int
		if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM `+g.Table(balances.Name)).Scan(&before); err != nil {
			return err
		}
		if err := r.Rebuild(t.Context(), balances.Name, nil); err != nil {
			return err
		}
		eventually(t, "the drop waits", func() bool {
			var waits bool
			err := pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock')`).Scan(&waits)
			return err == nil && waits
		})
		if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM `+g.Table(balances.Name)).Scan(&after); err != nil {
			return err
		}
		if before != after || before == 0 {
			t.Errorf("%d rows before, %d after", before, after)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old table is dropped", func() bool { return tables(t, r) == 3 })
}

// TestRebuildKilled: what a killed process was building is resumed at the next start; what a caller gave up is dropped.
func TestRebuildKilled(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	small := func(c *projections.Config) { c.MaxChunkEntries, c.Log = 50, nil }
	r := newRunner(t, pool, j, small)
	stop := start(t, r)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(11, 11)), 4000, 50, 3, true)...)
	waitFor(t, r, 4000)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := r.Rebuild(ctx, balances.Name, func(done, _ uint64) {
		if done > 1000 {
			cancel()
		}
		if err := r.Rebuild(ctx, balances.Name, nil); !errors.Is(err, projections.ErrRebuilding) {
			t.Errorf("a second rebuild: %v", err)
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("a rebuild that was given up: %v", err)
	}
	eventually(t, "what was given up is dropped", func() bool { return tables(t, r) == 3 })
	verifySound(t, pool, j)
	stop()

	// A kill leaves the generation building. The process is stood in for by a runner whose progress callback never comes back.
	killed := newRunner(t, pool, j, small)
	reached, over := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(over) })
	var once sync.Once
	go killed.Rebuild(context.Background(), statement.Name, func(done, _ uint64) { //nolint:errcheck // it is dead
		if done > 1000 {
			once.Do(func() { close(reached) })
			<-over
		}
	})
	<-reached
	if s := mustStatus(t, r); s[1].Building.Number != 2 || s[1].Building.Checkpoint.Seq == 0 {
		t.Fatalf("status %+v", s)
	}
	r = newRunner(t, pool, j, small)
	start(t, r)
	eventually(t, "the rebuild is resumed and done", func() bool {
		s := mustStatus(t, r)
		return s[1].Active.Number == 2 && s[1].Building.Number == 0
	})
	waitFor(t, r, 4000)
	verifySound(t, pool, j)
	eventually(t, "the old tables are dropped", func() bool { return tables(t, r) == 3 })
}

// version gives a projection another version.
type version struct {
	projections.Projection
	n int
}

func (v version) Version() int { return v.n }

// reading is a version whose queries read the tables of the one before.
type reading struct{ version }

func (r reading) Reads(version int) bool { return version == r.n-1 }

// TestUpgrade: another version of the code rebuilds the projection at start; the old rows are read meanwhile, by queries that can.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, j, nil)
	stop := start(t, r)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(12, 12)), 3000, 50, 3, true)...)
	waitFor(t, r, 3000)
	stop()

	j.Append(foldtest.Trades(rand.New(rand.NewPCG(13, 13)), 100, 50, 3, true)...)
	held, next := &gate{Journal: j, open: make(chan struct{})}, balances.Projection{}.Version()+1
	r = newRunner(t, pool, held, func(c *projections.Config) {
		c.Projections, c.Log = []projections.Projection{reading{version{balances.Projection{}, next}}}, nil
	})
	start(t, r)
	eventually(t, "the new version is being built", func() bool { return mustStatus(t, r)[0].Building.Version == next })
	page, err := balances.NewReader(r).Balances(t.Context(), balances.Query{Limit: 10})
	if err != nil || page.At.Seq != 3000 || len(page.Rows) != 10 {
		t.Fatalf("a read meanwhile: at %s, %d rows, %v", page.At, len(page.Rows), err)
	}
	strict := newRunner(t, pool, j, func(c *projections.Config) {
		c.Projections = []projections.Projection{version{balances.Projection{}, next}}
	})
	if _, err := balances.NewReader(strict).Balances(t.Context(), balances.Query{Limit: 10}); !errors.Is(err, projections.ErrNotBuilt) {
		t.Fatalf("a read meanwhile by queries that know their own version only: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	behind := (*projections.BehindError)(nil)
	if err := r.WaitFor(ctx, balances.Name, 3100); !errors.As(err, &behind) || behind.Have != 3000 {
		t.Fatalf("a wait meanwhile: %v", err)
	}
	close(held.open)
	ctx, cancel = context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.WaitFor(ctx, balances.Name, 3100); err != nil {
		t.Fatal(err)
	}
	if s := mustStatus(t, r)[0]; s.Active.Version != next || s.Active.Number != 2 || s.Building.Number != 0 {
		t.Errorf("status %+v", s)
	}
	if _, err := balances.NewReader(strict).Balances(t.Context(), balances.Query{Limit: 10}); err != nil {
		t.Errorf("a read of the new version: %v", err)
	}
}

// gate is a journal that can be read once the gate is open.
type gate struct {
	*foldtest.Journal
	open chan struct{}
}

func (g *gate) Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	select {
	case <-g.open:
		return g.Journal.Read(ctx, after, limit)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
