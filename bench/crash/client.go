package main

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"time"

	bkclient "github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/ledger"
)

const (
	callTimeout  = 10 * time.Second
	longestPause = 50 * time.Millisecond // between tries: the sooner they come, the more they meet what is half up
	pace         = 4 * time.Millisecond  // for a command of a client, outside of rushes: on two cores the restarts need their part
	longestThink = 200 * time.Millisecond
	repeatChunk  = 20 // acknowledged commands that are sent again, at most, beside a chunk
	streetChunk  = 10 // trades whose street side is settled, at most, beside a chunk
	customers    = 300
	endlessDay   = 100_000_000 // trades; no run books that many
)

// trader is a client of the ledger: it books its own trading day chunk by chunk, in all the ways that the API has, sends every command
// with the same key until it is acknowledged, and now and then one again that was acknowledged before, or the street side of a trade.
type trader struct {
	name   string
	rng    *rand.Rand
	memory *memory
	next   func() *order
	ends   func()             // gives the day back
	to     []*bkclient.Client // the places where a server may be
	at     int                // the one that answered last
	rush   *atomic.Bool       // book without a rest
	alive  atomic.Int64       // when the latest try that booked something began, in nanoseconds since 1970
}

func newTrader(n int, seed uint64, addresses []string, t *tally, rush *atomic.Bool, today func() ledger.Date) (*trader, error) {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	day, err := tradingDay(n, seed, rng, today)
	if err != nil {
		return nil, err
	}
	next, ends := iter.Pull(day)
	tr := &trader{name: fmt.Sprintf("client %d", n), rng: rng, memory: newMemory(rng, t), ends: ends, rush: rush}
	tr.next = func() *order { o, _ := next(); return o }
	for _, address := range addresses {
		c, err := bkclient.New(address)
		if err != nil {
			return nil, err
		}
		tr.to = append(tr.to, c)
	}
	return tr, nil
}

// run books until stop is closed and the chunk at hand is acknowledged. An error is a breach, or that ctx has ended.
func (t *trader) run(ctx context.Context, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		w := ways[t.rng.IntN(len(ways))]
		chunk := make([]*order, 1+t.rng.IntN(w.most))
		for i := range chunk {
			chunk[i] = t.order()
		}
		if err := t.book(ctx, w, chunk); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if len(t.memory.sample) > 0 && t.rng.IntN(4) == 0 {
			if err := t.repeat(ctx); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		if len(t.memory.sample) > 0 && t.rng.IntN(4) == 0 {
			if err := t.settleStreet(ctx); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		if !t.rush.Load() {
			if err := pause(ctx, min(time.Duration(len(chunk))*pace, longestThink)); err != nil {
				return err
			}
		}
	}
}

// order gives the next order of the day. A trade now and then comes in the place of one whose cancel was acknowledged, of a few of them more than once.
func (t *trader) order() *order {
	o := t.next()
	if len(t.memory.sample) == 0 || o.message.GetTrade() == nil {
		return o
	}
	cancel := t.memory.sample[t.rng.IntN(len(t.memory.sample))]
	if cancel.message.GetCancel() == nil {
		return o
	}
	canceled := t.memory.receipts[cancel.target].entry
	return linkOrder(o, cancel.target, canceled, t.rng.IntN(2) == 0)
}

// repeat sends some acknowledged commands again.
func (t *trader) repeat(ctx context.Context) error {
	again := make([]*order, 1+t.rng.IntN(repeatChunk))
	for i := range again {
		again[i] = t.memory.sample[t.rng.IntN(len(t.memory.sample))]
	}
	return t.book(ctx, ways[t.rng.IntN(len(ways))], again)
}

// settleStreet settles the street side of some trades. What may be refused goes in no atomic batch: it would take the others with it.
func (t *trader) settleStreet(ctx context.Context) error {
	var orders []*order
	for range 1 + t.rng.IntN(streetChunk) {
		if o := t.memory.sample[t.rng.IntN(len(t.memory.sample))]; o.trade {
			orders = append(orders, streetOrder(o))
		}
	}
	if len(orders) == 0 {
		return nil
	}
	return t.book(ctx, partly[t.rng.IntN(len(partly))], orders)
}

// repeatAll sends the whole sample again.
func (t *trader) repeatAll(ctx context.Context) error {
	for rest := t.memory.sample; len(rest) > 0; {
		n := min(len(rest), 500)
		if err := t.book(ctx, each, rest[:n]); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		rest = rest[n:]
	}
	return nil
}

// book sends orders until all are answered for good.
func (t *trader) book(ctx context.Context, w way, open []*order) error {
	for {
		for _, o := range open {
			t.memory.sending(o)
		}
		began, had := time.Now(), len(t.memory.receipts)
		call, cancel := context.WithTimeout(ctx, callTimeout)
		outcomes := w.send(call, t.to[t.at].Booking, open)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		again, elsewhere, err := t.take(open, outcomes)
		if err == nil && w.whole {
			err = wholeOrNot(open, outcomes)
		}
		if err != nil {
			return err
		}
		if len(t.memory.receipts) > had {
			t.alive.Store(began.UnixNano())
		}
		if len(again) == 0 {
			return nil
		}
		if elsewhere {
			t.at = (t.at + 1) % len(t.to)
		}
		open = again
		if err := pause(ctx, rand.N(longestPause)); err != nil {
			return err
		}
	}
}

// take holds the outcomes against the memory, and gives the orders that must be sent again, and whether to another server.
func (t *trader) take(open []*order, outcomes []outcome) (again []*order, elsewhere bool, err error) {
	for i, o := range open {
		switch out := outcomes[i]; {
		case out.receipt != nil:
			if err := t.memory.answered(o, out.receipt); err != nil {
				return nil, false, err
			}
			continue
		case out.reason != "":
			final, err := t.memory.refused(o, out.reason, out.message)
			if err != nil {
				return nil, false, err
			}
			if final {
				continue
			}
			elsewhere = elsewhere || out.reason == "not_leader" || out.reason == "unavailable"
		default:
			t.memory.lost(o)
			elsewhere = true
		}
		again = append(again, o)
	}
	return again, elsewhere, nil
}

// wholeOrNot checks a chunk that was sent to be booked whole or not at all: its receipts are all new, or all repeats.
func wholeOrNot(open []*order, outcomes []outcome) error {
	repeats, receipts := 0, 0
	for _, out := range outcomes {
		if out.receipt != nil {
			receipts++
			if out.receipt.Repeat {
				repeats++
			}
		}
	}
	if receipts != 0 && receipts != len(open) || repeats != 0 && repeats != receipts {
		return fmt.Errorf("of an atomic batch from key %s to %s %d of %d were answered with a receipt, %d of them as repeats", open[0].key, open[len(open)-1].key, receipts, len(open), repeats)
	}
	return nil
}

func (t *trader) close() {
	t.ends()
	for _, c := range t.to {
		c.Close()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
