package projections_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
)

// TestChunksKeepGroupsWhole: entries that were booked as one are folded in one transaction, however small chunks are: nobody reads a correction half.
func TestChunksKeepGroupsWhole(t *testing.T) {
	t.Parallel()
	b := foldtest.NewBooks(shard)
	usd := ledger.Currency("USD")
	ibm := ledger.Identifier{Type: ledger.Ticker, Value: "IBM", Country: "USA", Currency: "USD"}
	book := func(c *ledger.Command) *ledger.Entry {
		t.Helper()
		e, rej := b.Book(c)
		if rej != nil {
			t.Fatal(rej)
		}
		return e
	}
	book(&ledger.Command{Kind: ledger.KindInstrument, Define: &usd})
	book(&ledger.Command{Kind: ledger.KindInstrument, Define: &ledger.Instrument{Symbol: "IBM", Identifiers: []ledger.Identifier{ibm}}})
	book(&ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{ID: 100001, Code: "cust:100001"}})
	trade := func(key string, replaces *ledger.Target) *ledger.Command {
		return &ledger.Command{Kind: ledger.KindExchangeTrade, Key: key, TradeDate: 20131007, Replaces: replaces, Trade: &ledger.Trade{
			ExecutedAt: time.UnixMilli(1381132800464), Account: ledger.AccountRef{ID: 100001}, Direction: ledger.Buy, Quantity: ledger.AmountOf(100),
			Price: ledger.AmountOf(10), Instrument: ibm, Capacity: "agency", MIC: "XNYS", ExecMPID: "CLST",
		}}
	}
	book(trade("open", nil))
	book(trade("open 2", &ledger.Target{Key: "open"})) // cancel, booking
	if rej := b.Roll(20131010, true, func(ledger.Date) (int64, [32]byte) { return 0, [32]byte{} }); rej != nil {
		t.Fatal(rej)
	}
	book(trade("late", nil))                                       // booking, settlement
	book(trade("late 2", &ledger.Target{Key: "late"}))             // reversal, cancel, booking, settlement
	book(trade("open 3", &ledger.Target{Key: "open 2"}))           // the same
	book(trade("late 3", &ledger.Target{Key: "late", Link: true})) // link, booking, settlement
	const within = 1 + 1 + 3 + 3 + 2                               // entries that follow another of their group
	reg := prometheus.NewRegistry()
	r := newRunner(t, foldtest.Pool(t, pgtest.New(t)), b.Journal, func(c *projections.Config) { c.MaxChunkEntries, c.Metrics = 1, reg })
	start(t, r)
	waitFor(t, r, b.Head().Seq)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range families {
		if f.GetName() != "bk_projection_chunk_entries" {
			continue
		}
		for _, m := range f.GetMetric() {
			seen++
			if chunks, want := m.GetHistogram().GetSampleCount(), b.Head().Seq-within; chunks != want {
				t.Errorf("%v: %d chunks, want %d: one for each entry or group", m.GetLabel(), chunks, want)
			}
		}
	}
	if seen != 2 {
		t.Errorf("chunks of %d projections", seen)
	}
}
