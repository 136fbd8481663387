package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bkledger/bk/ledger/journal"
)

const (
	overloadFactor = 2                // how much of its capacity the engine is offered
	sampleAfter    = 10 * time.Second // when the memory has its final size
)

// overloadJob is the overload as a child does it: engine and load in one process, which does nothing else.
type overloadJob struct {
	DSN      string
	Schedule schedule
	Sample   time.Duration // the memory is taken after so long, and at the end
}

// overloadAnswer is what came of it.
type overloadAnswer struct {
	Offered, Accepted, Refused        int64
	Took                              time.Duration
	Before                            int
	MaxInFlight                       int
	Latency, Service                  Latencies
	LateP99                           float64 // milliseconds
	ResidentSample, ResidentEnd, Peak int64   // bytes
	CPU                               time.Duration
}

func (o *overloadJob) run(ctx context.Context, answer func(any) error) (err error) {
	cfg := journal.Config{DSN: o.DSN}.WithDefaults()
	e, err := startEngine(ctx, cfg, workload{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	out := overloadAnswer{Before: e.before, MaxInFlight: cfg.MaxInFlight}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		out.ResidentSample, out.ResidentEnd, out.Peak = watchMemory(watching, o.Sample)
	}()
	cpu := ownCPU()
	a, err := o.Schedule.run(ctx, offerEngine(e, workload{}, o.Schedule.Senders))
	stop()
	<-watched
	if err != nil {
		return fmt.Errorf("overload: %w", err)
	}
	out.CPU = ownCPU() - cpu
	out.Offered, out.Accepted, out.Refused, out.Took = a.Offered, a.Accepted, a.Refused, a.Took
	out.Latency, out.Service, out.LateP99 = latencies(a.latency), latencies(a.service), milliseconds(a.late, 99)
	return answer(out)
}

// watchMemory takes the resident memory after sample, at the end of ctx, and its peak in between.
func watchMemory(ctx context.Context, sample time.Duration) (sampled, end, peak int64) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	after := time.After(sample)
	for {
		select {
		case <-after:
			sampled = residentBytes()
			peak = max(peak, sampled)
		case <-ticker.C:
			peak = max(peak, residentBytes())
		case <-ctx.Done():
			end = residentBytes()
			return sampled, end, max(peak, end)
		}
	}
}

// overload offers twice the capacity of single bookings, in a process of its own.
func (b *bench) overload(ctx context.Context, report *Report) (err error) {
	capacity := report.capacity(wayEngine, 1)
	sample := sampleAfter
	if b.cfg.Overload <= sample {
		sample = b.cfg.Overload / 2
	}
	b.doing("overload for %s: %d times %.0f entries/s", b.cfg.Overload, overloadFactor, capacity)
	dsn, drop, err := b.cluster.fresh(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	s := schedule{Rate: overloadFactor * capacity, Size: 1, Took: b.cfg.Overload, Senders: 2, Cut: true}
	c, err := startChild(ctx, b.cfg.Child, job{Overload: &overloadJob{DSN: dsn, Schedule: s, Sample: sample}})
	if err != nil {
		return fmt.Errorf("overload: %w", err)
	}
	var a overloadAnswer
	if err := errors.Join(c.answer(&a), c.end()); err != nil {
		return fmt.Errorf("overload: %w", err)
	}
	t := tally{entries: int(a.Accepted), before: a.Before}
	if err := t.check(ctx, dsn); err != nil {
		return fmt.Errorf("overload: %w", err)
	}
	accepted := float64(a.Accepted) / a.Took.Seconds()
	report.Overload = Overload{
		CapacityPerSecond: capacity, OfferedPerSecond: float64(a.Offered) / b.cfg.Overload.Seconds(), AcceptedPerSecond: accepted,
		Offered: a.Offered, Accepted: a.Accepted, Refused: a.Refused, Seconds: a.Took.Seconds(),
		Latencies: a.Latency, FromCall: a.Service, LoadLateP99: a.LateP99,
		MaxInFlight: a.MaxInFlight, QueueMilliseconds: 1000 * float64(a.MaxInFlight) / accepted,
		SampledAfterSeconds: sample.Seconds(), ResidentSampled: a.ResidentSample, ResidentEnd: a.ResidentEnd, ResidentPeak: a.Peak,
		CPUMicroseconds: a.CPU.Seconds() * 1e6 / float64(max(1, a.Accepted)),
	}
	if a.ResidentSample > 0 {
		report.Overload.MemoryRatio = float64(a.ResidentEnd) / float64(a.ResidentSample)
	}
	return nil
}
