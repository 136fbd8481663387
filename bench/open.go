package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// schedule is an open loop: groups of trades arrive at their times, whether or not those before are answered, and their latency counts
// from the time at which they were to arrive. So a pause of the engine, or of the load itself, is in the latency of all that it held up
// (what is called coordinated omission is corrected).
type schedule struct {
	Rate    float64       // entries a second
	Size    int           // entries of a group
	Took    time.Duration // for so long
	First   int           // number of the first trade
	Senders int           // goroutines; each has its share of the arrivals
}

// arrivals is what became of a schedule.
type arrivals struct {
	Offered  int64                   // entries
	Accepted int64                   // entries acknowledged
	Refused  int64                   // entries refused because the queue was full
	Took     time.Duration           // until the last answer
	latency  *hdrhistogram.Histogram // of the accepted, from the schedule
	service  *hdrhistogram.Histogram // of the accepted, from the call: without what the load itself was late
	late     *hdrhistogram.Histogram // how late the load made its calls
}

// arrival is a group on its way.
type arrival struct {
	pending      *journal.Pending
	entries      int
	due, offered time.Time
}

// run offers the trades to an engine and waits for all answers.
func (s schedule) run(ctx context.Context, e *engine, w workload) (*arrivals, error) {
	interval := time.Duration(float64(s.Size) / s.Rate * float64(time.Second))
	total := int(s.Took / interval)
	out := &arrivals{latency: newHistogram(), service: newHistogram(), late: newHistogram()}
	var merging sync.Mutex
	var running sync.WaitGroup
	var failed atomic.Pointer[error]
	fail := func(err error) { failed.CompareAndSwap(nil, &err) }
	began := time.Now()
	for sender := range s.Senders {
		// As many as the engine can hold: the sender never waits for the collector.
		waiting := make(chan arrival, 16<<10)
		running.Go(func() { // the collector
			latency, service := newHistogram(), newHistogram()
			var accepted int64
			for a := range waiting {
				<-a.pending.Done()
				now := time.Now()
				if err := failure(a.pending.Wait(ctx)); err != nil {
					fail(err)
					continue
				}
				accepted += int64(a.entries)
				record(latency, now.Sub(a.due), a.entries)
				record(service, now.Sub(a.offered), a.entries)
			}
			merging.Lock()
			defer merging.Unlock()
			out.latency.Merge(latency)
			out.service.Merge(service)
			out.Accepted += accepted
		})
		running.Go(func() { // the sender
			defer close(waiting)
			late := newHistogram()
			var offered, refused int64
			var group []*ledger.Command
			for i := sender; i < total && ctx.Err() == nil && failed.Load() == nil; i += s.Senders {
				due := began.Add(time.Duration(i) * interval)
				if ahead := time.Until(due); ahead > 0 {
					time.Sleep(ahead)
				}
				if group == nil {
					group = make([]*ledger.Command, s.Size)
					for n := range group {
						group[n] = w.trade(s.First + i*s.Size + n)
					}
				}
				now := time.Now()
				offered += int64(s.Size)
				record(late, now.Sub(due), s.Size)
				p := e.BookAsync(ctx, group, journal.BookOptions{})
				if wasRefused(p) {
					refused += int64(s.Size) // nothing was booked: the next arrival brings the same trades
					continue
				}
				waiting <- arrival{p, s.Size, due, now}
				group = nil
			}
			merging.Lock()
			defer merging.Unlock()
			out.late.Merge(late)
			out.Offered += offered
			out.Refused += refused
		})
	}
	running.Wait()
	out.Took = time.Since(began)
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return out, ctx.Err()
}

// wasRefused reports whether the queue was full.
func wasRefused(p *journal.Pending) bool {
	select {
	case <-p.Done():
		outcomes := p.Wait(context.Background()) // they are there
		return errors.Is(outcomes[0].Err, journal.ErrOverloaded)
	default:
		return false
	}
}

// scheduled runs the open loops at half and at four fifths of what the closed loop reached, and then the overload.
func (b *bench) scheduled(ctx context.Context, report *Report) error {
	for _, size := range []int{1, 100} {
		capacity := report.engineCapacity(size)
		for _, part := range []float64{0.5, 0.8} {
			b.cfg.Progress(fmt.Sprintf("open loop: groups of %d at %.0f %% of %.0f entries/s, %s", size, 100*part, capacity, b.cfg.OpenLoop))
			s := schedule{Rate: part * capacity, Size: size, Took: b.cfg.OpenLoop, Senders: 2}
			o, err := b.openLoop(ctx, s)
			if err != nil {
				return fmt.Errorf("open loop: %w", err)
			}
			o.PartOfCapacity = part
			report.OpenLoop = append(report.OpenLoop, *o)
		}
	}
	return b.overload(ctx, report)
}

func (b *bench) openLoop(ctx context.Context, s schedule) (o *OpenLoop, err error) {
	dsn, drop, err := b.cluster.fresh(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	e, err := startEngine(ctx, journal.Config{DSN: dsn}, workload{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	clock := b.startClock(0)
	a, err := s.run(ctx, e, workload{})
	if err != nil {
		return nil, err
	}
	t := clock.stop(e.before, nil)
	t.entries = int(a.Accepted)
	o = &OpenLoop{GroupSize: s.Size, Latencies: latencies(a.latency), curve: curveOf(a.latency)}
	o.fill(a, s.Rate)
	o.CPU = t.perEntry()
	return o, t.check(ctx, dsn)
}
