package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/jackc/pgx/v5"
)

// tally is what one run of a side gave.
type tally struct {
	entries int // acknowledged
	before  int // entries that were in the journal before the clock ran
	took    time.Duration
	latency *hdrhistogram.Histogram // microseconds, a value for each entry
	cpu     cpuTimes
}

// cpuTimes are processor times, user and system.
type cpuTimes struct {
	load     time.Duration // of this process: the load, and the engine where it is in this process
	server   time.Duration // of the process with the API
	postgres time.Duration
}

// clock measures one run.
type clock struct {
	began  time.Time
	cpu    cpuTimes
	tree   *processTree
	server int // pid, 0 without
}

// startClock collects the garbage of the preparations, which is not the run's, and starts.
func (b *bench) startClock(server int) clock {
	runtime.GC()
	c := clock{tree: b.cluster.tree, server: server}
	c.cpu = c.times()
	c.began = time.Now()
	return c
}

func (c clock) times() cpuTimes {
	t := cpuTimes{postgres: c.tree.cpu(), load: ownCPU()}
	if c.server != 0 {
		stat, _ := readStat(c.server)
		t.server = stat.own
	}
	return t
}

func (c clock) stop(before int, calls []call) tally {
	t := tally{took: time.Since(c.began), before: before, latency: newHistogram()}
	now := c.times()
	t.cpu = cpuTimes{now.load - c.cpu.load, now.server - c.cpu.server, now.postgres - c.cpu.postgres}
	for _, call := range calls {
		record(t.latency, call.took, call.entries)
		t.entries += call.entries
	}
	return t
}

// call is how long a call took that appended entries.
type call struct {
	took    time.Duration
	entries int
}

// newHistogram holds latencies from a microsecond to ten minutes at three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
}

// record adds a latency as often as there are entries: each waits for all of its batch.
func record(h *hdrhistogram.Histogram, took time.Duration, entries int) {
	if entries > 0 {
		// The value is within the bounds.
		_ = h.RecordValues(min(max(took.Microseconds(), 1), int64(10*time.Minute/time.Microsecond)), int64(entries))
	}
}

// milliseconds gives a percentile.
func milliseconds(h *hdrhistogram.Histogram, percentile float64) float64 {
	if h.TotalCount() == 0 {
		return 0
	}
	return float64(h.ValueAtQuantile(percentile)) / 1000
}

// check counts what is in the journal: a figure for entries that are not there would be worth nothing.
func (t tally) check(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("count the entries: %w", err)
	}
	defer hangUp(conn.PgConn())
	var count int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM bk.journal`).Scan(&count); err != nil {
		return fmt.Errorf("count the entries: %w", err)
	}
	if count != t.before+t.entries {
		return fmt.Errorf("%d entries are in the journal, and %d were acknowledged", count, t.before+t.entries)
	}
	return nil
}

// closedLoop does the work items 0 to n-1 in their order, callers at a time, each as soon as its last one is done.
func closedLoop(callers, n int, work func(caller, i int) error) error {
	var next atomic.Int64
	var running sync.WaitGroup
	errs := make([]error, callers)
	for c := range callers {
		running.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := work(c, i); err != nil {
					errs[c] = fmt.Errorf("item %d: %w", i, err)
					next.Store(int64(n))
					return
				}
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
