package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/bench/tradingday"
	"github.com/bkledger/bk/ledger"
)

const (
	demoLanes  = 4   // batches in flight; each account's commands go through one lane, so that they are booked in their order
	demoBatch  = 250 // commands of a batch
	demoDefine = 1000

	retryPause = 50 * time.Millisecond
	retryFor   = time.Minute
)

// define makes the day's accounts and instruments.
func define(ctx context.Context, c *client.Client, day *tradingday.Day) error {
	var instruments []*bkv1.Instrument
	for _, in := range day.Instruments() {
		instruments = append(instruments, wire.Instrument(in))
	}
	defined, err := c.Directory.CreateInstruments(ctx, connect.NewRequest(&bkv1.CreateInstrumentsRequest{Instruments: instruments, Source: "demo"}))
	if err != nil {
		return fmt.Errorf("define instruments: %w", err)
	}
	for _, r := range defined.Msg.Results {
		if e := r.GetError(); e != nil {
			return fmt.Errorf("define instruments: %s: %s", e.Detail.GetReason(), e.Detail.GetMessage())
		}
	}
	for some := range slices.Chunk(day.Accounts(), demoDefine) {
		var accounts []*bkv1.Account
		for _, a := range some {
			accounts = append(accounts, wire.Account(a))
		}
		opened, err := c.Directory.CreateAccounts(ctx, connect.NewRequest(&bkv1.CreateAccountsRequest{Accounts: accounts, Source: "demo"}))
		if err != nil {
			return fmt.Errorf("open accounts: %w", err)
		}
		for _, r := range opened.Msg.Results {
			if e := r.GetError(); e != nil {
				return fmt.Errorf("open accounts: %s: %s", e.Detail.GetReason(), e.Detail.GetMessage())
			}
		}
	}
	return nil
}

// demoLoad books a day through the API and measures.
type demoLoad struct {
	client *client.Client
	day    *tradingday.Day
	meter  *meter

	prices map[string]ledger.Amount // the last ones, by symbol
	took   time.Duration
	ended  time.Time

	mu        sync.Mutex
	latencies []time.Duration // of the batches
	booked    int             // commands
	rejected  int
	rejection string // the first one
	token     ledger.Token
}

func (l *demoLoad) run(ctx context.Context) error {
	l.prices = map[string]ledger.Amount{}
	defer l.meter.clear()
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	lanes := make([]chan []*bkv1.Command, demoLanes)
	for i := range lanes {
		lanes[i] = make(chan []*bkv1.Command, 1)
		group.Go(func() error {
			for batch := range lanes[i] {
				if err := l.book(ctx, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer func() {
			for _, lane := range lanes {
				close(lane)
			}
		}()
		return l.generate(ctx, lanes)
	})
	err := group.Wait()
	l.ended = time.Now()
	l.took = l.ended.Sub(began)
	if err != nil {
		return fmt.Errorf("book the day: %w", err)
	}
	if l.rejected > 0 {
		return fmt.Errorf("%d of the day's commands were rejected, the first: %s", l.rejected, l.rejection)
	}
	return nil
}

// generate makes the commands and deals them to the lanes.
func (l *demoLoad) generate(ctx context.Context, lanes []chan []*bkv1.Command) error {
	filling := make([][]*bkv1.Command, len(lanes))
	deal := func(i int) error {
		select {
		case lanes[i] <- filling[i]:
			filling[i] = nil
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for c := range l.day.Commands() {
		if c.Trade != nil {
			l.prices[c.Trade.Instrument.Value] = c.Trade.Price
		}
		account := fnv.New32a()
		account.Write([]byte(tradingday.Account(c)))
		i := int(account.Sum32() % uint32(len(lanes)))
		if filling[i] = append(filling[i], tradingday.Message(c)); len(filling[i]) == demoBatch {
			if err := deal(i); err != nil {
				return err
			}
		}
	}
	for i := range lanes {
		if len(filling[i]) > 0 {
			if err := deal(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// book sends a batch until it is booked: the keys make sure that nothing is booked twice.
func (l *demoLoad) book(ctx context.Context, batch []*bkv1.Command) error {
	began := time.Now()
	for {
		sent := time.Now()
		answer, err := l.client.Booking.BookBatch(ctx, connect.NewRequest(&bkv1.BookBatchRequest{Mode: bkv1.BatchMode_BATCH_MODE_EACH, Commands: batch}))
		if err == nil && !undecided(answer.Msg.Results) {
			l.count(answer.Msg, time.Since(sent))
			return nil
		}
		if err != nil && !client.Retryable(err) {
			return err
		}
		if time.Since(began) > retryFor {
			return errors.Join(fmt.Errorf("a batch was not booked within %s", retryFor), err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(retryPause):
		}
	}
}

// undecided reports whether a command was turned away for now, or whether nobody knows.
func undecided(results []*bkv1.CommandResult) bool {
	return slices.ContainsFunc(results, func(r *bkv1.CommandResult) bool { return client.RetryableReason(r.GetError().GetDetail().GetReason()) })
}

func (l *demoLoad) count(answer *bkv1.BookBatchResponse, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latencies = append(l.latencies, took)
	for _, r := range answer.Results {
		e := r.GetError()
		if e == nil {
			l.booked++
			continue
		}
		if l.rejected++; l.rejection == "" {
			l.rejection = fmt.Sprintf("%s: %s %s", e.Detail.GetReason(), e.Detail.GetField(), e.Detail.GetMessage())
		}
	}
	if token, err := ledger.ParseToken(answer.Token); err == nil && token.Seq > l.token.Seq {
		l.token = token
	}
	done, total := int64(l.booked), int64(l.day.Trades()) // cancels come on top of the trades
	l.meter.show(min(done, total-1), total, "booking")
}

// quantile gives the latency that a share of the batches does not exceed.
func (l *demoLoad) quantile(q float64) time.Duration {
	if len(l.latencies) == 0 {
		return 0
	}
	slices.Sort(l.latencies)
	return l.latencies[min(int(q*float64(len(l.latencies))), len(l.latencies)-1)]
}
