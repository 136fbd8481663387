package books_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
)

// TestReplay: what Bank decided first is booked under its ids and times, and once.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ids.Update(nil) // Bank books first
	ctx := t.Context()
	a, b, c := w.trade(`"client_trade_id":"A"`), w.trade(`"client_trade_id":"B","cancel_trade_id":"501"`), w.trade(`"client_trade_id":"C"`)
	cash := bank.Cash{ClientID: "C1", AccountID: 100018, Currency: "USD", Amount: dec("7"), Kind: bank.Deposit}
	replays := []bank.Replay{
		{TradeID: 501, BookedAt: 1381132800464, Request: &a}, {TradeID: 502, BookedAt: 1381132800465, Request: &b}, // names A by an id that is booked in the same call
		{TradeID: 510, BookedAt: 1381132800466, Request: &c}, {TradeID: 510, CanceledAt: 1381132800470}, {CashID: 12, BookedAt: 1381132800480, Cash: &cash},
	}
	first, err := w.ReplayAll(ctx, replays)
	if err != nil || len(first) != len(replays) {
		t.Fatalf("%v, %v", first, err)
	}
	for n := 1; n <= len(replays); n++ { // again, however they are cut
		_, err := w.ReplayAll(ctx, replays[:n])
		if err == nil && n < len(replays) {
			_, err = w.ReplayAll(ctx, replays[n:])
		}
		if err != nil {
			t.Errorf("again, cut at %d: %v", n, err)
		}
		if err := w.Replay(ctx, replays[n-1]); err != nil {
			t.Errorf("again, %d alone: %v", n-1, err)
		}
	}
	if again, err := w.ReplayAll(ctx, replays); err != nil || fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("again: %v, %v; first %v", again, err, first)
	}
	s := w.stored(501)
	if !s.Trade.Same(&a) || s.State != bank.StateCanceled || s.BookedAt != 1381132800464 || s.CanceledAt == nil || *s.CanceledAt != 1381132800465 ||
		s.ReplacedBy == nil || *s.ReplacedBy != 502 {
		t.Errorf("501 is %s", s.AppendJSON(nil))
	}
	if s := w.stored(502); !s.Trade.Same(&b) || s.Replaces == nil || *s.Replaces != 501 {
		t.Errorf("502 is %s", s.AppendJSON(nil))
	}
	if s := w.stored(510); s.CanceledAt == nil || *s.CanceledAt != 1381132800470 || s.BookedAt != 1381132800466 {
		t.Errorf("510 is %s", s.AppendJSON(nil))
	}
	journal, err := w.JournalRows(ctx, 100018, 0, 100)
	if err != nil || len(journal) != 6 || *journal[0].TradeID != 501 || *journal[5-1].TradeID != 510 {
		t.Errorf("journal %+v, %v", journal, err)
	}
	place, err := w.ReplayPlace(ctx)
	if err != nil || place.LastTradeID != 510 || place.LastCashID != 12 || place.LastEventID == 0 {
		t.Errorf("place %+v, %v", place, err)
	}

	other := a
	other.Price = dec("11")
	for name, test := range map[string]struct {
		replay bank.Replay
		want   bank.Type
	}{
		"other content":           {bank.Replay{TradeID: 501, BookedAt: 1, Request: &other}, bank.ClientIDConflict},
		"under another id":        {bank.Replay{TradeID: 503, BookedAt: 1, Request: &a}, bank.ClientIDConflict},
		"under another's id":      {bank.Replay{TradeID: 502, BookedAt: 1, Request: &a}, bank.Conflict},
		"cancelled already":       {bank.Replay{TradeID: 501, CanceledAt: 5}, bank.TradeAlreadyCanceled},
		"cancel of what is none":  {bank.Replay{TradeID: 999, CanceledAt: 5}, bank.TradeNotFound},
		"cash with other content": {bank.Replay{CashID: 12, Cash: &bank.Cash{ClientID: "C1", AccountID: 100018, Currency: "USD", Amount: dec("8"), Kind: bank.Deposit}}, bank.Conflict},
		"cash under another id":   {bank.Replay{CashID: 13, Cash: &cash}, bank.Conflict},
		"cash of nobody":          {bank.Replay{CashID: 13, Cash: &bank.Cash{ClientID: "C2", AccountID: 77, Currency: "USD", Amount: dec("8"), Kind: bank.Deposit}}, bank.UnknownAccount},
	} {
		fresh := w.trade("")
		_, err := w.ReplayAll(ctx, []bank.Replay{{TradeID: 600, BookedAt: 1, Request: &fresh}, test.replay})
		refused(t, name, err, test.want)
		var at *books.ReplayError
		if !errors.As(err, &at) || at.Index != 1 {
			t.Errorf("%s: %v doesn't say which", name, err)
		}
		refused(t, name+", alone", w.Replay(ctx, test.replay), test.want)
	}
	// BK books first from here on: ids go on behind Bank's.
	w.ids.Update([]books.Epoch{{First: int64(place.LastEventID) + 1, TradeBase: 1000, CashBase: 1000}})
	if again := w.book(a); again[0] != 501 {
		t.Errorf("A again is %v", again)
	}
	if id, err := w.MoveCash(ctx, cash); err != nil || id != 12 {
		t.Errorf("the cash again is %d, %v", id, err)
	}
	if fresh := w.book(w.trade("")); fresh[0] <= 1000 {
		t.Errorf("a new one is %v", fresh)
	}
}

// TestTwoEpochs: ids of what either booked first are found in each epoch, also those that Bank gave between two of BK's.
func TestTwoEpochs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	place := func() int64 {
		p, err := w.ReplayPlace(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return int64(p.LastEventID)
	}
	first := w.trade("")
	one := w.book(first)[0]
	w.roll(20131007)
	epoch := books.Epoch{First: 1, Last: place(), TradeBase: 1000, CashBase: 2000}
	w.ids.Update([]books.Epoch{epoch})
	between := w.trade("")
	if err := w.Replay(t.Context(), bank.Replay{TradeID: one + 1, BookedAt: 5, Request: &between}); err != nil { // the id of an entry that is no trade
		t.Fatal(err)
	}
	w.ids.Update([]books.Epoch{epoch, {First: place() + 1, TradeBase: 5000, CashBase: 5000}})
	last := w.trade(fmt.Sprintf(`"cancel_trade_id":%d`, one+1))
	three := w.book(last)[0]
	for id, want := range map[bank.ID]*bank.Trade{one: &first, one + 1: &between, three: &last} {
		if s := w.stored(id); !s.Trade.Same(want) {
			t.Errorf("%d is %s", id, s.AppendJSON(nil))
		}
	}
	if s := w.stored(one + 1); s.ReplacedBy == nil || *s.ReplacedBy != three {
		t.Errorf("%d is %s", one+1, s.AppendJSON(nil))
	}
}
