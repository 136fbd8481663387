package books_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
)

// TestMinted finds the parts in which BK booked first in histories of modes.
func TestMinted(t *testing.T) {
	t.Parallel()
	epoch := func(m mode.Mode, first, base int64) mode.Epoch {
		return mode.Epoch{Mode: m, Bases: mode.Bases{FirstSequence: first, TradeID: base, CashID: -base}}
	}
	for _, test := range []struct {
		history []mode.Epoch
		want    string
	}{
		{nil, "[]"},
		{[]mode.Epoch{epoch(mode.BankOnly, 0, 0), epoch(mode.BankPrimary, 0, 0)}, "[]"},
		{[]mode.Epoch{epoch(mode.BKPrimary, 1, 7)}, "[{1 0 7 -7}]"},
		{[]mode.Epoch{epoch(mode.BankPrimary, 0, 0), epoch(mode.BKPrimary, 11, 7), epoch(mode.BKOnly, 11, 7)}, "[{11 0 7 -7}]"}, // the kill switch too
		{[]mode.Epoch{epoch(mode.BKPrimary, 11, 7), epoch(mode.BKPrimary, 21, 9)}, "[{11 20 7 -7} {21 0 9 -9}]"},                // a renewal
		{[]mode.Epoch{epoch(mode.BKPrimary, 11, 7), epoch(mode.BankPrimary, 31, 7), epoch(mode.BKPrimary, 41, 8)}, "[{11 30 7 -7} {41 0 8 -8}]"},
	} {
		if got := books.Minted(test.history); fmt.Sprint(got) != test.want {
			t.Errorf("%v has %v, want %s", test.history, got, test.want)
		}
	}
}

// TestStream asks for all that the stream looks up.
func TestStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	enter := func(in mode.Mode, first, base int64) {
		t.Helper()
		_, err := w.pool.Exec(ctx, `INSERT INTO facade.mode (epoch, mode, who, why, first_sequence, trade_id_base, cash_id_base)
			SELECT coalesce(max(epoch), 0) + 1, $1, 't', 't', $2, $3, $4 FROM facade.mode`, in, first, base, 2*base)
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := books.NewStream(books.StreamConfig{Client: w.client, Pool: w.pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w.book(w.trade(`"client_trade_id":"A"`))
	first := w.entry("100018/A")
	if _, err := s.TradeID(ctx, first); err == nil || !strings.Contains(err.Error(), "no façade has run") {
		t.Errorf("without a history: %v", err)
	}
	enter(mode.BKPrimary, 1, 1000)
	if id, err := s.TradeID(ctx, first); err != nil || id != bank.ID(1000+first.Id) {
		t.Errorf("the trade is %d (%v), of entry %d", id, err, first.Id)
	}
	if id, err := s.IDOf(ctx, first.Id); err != nil || id != bank.ID(1000+first.Id) {
		t.Errorf("the trade is %d (%v), of entry %d", id, err, first.Id)
	}
	for source, want := range map[string]bank.ID{
		bankmap.Origin{Kind: bankmap.OriginTrade, ID: 5, At: 1}.String(): 5, bankmap.Origin{Kind: bankmap.OriginCash, ID: 5, At: 1}.String(): 0,
	} {
		if id, err := s.TradeID(ctx, &bkv1.Entry{Id: first.Id, Source: source}); err != nil || id != want {
			t.Errorf("from %s it is %d (%v)", source, id, err)
		}
	}

	// What is booked behind the end of the part has no id, whatever was known when it was first asked for.
	place, err := w.ReplayPlace(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w.book(w.trade(`"client_trade_id":"B"`))
	second := w.entry("100018/B")
	if _, err := w.pool.Exec(ctx, `INSERT INTO facade.switch (from_epoch, to_mode, who, why, coordinator, drain_until)
		VALUES (1, $1, 't', 't', 't', clock_timestamp() + interval '1 hour')`, mode.BankPrimary); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := s.TradeID(short, second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while a step is under way: %v", err)
	}
	enter(mode.BankPrimary, int64(place.LastEventID)+1, 0)
	if _, err := w.pool.Exec(ctx, `UPDATE facade.switch SET ended_at = clock_timestamp(), outcome = 'done'`); err != nil {
		t.Fatal(err)
	}
	if id, err := s.TradeID(ctx, second); err != nil || id != 0 {
		t.Errorf("a trade of BK's own users is %d (%v)", id, err)
	}
	if id, err := s.CashID(ctx, second); err != nil || id != 0 {
		t.Errorf("cash of BK's own users is %d (%v)", id, err)
	}

	w.roll(20131007)
	w.roll(20131009)
	w.book(w.trade(`"client_trade_id":"C"`))
	third := w.entry("100018/C")
	for sequence, want := range map[int64]string{first.Sequence: "0 0", third.Sequence: "20131009 20131008"} {
		date, err := s.Date(ctx, sequence)
		before, err2 := s.DayBefore(ctx, sequence)
		if got := fmt.Sprint(date, before); err != nil || err2 != nil || got != want {
			t.Errorf("at %d it is %s (%v, %v), want %s", sequence, got, err, err2, want)
		}
	}
	if _, err := s.Booking(ctx, first.Id-1); !errors.Is(err, books.ErrMissing) {
		t.Errorf("an entry that books nothing: %v", err)
	}
	if _, err := s.Booking(ctx, 1<<40); !errors.Is(err, books.ErrMissing) {
		t.Errorf("no entry: %v", err)
	}
	if _, err := s.Currency(ctx, "XXX"); !errors.Is(err, books.ErrMissing) {
		t.Errorf("no currency: %v", err)
	}
	security, err := s.Instrument(ctx, third.Trade.Trade.Instrument)
	money, err2 := s.Currency(ctx, "USD")
	if err != nil || err2 != nil || security != third.Postings[0].Instrument || money != third.Postings[2].Instrument {
		t.Errorf("instruments %d, %d (%v, %v) of %v", security, money, err, err2, third.Postings)
	}
}

// entry gives the entry that booked a trade.
func (w *world) entry(key string) *bkv1.Entry {
	w.t.Helper()
	answer, err := w.client.Query.GetTrade(w.t.Context(), connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Key{Key: key}, AtLeast: "head"}))
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.Msg.Entries[0]
}
