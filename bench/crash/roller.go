package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	bkclient "github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

const (
	rollTimeout   = 30 * time.Second // of a call: it lasts as long as the roll
	shortestDay   = time.Second
	longestDay    = 3500 * time.Millisecond // between rolls
	longestListen = 300 * time.Millisecond  // to a roll whose caller goes away
)

// roller takes the business date further, again and again, on whatever server leads, and asks until it is told that the day is reached. It
// believes as little as the clients do.
type roller struct {
	rng   *rand.Rand
	to    []*bkclient.Client // the places where a server may be
	at    int
	date  *businessDate // acknowledged
	tally *tally
	soon  chan struct{} // roll now

	days     map[ledger.Date]*bkv1.RolledDay // as told
	underWay atomic.Bool                     // a roll has begun and is not known to have ended
	took     atomic.Int64                    // nanoseconds of the last roll that was told from its beginning to its end

	rolls, calls, cutOff, again int
}

func newRoller(seed uint64, addresses []string, t *tally, date *businessDate) (*roller, error) {
	r := &roller{rng: rand.New(rand.NewPCG(seed, 1<<32)), tally: t, date: date, soon: make(chan struct{}, 1), days: map[ledger.Date]*bkv1.RolledDay{}}
	for _, address := range addresses {
		c, err := bkclient.New(address)
		if err != nil {
			return nil, err
		}
		r.to = append(r.to, c)
	}
	return r, nil
}

// run rolls until stop is closed and the last roll is acknowledged. An error is a breach, or that ctx has ended.
func (r *roller) run(ctx context.Context, stop <-chan struct{}) error {
	for {
		if err := r.roll(ctx); err != nil {
			return fmt.Errorf("roller: %w", err)
		}
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-r.soon:
		case <-time.After(shortestDay + time.Duration(r.rng.Int64N(int64(longestDay-shortestDay)))):
		}
	}
}

// hurry makes the next roll begin now.
func (r *roller) hurry() {
	select {
	case r.soon <- struct{}{}:
	default: // it is told already
	}
}

// roll takes the business date a day further, seldom three.
func (r *roller) roll(ctx context.Context) error {
	to := firstDay
	if last := ledger.Date(r.date.Load()); last != 0 {
		to = addDays(last, 1)
		if r.rng.IntN(8) == 0 {
			to = addDays(last, 3)
		}
	}
	request := &bkv1.RollRequest{To: int32(to), WithoutStreet: r.rng.IntN(2) == 0}
	if r.rng.IntN(4) == 0 { // its caller goes away, somewhere in it
		call, cancel := context.WithTimeout(ctx, time.Duration(r.rng.Int64N(int64(longestListen))))
		_, err := r.call(call, request)
		gone := call.Err() != nil
		cancel()
		switch {
		case errors.Is(err, errContradiction) || err != nil && !gone && breach(err) != nil:
			return breach(err)
		case err != nil && gone:
			r.cutOff++
		}
	}
	summary, err := r.untilDone(ctx, request)
	if err != nil {
		return err
	}
	at, err := ledger.ParseToken(summary.Token)
	if err != nil {
		return fmt.Errorf("%w: the summary of a roll: %w", errContradiction, err)
	}
	r.rolls++
	r.date.Store(summary.Date)
	raise(&r.tally.head, at.Seq)
	if err := r.standsAt(ctx, summary); err != nil {
		return err
	}
	if r.rng.IntN(4) == 0 {
		r.again++
		summary, err = r.untilDone(ctx, request)
		if err == nil && summary.Days != 0 {
			err = fmt.Errorf("the same roll to %s again, after it was acknowledged, ended %d days", to, summary.Days)
		}
	}
	return err
}

// untilDone calls until there is a summary.
func (r *roller) untilDone(ctx context.Context, request *bkv1.RollRequest) (*bkv1.RollSummary, error) {
	for {
		call, cancel := context.WithTimeout(ctx, rollTimeout)
		summary, err := r.call(call, request)
		cancel()
		if err == nil {
			r.underWay.Store(false)
			return summary, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := breach(err); err != nil {
			return nil, err
		}
		r.at = (r.at + 1) % len(r.to)
		if err := pause(ctx, time.Duration(r.rng.Int64N(int64(longestPause)))); err != nil {
			return nil, err
		}
	}
}

// errContradiction is an answer that contradicts an earlier one.
var errContradiction = errors.New("contradiction")

// breach gives a failed call's error if it is one: all that is asked for is right, so the only right refusals are those that ask to come again.
func breach(err error) error {
	if errors.Is(err, errContradiction) {
		return err
	}
	if out := failed(err); out.reason != "" && !bkclient.RetryableReason(out.reason) {
		return fmt.Errorf("a roll was refused (%s): %s", out.reason, out.message)
	}
	return nil
}

// call asks once, and holds what it is told against what it was told before.
func (r *roller) call(ctx context.Context, request *bkv1.RollRequest) (*bkv1.RollSummary, error) {
	r.calls++
	stream, err := r.to[r.at].Admin.Roll(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	began, told := time.Time{}, int32(0)
	for stream.Receive() {
		switch step := stream.Msg().Step.(type) {
		case *bkv1.RollResponse_Progress:
			if began.IsZero() && step.Progress.Done == 0 {
				began = time.Now()
			}
			r.underWay.Store(true)
		case *bkv1.RollResponse_Day:
			told++
			if err := r.told(step.Day, request); err != nil {
				return nil, err
			}
		case *bkv1.RollResponse_Summary:
			s := step.Summary
			if s.Date != request.To || s.Days != told {
				return nil, fmt.Errorf("%w: a roll to %d was told as %d days, and its summary says %d days, to %d", errContradiction, request.To, told, s.Days, s.Date)
			}
			if !began.IsZero() {
				r.took.Store(int64(time.Since(began)))
			}
			return s, nil
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: a roll to %d ended well, without a summary", errContradiction, request.To)
}

// told remembers the end of a day.
func (r *roller) told(day *bkv1.RolledDay, request *bkv1.RollRequest) error {
	date := ledger.Date(day.Date)
	if before, known := r.days[date]; known && (before.Token != day.Token || before.CutHash != day.CutHash) {
		return fmt.Errorf("%w: the end of %s was told as %v, and again as %v", errContradiction, date, before, day)
	}
	if day.Date > request.To || day.Date <= r.date.Load() {
		return fmt.Errorf("%w: a roll from %d to %d told of %s", errContradiction, r.date.Load(), request.To, date)
	}
	r.days[date] = day
	return nil
}

// standsAt asks for the business date, and takes a server's silence.
func (r *roller) standsAt(ctx context.Context, summary *bkv1.RollSummary) error {
	call, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	res, err := r.to[r.at].Query.GetBusinessDate(call, connect.NewRequest(&bkv1.GetBusinessDateRequest{AtLeast: summary.Token}))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return breach(err)
	case res.Msg.Date != summary.Date || res.Msg.Rolling:
		return fmt.Errorf("%w: the business date is said to be %d, rolling %v, after a roll to %d", errContradiction, res.Msg.Date, res.Msg.Rolling, summary.Date)
	}
	return nil
}

func (r *roller) close() {
	for _, c := range r.to {
		c.Close()
	}
}
