package ledger_test

import (
	"testing"

	"github.com/bkledger/bk/ledger"
)

// plain makes the sample trade a purchase of 100 at 10 without commission, so that scripts stay short.
func plain(_ *ledger.Command, t *ledger.Trade) { t.Commission = ledger.Amount{} }

// onDay is a plain trade of a day.
func onDay(day ledger.Date) func(*ledger.Command, *ledger.Trade) {
	return func(c *ledger.Command, t *ledger.Trade) {
		plain(c, t)
		c.TradeDate = day
	}
}

// instead is a plain purchase of 90 in place of another trade.
func instead(of ledger.ID) func(*ledger.Command, *ledger.Trade) {
	return func(c *ledger.Command, t *ledger.Trade) {
		plain(c, t)
		t.Quantity, c.Replaces = ledger.AmountOf(90), &ledger.Target{Trade: of}
	}
}

// linked is instead of a trade that is cancelled already.
func linked(to ledger.ID) func(*ledger.Command, *ledger.Trade) {
	return func(c *ledger.Command, t *ledger.Trade) {
		instead(to)(c, t)
		c.Replaces.Link = true
	}
}

// TestLife runs whole lives of trades and compares every entry: postings, dates, links, states.
func TestLife(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		play func(w *world)
		want string
	}{
		{"before the first roll every trade opens and nothing settles", func(w *world) {
			w.trade(plain)
			w.trade(onDay(20301007))
		}, `
1 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
2 trade.exchange open 2030-10-07 settles 2030-10-08: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
`},
		{"new, open, settled with its street side; commission stays", func(w *world) {
			w.roll(20131006, true)
			w.trade(func(*ledger.Command, *ledger.Trade) {})
			w.roll(20131010, true)
		}, `
1 day.begin 2013-10-06
2 day.end 2013-10-06
3 trade.exchange new 2013-10-07 settles 2013-10-10
4 day.begin 2013-10-07
5 trade.open open 2013-10-07 trade 3: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1005 USD, street:cns/u 1000 USD, firm:commission/s 5 USD
6 day.end 2013-10-07
7 day.begin 2013-10-08
8 day.end 2013-10-08
9 day.begin 2013-10-09
10 day.end 2013-10-09
11 day.begin 2013-10-10
12 trade.settle settled 2013-10-10 trade 3: cust:100001/u -100 IBM, cust:100001/s 100 IBM, cust:100001/u 1005 USD, cust:100001/s -1005 USD, street:cns/u 100 IBM, location:dtc/s -100 IBM, street:cns/u -1000 USD, location:bank/s 1000 USD
13 day.end 2013-10-10
`},
		{"contractual side in the roll, street side by itself, on a given day or the business date", func(w *world) {
			w.trade(plain)
			w.trade(plain)
			w.roll(20131010, false)
			given := on(ledger.KindSettleStreet, 1)
			given.EffectiveDate = 20131011
			w.must(given)
			w.must(on(ledger.KindSettleStreet, 2))
		}, `
1 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
2 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
3 day.begin 2013-10-10
4 trade.settle settled 2013-10-10 trade 1: cust:100001/u -100 IBM, cust:100001/s 100 IBM, cust:100001/u 1000 USD, cust:100001/s -1000 USD
5 trade.settle settled 2013-10-10 trade 2: cust:100001/u -100 IBM, cust:100001/s 100 IBM, cust:100001/u 1000 USD, cust:100001/s -1000 USD
6 day.end 2013-10-10
7 trade.settle_street settled 2013-10-11 trade 1: street:cns/u 100 IBM, location:dtc/s -100 IBM, street:cns/u -1000 USD, location:bank/s 1000 USD
8 trade.settle_street settled 2013-10-10 trade 2: street:cns/u 100 IBM, location:dtc/s -100 IBM, street:cns/u -1000 USD, location:bank/s 1000 USD
`},
		{"the street delivers first, then the roll settles the rest of it", func(w *world) {
			w.roll(20131007, true)
			trade := w.trade(plain)
			w.must(on(ledger.KindSettleStreet, trade))
			w.roll(20131010, true)
		}, `
1 day.begin 2013-10-07
2 day.end 2013-10-07
3 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
4 trade.settle_street open 2013-10-07 trade 3: street:cns/u 100 IBM, location:dtc/s -100 IBM, street:cns/u -1000 USD, location:bank/s 1000 USD
5 day.begin 2013-10-08
6 day.end 2013-10-08
7 day.begin 2013-10-09
8 day.end 2013-10-09
9 day.begin 2013-10-10
10 trade.settle settled 2013-10-10 trade 3: cust:100001/u -100 IBM, cust:100001/s 100 IBM, cust:100001/u 1000 USD, cust:100001/s -1000 USD
11 day.end 2013-10-10
`},
		{"cancel of a new trade", func(w *world) {
			w.roll(20131004, true)
			w.must(on(ledger.KindCancel, w.trade(plain)))
			w.roll(20131005, true)
		}, `
1 day.begin 2013-10-04
2 day.end 2013-10-04
3 trade.exchange new 2013-10-07 settles 2013-10-10
4 trade.cancel canceled 2013-10-07 trade 3 reverses 3
5 day.begin 2013-10-05
6 day.end 2013-10-05
`},
		{"cancel of a trade that was opened later reverses the opening", func(w *world) {
			w.roll(20131006, true)
			trade := w.trade(plain)
			w.roll(20131007, true)
			w.must(on(ledger.KindCancel, trade))
		}, `
1 day.begin 2013-10-06
2 day.end 2013-10-06
3 trade.exchange new 2013-10-07 settles 2013-10-10
4 day.begin 2013-10-07
5 trade.open open 2013-10-07 trade 3: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
6 day.end 2013-10-07
7 trade.cancel canceled 2013-10-07 trade 3 reverses 5: cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 1000 USD, street:cns/u -1000 USD
`},
		{"cancel of a settled trade: each settlement is reversed by itself, on its own day, the last one first", func(w *world) {
			trade := w.trade(plain)
			w.roll(20131010, false)
			street := on(ledger.KindSettleStreet, trade)
			street.EffectiveDate = 20131011
			w.must(street)
			w.must(on(ledger.KindCancel, trade))
		}, `
1 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
2 day.begin 2013-10-10
3 trade.settle settled 2013-10-10 trade 1: cust:100001/u -100 IBM, cust:100001/s 100 IBM, cust:100001/u 1000 USD, cust:100001/s -1000 USD
4 day.end 2013-10-10
5 trade.settle_street settled 2013-10-11 trade 1: street:cns/u 100 IBM, location:dtc/s -100 IBM, street:cns/u -1000 USD, location:bank/s 1000 USD
6 trade.reverse settled 2013-10-11 trade 1 reverses 5: street:cns/u -100 IBM, location:dtc/s 100 IBM, street:cns/u 1000 USD, location:bank/s -1000 USD
7 trade.reverse open 2013-10-10 trade 1 reverses 3: cust:100001/u 100 IBM, cust:100001/s -100 IBM, cust:100001/u -1000 USD, cust:100001/s 1000 USD
8 trade.cancel canceled 2013-10-07 trade 1 reverses 1: cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 1000 USD, street:cns/u -1000 USD
`},
		{"cancel of a trade whose street side alone has settled", func(w *world) {
			trade := w.trade(plain)
			street := on(ledger.KindSettleStreet, trade)
			street.EffectiveDate = 20131009
			w.must(street)
			w.must(on(ledger.KindCancel, trade))
		}, `
1 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
2 trade.settle_street open 2013-10-09 trade 1: street:cns/u 100 IBM, location:dtc/s -100 IBM, street:cns/u -1000 USD, location:bank/s 1000 USD
3 trade.reverse open 2013-10-09 trade 1 reverses 2: street:cns/u -100 IBM, location:dtc/s 100 IBM, street:cns/u 1000 USD, location:bank/s -1000 USD
4 trade.cancel canceled 2013-10-07 trade 1 reverses 1: cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 1000 USD, street:cns/u -1000 USD
`},
		{"correction before settlement: the original dates; the first trade stays the root", func(w *world) {
			w.roll(20131008, true)
			first := w.trade(plain)
			second := w.trade(instead(first))
			w.trade(instead(second))
		}, `
1 day.begin 2013-10-08
2 day.end 2013-10-08
3 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
4 trade.cancel canceled 2013-10-07 trade 3 reverses 3 by 5: cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 1000 USD, street:cns/u -1000 USD
5 trade.exchange open 2013-10-07 settles 2013-10-10 corrects 3 root 3: cust:100001/u 90 IBM, street:cns/u -90 IBM, cust:100001/u -900 USD, street:cns/u 900 USD
6 trade.cancel canceled 2013-10-07 trade 5 reverses 5 corrects 3 root 3 by 7: cust:100001/u -90 IBM, street:cns/u 90 IBM, cust:100001/u 900 USD, street:cns/u -900 USD
7 trade.exchange open 2013-10-07 settles 2013-10-10 corrects 5 root 3: cust:100001/u 90 IBM, street:cns/u -90 IBM, cust:100001/u -900 USD, street:cns/u 900 USD
`},
		{"correction after settlement: settles on the day it is processed", func(w *world) {
			first := w.trade(plain)
			w.roll(20131010, false)
			w.roll(20131011, false)
			w.trade(instead(first))
		}, `
1 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
2 day.begin 2013-10-10
3 trade.settle settled 2013-10-10 trade 1: cust:100001/u -100 IBM, cust:100001/s 100 IBM, cust:100001/u 1000 USD, cust:100001/s -1000 USD
4 day.end 2013-10-10
5 day.begin 2013-10-11
6 day.end 2013-10-11
7 trade.reverse open 2013-10-10 trade 1 reverses 3: cust:100001/u 100 IBM, cust:100001/s -100 IBM, cust:100001/u -1000 USD, cust:100001/s 1000 USD
8 trade.cancel canceled 2013-10-07 trade 1 reverses 1 by 9: cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 1000 USD, street:cns/u -1000 USD
9 trade.exchange open 2013-10-07 settles 2013-10-11 corrects 1 root 1: cust:100001/u 90 IBM, street:cns/u -90 IBM, cust:100001/u -900 USD, street:cns/u 900 USD
10 trade.settle settled 2013-10-11 trade 9 corrects 1 root 1: cust:100001/u -90 IBM, cust:100001/s 90 IBM, cust:100001/u 900 USD, cust:100001/s -900 USD
`},
		{"correction after settlement with a settlement date of its own", func(w *world) {
			first := w.trade(plain)
			w.roll(20131010, false)
			w.trade(func(c *ledger.Command, t *ledger.Trade) {
				instead(first)(c, t)
				c.SettleDate = 20131015
			})
		}, `
1 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
2 day.begin 2013-10-10
3 trade.settle settled 2013-10-10 trade 1: cust:100001/u -100 IBM, cust:100001/s 100 IBM, cust:100001/u 1000 USD, cust:100001/s -1000 USD
4 day.end 2013-10-10
5 trade.reverse open 2013-10-10 trade 1 reverses 3: cust:100001/u 100 IBM, cust:100001/s -100 IBM, cust:100001/u -1000 USD, cust:100001/s 1000 USD
6 trade.cancel canceled 2013-10-07 trade 1 reverses 1 by 7: cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 1000 USD, street:cns/u -1000 USD
7 trade.exchange open 2013-10-07 settles 2013-10-15 corrects 1 root 1: cust:100001/u 90 IBM, street:cns/u -90 IBM, cust:100001/u -900 USD, street:cns/u 900 USD
`},
		{"correction linked to a trade that is cancelled already", func(w *world) {
			first := w.trade(plain)
			w.must(on(ledger.KindCancel, first))
			w.trade(linked(first))
		}, `
1 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
2 trade.cancel canceled 2013-10-07 trade 1 reverses 1: cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 1000 USD, street:cns/u -1000 USD
3 trade.link canceled 2013-10-07 trade 1 by 4
4 trade.exchange open 2013-10-07 settles 2013-10-10 corrects 1 root 1: cust:100001/u 90 IBM, street:cns/u -90 IBM, cust:100001/u -900 USD, street:cns/u 900 USD
`},
		{"another one linked to a corrected correction, by which it is replaced from then on", func(w *world) {
			w.roll(20131004, true)
			first := w.trade(plain)
			second := w.trade(instead(first))
			w.trade(instead(second))
			w.trade(linked(second))
		}, `
1 day.begin 2013-10-04
2 day.end 2013-10-04
3 trade.exchange new 2013-10-07 settles 2013-10-10
4 trade.cancel canceled 2013-10-07 trade 3 reverses 3 by 5
5 trade.exchange new 2013-10-07 settles 2013-10-10 corrects 3 root 3
6 trade.cancel canceled 2013-10-07 trade 5 reverses 5 corrects 3 root 3 by 7
7 trade.exchange new 2013-10-07 settles 2013-10-10 corrects 5 root 3
8 trade.link canceled 2013-10-07 trade 5 corrects 3 root 3 by 9
9 trade.exchange new 2013-10-07 settles 2013-10-10 corrects 5 root 3
`},
		{"correction of a new trade", func(w *world) {
			w.roll(20131004, true)
			w.trade(instead(w.trade(plain)))
		}, `
1 day.begin 2013-10-04
2 day.end 2013-10-04
3 trade.exchange new 2013-10-07 settles 2013-10-10
4 trade.cancel canceled 2013-10-07 trade 3 reverses 3 by 5
5 trade.exchange new 2013-10-07 settles 2013-10-10 corrects 3 root 3
`},
		{"a trade booked late settles at once, its street side as the last roll did", func(w *world) {
			w.roll(20131015, true)
			w.trade(plain)
		}, `
1 day.begin 2013-10-15
2 day.end 2013-10-15
3 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
4 trade.settle settled 2013-10-10 trade 3: cust:100001/u -100 IBM, cust:100001/s 100 IBM, cust:100001/u 1000 USD, cust:100001/s -1000 USD, street:cns/u 100 IBM, location:dtc/s -100 IBM, street:cns/u -1000 USD, location:bank/s 1000 USD
`},
		{"between two accounts: both settle, there is no street side", func(w *world) {
			w.roll(20131010, true)
			w.trade(func(c *ledger.Command, t *ledger.Trade) {
				plain(c, t)
				c.Kind, t.Target, t.Direction = ledger.KindAllocationTrade, ledger.AccountRef{Code: "cust:100002"}, ledger.Sell
			})
		}, `
1 day.begin 2013-10-10
2 day.end 2013-10-10
3 trade.allocation open 2013-10-07 settles 2013-10-10: cust:100001/u -100 IBM, cust:100002/u 100 IBM, cust:100001/u 1000 USD, cust:100002/u -1000 USD
4 trade.settle settled 2013-10-10 trade 3: cust:100001/u 100 IBM, cust:100001/s -100 IBM, cust:100002/u -100 IBM, cust:100002/s 100 IBM, cust:100001/u -1000 USD, cust:100001/s 1000 USD, cust:100002/u 1000 USD, cust:100002/s -1000 USD
`},
		{"fees stay where they are; a bilateral trade settles against its own street account", func(w *world) {
			w.roll(20131010, true)
			w.trade(func(c *ledger.Command, t *ledger.Trade) {
				c.Kind, t.Direction, t.ContraMPID, t.ContraClearingNum = ledger.KindBilateralTrade, ledger.Sell, "coda", "0161"
			})
		}, `
1 day.begin 2013-10-10
2 day.end 2013-10-10
3 trade.bilateral open 2013-10-07 settles 2013-10-10: cust:100001/u -100 IBM, street:contra:CODA/u 100 IBM, cust:100001/u 994.96 USD, street:contra:CODA/u -1000 USD, firm:commission/s 5 USD, liability:sec/s 0.02 USD, liability:taf/s 0.02 USD
4 trade.settle settled 2013-10-10 trade 3: cust:100001/u 100 IBM, cust:100001/s -100 IBM, cust:100001/u -994.96 USD, cust:100001/s 994.96 USD, street:contra:CODA/u -100 IBM, location:dtc/s 100 IBM, street:contra:CODA/u 1000 USD, location:bank/s -1000 USD
`},
		{"when-issued: open, and never settled", func(w *world) {
			w.trade(func(c *ledger.Command, t *ledger.Trade) {
				plain(c, t)
				c.SettleDate = ledger.WhenIssuedDate
			})
			w.roll(20991231, true)
		}, `
1 trade.exchange open 2013-10-07 settles 9999-12-31: cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 USD, street:cns/u 1000 USD
2 day.begin 2099-12-31
3 day.end 2099-12-31
`},
		{"what is for nothing moves shares alone", func(w *world) {
			w.roll(20131010, true)
			w.trade(func(c *ledger.Command, t *ledger.Trade) {
				plain(c, t)
				t.Price = ledger.Amount{}
			})
		}, `
1 day.begin 2013-10-10
2 day.end 2013-10-10
3 trade.exchange open 2013-10-07 settles 2013-10-10: cust:100001/u 100 IBM, street:cns/u -100 IBM
4 trade.settle settled 2013-10-10 trade 3: cust:100001/u -100 IBM, cust:100001/s 100 IBM, street:cns/u 100 IBM, location:dtc/s -100 IBM
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.play(w)
			if got := "\n" + w.log(); got != c.want {
				t.Errorf("got%swant%s", got, c.want)
			}
		})
	}
}
