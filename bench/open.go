package bench

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
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
	Cut     bool          // end in time, whatever has not arrived; otherwise all arrive, however late
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

// offer gives the trades from first on, size of them, to the engine without waiting for the answer. refused: the queue is full.
type offer func(ctx context.Context, sender, first, size int) (wait answer, refused bool, err error)

// answer waits for the answer and says when it came; errRefused if the queue was full after all.
type answer func() (at time.Time, err error)

var errRefused = errors.New("refused: the queue is full")

// arrival is a group on its way.
type arrival struct {
	wait    answer
	due, at time.Time
}

// run offers the trades and waits for all answers.
func (s schedule) run(ctx context.Context, give offer) (*arrivals, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &arrivals{latency: newHistogram(), service: newHistogram(), late: newHistogram()}
	began := time.Now()
	parts := make([]*arrivals, s.Senders)
	var running sync.WaitGroup
	for sender := range s.Senders {
		running.Go(func() {
			var err error
			if parts[sender], err = s.send(ctx, sender, began, give); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	out.Took = time.Since(began)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for _, p := range parts {
		out.latency.Merge(p.latency)
		out.service.Merge(p.service)
		out.late.Merge(p.late)
		out.Offered, out.Accepted, out.Refused = out.Offered+p.Offered, out.Accepted+p.Accepted, out.Refused+p.Refused
	}
	return out, nil
}

// send is one sender's share of the schedule. A goroutine beside it takes the answers in the order of the offers.
func (s schedule) send(ctx context.Context, sender int, began time.Time, give offer) (*arrivals, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &arrivals{latency: newHistogram(), service: newHistogram(), late: newHistogram()}
	waiting := make(chan arrival, maxWaiting)
	collected := make(chan struct{})
	var late int64 // refusals that came with the answer
	go func() {
		defer close(collected)
		for a := range waiting {
			at, err := a.wait()
			switch {
			case errors.Is(err, errRefused):
				late += int64(s.Size)
			case err != nil:
				cancel(err)
			default:
				out.Accepted += int64(s.Size)
				record(out.latency, at.Sub(a.due), s.Size)
				record(out.service, at.Sub(a.at), s.Size)
			}
		}
	}()
	err := s.offers(ctx, sender, began, give, out, waiting)
	close(waiting)
	<-collected
	out.Refused += late
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out, err
}

// maxWaiting bounds what a sender has unanswered; it is as much as the engine takes in.
const maxWaiting = 16 << 10

func (s schedule) offers(ctx context.Context, sender int, began time.Time, give offer, out *arrivals, waiting chan<- arrival) error {
	interval := time.Duration(float64(s.Size) / s.Rate * float64(time.Second))
	total := int(s.Took / interval)
	for i := sender; i < total && ctx.Err() == nil; i += s.Senders {
		if s.Cut && time.Since(began) > s.Took {
			return nil
		}
		due := began.Add(time.Duration(i) * interval)
		if ahead := time.Until(due); ahead > 0 {
			time.Sleep(ahead) // this is the load's clock, not a wait for something
		}
		now := time.Now()
		wait, refused, err := give(ctx, sender, s.First+i*s.Size, s.Size)
		if err != nil {
			return err
		}
		out.Offered += int64(s.Size)
		record(out.late, now.Sub(due), s.Size)
		if refused {
			out.Refused += int64(s.Size)
			continue
		}
		waiting <- arrival{wait, due, now}
	}
	return nil
}
