package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/bench/tradingday"
	"github.com/bkledger/bk/ledger"
)

const (
	patience     = 90 * time.Second       // for anything to come back; the slowest is Apache Kafka on busy cores
	shortestRush = 300 * time.Millisecond // before a fault
	longestRush  = 900 * time.Millisecond
	longestGap   = 3 * time.Second        // in which the broker is gone
	longestDrop  = time.Second            // in which Postgres is gone
	muteTime     = 50 * time.Millisecond  // in which Postgres' answers are lost
	longestAim   = 5 * time.Second        // in which a roll is waited for
	longestStart = 400 * time.Millisecond // after which a starting server is killed again
)

// loop is a run of the crash loop.
type loop struct {
	world   *world
	traders []*trader
	roller  *roller
	tally   *tally
	rush    atomic.Bool
	rng     *rand.Rand
	out     io.Writer
	hits    int  // faults while a roll was under way
	days    days // as the check found them in the journal
	worst   struct {
		booking, rest time.Duration
		round         int
	}
}

// run books and rolls through all rounds, and then until every command is acknowledged. The ledger is at rest after it, a day further.
func (l *loop) run(ctx context.Context, deck []fault) error {
	if err := l.define(ctx); err != nil {
		return fmt.Errorf("define accounts and instruments: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(nil)
	l.tally.begin(time.Now())
	for _, t := range l.traders {
		running.Go(func() {
			if err := t.run(ctx, stop); err != nil {
				cancel(err)
			}
		})
	}
	running.Go(func() {
		if err := l.roller.run(ctx, stop); err != nil {
			cancel(err)
		}
	})
	for i, f := range deck {
		if err := l.round(ctx, i+1, f); err != nil {
			return l.cause(ctx, fmt.Errorf("round %d, %s: %w", i+1, f.what, err))
		}
	}
	close(stop)
	drained := make(chan struct{})
	go func() { running.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(patience):
		cancel(fmt.Errorf("the clients' last commands, or the last roll, were not acknowledged within %s", patience))
		<-drained
	}
	if err := l.cause(ctx, nil); err != nil {
		return err
	}
	// What was booked last comes to be due, too.
	last, done := context.WithTimeout(ctx, patience)
	defer done()
	if err := l.roller.roll(last); err != nil {
		return fmt.Errorf("the last roll: %w", err)
	}
	return nil
}

// cause prefers what ended a client to what came of it.
func (l *loop) cause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// define makes what the traders trade with.
func (l *loop) define(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	day, err := tradingday.New(tradingday.Config{Customers: customers})
	if err != nil {
		return err
	}
	accounts := &bkv1.CreateAccountsRequest{Source: "crash"}
	for _, a := range day.Accounts() {
		accounts.Accounts = append(accounts.Accounts, wire.Account(a))
	}
	instruments := &bkv1.CreateInstrumentsRequest{Source: "crash"}
	for _, in := range append(day.Instruments(), ledger.Currency("EUR")) {
		instruments.Instruments = append(instruments.Instruments, wire.Instrument(in))
	}
	directory := l.world.servers[0].client.Directory
	opened, err := directory.CreateAccounts(ctx, connect.NewRequest(accounts))
	if err != nil {
		return err
	}
	for _, r := range opened.Msg.Results {
		if r.GetError() != nil {
			return errors.New(r.GetError().String())
		}
	}
	defined, err := directory.CreateInstruments(ctx, connect.NewRequest(instruments))
	if err != nil {
		return err
	}
	for _, r := range defined.Msg.Results {
		if r.GetError() != nil {
			return errors.New(r.GetError().String())
		}
	}
	return nil
}

// round lets the load run for a while, does what the fault says, and waits until everything goes on.
func (l *loop) round(ctx context.Context, n int, f fault) error {
	if f == takeover {
		if err := l.standBy(ctx); err != nil {
			return err
		}
	}
	// A rush from before the fault until all book again: the more is under way, the more a fault can spoil.
	l.rush.Store(true)
	if err := pause(ctx, shortestRush+time.Duration(l.rng.Int64N(int64(longestRush-shortestRush)))); err != nil {
		return err
	}
	if err := l.aim(ctx); err != nil {
		return err
	}
	rolling := l.roller.underWay.Load()
	restore, err := l.strike(ctx, f)
	if err != nil {
		return err
	}
	hit := ""
	if rolling {
		l.hits++
		hit = ", in a roll"
	}
	struck := time.Now()
	restored := make(chan error, 1)
	var back time.Duration
	go func() {
		err := restore(ctx)
		back = time.Since(struck)
		restored <- err
	}()
	err = l.world.await(ctx, "the clients to book again", func(context.Context) (bool, string) { return l.bookedSince(struck) })
	booking := time.Since(struck)
	l.rush.Store(false)
	if err = errors.Join(<-restored, err); err != nil {
		return err
	}
	head := l.tally.head.Load()
	err = l.world.await(ctx, "projections and publisher", func(ctx context.Context) (bool, string) { return l.world.caughtUp(ctx, head) })
	if err != nil {
		return err
	}
	rest := time.Since(struck)
	if rest > l.worst.rest {
		l.worst.booking, l.worst.rest, l.worst.round = booking, rest, n
	}
	fmt.Fprintf(l.out, "%3d  %-52s %9d entries, up to %s %8d retries   back after %5.2f s, booking %5.2f s, all caught up %5.2f s\n",
		n, f.what+hit, l.tally.head.Load(), l.roller.date.today(), l.tally.retries.Load(), back.Seconds(), booking.Seconds(), rest.Seconds())
	return nil
}

// aim waits, before about every other fault, until a roll is under way, and then for a part of the time that the last one took.
func (l *loop) aim(ctx context.Context) error {
	aimed, part := l.rng.IntN(2) == 0, l.rng.Float64()
	if !aimed {
		return nil
	}
	l.roller.hurry()
	for began := time.Now(); !l.roller.underWay.Load() && time.Since(began) < longestAim; {
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return pause(ctx, time.Duration(part*float64(l.roller.took.Load())))
}

// strike kills what the fault says, and gives what brings it back.
func (l *loop) strike(ctx context.Context, f fault) (restore func(context.Context) error, err error) {
	w := l.world
	at := w.running()
	if leads, _ := w.leader(ctx); leads != nil {
		at = leads
	}
	// Chance is asked here and not in what it returns: a seed gives the same run.
	after := func(longest time.Duration, do func(context.Context) error) func(context.Context) error {
		gap := time.Duration(l.rng.Int64N(int64(longest)))
		return func(ctx context.Context) error {
			if err := pause(ctx, gap); err != nil {
				return err
			}
			return do(ctx)
		}
	}
	switch f {
	case takeover:
		at.kill()
		return func(context.Context) error { return nil }, nil
	case restart:
		at.kill()
		return func(context.Context) error { return at.start() }, nil
	case restartTwice:
		again := after(longestStart, func(context.Context) error { at.kill(); return at.start() })
		at.kill()
		if err := at.start(); err != nil {
			return nil, err
		}
		return again, nil
	case dropPostgres:
		return after(longestDrop, w.postgres.Start), w.postgres.Kill()
	case mutePostgres:
		start := after(longestDrop, w.postgres.Start)
		w.proxy.mute()
		// Long enough for what is under way to be committed; nothing new begins without an answer.
		if err := pause(ctx, muteTime); err != nil {
			return nil, err
		}
		err := w.postgres.Kill()
		w.proxy.cut()
		return start, err
	case dropKafka:
		w.broker.Kill()
		return after(longestGap, w.broker.Start), nil
	}
	return nil, fmt.Errorf("no such fault: %s", f.what)
}

// standBy starts a second server and waits until it serves.
func (l *loop) standBy(ctx context.Context) error {
	standby := l.world.other(l.world.running())
	if err := standby.start(); err != nil {
		return err
	}
	return l.world.await(ctx, "a second server to stand by", func(context.Context) (bool, string) {
		return standby.ready(), "it has not written its ready file"
	})
}

// bookedSince reports whether every client has booked something with a call that began after the time given, and if not, who has not.
func (l *loop) bookedSince(began time.Time) (bool, string) {
	var missing []string
	for _, t := range l.traders {
		if t.alive.Load() < began.UnixNano() {
			missing = append(missing, t.name)
		}
	}
	return len(missing) == 0, "nothing was booked for " + strings.Join(missing, ", ")
}
