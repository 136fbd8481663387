package swap

import (
	"slices"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// Day is what is played: the rows as they stand on the tape, repeats and corrections among them, and what is cancelled later.
type Day struct {
	Date    bank.Date
	Trades  []bank.Trade
	Cancels []bank.TradeRef

	first map[name]*bank.Trade // the first row under each name
}

// name is what a client calls a trade.
type name struct {
	account bank.ID
	client  string
}

func nameOf(t *bank.Trade) name { return name{t.AccountID, t.ClientTradeID} }

// Holding is an account's position in a symbol, or its cash in a currency.
type Holding struct {
	Account bank.ID
	Of      string // symbol or currency
}

func (d *Day) index() {
	d.first = make(map[name]*bank.Trade, len(d.Trades))
	for i := range d.Trades {
		if t := &d.Trades[i]; d.first[nameOf(t)] == nil {
			d.first[nameOf(t)] = t
		}
	}
}

// Distinct is how many trades there are, repeats left out.
func (d *Day) Distinct() int { return len(d.first) }

// Accounts are those that have part in a trade, ascending.
func (d *Day) Accounts() []bank.ID {
	seen := map[bank.ID]bool{}
	for i := range d.Trades {
		seen[d.Trades[i].AccountID] = true
		if to := d.Trades[i].TargetAccountID; to != 0 {
			seen[to] = true
		}
	}
	var all []bank.ID
	for id := range seen {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

// Results are the trade-date positions and cash that the day leaves, zeros left out. The tape's trades have no fees but the commission, and no interest.
func (d *Day) Results() (positions, cash map[Holding]decimal.Decimal) {
	dead := map[name]bool{}
	for _, t := range d.first {
		if t.CancelTradeID != "" {
			dead[name{t.AccountID, t.CancelTradeID}] = true
		}
	}
	for _, c := range d.Cancels {
		dead[name{c.AccountID, c.ClientTradeID}] = true
	}
	positions, cash = map[Holding]decimal.Decimal{}, map[Holding]decimal.Decimal{}
	add := func(sums map[Holding]decimal.Decimal, account bank.ID, of string, amount decimal.Decimal) {
		sums[Holding{account, of}] = sums[Holding{account, of}].Add(amount)
	}
	for n, t := range d.first {
		if dead[n] {
			continue
		}
		quantity := t.Quantity.Decimal
		if t.Side.Direction == bank.Sell {
			quantity = quantity.Neg()
		}
		paid := quantity.Mul(t.Price.Decimal)
		symbol, currency := t.Instrument.Identifier, t.Settlement.Currency
		add(positions, t.AccountID, symbol, quantity)
		add(cash, t.AccountID, currency, paid.Add(t.Fees.Commission.Decimal).Neg())
		if t.TargetAccountID != 0 {
			add(positions, t.TargetAccountID, symbol, quantity.Neg())
			add(cash, t.TargetAccountID, currency, paid)
		}
	}
	for _, sums := range []map[Holding]decimal.Decimal{positions, cash} {
		for h, sum := range sums {
			if sum.IsZero() {
				delete(sums, h)
			}
		}
	}
	return positions, cash
}
