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

// TestP5Chunks: however the journal is cut into chunks, the rows are the same to the byte, and equal a plain fold.
func TestP5Chunks(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(1, 1)), 5000, 50, 3, true)...)

	whole := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, whole, j, nil)
	start(t, r)
	waitFor(t, r, 5000)
	verifySound(t, whole, j)
	want := rows(t, whole)

	for _, entries := range []int{1000, 97, 2000} {
		pool := foldtest.Pool(t, pgtest.New(t))
		r := newRunner(t, pool, newChoppy(j, uint64(entries), true), func(c *projections.Config) {
			c.MaxChunkEntries, c.MaxChunkPostings = entries, 400
		})
		start(t, r)
		waitFor(t, r, 5000)
		verifySound(t, pool, j)
		if got := rows(t, pool); got != want {
			t.Errorf("chunks of up to %d entries: the rows are\n%snot\n%s", entries, got, want)
		}
	}
}

// TestP5Kills: runners are stopped, and their connections killed, at random moments; nothing is lost or applied twice.
func TestP5Kills(t *testing.T) {
	t.Parallel()
	const entries = 12_000
	j := foldtest.NewJournal(shard)
	all := foldtest.Trades(rand.New(rand.NewPCG(2, 2)), entries, 200, 5, true)
	dsn := pgtest.New(t)
	pool := foldtest.Pool(t, dsn)
	killer, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer killer.Close(context.Background())
	rng := rand.New(rand.NewPCG(3, 3))
	killed := 0
	for len(all) > 0 {
		r := newRunner(t, pool, newChoppy(j, rng.Uint64(), false), func(c *projections.Config) {
			c.MaxChunkEntries, c.Log = 500, nil
		})
		stop := start(t, r)
		for range 5 {
			n := min(len(all), 200)
			j.Append(all[:n]...)
			all = all[n:]
			time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond) // the moment of the kill is what varies
			if rng.IntN(2) == 0 {
				tag, err := killer.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`)
				if err != nil {
					t.Fatal(err)
				}
				killed += int(tag.RowsAffected())
			}
		}
		stop()
	}
	r := newRunner(t, pool, j, nil)
	start(t, r)
	waitFor(t, r, entries)
	verifySound(t, pool, j)
	if killed == 0 {
		t.Error("no connection was killed, the test shows nothing")
	}
	t.Logf("%d connections killed", killed)
}

// TestTwoRunners: two runners at once move one checkpoint; the loser of each race applies nothing.
func TestTwoRunners(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	var log lockedBuffer
	for seed := range uint64(2) {
		start(t, newRunner(t, pool, newChoppy(j, seed, false), func(c *projections.Config) {
			c.MaxChunkEntries, c.Log = 100, log.logger()
		}))
	}
	all := foldtest.Trades(rand.New(rand.NewPCG(4, 4)), 6000, 20, 2, true)
	for i := 0; i < len(all); i += 50 {
		j.Append(all[i : i+50]...)
	}
	standby := newRunner(t, pool, j, nil)
	waitFor(t, standby, 6000) // it does not run: it looks at the database
	verifySound(t, pool, j)
	if !strings.Contains(log.String(), projections.ErrMoved.Error()) {
		t.Error("the runners never met, the test shows nothing")
	}
}

func TestWaitFor(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	r, standby := newRunner(t, pool, j, nil), newRunner(t, pool, j, nil)
	all := foldtest.Trades(rand.New(rand.NewPCG(5, 5)), 20, 5, 2, false)

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.View(t.Context(), balances.Name, 0, nil); !errors.Is(err, projections.ErrNotBuilt) {
		t.Errorf("before the first run: %v", err)
	}
	if err := r.WaitFor(short, "positions", 1); !errors.Is(err, projections.ErrUnknown) {
		t.Errorf("unknown projection: %v", err)
	}
	stop := start(t, r)
	j.Append(all[:10]...)
	waitFor(t, r, 10)
	waitFor(t, standby, 10)

	for name, r := range map[string]*projections.Runner{"leader": r, "standby": standby} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := r.WaitFor(ctx, balances.Name, 11)
		behind := (*projections.BehindError)(nil)
		if !errors.As(err, &behind) || behind.Have != 10 || behind.Want != 11 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Who waits when the entry comes gets it, and the read that follows has it.
	var wg sync.WaitGroup
	for _, r := range []*projections.Runner{r, standby} {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			err := r.View(ctx, balances.Name, 20, func(_ pgx.Tx, g projections.Generation) error {
				if g.Checkpoint.Seq < 20 {
					t.Errorf("a view at %d", g.Checkpoint.Seq)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	j.Append(all[10:]...)
	wg.Wait()
	waitFor(t, r, 20)
	stop()
	waitFor(t, r, 20) // no longer runs here: from the database
}

// TestFault: an entry that can't be stops the projection that minds, and is seen; the other goes on; a start after the cause is gone
// goes on as well.
func TestFault(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	all := foldtest.Trades(rand.New(rand.NewPCG(6, 6)), 20, 5, 2, false)
	sound := all[10].Postings[0]
	all[10].Postings[0].Quantity = ledger.AmountOf(1_000_000)
	all[7].BookedAt = all[7].BookedAt.Add(-2 * time.Hour) // the last one that is stored: a quiet time is no lag
	j.Append(all...)
	reg := prometheus.NewRegistry()
	r := newRunner(t, pool, j, func(c *projections.Config) { c.Log, c.Metrics, c.MaxChunkEntries = nil, reg, 4 })
	stop := start(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	err := r.WaitFor(ctx, balances.Name, 20)
	fault := (*projections.Fault)(nil)
	if !errors.As(err, &fault) || fault.Shard != shard || !strings.Contains(err.Error(), "add up to zero") {
		t.Fatalf("wait for what can't come: %v", err)
	}
	if err := r.WaitFor(ctx, "statement", 20); err != nil {
		t.Fatalf("the other projection: %v", err)
	}
	status, err := r.Status(ctx)
	if err != nil || !strings.Contains(status[0].Active.Fault, "add up to zero") || status[0].Active.Checkpoint.Seq != 8 ||
		status[1].Active.Fault != "" || !status[1].Running {
		t.Fatalf("status %+v, %v", status, err)
	}
	if status[0].Running || status[0].Name != balances.Name {
		t.Errorf("status %+v", status[0])
	}
	for name, want := range map[string][2]float64{
		"bk_projection_stopped": {1, 0}, "bk_projection_held_up": {0, 0}, "bk_projection_lag_entries": {12, 0},
	} {
		if got := gauges(t, reg, name); got != want {
			t.Errorf("%s of balances and statement: %v, should be %v", name, got, want)
		}
	}
	age := time.Since(all[8].BookedAt).Seconds()
	if got := gauges(t, reg, "bk_projection_lag_seconds"); got[0] < age || got[0] > age+patience.Seconds() || got[1] != 0 {
		t.Errorf("lag in seconds: %v, the oldest entry that is not stored was booked %f s ago", got, age)
	}
	stop()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if name := f.GetName(); name == "bk_projection_lag_entries" || name == "bk_projection_stopped" {
			t.Errorf("after the run there is still %s", name)
		}
	}

	all[10].Postings[0] = sound // stands for a release that knows what to do with it
	r = newRunner(t, pool, j, nil)
	start(t, r)
	eventually(t, "the fault is gone", func() bool {
		status, err := r.Status(ctx)
		return err == nil && status[0].Active.Fault == "" && status[0].Active.Checkpoint.Seq == 20
	})
	if b := verify(t, pool, j)[0].Breaches; b.Count != 0 {
		t.Errorf("balances: %+v", b)
	}
}

// gauges gives a metric of balances and statement.
func gauges(t *testing.T, reg *prometheus.Registry, name string) (v [2]float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name && len(f.GetMetric()) == 2 {
			return [2]float64{f.GetMetric()[0].GetGauge().GetValue(), f.GetMetric()[1].GetGauge().GetValue()}
		}
	}
	t.Fatalf("%s is not there for both projections", name)
	return v
}

// TestOtherJournal: tables that were folded from another journal are not gone on with.
func TestOtherJournal(t *testing.T) {
	t.Parallel()
	pool := foldtest.Pool(t, pgtest.New(t))
	one, other := foldtest.NewJournal(shard), foldtest.NewJournal(shard)
	one.Append(foldtest.Trades(rand.New(rand.NewPCG(7, 7)), 10, 5, 2, false)...)
	other.Append(foldtest.Trades(rand.New(rand.NewPCG(8, 8)), 5, 5, 2, false)...)
	r := newRunner(t, pool, one, nil)
	stop := start(t, r)
	waitFor(t, r, 10)
	stop()

	r = newRunner(t, pool, other, func(c *projections.Config) { c.Log = nil })
	start(t, r)
	eventually(t, "the shorter journal is noticed", func() bool {
		s, err := r.Status(t.Context())
		return err == nil && strings.Contains(s[0].Trouble, "beyond the journal's head 5")
	})
	other.Append(foldtest.Trades(rand.New(rand.NewPCG(8, 8)), 10, 5, 2, false)...)
	eventually(t, "the other hash is noticed", func() bool {
		s, err := r.Status(t.Context())
		return err == nil && strings.Contains(s[0].Active.Fault, "another journal") && s[0].Active.Checkpoint.Seq == 10
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := projections.New(projections.Config{Shard: 1 << 15, MaxChunkEntries: -1, Grace: -1, Projections: append(both(), balances.Projection{})})
	for _, part := range []string{"pool", "source", "shard", "twice", "max chunk entries", "grace"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
}

func TestParseSum(t *testing.T) {
	t.Parallel()
	sum := ledger.MustAmount("999999999999999999.9999999999")
	for range 30 {
		sum = sum.Add(sum)
		for _, a := range []ledger.Amount{sum, sum.Neg(), sum.Add(ledger.MustAmount("0.0000000001"))} {
			if got, err := projections.ParseSum(a.String()); err != nil || got != a {
				t.Fatalf("%s: %s, %v", a, got, err)
			}
		}
	}
	for _, bad := range []string{"", "x", "1e9", strings.Repeat("9", 30), strings.Repeat("9", 20) + ".12345678901", "1.12345678901", "-" + strings.Repeat("9", 40)} {
		if got, err := projections.ParseSum(bad); err == nil {
			t.Errorf("%q: %s", bad, got)
		}
	}
}
