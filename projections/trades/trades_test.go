package trades_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/trades"
	"github.com/bkledger/bk/projections/trades/lifetest"
)

// queries are all filters, alone and together.
func queries() []trades.Query {
	const day = 20131008
	all := []trades.Query{
		{}, {Account: foldtest.FirstCustomer + 1}, {Account: 42}, {Instrument: 4}, {Instrument: 999}, {From: day}, {To: day}, {From: day, To: day},
		{Account: foldtest.FirstCustomer, From: day, To: day}, {Account: foldtest.FirstCustomer, From: day, To: day + 1, Instrument: 3},
		{Account: foldtest.FirstCustomer + 2, Instrument: 3}, {Instrument: 3, From: day},
	}
	for _, states := range [][]ledger.TradeState{
		{ledger.TradeNew}, {ledger.TradeOpen}, {ledger.TradeSettled}, {ledger.TradeCanceled}, {ledger.TradeNew, ledger.TradeSettled, ledger.TradeOpen},
		{ledger.TradeCanceled, ledger.TradeCanceled},
	} {
		all = append(all, trades.Query{States: states}, trades.Query{States: states, Account: foldtest.FirstCustomer + 3},
			trades.Query{States: states, Instrument: 3, To: day}, trades.Query{States: states, Account: foldtest.FirstCustomer, From: day, To: day})
	}
	return all
}

func TestTradesEqualModel(t *testing.T) {
	t.Parallel()
	l := random(t, 1, 1200)
	for range 10 {
		c := l.NewTrade()
		c.TradeDate, c.SettleDate = l.Day.Date.Next(), 0
		l.Book(c)
	}
	f := fold(t, l, 300)
	for _, q := range append(queries(), trades.Query{Account: l.Firm}) {
		for _, limit := range []int{7, trades.MaxLimit} {
			q.Limit = limit
			same(t, q, f.all(t, q), model(l, q))
		}
	}
	seen := map[ledger.TradeState]int{}
	replaced, street, targets := 0, 0, 0
	for _, row := range f.all(t, trades.Query{Limit: 1000}) {
		seen[row.State]++
		if row.ReplacedBy != 0 {
			replaced++
		}
		if row.Street {
			street++
		}
		if row.Target != 0 {
			targets++
		}
	}
	for _, state := range ledger.TradeStates() {
		if seen[state] < 10 {
			t.Errorf("%d trades are %s", seen[state], state)
		}
	}
	again := 0
	for _, life := range l.Lives {
		by := 0
		for _, e := range life {
			if e.Links.ReplacedBy != 0 {
				by++
			}
		}
		if by > 1 {
			again++
		}
	}
	if replaced < 10 || street < 10 || targets < 10 || again < 10 {
		t.Errorf("%d replaced, %d of them again, %d street, %d with a target", replaced, again, street, targets)
	}
}

// TestBitemporal: as of any day, known at any place, also in the midst of a group of entries; what is known at the checkpoint is what there is.
func TestBitemporal(t *testing.T) {
	t.Parallel()
	l := random(t, 2, 500)
	f := fold(t, l, 1000)
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range 400 {
		q := queries()[rng.IntN(len(queries()))]
		q.Limit = 1 + rng.IntN(300)
		if i%3 != 0 {
			q.KnownAt = 1 + rng.Uint64N(l.Head())
		}
		if i%2 == 0 {
			q.AsOf = ledger.Date(20131004 + rng.IntN(24))
		}
		same(t, q, f.all(t, q), model(l, q))
	}
	q := trades.Query{Limit: 1000}
	now := f.all(t, q)
	q.KnownAt, q.AsOf = l.Head(), ledger.WhenIssuedDate
	same(t, q, f.all(t, q), now)
	for _, row := range now {
		if life := l.Lives[row.Trade]; row.State != life.State() {
			t.Errorf("trade %d is %s, should be %s", row.Trade, row.State, life.State())
		}
	}
	// What is not in yet is waited for.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	behind := (*projections.BehindError)(nil)
	if _, err := f.Trades(ctx, trades.Query{Limit: 1, KnownAt: l.Head() + 1}); !errors.As(err, &behind) {
		t.Errorf("known at what is not there yet: %v", err)
	}
}

// TestChunks: the rows do not depend on how the journal is cut.
func TestChunks(t *testing.T) {
	t.Parallel()
	l := random(t, 3, 600)
	whole := fold(t, l, 32768)
	for _, chunk := range []int{1, 3, 100} {
		f := fold(t, l, chunk)
		for _, table := range []string{"trades_life", "trades_list", "trades_corrects"} {
			equalText(t, fmt.Sprintf("%s in chunks of %d", table, chunk), f.dump(t, table), whole.dump(t, table))
		}
	}
}

// TestStablePages: a reader that pages with a limit of one while trades are booked, settle and are cancelled sees each trade once, in order.
func TestStablePages(t *testing.T) {
	t.Parallel()
	l := random(t, 4, 40)
	f := fold(t, l, 5)
	for _, account := range []int64{0, foldtest.FirstCustomer + 1} {
		q := trades.Query{Account: account, Limit: 1}
		steps := 0
		var got []ledger.ID
		for {
			page, err := f.Trades(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range page.Rows {
				got = append(got, row.Trade)
			}
			q.After = page.Next
			if steps < 150 {
				l.Step()
				l.Step()
				q.AtLeast = l.Head()
				steps++
			} else if !page.More && page.At.Seq == l.Head() {
				break
			}
		}
		q.After = 0
		want := model(l, q)
		if len(got) != len(want) || len(got) < 40 {
			t.Fatalf("%d trades, should be %d", len(got), len(want))
		}
		for i, row := range want {
			if got[i] != row.Trade {
				t.Fatalf("trade %d is %d, should be %d", i, got[i], row.Trade)
			}
		}
	}
}

// TestBoundedPages: a filter that finds nothing looks at a bounded number of trades for a page, and gets on.
func TestBoundedPages(t *testing.T) {
	t.Parallel()
	l := lifetest.New(t, rand.New(rand.NewPCG(8, 1)), shard, 2, 1)
	for range 60_000 {
		l.Book(l.NewTrade())
	}
	l.Book(&ledger.Command{Kind: ledger.KindCancel, Target: &ledger.Target{Trade: l.Trades[59_000]}})
	f := fold(t, l, 32768)
	for _, q := range []trades.Query{
		{States: []ledger.TradeState{ledger.TradeCanceled}}, {States: []ledger.TradeState{ledger.TradeCanceled}, Instrument: l.Security(0)},
	} {
		q.Limit = 10
		page, err := f.Trades(t.Context(), q)
		if err != nil || len(page.Rows) != 0 || !page.More || page.Next != l.Trades[49_999] {
			t.Fatalf("%+v: %d rows, next %d, %v", q, len(page.Rows), page.Next, err)
		}
		q.After = page.Next
		page, err = f.Trades(t.Context(), q)
		if err != nil || len(page.Rows) != 1 || page.Rows[0].Trade != l.Trades[59_000] || page.More {
			t.Fatalf("%+v: %+v, %v", q, page, err)
		}
	}
	// A day that the account traded on little is found by its index, not looked for.
	c := l.NewTrade()
	for c.Kind != ledger.KindExchangeTrade {
		c = l.NewTrade()
	}
	c.TradeDate, c.SettleDate, c.Trade.Account = 20131111, 0, ledger.AccountRef{ID: l.Customers[0]}
	last := l.Book(c)[0]
	page, err := f.Trades(t.Context(), trades.Query{Account: l.Customers[0], From: 20131111, To: 20131111, Limit: 10, AtLeast: l.Head()})
	if err != nil || len(page.Rows) != 1 || page.Rows[0].Trade != last.ID || page.More {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	f := fold(t, random(t, 5, 3), 10)
	for _, c := range []struct {
		q    trades.Query
		want error
	}{
		{trades.Query{}, trades.ErrLimit},
		{trades.Query{Limit: -1}, trades.ErrLimit},
		{trades.Query{Limit: trades.MaxLimit + 1}, trades.ErrLimit},
		{trades.Query{Limit: 1, States: []ledger.TradeState{ledger.TradeNew, "odd"}}, trades.ErrState},
		{trades.Query{Limit: 1, From: 20131008, To: 20131007}, trades.ErrDates},
	} {
		if _, err := f.Trades(t.Context(), c.q); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
	if _, err := f.DueToOpen(t.Context(), 20131008, 0, 0, 0); !errors.Is(err, trades.ErrLimit) {
		t.Errorf("due without a limit: %v", err)
	}
}

// TestFaults: what can't be stops the projection and says why.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(e *ledger.Entry){
		"which is not defined":   func(e *ledger.Entry) { e.Trade.Instrument.Value = "NOSUCH" },
		"has no account":         func(e *ledger.Entry) { e.Trade.Account = ledger.AccountRef{Code: "cust:x"} },
		`leaves the trade "odd"`: func(e *ledger.Entry) { e.State = "odd" },
		`leaves the trade ""`:    func(e *ledger.Entry) { e.State = "" },
		"does not say which":     func(e *ledger.Entry) { e.Trade = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := random(t, 6, 0)
			l.Book(l.NewTrade())
			e := *l.Lives[l.Trades[0]][0]
			trade := *e.Trade
			e.Trade = &trade
			alter(&e)
			fold, err := trades.Projection{Books: l.Directory}.Open(t.Context(), nil, projections.Generation{})
			if err != nil {
				t.Fatal(err)
			}
			if err := fold.Add(&e); err == nil || !contains(err.Error(), name) {
				t.Errorf("%v, should say that it %s", err, name)
			}
		})
	}
	if _, err := (trades.Projection{}).Open(t.Context(), nil, projections.Generation{}); err == nil {
		t.Error("a fold without books")
	}
}

// TestOldCancel: a cancel of the first journals does not carry its trade.
func TestOldCancel(t *testing.T) {
	t.Parallel()
	l := random(t, 7, 0)
	l.Book(l.NewTrade())
	cancel := l.Book(&ledger.Command{Kind: ledger.KindCancel, Target: &ledger.Target{Trade: l.Trades[0]}})
	cancel[0].Trade = nil
	f := fold(t, l, 1)
	if rows := f.all(t, trades.Query{Limit: 10}); len(rows) != 1 || rows[0].State != ledger.TradeCanceled {
		t.Errorf("%+v", rows)
	}
}
