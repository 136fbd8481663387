package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
)

const (
	warmUpTrades = 500
	firstWarmUp  = 500_000_000 // beyond all trades that are measured
)

// served is a server in a child process, with clients of its own connection each.
type served struct {
	*child
	before  int
	clients []*client.Client
}

func (b *bench) serve(ctx context.Context, dsn string, clients int, followed bool) (*served, error) {
	c, err := startChild(ctx, b.cfg.Child, job{Server: &serverJob{DSN: dsn, Followed: followed}})
	if err != nil {
		return nil, err
	}
	var at serverAnswer
	if err := c.answer(&at); err != nil {
		return nil, errors.Join(err, c.end())
	}
	s := &served{child: c, before: at.Before}
	for range clients {
		one, err := client.New(at.URL)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.clients = append(s.clients, one)
		if err := s.warmUp(ctx, one); err != nil {
			return nil, errors.Join(fmt.Errorf("warm up: %w", err), s.close())
		}
	}
	return s, nil
}

// warmUp opens the connection and books a few trades that no other caller books.
func (s *served) warmUp(ctx context.Context, c *client.Client) error {
	r := &bkv1.BookBatchRequest{Mode: bkv1.BatchMode_BATCH_MODE_EACH}
	for range warmUpTrades {
		r.Commands = append(r.Commands, workload{}.request(firstWarmUp+s.before))
		s.before++
	}
	return bookBatch(ctx, c, r)
}

// bookBatch books a batch and checks every answer.
func bookBatch(ctx context.Context, c *client.Client, r *bkv1.BookBatchRequest) error {
	res, err := c.Booking.BookBatch(ctx, connect.NewRequest(r))
	if err != nil {
		return err
	}
	for _, r := range res.Msg.Results {
		if err := booked(r.GetReceipt(), r.GetError()); err != nil {
			return err
		}
	}
	if len(res.Msg.Results) != len(r.Commands) {
		return fmt.Errorf("%d answers to %d commands", len(res.Msg.Results), len(r.Commands))
	}
	return nil
}

func (s *served) close() error {
	for _, c := range s.clients {
		c.Close()
	}
	return s.end()
}

func (s *served) pid() int { return s.command.Process.Pid }

// request makes the n-th trade as the API has it.
func (w workload) request(n int) *bkv1.Command {
	c := w.trade(n)
	return &bkv1.Command{
		Key: c.Key, Source: c.Source, TradeDate: int32(c.TradeDate), Command: &bkv1.Command_Trade{Trade: wire.Trade(c.Kind, c.Trade)},
	}
}

// connectUnary books n trades by single calls.
func (b *bench) connectUnary(n, callers, clients int) func(context.Context, string) (tally, error) {
	return func(ctx context.Context, dsn string) (t tally, err error) {
		s, err := b.serve(ctx, dsn, clients, false)
		if err != nil {
			return tally{}, err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		requests := make([]*bkv1.BookTradeRequest, n)
		for i := range requests {
			c := workload{}.request(i)
			requests[i] = &bkv1.BookTradeRequest{Key: c.Key, Source: c.Source, TradeDate: c.TradeDate, Trade: c.GetTrade()}
		}
		calls := make([]call, n)
		clock := b.startClock(s.pid())
		err = closedLoop(callers, n, func(caller, i int) error {
			began := time.Now()
			res, err := s.clients[caller%clients].Booking.BookTrade(ctx, connect.NewRequest(requests[i]))
			if err == nil {
				err = booked(res.Msg.Receipt, nil)
			}
			calls[i] = call{time.Since(began), 1}
			return err
		})
		return clock.stop(s.before, calls), err
	}
}

// connectBatch books n trades by calls of size each, each trade on its own.
func (b *bench) connectBatch(n, size, callers, clients int, followed bool) func(context.Context, string) (tally, error) {
	return func(ctx context.Context, dsn string) (t tally, err error) {
		s, err := b.serve(ctx, dsn, clients, followed)
		if err != nil {
			return tally{}, err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		var requests []*bkv1.BookBatchRequest
		for from := 0; from < n; from += size {
			r := &bkv1.BookBatchRequest{Mode: bkv1.BatchMode_BATCH_MODE_EACH}
			for i := from; i < min(n, from+size); i++ {
				r.Commands = append(r.Commands, workload{}.request(i))
			}
			requests = append(requests, r)
		}
		calls := make([]call, len(requests))
		clock := b.startClock(s.pid())
		err = closedLoop(callers, len(requests), func(caller, i int) error {
			began := time.Now()
			err := bookBatch(ctx, s.clients[caller%clients], requests[i])
			calls[i] = call{time.Since(began), len(requests[i].Commands)}
			return err
		})
		return clock.stop(s.before, calls), err
	}
}

// connectStream books n trades one by one on streams, each with at most window unanswered.
func (b *bench) connectStream(n, streams, window int) func(context.Context, string) (tally, error) {
	return func(ctx context.Context, dsn string) (t tally, err error) {
		s, err := b.serve(ctx, dsn, streams, false)
		if err != nil {
			return tally{}, err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		requests := make([]*bkv1.BookStreamRequest, n)
		for i := range requests {
			requests[i] = &bkv1.BookStreamRequest{Tag: uint64(i), Command: workload{}.request(i)}
		}
		calls := make([]call, n)
		sent := make([]atomic.Int64, n)
		errs := make([]error, streams)
		var running sync.WaitGroup
		clock := b.startClock(s.pid())
		for k := range streams {
			part := requests[k*n/streams : (k+1)*n/streams]
			running.Go(func() {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				errs[k] = s.stream(ctx, s.clients[k], part, window, sent, calls)
			})
		}
		running.Wait()
		return clock.stop(s.before, calls), errors.Join(errs...)
	}
}

// stream sends requests on one stream. sent and calls are by tag; sent is in nanoseconds since the epoch.
func (s *served) stream(ctx context.Context, c *client.Client, requests []*bkv1.BookStreamRequest, window int, sent []atomic.Int64, calls []call) error {
	stream := c.Booking.BookStream(ctx)
	inFlight := make(chan struct{}, window)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sender := make(chan error, 1)
	go func() {
		sender <- func() error {
			for _, r := range requests {
				select {
				case inFlight <- struct{}{}:
				case <-ctx.Done():
					return nil // the receiver says why
				}
				sent[r.Tag].Store(time.Now().UnixNano())
				if err := stream.Send(r); err != nil {
					return fmt.Errorf("send: %w", err)
				}
			}
			return stream.CloseRequest()
		}()
	}()
	received := 0
	var failed error
	for {
		res, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = booked(res.GetReceipt(), res.GetError())
		}
		if err != nil {
			failed = fmt.Errorf("answer %d: %w", received, err)
			break
		}
		<-inFlight
		calls[res.Tag] = call{time.Duration(time.Now().UnixNano() - sent[res.Tag].Load()), 1}
		received++
	}
	stop()
	failed = errors.Join(failed, stream.CloseResponse(), <-sender)
	if failed == nil && received != len(requests) {
		return fmt.Errorf("the stream ended after %d of %d answers", received, len(requests))
	}
	return failed
}

// booked gives an error for all but a booking that was made now.
func booked(receipt *bkv1.Receipt, refused *bkv1.Error) error {
	switch {
	case refused != nil:
		return fmt.Errorf("%s: %s", refused.GetDetail().GetReason(), refused.GetDetail().GetMessage())
	case receipt == nil:
		return errors.New("an answer without a receipt")
	case receipt.Repeat:
		return fmt.Errorf("entry %s was there before", receipt.GetToken())
	}
	return nil
}
