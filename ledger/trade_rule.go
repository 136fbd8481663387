package ledger

import (
	"math/bits"
	"strings"
)

// tradeRules makes the rules for the five kinds of trade (bookkeeping: buy, sell, bilateral or away trade, allocation and transfer),
// on a trade-date basis: everything the trade moves goes to the unsettled bucket of the two parties.
func tradeRules() []Rule {
	var rules []Rule
	for _, kind := range []Kind{KindExchangeTrade, KindBilateralTrade, KindAwayTrade, KindAllocationTrade, KindTransferTrade} {
		rules = append(rules, Rule{Kind: kind, Post: postTrade})
	}
	return rules
}

// postTrade books a trade and works out its settlement date.
func postTrade(c *Command, e *Entry, d *Desk) *Rejection {
	e.Trade.Kind = c.Kind // the entry's own copy: what is worked out goes there
	if rej := tradePostings(e, d); rej != nil {
		return rej
	}
	if e.SettleDate == 0 {
		e.SettleDate = SettlementDate(e.TradeDate)
	}
	return nil
}

// tradePostings books a trade between its account and the other side. With s = +1 for a buy and -1 for a sale, q shares at a gross
// amount g, commission c, accrued interest i, fees f:
//
//	account/u  +s q S    other/u  -s q S
//	account/u  -s (g+i) - c - f $    other/u  +s (g+i) $    firm:commission +c $    liability:sec, liability:taf +f $
func tradePostings(e *Entry, d *Desk) *Rejection {
	t := e.Trade
	shape, _ := shapeOf(t.Kind)
	account, rej := d.Account("trade.account", t.Account)
	if rej != nil {
		return rej
	}
	var other int64
	switch {
	case shape.target:
		if other, rej = d.Account("trade.target", t.Target); rej == nil && other == account {
			rej = Reject(ReasonInvalid, "trade.target", "is the same account")
		}
		if rej != nil {
			return rej
		}
	case t.Kind == KindExchangeTrade:
		other = d.House(CodeStreetCNS)
	default:
		other = d.House(CodeStreetContra + strings.ToUpper(t.ContraMPID))
	}
	security, rej := d.Instrument("trade.instrument", t.Instrument)
	if rej != nil {
		return rej
	}
	money, rej := d.Currency("trade.currency", t.Currency)
	if rej != nil {
		return rej
	}
	consideration, shares := t.Gross.Add(t.Accrued), t.Quantity
	if t.Direction == Sell {
		consideration, shares = consideration.Neg(), shares.Neg()
	}
	post := func(account, instrument int64, bucket Bucket, quantity Amount) {
		if !quantity.IsZero() {
			e.Postings = append(e.Postings, Posting{account, instrument, bucket, quantity})
		}
	}
	post(account, security, Unsettled, shares)
	post(other, security, Unsettled, shares.Neg())
	post(account, money, Unsettled, t.Net)
	post(other, money, Unsettled, consideration)
	for _, charge := range [...]struct {
		code   string
		amount Amount
	}{{CodeCommission, t.Commission}, {CodeSECFee, t.SECFee}, {CodeTAFFee, t.TAFFee}} {
		if !charge.amount.IsZero() {
			post(d.House(charge.code), money, Settled, charge.amount)
		}
	}
	return nil
}

// price works out gross, fees and net.
func (t *Trade) price(day Date, shape tradeShape) *Rejection {
	gross, err := t.Quantity.Mul(t.Price)
	if err != nil {
		return Reject(ReasonOutOfRange, "trade.price", "quantity times price has %s", err)
	}
	t.Gross, t.SECFee, t.TAFFee = gross, Amount{}, Amount{}
	if t.Direction == Sell && shape.street {
		if !t.OmitSEC {
			t.SECFee = secFees.on(day).fee(gross)
		}
		if !t.OmitTAF {
			t.TAFFee = tafFees.on(day).fee(t.Quantity)
		}
	}
	charges := t.Commission.Add(t.SECFee).Add(t.TAFFee)
	if t.Direction == Buy {
		t.Net = gross.Add(t.Accrued).Add(charges).Neg()
	} else {
		t.Net = gross.Add(t.Accrued).Sub(charges)
	}
	if !t.Net.InRange() || !gross.Add(t.Accrued).InRange() {
		return Reject(ReasonOutOfRange, "trade", "the trade's cash has %s", ErrAmountRange)
	}
	return nil
}

// rate is a fee in force from a day on: a factor in units of 10^-8, and the most that one trade pays (zero: no cap).
type rate struct {
	from   Date
	factor uint64
	most   Amount
}

type rates []rate

// The tables of bank-api, section 4: the SEC's fee on the gross amount of sales (17.40 and 27.80 dollars a million), and FINRA's trading
// activity fee on their shares (0.000119 and 0.000166 dollars each).
var (
	secFees = rates{{from: 20130525, factor: 1740}, {from: 20240522, factor: 2780}, {from: 20250514}}
	tafFees = rates{
		{from: 20120701, factor: 11900, most: MustAmount("5.95")},
		{from: 20240101, factor: 16600, most: MustAmount("8.30")},
	}
)

// on gives the row in force on a day; before the first there is no fee.
func (r rates) on(day Date) rate {
	for i := len(r) - 1; i >= 0; i-- {
		if r[i].from <= day {
			return r[i]
		}
	}
	return rate{}
}

// fee is base × factor, rounded up to the cent, at most the cap. In units of 10^-18 the product has at most 28 + 5 digits, so 128 bits
// hold it exactly; a cent is 10^16 of them.
func (r rate) fee(base Amount) Amount {
	const cent = 10_000_000_000_000_000
	hi, lo := base.magnitude()
	carry, low := bits.Mul64(lo, r.factor)
	high := hi*r.factor + carry
	whole, rest := high/cent, high%cent
	cents, rest := bits.Div64(rest, low, cent)
	if whole != 0 {
		panic("ledger: a fee of more than 2^64 cents")
	}
	if rest != 0 {
		cents++
	}
	hi, lo = bits.Mul64(cents, amountUnit/100)
	fee := Amount{int64(hi), lo}
	if !r.most.IsZero() && fee.Cmp(r.most) > 0 {
		return r.most
	}
	return fee
}
