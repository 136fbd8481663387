package projections_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
)

// TestPace: entries gather, a read that waits ends that at once, and so does a chunk that is complete; without either the pace does.
func TestPace(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	reg := prometheus.NewRegistry()
	const full = 500
	r := newRunner(t, pool, j, func(c *projections.Config) { c.Pace, c.MaxChunkEntries, c.Metrics = time.Hour, full, reg })
	stop := start(t, r)
	all := foldtest.Trades(rand.New(rand.NewPCG(31, 31)), 2*full, 20, 2, true)
	for i, e := range all[:full/2] {
		j.Append(e)
		if i == 0 || i == full/2-1 {
			waitFor(t, r, uint64(i+1))
		}
	}
	// The first, the last, and perhaps one for a wait that was over when it was heard of; of two projections.
	if n := chunks(t, reg); n > 2*3 {
		t.Errorf("%d chunks of %d entries that nobody waited for", n, full/2)
	}
	stop()

	r = newRunner(t, pool, j, func(c *projections.Config) { c.Pace = 10 * time.Millisecond })
	start(t, r)
	j.Append(all[full/2:]...)
	eventually(t, "the pace passes", func() bool {
		for _, s := range mustStatus(t, r) {
			if s.Active.Checkpoint.Seq != uint64(len(all)) {
				return false
			}
		}
		return true
	})
	verifySound(t, pool, j)
}

// TestCompleteChunk: what comes beyond a complete chunk does not wait for the pace, nor for a read.
func TestCompleteChunk(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	r := newRunner(t, foldtest.Pool(t, pgtest.New(t)), j, func(c *projections.Config) { c.Pace, c.MaxChunkEntries = time.Hour, 100 })
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(32, 32)), 1000, 20, 2, false)...)
	start(t, r)
	eventually(t, "ten complete chunks", func() bool {
		for _, s := range mustStatus(t, r) {
			if s.Active.Checkpoint.Seq != 1000 {
				return false
			}
		}
		return true
	})
}

// chunks gives how many chunks were stored, of all projections.
func chunks(t *testing.T, reg *prometheus.Registry) (n uint64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "bk_projection_chunk_entries" {
			for _, m := range f.GetMetric() {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}
