package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// Pauses before a call is made again.
const (
	firstAgain = 50 * time.Millisecond
	longAgain  = 2 * time.Second
)

// again makes a call anew while the server is away, stands by or has too much to do, until nothing has gone forward for timeout.
type again struct {
	timeout time.Duration
	meter   *meter

	progress time.Time
	pause    time.Duration
	warned   time.Time
}

// begin finds out whether there is a server at all: one that is not there is said at once, one that goes away later is waited for.
func (a *again) begin(ctx context.Context, c *client.Client) error {
	a.progressed()
	_, err := c.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
	if client.RetryableReason(client.Reason(err)) {
		return nil
	}
	return err
}

// progressed starts the clock anew.
func (a *again) progressed() { a.progress, a.pause = time.Now(), 0 }

// call makes a call until it succeeds or fails for good.
func (a *again) call(ctx context.Context, do func(context.Context) error) error {
	for {
		err := do(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return errors.New("interrupted; the same command again goes on, and does nothing twice")
		case !client.Retryable(err):
			return err
		}
		if idle := time.Since(a.progress); idle >= a.timeout {
			return &exitError{exitUnreachable, fmt.Errorf("gave up after %s without progress: %s", idle.Round(time.Second), client.Describe(err))}
		}
		a.pause = min(max(2*a.pause, firstAgain), longAgain)
		if a.pause >= time.Second && time.Since(a.warned) >= noteEvery && !a.meter.quiet {
			a.warned = time.Now()
			a.meter.printf("bk: waiting: %s", client.Describe(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(a.pause):
		}
	}
}
