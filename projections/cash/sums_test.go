package cash

import (
	"math/rand/v2"
	"testing"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/trades/lifetest"
)

// TestIdentity: after every entry of random journals, unsettled cash is what open trades have to receive, less what they have to pay, plus what is
// no trade's; and after every step, both sides are what a walk over all open trades gives.
func TestIdentity(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		l := lifetest.New(t, rand.New(rand.NewPCG(seed, 30)), 1, 5, 3)
		s := newSums(l.Directory)
		other := map[projections.Key]ledger.Amount{}
		done, days := 0, 0
		for range 300 {
			l.Step()
			for _, e := range l.Journal.All()[done:] {
				if err := s.add(e); err != nil {
					t.Fatal(err)
				}
				for _, p := range e.Postings {
					if k := (projections.Key{Account: p.Account, Instrument: p.Instrument}); e.Links.Trade == 0 && p.Bucket == ledger.Unsettled {
						other[k] = other[k].Add(p.Quantity)
					}
				}
				identity(t, e, s, other)
				done++
			}
			walked := walk(l)
			for k, sides := range s.days {
				if walked[k] != sides {
					t.Fatalf("seed %d, after entry %d: %+v is %+v, should be %+v", seed, done, k, sides, walked[k])
				}
				delete(walked, k)
				if !sides.IsZero() {
					days++
				}
			}
			for k, sides := range walked {
				if !sides.IsZero() {
					t.Fatalf("seed %d, after entry %d: %+v is missing, should be %+v", seed, done, k, sides)
				}
			}
		}
		if days < 1000 {
			t.Errorf("seed %d: only %d days seen", seed, days)
		}
	}
}

func identity(t *testing.T, e *ledger.Entry, s sums, other map[projections.Key]ledger.Amount) {
	t.Helper()
	open := map[projections.Key]Sides{}
	for k, sides := range s.days {
		if sides.Debits.Sign() < 0 || sides.Credits.Sign() < 0 {
			t.Fatalf("%+v is %+v after %s %d", k, sides, e.Kind, e.ID)
		}
		open[k.Key] = open[k.Key].Plus(sides)
	}
	for k, h := range s.totals {
		want := h.Settled.Add(open[k].Credits).Sub(open[k].Debits).Add(other[k])
		if h.TradeDate() != want {
			t.Fatalf("%+v: trade cash %s, should be %s after %s %d", k, h.TradeDate(), want, e.Kind, e.ID)
		}
		if row := (Row{Key: k, Holding: h, Sides: open[k]}); row.Other() != other[k] {
			t.Fatalf("%+v: %s is no trade's, should be %s", k, row.Other(), other[k])
		}
	}
}

// walk sums the cash of all trades that are open, from their terms.
func walk(l *lifetest.Ledger) map[dayKey]Sides {
	days := map[dayKey]Sides{}
	for _, trade := range l.Trades {
		life := l.Lives[trade]
		if life.State() != ledger.TradeOpen {
			continue
		}
		terms := life[0].Trade
		money, _ := l.Directory.Instrument(ledger.CurrencyID(terms.Currency))
		put := func(account int64, cash ledger.Amount) {
			k := dayKey{projections.Key{Account: account, Instrument: money.ID}, life[0].SettleDate}
			s := Sides{Credits: cash}
			if cash.Sign() < 0 {
				s = Sides{Debits: cash.Neg()}
			}
			days[k] = days[k].Plus(s)
		}
		put(terms.Account.ID, terms.Net)
		if target := terms.Target.ID; target != 0 {
			cash := terms.Gross.Add(terms.Accrued)
			if terms.Direction == ledger.Sell {
				cash = cash.Neg()
			}
			put(target, cash)
		}
	}
	return days
}
