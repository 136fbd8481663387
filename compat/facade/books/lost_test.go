package books_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
)

// through is a ledger whose calls of one procedure go by the function.
func (w *world) through(procedure string, cfg books.Config, call func(context.Context, connect.AnyRequest, connect.UnaryFunc) (connect.AnyResponse, error)) *books.Ledger {
	w.t.Helper()
	c, err := client.New("http://"+w.server.api, connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			if strings.HasSuffix(req.Spec().Procedure, procedure) {
				return call(ctx, req, next)
			}
			return next(ctx, req)
		}
	})))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	cfg.Client, cfg.Pool, cfg.IDs = c, w.pool, w.ids
	l, err := books.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(l.Close)
	return l
}

// TestSilence: a booking whose answer never comes is asked for again.
func TestSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var calls atomic.Int64
	l := w.through("/BookBatch", books.Config{RetryFor: 6 * time.Second}, func(ctx context.Context, req connect.AnyRequest, next connect.UnaryFunc) (connect.AnyResponse, error) {
		if calls.Add(1) > 1 {
			return next(ctx, req)
		}
		if _, err := next(ctx, req); err != nil {
			t.Errorf("the first try: %v", err)
		}
		<-ctx.Done()
		return nil, connect.NewError(connect.CodeDeadlineExceeded, ctx.Err())
	})
	trade := w.trade("")
	booked, err := l.BookTrades(t.Context(), []bank.Trade{trade})
	if err != nil || calls.Load() != 2 {
		t.Fatalf("%v, %v after %d tries", booked, err, calls.Load())
	}
	if again := w.book(trade); again[0] != booked[0].TradeID {
		t.Errorf("booked as %d and %d", booked[0].TradeID, again[0])
	}
}

// TestConfigTimes: one try is always shorter than all of them.
func TestConfigTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []books.Config{{}, {RetryFor: time.Second}, {CallTimeout: time.Minute}} {
		if c = c.WithDefaults(); c.CallTimeout <= 0 || c.CallTimeout >= c.RetryFor {
			t.Errorf("CallTimeout %s, RetryFor %s", c.CallTimeout, c.RetryFor)
		}
	}
	err := books.Config{CallTimeout: 2 * time.Second, RetryFor: time.Second}.WithDefaults().Validate()
	if err == nil || !strings.Contains(err.Error(), "CallTimeout") {
		t.Errorf("%v, want CallTimeout", err)
	}
}

// TestDirectoryWithoutAnswer: what may have been written is outcome_unknown, not internal, and the same again tells.
func TestDirectoryWithoutAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := bank.NewAccount{AccountID: 100030, EntityID: 1, Name: "Bob"}
	l := w.through("/CreateAccount", books.Config{ReadFor: 50 * time.Millisecond}, func(ctx context.Context, req connect.AnyRequest, next connect.UnaryFunc) (connect.AnyResponse, error) {
		if _, err := next(ctx, req); err != nil {
			t.Errorf("a try: %v", err)
		}
		return nil, connect.NewError(connect.CodeInternal, errors.New("stream reset"))
	})
	_, err := l.CreateAccount(t.Context(), account)
	refused(t, "an account", err, bank.OutcomeUnknown)
	if created, err := w.CreateAccount(t.Context(), account); err != nil || created {
		t.Errorf("again: created %t, %v", created, err)
	}

	blocker, err := w.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blocker.Exec(t.Context(), `LOCK TABLE facade.books_entity IN EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	short, end := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer end()
	_, err = w.CreateEntity(short, bank.Entity{EntityID: 2, ClientCode: "TWO", LegalName: "Two Inc."})
	refused(t, "an entity", err, bank.OutcomeUnknown)
	if err := blocker.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateEntity(t.Context(), bank.Entity{EntityID: 2, ClientCode: "TWO", LegalName: "Two Inc."}); err != nil {
		t.Errorf("again: %v", err)
	}
}

// TestOldTimestamp: an execution time in the first seconds of 1970 is kept, given back in milliseconds, and the same again.
func TestOldTimestamp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trade := w.trade(`"timestamp":5`)
	id := w.book(trade)[0]
	if again := w.book(trade); again[0] != id || w.stored(id).Timestamp != 5000 {
		t.Errorf("booked as %d and %d, at %d", id, again[0], w.stored(id).Timestamp)
	}
}
