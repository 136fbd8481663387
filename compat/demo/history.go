package demo

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/compat/bank"
)

// The business dates of Bank's history, and the one on which the clients begin: the week before, from Tuesday to Friday, and Monday.
var historyDays = []bank.Date{20131001, 20131002, 20131003, 20131004}

const firstDay bank.Date = 20131007

const (
	historyBatch = 50 // trades of a call
	historyLanes = 4  // calls at once
)

// history gives Bank a past, through its own API: trades of all clients over some business days, some of them cancelled, so that the older ones have settled when the clients begin.
func (c *clients) history(ctx context.Context, to *bank.Client, trades int) error {
	each := (trades + len(historyDays)*len(c.all) - 1) / (len(historyDays) * len(c.all)) // trades of a client and day
	for _, day := range historyDays {
		if err := c.roll(ctx, to, day); err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(historyLanes)
		for _, one := range c.all {
			group.Go(func() error { return one.past(ctx, to, day, each) })
		}
		if err := group.Wait(); err != nil {
			return fmt.Errorf("Bank's history, %s: %w", day, err)
		}
	}
	return c.roll(ctx, to, firstDay)
}

// past books a client's trades of a day, and cancels a few of them.
func (c *client) past(ctx context.Context, to *bank.Client, day bank.Date, trades int) error {
	roll := c.rolls.Load()
	for trades > 0 {
		var some []bank.Trade
		for range min(trades, historyBatch) {
			some = append(some, c.draw(day))
		}
		trades -= len(some)
		booked, err := to.BookTrades(ctx, some)
		if err != nil {
			return err
		}
		c.took(some, booked, roll)
		p := c.last[len(c.last)-1-c.IntN(len(some))]
		if p.canceled {
			continue
		}
		if err := to.CancelTrade(ctx, p.ref()); err != nil {
			return err
		}
		c.undo(p)
	}
	return nil
}

// roll takes the business date forward.
func (c *clients) roll(ctx context.Context, to *bank.Client, day bank.Date) error {
	c.rolls.Add(1)
	if err := to.Roll(ctx, day); err != nil {
		return fmt.Errorf("roll to %s: %w", day, err)
	}
	c.today.Store(int32(day))
	c.figures.rolled(day)
	return nil
}
