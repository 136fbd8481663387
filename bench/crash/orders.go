package main

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/bench/tradingday"
	"github.com/bkledger/bk/ledger"
)

// firstDay is the business date that the first roll comes to.
const firstDay ledger.Date = 20250303

// How often, in trades: corrections and cancels come often enough to meet trades of every age.
const (
	cancelEach  = 60
	correctEach = 40
	eventEach   = 20
)

// tradingDay gives the commands of one client as orders, events among them. Their dates are around the business date of the moment.
func tradingDay(n int, seed uint64, rng *rand.Rand, today func() ledger.Date) (iter.Seq[*order], error) {
	day, err := tradingday.New(tradingday.Config{
		Seed: seed%1_000_000*1000 + uint64(n) + 1, Trades: endlessDay, Customers: customers, Source: fmt.Sprintf("crash-%d", n),
		CancelEach: cancelEach, CorrectEach: correctEach, Dates: func() (trade, settle ledger.Date) { return datesAround(rng, today()) },
	})
	if err != nil {
		return nil, err
	}
	return func(yield func(*order) bool) {
		events := 0
		for c := range day.Commands() {
			if rng.IntN(eventEach) == 0 {
				events++
				if !yield(newOrder(event(rng, fmt.Sprintf("E%d-%d", n, events), today()))) {
					return
				}
			}
			if !yield(tradeOrder(c)) {
				return
			}
		}
	}, nil
}

// datesAround gives the dates of a trade: most are the day's, some are booked late, some ahead, and some settle when they please.
func datesAround(rng *rand.Rand, today ledger.Date) (trade, settle ledger.Date) {
	trade = today
	switch n := rng.IntN(100); {
	case n < 15:
		trade = addDays(today, -1-rng.IntN(10))
	case n < 30:
		trade = addDays(today, 1+rng.IntN(3))
	}
	switch n := rng.IntN(500); {
	case n == 0:
		settle = ledger.WhenIssuedDate
	case n < 15:
		settle = trade
	case n < 30:
		settle = addDays(trade, 1+rng.IntN(5))
	}
	return trade, settle
}

func addDays(d ledger.Date, days int) ledger.Date { return ledger.DateOf(d.Time().AddDate(0, 0, days)) }

// tradeOrder makes an order of a command of a trading day.
func tradeOrder(c *ledger.Command) *order {
	o := newOrder(tradingday.Message(c))
	o.trade = c.Trade != nil
	if c.Target != nil {
		o.target = c.Target.Key
	}
	if c.Replaces != nil {
		o.target = c.Replaces.Key
	}
	return o
}

func newOrder(m *bkv1.Command) *order {
	o := &order{key: m.Key, message: m}
	// As the server will read it.
	if command, _, rej := wire.Command(m); rej == nil && command.Normalize() == nil {
		o.content = command.Hash()
	}
	return o
}

// linkOrder books an order's trade in place of one that is cancelled, named by its key, or by a key that booked nothing and by its id.
func linkOrder(o *order, canceled string, id ledger.ID, byID bool) *order {
	m := o.message
	m.Replaces = &bkv1.Replaces{Key: canceled, LinkIfCanceled: true}
	if byID && id != 0 {
		m.Replaces.Key, m.Replaces.Trade = "nothing/"+canceled, int64(id)
	}
	linked := newOrder(m)
	linked.trade, linked.target = true, canceled
	return linked
}

// streetOrder settles the street side of a trade, or is refused: clients don't know how far a trade is.
func streetOrder(trade *order) *order {
	o := newOrder(&bkv1.Command{
		Key: trade.key + "/street", Source: "crash", Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{
			Kind: string(ledger.KindSettleStreet), Target: &bkv1.Target{Key: trade.key},
		}},
	})
	o.target, o.street = trade.key, true
	return o
}

// event makes up one that is no trade's: cash in and out, journals, foreign exchange. Its fields are in their canonical form, as they are
// hashed. Some count on another day than the business date.
func event(rng *rand.Rand, name string, today ledger.Date) *bkv1.Command {
	const firstCustomer = 100_001
	n := rng.IntN(customers)
	one, other := strconv.Itoa(firstCustomer+n), strconv.Itoa(firstCustomer+(n+1+rng.IntN(customers-1))%customers)
	amount := strconv.Itoa(1 + rng.IntN(10_000))
	kinds := []struct {
		kind   ledger.Kind
		fields map[string]string
	}{
		{ledger.KindDeposit, map[string]string{"account": one, "currency": "USD", "amount": amount}},
		{ledger.KindWithdrawal, map[string]string{"account": one, "currency": "EUR", "amount": amount}},
		{ledger.KindJournalCash, map[string]string{"from": one, "to": other, "currency": "USD", "amount": amount}},
		{ledger.KindJournalSecurity, map[string]string{
			"from": one, "to": other, "instrument": "SPY", "instrument_type": string(ledger.Ticker), "instrument_country": "USA",
			"instrument_currency": "USD", "quantity": amount, "cost": amount, "currency": "USD",
		}},
		{ledger.KindFX, map[string]string{
			"account": one, "sold_currency": "USD", "sold_amount": amount, "bought_currency": "EUR", "bought_amount": amount,
		}},
	}
	k := kinds[rng.IntN(len(kinds))]
	m := &bkv1.Command{Key: one + "/" + name, Source: "crash", Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: string(k.kind), Fields: k.fields}}}
	switch rng.IntN(5) {
	case 0:
		m.EffectiveDate = int32(addDays(today, -rng.IntN(10)))
	case 1:
		m.EffectiveDate = int32(addDays(today, 1+rng.IntN(3)))
	}
	return m
}

// businessDate is the last one that the roller was told of.
type businessDate struct{ atomic.Int32 }

// today gives the day around which clients book.
func (d *businessDate) today() ledger.Date { return max(firstDay, ledger.Date(d.Load())) }
