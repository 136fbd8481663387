package ledger_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/bkledger/bk/ledger"
)

// TestLives plays random lives and looks at what is left of them: every entry is balanced (world sees to it), a cancelled trade has left nothing
// on any day, a settled one nothing unsettled with its parties, and one with a settled street side nothing in the street.
func TestLives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(fataler{t: t})
		day, street := ledger.Date(20131001), rapid.Bool().Draw(t, "street")
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			var trades []ledger.ID
			for _, e := range w.entries {
				if e.Kind.IsTrade() {
					trades = append(trades, e.ID)
				}
			}
			pick := func() ledger.ID {
				if len(trades) == 0 {
					return 1
				}
				return rapid.SampledFrom(trades).Draw(t, "trade")
			}
			switch step := rapid.SampledFrom([]string{"book", "book", "correct", "cancel", "street", "roll", "roll"}).Draw(t, "step"); step {
			case "book", "correct":
				c := tradeWith(rapid.SampledFrom([]ledger.Kind{ledger.KindExchangeTrade, ledger.KindAwayTrade, ledger.KindTransferTrade}).Draw(t, "kind"), func(c *ledger.Command, t *ledger.Trade) {})
				c.Key, c.TradeDate = "", ledger.Date(rapid.IntRange(20131001, 20131020).Draw(t, "trade date"))
				c.Trade.Direction = rapid.SampledFrom([]ledger.Direction{ledger.Buy, ledger.Sell}).Draw(t, "direction")
				if step == "correct" {
					c.Replaces = &ledger.Target{Trade: pick(), Link: rapid.Bool().Draw(t, "link")}
				}
				w.try(c)
			case "cancel":
				w.try(on(ledger.KindCancel, pick()))
			case "street":
				w.try(on(ledger.KindSettleStreet, pick()))
			case "roll":
				w.roll(day, street)
				day = day.Next()
			}
		}
		for trade, life := range w.lives {
			checkLife(t, w, trade, life)
		}
	})
}

func checkLife(t *rapid.T, w *world, trade ledger.ID, life ledger.Life) {
	canceled := life.State() == ledger.TradeCanceled
	if dates := []ledger.Date{20130930, 20131003, 20131007, 20131010, 20131015, 21000101}; canceled {
		for _, asOf := range dates {
			var effective ledger.Life
			for _, e := range life {
				if e.EffectiveDate <= asOf {
					effective = append(effective, e)
				}
			}
			if left := effective.Made(); len(left) != 0 {
				t.Fatalf("trade %d is cancelled and has left as of %s: %s\n%s", trade, asOf, show(w.books, left), w.log())
			}
		}
	}
	settled, opened := life.State() == ledger.TradeSettled, life.State() != ledger.TradeNew
	for i, e := range life {
		if e.Trade != life[0].Trade || e.TradeDate != life[0].TradeDate || e.SettleDate != life[0].SettleDate || e.Links.Root != life[0].Links.Root ||
			e.Place() != life[0].Place() || i > 0 && (e.Links.Trade != trade || e.Key != "" && e.Kind.IsInternal()) {
			t.Fatalf("entry %d does not tell of its trade %d: %+v", e.ID, trade, e)
		}
	}
	for _, p := range life.Made() {
		if !opened {
			t.Fatalf("trade %d is new and has made %s", trade, show(w.books, life.Made()))
		}
		if customer := p.Account <= ledger.MaxAccountID; settled && customer && p.Bucket == ledger.Unsettled {
			t.Fatalf("trade %d is settled and has left %s", trade, show(w.books, life.Made()))
		}
	}
	if business := w.day.Date; business != 0 && !canceled {
		want := ledger.TradeOpen
		switch {
		case life[0].TradeDate > business && life[0].State == ledger.TradeNew: // what was booked before the first roll is open
			want = ledger.TradeNew
		case life[0].SettleDate <= business:
			want = ledger.TradeSettled
		}
		if life.State() != want {
			t.Fatalf("trade %d of %s, settling on %s, is %s on %s\n%s", trade, life[0].TradeDate, life[0].SettleDate, life.State(), business, w.log())
		}
	}
}

// fataler lets a world stop a rapid check.
type fataler struct {
	testing.TB
	t *rapid.T
}

func (f fataler) Helper()                           {}
func (f fataler) Fatal(args ...any)                 { f.t.Fatal(args...) }
func (f fataler) Fatalf(format string, args ...any) { f.t.Fatalf(format, args...) }
