package books_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
)

// losing is a ledger whose bookings' answers get lost on their way, as often as lose says.
func (w *world) losing(lose func() bool) *books.Ledger {
	w.t.Helper()
	c, err := client.New("http://"+w.server.api, connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			answer, err := next(ctx, req)
			if err == nil && strings.HasSuffix(req.Spec().Procedure, "/BookBatch") && lose() {
				return nil, connect.NewError(connect.CodeInternal, errors.New("stream reset"))
			}
			return answer, err
		}
	})))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	l, err := books.New(books.Config{Client: c, Pool: w.pool, IDs: w.ids, RetryFor: time.Second, CallTimeout: 900 * time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(l.Close)
	return l
}

// TestLostAnswers: what was done by a try whose answer was lost is the answer of the next.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	var calls atomic.Int64
	l := w.losing(func() bool { return calls.Add(1)%2 == 1 })
	one, two := w.trade(""), w.trade("")
	single, err := l.BookTrades(ctx, []bank.Trade{one})
	if err != nil {
		t.Fatal(err)
	}
	both, err := l.BookTrades(ctx, []bank.Trade{one, two})
	if err != nil || both[0] != single[0] {
		t.Fatalf("%v, %v", both, err)
	}
	ref := bank.TradeRef{TradeID: both[0].TradeID}
	if err := l.CancelTrade(ctx, ref); err != nil {
		t.Errorf("its own cancel: %v", err)
	}
	refused(t, "the second cancel", l.CancelTrade(ctx, ref), bank.TradeAlreadyCanceled)
	refused(t, "another's second cancel", w.CancelTrade(ctx, ref), bank.TradeAlreadyCanceled)
	cash := bank.Cash{ClientID: "C", AccountID: 100018, Currency: "USD", Amount: dec("7"), Kind: bank.Deposit}
	id, err := l.MoveCash(ctx, cash)
	if err != nil {
		t.Error(err)
	}
	if again, err := w.MoveCash(ctx, cash); err != nil || again != id {
		t.Errorf("cash %d is %d again, %v", id, again, err)
	}

	none := w.losing(func() bool { return true })
	three := w.trade("")
	_, err = none.BookTrades(ctx, []bank.Trade{three})
	refused(t, "all answers lost", err, bank.OutcomeUnknown)
	_, err = none.BookTrades(ctx, []bank.Trade{w.trade(""), three})
	refused(t, "all answers lost, several", err, bank.OutcomeUnknown)
	refused(t, "cancel, all answers lost", none.CancelTrade(ctx, bank.TradeRef{TradeID: both[1].TradeID}), bank.OutcomeUnknown)
	again := w.book(three)
	if s, err := w.Trade(ctx, bank.TradeRef{AccountID: 100018, ClientTradeID: three.ClientTradeID}); err != nil || s.TradeID != again[0] {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestRestart: bookings go on over a restart of BK, and nothing is booked twice.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var booked atomic.Int64
	var group sync.WaitGroup
	for c := range 8 {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				trades := []bank.Trade{parse(t, 0, fmt.Sprintf(`"client_trade_id":"%d-%d","quantity":"1"`, c, n))}
				if c%2 == 1 {
					trades = append(trades, parse(t, 0, fmt.Sprintf(`"client_trade_id":"%d+%d","quantity":"1"`, c, n)))
				}
				if _, err := w.BookTrades(t.Context(), trades); err != nil {
					t.Errorf("client %d: %v", c, err)
					return
				}
				booked.Add(int64(len(trades)))
			}
		})
	}
	await := func(more int64) {
		t.Helper()
		target := booked.Load() + more
		for deadline := time.Now().Add(patience); booked.Load() < target && !t.Failed(); time.Sleep(10 * time.Millisecond) { // the pace of asking
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d trades are booked", booked.Load(), target)
			}
		}
	}
	await(100)
	for range 2 {
		w.server.stop()
		w.server = serve(t, w.dsn, w.server.api)
		await(100)
	}
	stop()
	group.Wait()
	p, err := w.Position(t.Context(), 100018, "IBM", false)
	if err != nil || p.Quantity.String() != fmt.Sprint(booked.Load()) {
		t.Errorf("position %s, want %d (%v)", p.Quantity, booked.Load(), err)
	}
}

// TestBookingsWaitForRolls: a roll holds bookings up and refuses none; rolls at once join.
func TestBookingsWaitForRolls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.roll(20131007)
	var group sync.WaitGroup
	for r := range 3 {
		group.Go(func() {
			if err := w.Roll(t.Context(), bank.Date(20131015+r)); err != nil && bank.TypeOf(err) != bank.MalformedRequest { // another's has come further
				t.Error(err)
			}
		})
	}
	for c := range 8 {
		group.Go(func() {
			for n := range 10 {
				if _, err := w.BookTrades(t.Context(), []bank.Trade{parse(t, 0, fmt.Sprintf(`"client_trade_id":"%d-%d","quantity":"1"`, c, n))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if date, err := w.BusinessDate(t.Context()); err != nil || date != 20131017 {
		t.Errorf("business date %d, %v", date, err)
	}
	rows, err := w.JournalRows(t.Context(), 100018, 0, 1000)
	if err != nil || len(rows) != 160 { // each opened and settled
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	last := bank.Date(0)
	for _, row := range rows {
		if row.Date < last || row.Date < 20131007 || row.Date > 20131017 {
			t.Errorf("row %s behind %d", rowText(row), last)
		}
		last = row.Date
	}
}

// TestAway: without BK nothing is booked, and that is said in time.
func TestAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	failed := func(what string, err error) {
		t.Helper()
		if kind := bank.TypeOf(err); err == nil || kind != "" && kind != bank.Internal {
			t.Errorf("%s: %v, want a failure of which it is known that nothing was booked", what, err)
		}
	}
	known := w.trade("")
	id := w.book(known)[0]
	l := w.losing(func() bool { return false })
	w.server.stop()
	_, err := l.BookTrades(t.Context(), []bank.Trade{w.trade("")})
	failed("a trade", err)
	_, err = l.BookTrades(t.Context(), []bank.Trade{w.trade(""), w.trade("")})
	failed("trades", err)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := l.CancelTrade(short, bank.TradeRef{TradeID: id}); err == nil {
		t.Error("cancelled without BK")
	}
	if _, err := l.Trade(short, bank.TradeRef{TradeID: id}); err == nil {
		t.Error("read without BK")
	}
	l.Close()
	_, err = l.BookTrades(t.Context(), []bank.Trade{known})
	failed("after the end", err)
}
