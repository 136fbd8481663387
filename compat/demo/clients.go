package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

const (
	accountsEach = 4       // accounts of a client, which are nobody else's
	firstAccount = 100_001 // ids ascend from here
	theEntity    = 1
	stranger     = 999_999_999 // an account that nobody has opened

	tooFarBehind = 400 // writes that wait for the secondary: clients wait until there are fewer
	callGrace    = 5 * time.Second
)

// market is what all clients see alike.
type market struct {
	today  atomic.Int32 // the business date, as it was acknowledged
	rolls  atomic.Int64 // of the business date that were begun
	behind atomic.Int64 // writes that wait for the secondary
}

// clients are the users of the legacy API. They know a URL, and what they were answered; they never try anything again.
type clients struct {
	*market
	all     []*client
	figures *figures

	running sync.WaitGroup
	halt    chan struct{} // closed: no more calls
	stopped sync.Once
	calls   context.Context // ends a while after halt
	cut     context.CancelFunc
}

// newClients makes n clients, with their accounts. Nothing is called yet.
func newClients(n int, seed uint64, m *market, f *figures) *clients {
	c := &clients{market: m, figures: f, halt: make(chan struct{})}
	c.calls, c.cut = context.WithCancel(context.Background())
	for i := range n {
		c.all = append(c.all, newClient(c, i, seed))
	}
	return c
}

func (c *clients) accounts() (all []bank.ID) {
	for _, one := range c.all {
		all = append(all, one.accounts...)
	}
	return all
}

// connections is what HTTP goes through: each client has one of its own.
func connections(n int) http.RoundTripper {
	return &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, MaxIdleConns: 2 * n, MaxIdleConnsPerHost: 2 * n, IdleConnTimeout: time.Minute}
}

// open opens the accounts, at Bank itself.
func (c *clients) open(ctx context.Context, operations *bank.Client) error {
	if _, err := operations.CreateEntity(ctx, bank.Entity{EntityID: theEntity, ClientCode: "DEMO", LegalName: "Demo Securities Inc."}); err != nil {
		return fmt.Errorf("open the entity: %w", err)
	}
	for _, id := range c.accounts() {
		if _, err := operations.CreateAccount(ctx, bank.NewAccount{AccountID: id, EntityID: theEntity, Name: fmt.Sprintf("Account %d", id)}); err != nil {
			return fmt.Errorf("open account %s: %w", id, err)
		}
	}
	return nil
}

// start has all clients trade, each with a pause of think, on average, between two calls.
func (c *clients) start(at *bank.Client, think time.Duration) {
	for _, one := range c.all {
		one.api = at
		c.running.Go(func() { one.trade(think) })
	}
}

// move has all clients go on at another address, each between two of its calls, as a load balancer does it. Nobody calls the one before when it returns.
func (c *clients) move(ctx context.Context, to *bank.Client) error {
	return c.each(ctx, func(one *client) { one.api = to })
}

// stop ends all clients behind their last answer, and waits for that.
func (c *clients) stop() {
	c.stopped.Do(func() {
		close(c.halt)
		timer := time.AfterFunc(callGrace, c.cut)
		c.running.Wait()
		timer.Stop()
		c.cut()
	})
}

// await waits until so many more requests were answered, or so much time is over.
func (c *clients) await(ctx context.Context, requests int, longest time.Duration) error {
	began, _, _ := c.figures.counts()
	over := time.NewTimer(longest)
	defer over.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if now, _, _ := c.figures.counts(); now >= began+int64(requests) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-over.C:
			if now, _, _ := c.figures.counts(); now == began {
				return fmt.Errorf("no client had an answer within %s", longest)
			}
			return nil
		case <-look.C:
		}
	}
}

// each has every client do something between two of its calls, and waits for all.
func (c *clients) each(ctx context.Context, do func(*client)) error {
	done := make(chan struct{}, len(c.all))
	for _, one := range c.all {
		select {
		case one.orders <- func() { do(one); done <- struct{}{} }:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for range c.all {
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// The accounts of a client are in two halves. rest has all clients leave one alone, and trade on the other; neither has them trade on all. What was written to the half
// before has been answered when it returns.
func (c *clients) rest(ctx context.Context, half int) error {
	return c.each(ctx, func(one *client) { one.resting = half })
}

// neither of the halves.
const neither = -1

// halfOf gives the half that an account is in.
func halfOf(account bank.ID) int { return int(account-firstAccount) % 2 }

// pause lets a client think, and waits while the secondary is far behind. false: no more calls.
func (c *client) pause(think time.Duration) bool {
	for {
		select {
		case <-c.halt:
			return false
		case order := <-c.orders:
			order()
			continue
		case <-time.After(think):
		}
		if c.behind.Load() < tooFarBehind {
			return true
		}
		think = 20 * time.Millisecond
	}
}
