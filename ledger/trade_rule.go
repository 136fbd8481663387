package ledger

import (
	"strings"

	"github.com/shopspring/decimal"
)

// tradeRules makes the rules for the five kinds of trade (bookkeeping: buy, sell, bilateral or away trade, allocation and transfer),
// on a trade-date basis: everything the trade moves goes to the unsettled bucket of the two parties.
func tradeRules() []Rule {
	rules := make([]Rule, 0, len(tradeShapes))
	for _, kind := range []Kind{KindExchangeTrade, KindBilateralTrade, KindAwayTrade, KindAllocationTrade, KindTransferTrade} {
		rules = append(rules, Rule{Kind: kind, Post: postTrade})
	}
	return rules
}

// postTrade books a trade between its account and the other side. With s = +1 for a buy and -1 for a sale, q shares at a gross
// amount g, commission c, accrued interest i, fees f:
//
//	account/u  +s q S    other/u  -s q S
//	account/u  -s (g+i) - c - f $    other/u  +s (g+i) $    firm:commission +c $    liability:sec, liability:taf +f $
func postTrade(c *Command, e *Entry, d *Desk) *Rejection {
	t := c.Trade
	account, rej := d.Account("trade.account", t.Account)
	if rej != nil {
		return rej
	}
	var other int64
	switch {
	case tradeShapes[c.Kind].target:
		if other, rej = d.Account("trade.target", t.Target); rej == nil && other == account {
			rej = Reject(ReasonInvalid, "trade.target", "is the same account")
		}
		if rej != nil {
			return rej
		}
	case c.Kind == KindExchangeTrade:
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
	booked := *t
	if rej := booked.price(c); rej != nil {
		return rej
	}
	consideration := booked.Gross.Add(booked.Accrued)
	shares := booked.Quantity
	if booked.Direction == Sell {
		consideration, shares = consideration.Neg(), shares.Neg()
	}
	e.Postings = make([]Posting, 0, 7)
	post := func(account, instrument int64, bucket Bucket, quantity Amount) {
		if !quantity.IsZero() {
			e.Postings = append(e.Postings, Posting{account, instrument, bucket, quantity})
		}
	}
	post(account, security, Unsettled, shares)
	post(other, security, Unsettled, shares.Neg())
	post(account, money, Unsettled, booked.Net)
	post(other, money, Unsettled, consideration)
	for _, charge := range []struct {
		code   string
		amount Amount
	}{{CodeCommission, booked.Commission}, {CodeSECFee, booked.SECFee}, {CodeTAFFee, booked.TAFFee}} {
		if !charge.amount.IsZero() {
			post(d.House(charge.code), money, Settled, charge.amount)
		}
	}
	e.Trade = &booked
	return nil
}

// price works out gross, fees and net.
func (t *Trade) price(c *Command) *Rejection {
	gross, err := t.Quantity.Mul(t.Price)
	if err != nil {
		return Reject(ReasonOutOfRange, "trade.price", "quantity times price has %s", err)
	}
	t.Gross, t.SECFee, t.TAFFee = gross, Amount{}, Amount{}
	if t.Direction == Sell && tradeShapes[c.Kind].street {
		if !t.OmitSEC {
			t.SECFee = secFees.on(c.TradeDate).fee(gross)
		}
		if !t.OmitTAF {
			t.TAFFee = tafFees.on(c.TradeDate).fee(t.Quantity)
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

// rate is a fee in force from a day on: a factor, and the most that one trade pays (zero: no cap).
type rate struct {
	from   Date
	factor decimal.Decimal
	most   Amount
}

type rates []rate

// The tables of bank-api, section 4: the SEC's fee on the gross amount of sales, and FINRA's trading activity fee on their shares.
var (
	secFees = rates{
		{from: 20130525, factor: decimal.New(1740, -8)},
		{from: 20240522, factor: decimal.New(2780, -8)},
		{from: 20250514, factor: decimal.Zero},
	}
	tafFees = rates{
		{from: 20120701, factor: decimal.New(119, -6), most: MustAmount("5.95")},
		{from: 20240101, factor: decimal.New(166, -6), most: MustAmount("8.30")},
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

// fee is base × factor, rounded up to the cent, at most the cap.
func (r rate) fee(base Amount) Amount {
	if r.factor.IsZero() {
		return Amount{}
	}
	exact := decimal.NewFromBigInt(base.Unscaled(), -AmountScale).Mul(r.factor)
	cents := exact.RoundUp(2)
	fee, err := AmountFromUnscaled(cents.Shift(AmountScale).BigInt())
	if err != nil {
		panic("ledger: a fee is larger than what it is charged on: " + err.Error())
	}
	if !r.most.IsZero() && fee.Cmp(r.most) > 0 {
		return r.most
	}
	return fee
}
