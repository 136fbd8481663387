package generate_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
)

func events(cfg generate.Config) []bank.Event { return slices.Collect(generate.Events(cfg)) }

// TestTotals adds up what the events say and holds their totals against that.
func TestTotals(t *testing.T) {
	t.Parallel()
	type key struct {
		account bank.ID
		what    string
	}
	traded, settled := map[key]decimal.Decimal{}, map[key]decimal.Decimal{}
	add := func(to map[key]decimal.Decimal, k key, d decimal.Decimal) decimal.Decimal {
		to[k] = to[k].Add(d)
		return to[k]
	}
	opened := map[string]bool{}
	kinds := map[string]int{}
	var last int64
	for _, e := range events(generate.Config{Seed: 3, Events: 60_000, Accounts: 50, Symbols: 10, DayTrades: 2000}) {
		if e.ID <= last {
			t.Fatalf("event %d behind %d", e.ID, last)
		}
		last = e.ID
		kinds[e.Kind]++
		if e.Kind == bank.EventRolled {
			continue
		}
		if e.Trade == nil {
			k := key{e.AccountID, e.Currency}
			if b, s := add(traded, k, e.Amount.Decimal), add(settled, k, e.Amount.Decimal); !b.Equal(e.Balance.Decimal) || !s.Equal(e.SettledBalance.Decimal) {
				t.Fatalf("event %d: balance %s, settled %s, not %s, %s", e.ID, e.Balance, e.SettledBalance, b, s)
			}
			continue
		}
		tr := e.Trade
		kinds[tr.Type]++
		quantity, cash := tr.Quantity.Decimal, tr.NetAmount.Decimal
		if tr.Side.Direction == bank.Sell {
			quantity = quantity.Neg()
		}
		if e.AccountID != tr.AccountID {
			cash = tr.GrossAmount.Decimal
			if tr.Interest != nil {
				cash = cash.Add(tr.Interest.Accrued.Decimal)
			}
			if tr.Side.Direction == bank.Sell {
				cash = cash.Neg()
			}
			quantity = quantity.Neg()
		}
		position, money := key{e.AccountID, tr.Instrument.Identifier}, key{e.AccountID, tr.Settlement.Currency}
		leg := fmt.Sprint(e.AccountID, "/", tr.TradeID)
		var p, b, sp, sb decimal.Decimal
		none := decimal.Zero
		switch {
		case e.Kind == bank.EventOpened:
			opened[leg] = true
			p, b, sp, sb = quantity, cash, none, none
		case e.Kind == bank.EventCanceled && opened[leg]:
			p, b, sp, sb = quantity.Neg(), cash.Neg(), none, none
		case e.Kind == bank.EventSettled:
			p, b, sp, sb = none, none, quantity, cash
		}
		p, b, sp, sb = add(traded, position, p), add(traded, money, b), add(settled, position, sp), add(settled, money, sb)
		if !p.Equal(e.Position.Decimal) || !b.Equal(e.Balance.Decimal) || !sp.Equal(e.SettledPosition.Decimal) || !sb.Equal(e.SettledBalance.Decimal) {
			t.Fatalf("event %d, %s of %s: totals %s %s %s %s, not %s %s %s %s", e.ID, e.Kind, leg, e.Position, e.Balance, e.SettledPosition, e.SettledBalance, p, b, sp, sb)
		}
	}
	for _, kind := range []string{
		bank.EventBooked, bank.EventOpened, bank.EventSettled, bank.EventCanceled, bank.EventRolled, bank.Deposit, bank.Withdrawal, bank.CashJournal,
		bank.ExchangeTrade, bank.BilateralTrade, bank.AwayTrade, bank.AllocationTrade, bank.TransferTrade,
	} {
		if kinds[kind] == 0 {
			t.Errorf("there is no %s", kind)
		}
	}
}

// TestSame: the same seed gives the same, more begins with less, both sides say the same under ids of their own, and all can be read.
func TestSame(t *testing.T) {
	t.Parallel()
	cfg := generate.Config{Seed: 5, Events: 5000, Accounts: 20, DayTrades: 500}
	first := events(cfg)
	cfg.Events = 8000
	more := events(cfg)
	cfg.BK = true
	other := events(cfg)
	if len(first) != 5000 || len(more) != 8000 || len(other) != 8000 {
		t.Fatalf("%d, %d and %d events", len(first), len(more), len(other))
	}
	ids := map[int64]bool{}
	for i := range more {
		text := more[i].AppendJSON(nil)
		if i < len(first) && string(first[i].AppendJSON(nil)) != string(text) {
			t.Fatalf("event %d is another one in a longer stream: %s", i, text)
		}
		if a, b := landing.ContentHash(text), landing.ContentHash(other[i].AppendJSON(nil)); a != b {
			t.Fatalf("event %d says something else on the other side:\n%s\n%s", i, text, other[i].AppendJSON(nil))
		}
		if ids[other[i].ID] {
			t.Fatalf("id %d is there twice", other[i].ID)
		}
		ids[other[i].ID] = true
		read, err := bank.ReadEvent(text)
		if err != nil || string(read.AppendJSON(nil)) != string(text) {
			t.Fatalf("event %d: %v: %s", i, err, text)
		}
	}
	cfg.Seed = 6
	if again := events(cfg); string(again[50].AppendJSON(nil)) == string(other[50].AppendJSON(nil)) {
		t.Error("another seed gives the same")
	}
}

// TestRecords: offsets are without gaps, and an account stays in its partition.
func TestRecords(t *testing.T) {
	t.Parallel()
	next := map[landing.Origin]int64{}
	for origin, record := range generate.Records(generate.Config{Events: 3000, BK: true}, true) {
		if record.Offset != next[origin] {
			t.Fatalf("%v: offset %d, not %d", origin, record.Offset, next[origin])
		}
		next[origin]++
		e, err := bank.ReadEvent(record.Value)
		if err != nil || e.Key() != string(record.Key) || e.Topic() != origin.Contract || origin.Name != "facade."+origin.Contract {
			t.Fatalf("%v: %s %s: %v", origin, record.Key, record.Value, err)
		}
	}
	if len(next) < 10 {
		t.Errorf("only %d partitions", len(next))
	}
}

func TestConfigReportsEverything(t *testing.T) {
	t.Parallel()
	err := generate.Config{Events: -1, Accounts: 1, Symbols: -1, DayTrades: -1, First: 20131006}.Validate()
	for _, field := range []string{"Events", "Accounts", "Symbols", "DayTrades", "First"} {
		if err == nil || !containsField(err, field) {
			t.Errorf("%s is not in %v", field, err)
		}
	}
	if err := (generate.Config{}).WithDefaults().Validate(); err != nil {
		t.Error(err)
	}
}

func containsField(err error, field string) bool {
	for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
		if len(one.Error()) > len(field) && one.Error()[:len(field)] == field {
			return true
		}
	}
	return false
}

func BenchmarkEvents(b *testing.B) {
	b.ReportAllocs()
	n := int64(0)
	for range generate.Events(generate.Config{Events: int64(b.N)}) {
		n++
	}
	if n != int64(b.N) {
		b.Fatal(n)
	}
}
