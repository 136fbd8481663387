package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/bench/tradingday"
)

const (
	patience     = 90 * time.Second // for anything to come back; the slowest is Apache Kafka on busy cores
	longestCalm  = 600 * time.Millisecond
	longestGap   = 3 * time.Second        // in which the broker is gone
	longestDrop  = time.Second            // in which Postgres is gone
	longestStart = 400 * time.Millisecond // after which a starting server is killed again
)

// loop is a run of the crash loop.
type loop struct {
	world   *world
	traders []*trader
	tally   *tally
	rng     *rand.Rand
	out     io.Writer
	worst   struct {
		booking, rest time.Duration
		round         int
	}
}

// run books through all rounds, and then until every command is acknowledged. The ledger is at rest after it.
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
		cancel(fmt.Errorf("the clients' last commands were not acknowledged within %s", patience))
		<-drained
	}
	return l.cause(ctx, nil)
}

// cause prefers what ended a client to what came of it.
func (l *loop) cause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return errors.Join(err, ctx.Err())
}

// define makes what the traders trade with.
func (l *loop) define(ctx context.Context) error {
	day, err := tradingday.New(tradingday.Config{Customers: customers})
	if err != nil {
		return err
	}
	accounts := &bkv1.CreateAccountsRequest{Source: "crash"}
	for _, a := range day.Accounts() {
		accounts.Accounts = append(accounts.Accounts, wire.Account(a))
	}
	instruments := &bkv1.CreateInstrumentsRequest{Source: "crash"}
	for _, in := range day.Instruments() {
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
	if err := pause(ctx, time.Duration(l.rng.Int64N(int64(longestCalm)))); err != nil {
		return err
	}
	began := time.Now()
	if err := l.strike(ctx, f); err != nil {
		return err
	}
	err := l.world.await(ctx, "the clients to book again", func(context.Context) (bool, string) { return l.bookedSince(began) })
	if err != nil {
		return err
	}
	booking := time.Since(began)
	head := l.tally.head.Load()
	err = l.world.await(ctx, "projections and publisher", func(ctx context.Context) (bool, string) { return l.world.caughtUp(ctx, head) })
	if err != nil {
		return err
	}
	rest := time.Since(began)
	if rest > l.worst.rest {
		l.worst.booking, l.worst.rest, l.worst.round = booking, rest, n
	}
	fmt.Fprintf(l.out, "%3d  %-42s %9d entries %7d retries   booking after %6.2f s, stream and projections after %6.2f s\n",
		n, f.what, l.tally.entries.Load(), l.tally.retries.Load(), booking.Seconds(), rest.Seconds())
	return nil
}

// strike does the fault and starts again what it ended.
func (l *loop) strike(ctx context.Context, f fault) error {
	w := l.world
	at := w.running()
	if leads, _ := w.leader(ctx); leads != nil {
		at = leads
	}
	switch f {
	case takeover:
		at.kill()
		return nil
	case restart:
		at.kill()
		return at.start()
	case restartTwice:
		at.kill()
		if err := at.start(); err != nil {
			return err
		}
		if err := pause(ctx, time.Duration(l.rng.Int64N(int64(longestStart)))); err != nil {
			return err
		}
		at.kill()
		return at.start()
	case dropPostgres:
		if err := w.postgres.Kill(); err != nil {
			return err
		}
		if err := pause(ctx, time.Duration(l.rng.Int64N(int64(longestDrop)))); err != nil {
			return err
		}
		return w.postgres.Start(ctx)
	case dropKafka:
		w.broker.Kill()
		if err := pause(ctx, time.Duration(l.rng.Int64N(int64(longestGap)))); err != nil {
			return err
		}
		return w.broker.Start(ctx)
	}
	return fmt.Errorf("no such fault: %s", f.what)
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
