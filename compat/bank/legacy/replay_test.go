package legacy_test

import (
	"sync"
	"testing"

	"github.com/bkledger/bk/compat/bank"
)

func TestReplay(t *testing.T) {
	t.Parallel()
	b := open(t)
	replay := func(r bank.Replay) error { return b.Replay(t.Context(), r) }
	first := exchange(t, "r1", 1, "buy", "10", "5", 20131007, "")
	if err := replay(bank.Replay{TradeID: 500_000, BookedAt: 1381132800123, Request: &first}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and the same again
		if err := replay(bank.Replay{TradeID: 500_000, BookedAt: 1381132800123, Request: &first}); err != nil {
			t.Error(err)
		}
	}
	want(t, "booked at", b.trade(t, 500_000).BookedAt, 1381132800123)
	early := exchange(t, "r0", 1, "buy", "1", "5", 20131007, "")
	if err := replay(bank.Replay{TradeID: 400_000, BookedAt: 1381132800000, Request: &early}); err != nil { // late, below the sequence
		t.Error(err)
	}
	if own := b.book(t, exchange(t, "own", 2, "buy", "1", "1", 20131007, ""))[0]; own <= 500_000 {
		t.Errorf("Bank's own next id is %s", own)
	}
	second := exchange(t, "r2", 1, "buy", "10", "6", 20131007, `,"cancel_trade_id":"r1"`)
	if err := replay(bank.Replay{TradeID: 500_100, BookedAt: 1381132801000, Request: &second}); err != nil {
		t.Fatal(err)
	}
	want(t, "replaced at", *b.trade(t, 500_000).CanceledAt, 1381132801000)
	b.wantHolds(t, 1, "11/0", "USD -65 0 -65 +0;")
	for range 2 {
		if err := replay(bank.Replay{TradeID: 500_100, CanceledAt: 1381132802000}); err != nil {
			t.Error(err)
		}
	}
	want(t, "cancelled at", *b.trade(t, 500_100).CanceledAt, 1381132802000)
	b.wantHolds(t, 1, "1/0", "USD -5 0 -5 +0;")
	cash := bank.Cash{ClientID: "c", AccountID: 3, Currency: "USD", Amount: amount(t, "9"), Kind: bank.Deposit}
	for range 2 {
		if err := replay(bank.Replay{CashID: 77, BookedAt: 1381132803000, Cash: &cash}); err != nil {
			t.Error(err)
		}
	}
	other := exchange(t, "other", 1, "buy", "1", "1", 20131007, "")
	changed := first
	changed.OrderID = "changed"
	movedElse := cash
	movedElse.ClientID = "d"
	for name, c := range map[string]struct {
		replay bank.Replay
		want   bank.Type
	}{
		"an id that is taken":            {bank.Replay{TradeID: 500_000, BookedAt: 1, Request: &other}, bank.Conflict},
		"a client id that is taken":      {bank.Replay{TradeID: 500_200, BookedAt: 1, Request: &first}, bank.ClientIDConflict},
		"other content":                  {bank.Replay{TradeID: 500_000, BookedAt: 1, Request: &changed}, bank.ClientIDConflict},
		"cancel of none":                 {bank.Replay{TradeID: 9, CanceledAt: 1}, bank.TradeNotFound},
		"a cash id that is taken":        {bank.Replay{CashID: 77, Cash: &movedElse}, bank.Conflict},
		"a cash client id that is taken": {bank.Replay{CashID: 78, Cash: &cash}, bank.Conflict},
	} {
		if err := replay(c.replay); bank.TypeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	place, err := b.ReplayPlace(t.Context())
	if err != nil || place.LastTradeID < 500_100 || place.LastCashID != 77 || place.LastEventID == 0 {
		t.Errorf("place: %+v, %v", place, err)
	}
}

// TestReplayBesideBookings: the sequence goes past what is replayed, whatever is taken from it at the same time.
func TestReplayBesideBookings(t *testing.T) {
	t.Parallel()
	b := open(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 30 {
				id := bank.ID(1_000_000 + n*1500 + w) // gaps small and large
				request := exchange(t, "r"+id.String(), 1+w, "buy", "1", "1", 20131007, "")
				if err := b.Replay(t.Context(), bank.Replay{TradeID: id, BookedAt: 5, Request: &request}); err != nil && bank.TypeOf(err) != bank.Conflict {
					t.Error(err)
				}
				if _, err := b.BookTrades(t.Context(), []bank.Trade{exchange(t, "b"+id.String(), 5+w, "buy", "1", "1", 20131007, "")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	next := b.book(t, exchange(t, "next", 9, "buy", "1", "1", 20131007, ""))[0]
	place, err := b.ReplayPlace(t.Context())
	if err != nil || place.LastTradeID != next {
		t.Errorf("the next id is %s, the last %s, %v", next, place.LastTradeID, err)
	}
}
