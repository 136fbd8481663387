package books_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/facade/books"
)

// alone is a ledger with connections of its own to the façade's database, which end ends.
func (w *world) alone() (l *books.Ledger, end func()) {
	w.t.Helper()
	pool, err := pgxpool.NewWithConfig(w.t.Context(), w.pool.Config())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(pool.Close)
	if l, err = books.New(books.Config{Client: w.client, Pool: pool, IDs: w.ids}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(l.Close)
	return l, pool.Close
}

// walk reads a list page by page as the API does, which looks one row ahead, and gives the ids.
func walk(t *testing.T, l *books.Ledger, account bank.ID, state string, size int, between func()) (ids []bank.ID) {
	t.Helper()
	for after := bank.ID(0); ; {
		rows, err := l.AccountTrades(t.Context(), account, front.TradeFilter{State: state}, after, size+1)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[:min(size, len(rows))] {
			ids = append(ids, row.TradeID)
			after = row.TradeID
		}
		if len(rows) <= size {
			return ids
		}
		between()
	}
}

// TestStrays: trades that were replayed under older ids while BK books first stand where their ids belong, on pages of any size, with each filter, for both accounts, while
// others are booked, and without the façade's database.
func TestStrays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.roll(20131007)
	ctx := t.Context()
	var want []bank.ID // of 100018
	for range 12 {
		want = append(want, w.book(w.trade(""))...)
	}
	spare := w.trade(`"account_id":100020`)
	gap := w.book(spare)[0] // an id between those of 100018: it is not its
	low := []bank.ID{5, 7, 900}
	for _, id := range low {
		request := w.trade("")
		if id == 7 {
			request = w.trade(`"type":"transfer_trade","target_account_id":100019`)
		}
		for range 2 { // the second is a repeat
			if err := w.Replay(ctx, bank.Replay{TradeID: id, BookedAt: 1381132800464, Request: &request}); err != nil {
				t.Fatal(err)
			}
		}
	}
	want = append(want, low...)
	for range 12 {
		want = append(want, w.book(w.trade(""))...)
	}
	slices.Sort(want)
	if gap <= want[len(low)] || gap >= want[len(want)-1] {
		t.Fatalf("%d is not between %v", gap, want)
	}
	own, end := w.alone()
	for size := 1; size <= len(want)+1; size++ {
		for _, l := range []*books.Ledger{w.Ledger, own} {
			if got := walk(t, l, 100018, "", size, func() {}); !slices.Equal(got, want) {
				t.Errorf("pages of %d: %v, want %v", size, got, want)
			}
		}
	}
	more := 0
	if got := walk(t, own, 100018, "", 3, func() { // under writes, old and new ids
		more++
		w.book(w.trade(""))
		request := w.trade("")
		if err := w.Replay(ctx, bank.Replay{TradeID: bank.ID(100 + more), BookedAt: 5, Request: &request}); err != nil {
			t.Fatal(err)
		}
	}); !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) || !slices.Equal(got, all(got, want)) {
		t.Errorf("under writes: %v, with all of %v", got, want)
	}
	if got := walk(t, w.Ledger, 100019, "", 1, func() {}); fmt.Sprint(got) != "[7]" {
		t.Errorf("the target has %v", got)
	}
	for _, id := range []bank.ID{7, want[5]} {
		if err := w.CancelTrade(ctx, bank.TradeRef{TradeID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if got := walk(t, w.Ledger, 100018, "canceled", 1, func() {}); !slices.Equal(got, []bank.ID{7, want[5]}) {
		t.Errorf("cancelled: %v", got)
	}
	if got := walk(t, w.Ledger, 100018, "", 4, func() {}); slices.Contains(got, 7) || slices.Contains(got, want[5]) || !slices.IsSorted(got) {
		t.Errorf("without the cancelled: %v", got)
	}
	before := walk(t, own, 100018, "", 4, func() {})
	end() // the façade's database is away
	if got := walk(t, own, 100018, "", 5, func() {}); !slices.Equal(got, before) {
		t.Errorf("without the façade's database: %v, want %v", got, before)
	}
}

// all gives what is in got, and fails to equal it where one of want is not.
func all(got, want []bank.ID) []bank.ID {
	for _, id := range want {
		if !slices.Contains(got, id) {
			return want
		}
	}
	return got
}

// TestBalancesWithoutDatabase: what an account shows though it never had any of it is found in BK where the façade's database is away.
func TestBalancesWithoutDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.roll(20131007)
	ctx := t.Context()
	w.book(w.trade(""), w.trade(`"type":"transfer_trade","target_account_id":100019,"price":"0","settlement":{"currency":"EUR"}`),
		w.trade(`"type":"transfer_trade","target_account_id":100019,"price":"0","date":20131008,"settlement":{"currency":"CHF"}`)) // not open yet
	gone := w.book(w.trade(`"type":"transfer_trade","target_account_id":100020,"price":"0","settlement":{"currency":"GBP"}`))[0]
	if err := w.CancelTrade(ctx, bank.TradeRef{TradeID: gone}); err != nil {
		t.Fatal(err)
	}
	own, end := w.alone()
	end()
	shown := 0
	for id := bank.ID(100018); id <= 100021; id++ {
		rows, err := w.Balances(ctx, id)
		want := lines(t, rows, err, balanceText)
		again, err := own.Balances(ctx, id)
		same(t, fmt.Sprintf("balances of %d", id), lines(t, again, err, balanceText), want)
		shown += len(rows)
	}
	if shown != 5 { // USD, EUR and GBP; EUR; GBP
		t.Errorf("%d balances, want 5", shown)
	}
}
