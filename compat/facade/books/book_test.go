package books_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
)

func TestBookAndRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sell := w.trade(`"side":{"direction":"sell","qualifier":"short"},"order_id":"O1","fees":{"commission":"5.00"},"user_data":{"a":"<&>"},"locate":{"id":"L","source":"S"}`)
	transfer := w.trade(`"type":"transfer_trade","target_account_id":100019,"quantity":"30"`)
	ids := w.book(w.trade(""), sell, transfer)
	if ids[1] <= ids[0] || ids[2] <= ids[1] || ids[0] <= 1000 {
		t.Errorf("ids %v do not ascend", ids)
	}
	s := w.stored(ids[1])
	if !s.Trade.Same(&sell) || s.State != bank.StateOpen || s.SettleDate != 20131010 || s.GrossAmount.String() != "1000" || s.SECFee.String() != "0.02" ||
		s.TAFFee.String() != "0.02" || s.NetAmount.String() != "994.96" || s.BookedAt == 0 || s.CanceledAt != nil || s.ReplacedBy != nil || s.Replaces != nil {
		t.Errorf("stored %s", s.AppendJSON(nil))
	}
	byClient, err := w.Trade(t.Context(), bank.TradeRef{AccountID: 100018, ClientTradeID: sell.ClientTradeID})
	if err != nil || string(byClient.AppendJSON(nil)) != string(s.AppendJSON(nil)) {
		t.Errorf("by the client's id: %s, %v", byClient.AppendJSON(nil), err)
	}
	if again := w.book(sell, transfer); again[0] != ids[1] || again[1] != ids[2] {
		t.Errorf("the same again gives %v, not %v", again, ids[1:])
	}
	again := w.trade(`"quantity":"7"`)
	if twice := w.book(again, again); twice[0] != twice[1] {
		t.Errorf("twice in a call gives %v", twice)
	}
	for account, want := range map[bank.ID]string{100018: "37", 100019: "-30"} {
		p, err := w.Position(t.Context(), account, "IBM", false)
		if err != nil || p.Quantity.String() != want {
			t.Errorf("account %d has %s IBM (%v), want %s", account, p.Quantity, err, want)
		}
	}
}

// TestRefusals goes through the contract's errors of bookings, and their precedence.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.roll(20131007)
	old := w.book(w.trade(`"client_trade_id":"old"`), w.trade(`"client_trade_id":"settled","date":20130102`), w.trade(`"account_id":100019,"client_trade_id":"other"`))
	known := w.trade(`"client_trade_id":"old"`)
	conflict := w.trade(`"client_trade_id":"old","quantity":"101"`)
	nobody, noTarget := w.trade(`"account_id":77`), w.trade(`"type":"allocation_trade","target_account_id":78`)
	missing, settled := w.trade(`"cancel_trade_id":"none"`), w.trade(`"cancel_trade_id":"settled"`)
	foreign := w.trade(fmt.Sprintf(`"cancel_trade_id":"%d"`, old[2])) // another account's
	for name, test := range map[string]struct {
		trades []bank.Trade
		want   bank.Type
		says   string
	}{
		"conflict":                     {[]bank.Trade{conflict}, bank.ClientIDConflict, `"old"`},
		"unknown account":              {[]bank.Trade{nobody}, bank.UnknownAccount, `account 77 does`},
		"unknown target":               {[]bank.Trade{noTarget}, bank.UnknownAccount, `account 78 does`},
		"replaces nothing":             {[]bank.Trade{missing}, bank.TradeNotFound, `cancel_trade_id "none"`},
		"replaces a settled one":       {[]bank.Trade{settled}, bank.TradeSettled, `cancel_trade_id "settled"`},
		"replaces another account's":   {[]bank.Trade{foreign}, bank.TradeNotFound, `cancel_trade_id`},
		"the first element decides":    {[]bank.Trade{known, missing, conflict, nobody}, bank.TradeNotFound, `cancel_trade_id "none"`},
		"account before conflict":      {[]bank.Trade{nobody, conflict}, bank.UnknownAccount, `account 77`},
		"settled before account":       {[]bank.Trade{w.trade(""), settled, nobody}, bank.TradeSettled, `cancel_trade_id "settled"`},
		"account before replaced":      {[]bank.Trade{w.trade(`"account_id":77,"cancel_trade_id":"none"`)}, bank.UnknownAccount, `account 77`},
		"conflict before account":      {[]bank.Trade{w.trade(`"client_trade_id":"old","type":"transfer_trade","target_account_id":78`)}, bank.ClientIDConflict, `"old"`},
		"conflict before replaced":     {[]bank.Trade{w.trade(`"client_trade_id":"old","cancel_trade_id":"none"`)}, bank.ClientIDConflict, `"old"`},
		"twice, different":             {[]bank.Trade{w.trade(`"client_trade_id":"new"`), w.trade(`"client_trade_id":"new","price":"11"`)}, bank.ClientIDConflict, `"new"`},
		"replaces a later one":         {[]bank.Trade{w.trade(`"cancel_trade_id":"later"`), w.trade(`"client_trade_id":"later"`)}, bank.TradeNotFound, `cancel_trade_id "later"`},
		"replaces one settled at once": {[]bank.Trade{w.trade(`"client_trade_id":"late","date":20130102`), w.trade(`"cancel_trade_id":"late"`)}, bank.TradeSettled, `cancel_trade_id "late"`},
	} {
		_, err := w.BookTrades(t.Context(), test.trades)
		refused(t, name, err, test.want)
		if err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %s in it", name, err, test.says)
		}
	}
	page, err := w.JournalRows(t.Context(), 100018, 0, 1000)
	if err != nil || len(page) != 3 { // old; settled: open, settle
		t.Errorf("rejected calls have booked: %+v, %v", page, err)
	}
	if ids := w.book(known); ids[0] != old[0] {
		t.Errorf("the same again: %v, not %d", ids, old[0])
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.book(w.trade(`"client_trade_id":"A"`))[0]
	second := w.book(w.trade(`"client_trade_id":"B","cancel_trade_id":"A","quantity":"60"`))[0]
	third := w.book(w.trade(fmt.Sprintf(`"client_trade_id":"C","cancel_trade_id":%d,"quantity":"70"`, second)))[0]
	check := func(id bank.ID, state string, replacedBy, replaces bank.ID) {
		t.Helper()
		s := w.stored(id)
		got := [2]bank.ID{}
		for i, link := range []*bank.ID{s.ReplacedBy, s.Replaces} {
			if link != nil {
				got[i] = *link
			}
		}
		if s.State != state || got != [2]bank.ID{replacedBy, replaces} || (s.CanceledAt != nil) != (state == bank.StateCanceled) {
			t.Errorf("trade %d is %s, want %s, replaced by %d, replaces %d", id, s.AppendJSON(nil), state, replacedBy, replaces)
		}
	}
	check(first, bank.StateCanceled, second, 0)
	check(second, bank.StateCanceled, third, first)
	check(third, bank.StateOpen, 0, second)
	// A cancelled one is linked only; one that stands earlier in the call is found; a client's id comes before a trade's.
	alone := w.book(w.trade(`"client_trade_id":"D"`))[0]
	if err := w.CancelTrade(t.Context(), bank.TradeRef{TradeID: alone}); err != nil {
		t.Fatal(err)
	}
	linked := w.book(w.trade(`"client_trade_id":"E","cancel_trade_id":"D"`))[0]
	check(alone, bank.StateCanceled, linked, 0)
	check(linked, bank.StateOpen, 0, alone)
	pair := w.book(w.trade(`"client_trade_id":"F"`), w.trade(`"client_trade_id":"G","cancel_trade_id":"F"`))
	check(pair[0], bank.StateCanceled, pair[1], 0)
	decoy := w.book(w.trade(fmt.Sprintf(`"client_trade_id":"%d"`, third)), w.trade(fmt.Sprintf(`"client_trade_id":"H","cancel_trade_id":"%d"`, third)))
	check(decoy[0], bank.StateCanceled, decoy[1], 0)
	check(third, bank.StateOpen, 0, second)
	// The same again cancels nothing again.
	if again := w.book(w.trade(`"client_trade_id":"B","cancel_trade_id":"A","quantity":"60"`)); again[0] != second {
		t.Errorf("the same again is %v", again)
	}
	check(first, bank.StateCanceled, second, 0)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.roll(20131007)
	ids := w.book(w.trade(`"client_trade_id":"by client"`), w.trade(""), w.trade(`"date":20130102`), w.trade(`"date":20131008`))
	for i, ref := range []bank.TradeRef{{AccountID: 100018, ClientTradeID: "by client"}, {TradeID: ids[1]}, {TradeID: ids[3]}} {
		if err := w.CancelTrade(t.Context(), ref); err != nil {
			t.Errorf("cancel %d: %v", i, err)
		}
		refused(t, "again", w.CancelTrade(t.Context(), ref), bank.TradeAlreadyCanceled)
	}
	refused(t, "by the other name", w.CancelTrade(t.Context(), bank.TradeRef{TradeID: ids[0]}), bank.TradeAlreadyCanceled)
	refused(t, "settled", w.CancelTrade(t.Context(), bank.TradeRef{TradeID: ids[2]}), bank.TradeSettled)
	for _, ref := range []bank.TradeRef{{TradeID: 1}, {TradeID: 1 << 62}, {TradeID: 1001}, {AccountID: 100018, ClientTradeID: "none"}, {AccountID: 100019, ClientTradeID: "by client"}} {
		refused(t, fmt.Sprint(ref), w.CancelTrade(t.Context(), ref), bank.TradeNotFound)
		_, err := w.Trade(t.Context(), ref)
		refused(t, fmt.Sprint("read ", ref), err, bank.TradeNotFound)
	}
	balances, err := w.Balances(t.Context(), 100018)
	if err != nil || len(balances) != 1 || balances[0].TradeCash.String() != "-1000" || balances[0].SettledCash.String() != "-1000" || !balances[0].UnsettledDebits.IsZero() {
		t.Errorf("balances %+v, %v", balances, err)
	}
}

// TestSingles: many clients at once, each booking and reading its own, over two replicas; some of them the same trade.
func TestSingles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, second := w.replica(books.Config{})
	const clients, each = 32, 20
	ids := make([][]bank.ID, clients)
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for n := range each {
				l, other := w.Ledger, second
				if n%2 == 1 {
					l, other = other, l
				}
				trade := parse(t, 0, fmt.Sprintf(`"client_trade_id":"%d-%d","quantity":"%d"`, c/2, n, n+1)) // two clients send the same
				booked, err := l.BookTrades(t.Context(), []bank.Trade{trade})
				if err != nil {
					t.Errorf("client %d: %v", c, err)
					return
				}
				ids[c] = append(ids[c], booked[0].TradeID)
				if s, err := other.Trade(t.Context(), bank.TradeRef{TradeID: booked[0].TradeID}); err != nil || !s.Trade.Same(&trade) {
					t.Errorf("client %d reads %s, %v", c, s.AppendJSON(nil), err)
				}
			}
		})
	}
	group.Wait()
	for c := 0; c < clients; c += 2 {
		if fmt.Sprint(ids[c]) != fmt.Sprint(ids[c+1]) {
			t.Errorf("clients %d and %d got %v and %v", c, c+1, ids[c], ids[c+1])
		}
	}
	p, err := w.Position(t.Context(), 100018, "IBM", false)
	if want := fmt.Sprint(clients / 2 * each * (each + 1) / 2); err != nil || p.Quantity.String() != want {
		t.Errorf("position %s, want %s (%v)", p.Quantity, want, err)
	}
}

// TestRaceOfCancels: of many that cancel the same trade at once, one has done it.
func TestRaceOfCancels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, second := w.replica(books.Config{})
	id := w.book(w.trade(""))[0]
	var group sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for c := range 16 {
		group.Go(func() {
			l := w.Ledger
			if c%2 == 1 {
				l = second
			}
			ref := bank.TradeRef{TradeID: id}
			if c%4 > 1 {
				ref = bank.TradeRef{AccountID: 100018, ClientTradeID: "T1"}
			}
			err := l.CancelTrade(t.Context(), ref)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else if bank.TypeOf(err) != bank.TradeAlreadyCanceled {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if done != 1 {
		t.Errorf("%d cancels were done", done)
	}
}

// TestLargeCall: a call as large as Bank takes fits BK, and what is too long for it is kept.
func TestLargeCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var trades []bank.Trade
	for range 260 {
		trades = append(trades, w.trade(`"user_data":"`+strings.Repeat("x", 31<<10)+`"`))
	}
	ids := w.book(trades...)
	if s := w.stored(ids[259]); !s.Trade.Same(&trades[259]) {
		t.Errorf("the last of a large call: %.300s", s.AppendJSON(nil))
	}
	// By itself its command is another, and it is the same trade nevertheless.
	if again := w.book(trades[7]); again[0] != ids[7] {
		t.Errorf("again: %v, not %d", again, ids[7])
	}
	more := append([]bank.Trade{w.trade("")}, trades[3:6]...)
	if again := w.book(more...); again[1] != ids[3] || again[3] != ids[5] {
		t.Errorf("again, with a new one: %v", again)
	}
	other := trades[7]
	other.Price = dec("11")
	_, err := w.BookTrades(t.Context(), []bank.Trade{w.trade(""), other})
	refused(t, "another under the same name", err, bank.ClientIDConflict)
}

func TestGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.BookTrades(ended, []bank.Trade{w.trade("")}); err == nil {
		t.Error("booked by a call that had ended")
	}
	w.ids.Update(nil)
	_, err := w.BookTrades(t.Context(), []bank.Trade{w.trade("")})
	refused(t, "while Bank books first", err, bank.Internal)
}
