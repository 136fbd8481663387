package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// senders is how many goroutines, and clients, a run on a schedule has.
const senders = 2

// scheduledRun is a run on a schedule, at a part of what the same way reached in the closed loop.
type scheduledRun struct {
	way  string
	size int
	part float64
	run  func(ctx context.Context, dsn string, s schedule) (*arrivals, tally, error)
}

func (b *bench) openLoops() []scheduledRun {
	spread, hot := b.engineOpen(workload{}), b.engineOpen(workload{hot: true})
	return []scheduledRun{
		{wayEngine, 1, 0.5, spread},
		{wayEngine, 1, 0.8, spread},
		{wayEngine, 100, 0.5, spread},
		{wayEngine, 100, 0.8, spread},
		{wayHot, 100, 0.5, hot},
		{wayBatch100, 100, 0.5, b.batchOpen},
		{wayStream, 1, 0.5, b.streamOpen},
	}
}

// name says which run it was.
func (o *OpenLoop) name() string {
	return fmt.Sprintf("%s: groups of %d at %.0f %% of the capacity", o.Way, o.GroupSize, 100*o.PartOfCapacity)
}

// scheduled runs the open loops, and then the overload.
func (b *bench) scheduled(ctx context.Context, report *Report) error {
	for _, l := range b.openLoops() {
		capacity := report.capacity(l.way, l.size)
		b.doing("open loop for %s: %s, groups of %d at %.0f %% of %.0f entries/s", b.cfg.OpenLoop, l.way, l.size, 100*l.part, capacity)
		o, err := b.openLoop(ctx, l, schedule{Rate: l.part * capacity, Size: l.size, Took: b.cfg.OpenLoop, Senders: senders})
		if err != nil {
			return fmt.Errorf("open loop: %s: %w", l.way, err)
		}
		report.OpenLoop = append(report.OpenLoop, *o)
	}
	return b.overload(ctx, report)
}

func (b *bench) openLoop(ctx context.Context, l scheduledRun, s schedule) (o *OpenLoop, err error) {
	dsn, drop, err := b.cluster.fresh(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	a, t, err := l.run(ctx, dsn, s)
	if err != nil {
		return nil, err
	}
	t.entries = int(a.Accepted)
	return &OpenLoop{
		Way: l.way, GroupSize: s.Size, PartOfCapacity: l.part, OfferedPerSecond: s.Rate, AcceptedPerSecond: float64(a.Accepted) / a.Took.Seconds(),
		Offered: a.Offered, Accepted: a.Accepted, Refused: a.Refused, LoadLateP99: milliseconds(a.late, 99),
		Latencies: latencies(a.latency), CPU: t.perEntry(), curve: curveOf(a.latency),
	}, t.check(ctx, dsn)
}

// engineOpen offers trades to the engine in this process.
func (b *bench) engineOpen(w workload) func(context.Context, string, schedule) (*arrivals, tally, error) {
	return func(ctx context.Context, dsn string, s schedule) (a *arrivals, t tally, err error) {
		e, err := startEngine(ctx, journal.Config{DSN: dsn}, w)
		if err != nil {
			return nil, tally{}, err
		}
		defer func() { err = errors.Join(err, e.close()) }()
		clock := b.startClock(0)
		a, err = s.run(ctx, offerEngine(e, w, s.Senders))
		return a, clock.stop(e.before, nil), err
	}
}

// offerEngine books groups without waiting for room in the queue. What was refused was not booked: the next arrival brings it again.
func offerEngine(e *engine, w workload, senders int) offer {
	refusedGroups := make([][]*ledger.Command, senders)
	return func(ctx context.Context, sender, first, size int) (answer, bool, error) {
		group := refusedGroups[sender]
		refusedGroups[sender] = nil
		if group == nil {
			group = make([]*ledger.Command, size)
			for i := range group {
				group[i] = w.trade(first + i)
			}
		}
		p := e.BookAsync(ctx, group, journal.BookOptions{})
		select {
		case <-p.Done():
			if errors.Is(p.Wait(ctx)[0].Err, journal.ErrOverloaded) {
				refusedGroups[sender] = group
				return nil, true, nil
			}
		default:
		}
		return func() (time.Time, error) {
			<-p.Done()
			return time.Now(), failure(p.Wait(ctx))
		}, false, nil
	}
}

// batchOpen offers batches to the API.
func (b *bench) batchOpen(ctx context.Context, dsn string, sc schedule) (a *arrivals, t tally, err error) {
	s, err := b.serve(ctx, dsn, sc.Senders, false)
	if err != nil {
		return nil, tally{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	type result struct {
		at  time.Time
		err error
	}
	clock := b.startClock(s.pid())
	a, err = sc.run(ctx, func(ctx context.Context, sender, first, size int) (answer, bool, error) {
		r := &bkv1.BookBatchRequest{Mode: bkv1.BatchMode_BATCH_MODE_EACH, Commands: make([]*bkv1.Command, size)}
		for i := range r.Commands {
			r.Commands[i] = workload{}.request(first + i)
		}
		done := make(chan result, 1)
		go func() {
			err := bookBatch(ctx, s.clients[sender], r)
			if client.Reason(err) == "overloaded" {
				err = errRefused
			}
			done <- result{time.Now(), err}
		}()
		return func() (time.Time, error) {
			r := <-done
			return r.at, r.err
		}, false, nil
	})
	return a, clock.stop(s.before, nil), err
}

// streamOpen offers trades to the API on a stream for each sender.
func (b *bench) streamOpen(ctx context.Context, dsn string, sc schedule) (a *arrivals, t tally, err error) {
	s, err := b.serve(ctx, dsn, sc.Senders, false)
	if err != nil {
		return nil, tally{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	streaming, cancel := context.WithCancel(ctx)
	defer cancel()
	streams := make([]*connect.BidiStreamForClient[bkv1.BookStreamRequest, bkv1.BookStreamResponse], sc.Senders)
	for i := range streams {
		streams[i] = s.clients[i].Booking.BookStream(streaming)
	}
	clock := b.startClock(s.pid())
	a, err = sc.run(ctx, func(_ context.Context, sender, first, _ int) (answer, bool, error) {
		if err := streams[sender].Send(&bkv1.BookStreamRequest{Command: workload{}.request(first)}); err != nil {
			return nil, false, fmt.Errorf("send: %w", err)
		}
		return func() (time.Time, error) {
			res, err := streams[sender].Receive()
			if err == nil {
				err = booked(res.GetReceipt(), res.GetError())
			}
			return time.Now(), err
		}, false, nil
	})
	t = clock.stop(s.before, nil)
	for _, stream := range streams {
		err = errors.Join(err, stream.CloseRequest())
		if err == nil {
			err = stream.CloseResponse()
		}
	}
	return a, t, err
}
