package modeltest

import (
	"math/big"
	"strings"
)

// The fees of bank-api, by trade date: from a day on a rate and the most that a trade pays ("" for no bound).
var (
	secRates = []rate{{20130525, "0.0000174", ""}, {20240522, "0.0000278", ""}, {20250514, "0", ""}}
	tafRates = []rate{{20120701, "0.000119", "5.95"}, {20240101, "0.000166", "8.30"}}
)

type rate struct {
	from       Date
	rate, most string
}

func fee(rates []rate, day Date, base *big.Rat) *big.Rat {
	fee := zero()
	for _, r := range rates {
		if day >= r.from {
			fee = centsUp(times(base, number(r.rate)))
			if r.most != "" && !below(fee, r.most) {
				fee = number(r.most)
			}
		}
	}
	return fee
}

// priced makes a trade of its terms, with its cash.
func priced(c Command, listed string) *Trade {
	t := &Trade{Terms: *c.Trade, Kind: c.Kind, TradeDate: c.TradeDate, SEC: zero(), TAF: zero()}
	if t.Terms.Currency == "" {
		t.Terms.Currency = listed
	}
	t.Quantity, t.Price = number(c.Trade.Quantity), number(c.Trade.Price)
	t.Commission, t.Accrued = orZero(c.Trade.Commission), orZero(c.Trade.Accrued)
	t.Gross = times(t.Quantity, t.Price)
	if c.Trade.Direction == "buy" {
		t.Delivered = t.Quantity
		t.Net = opposite(plus(plus(t.Gross, t.Commission), t.Accrued))
		return t
	}
	if !c.hasTarget() && !c.Trade.OmitSEC {
		t.SEC = fee(secRates, t.TradeDate, t.Gross)
	}
	if !c.hasTarget() && !c.Trade.OmitTAF {
		t.TAF = fee(tafRates, t.TradeDate, t.Quantity)
	}
	t.Delivered = opposite(t.Quantity)
	t.Net = minus(minus(minus(plus(t.Gross, t.Accrued), t.Commission), t.SEC), t.TAF)
	return t
}

// other is the account on the other side of the trade.
func (t *Trade) other() string {
	switch {
	case t.Terms.Target != "":
		return t.Terms.Target
	case t.Kind == "trade.exchange":
		return "street:cns"
	}
	return "street:contra:" + strings.ToUpper(t.Terms.Contra)
}

// postings are what the trade does when it comes into force.
func (t *Trade) postings() []Posting {
	account, other, share, money := t.Terms.Account, t.other(), t.Terms.Security, t.Terms.Currency
	paid := plus(t.Gross, t.Accrued) // by the buyer to the other side
	if t.Terms.Direction == "sell" {
		paid = opposite(paid)
	}
	return withoutZeros([]Posting{
		{account, share, "u", t.Delivered}, {other, share, "u", opposite(t.Delivered)},
		{account, money, "u", t.Net}, {other, money, "u", paid},
		{"firm:commission", money, "s", t.Commission}, {"liability:sec", money, "s", t.SEC}, {"liability:taf", money, "s", t.TAF},
	})
}

// streetLeg settles what is still due from or to the street: shares at the depository, cash at the bank.
func (t *Trade) streetLeg() []Posting {
	var leg []Posting
	for _, p := range t.sum() {
		if p.Bucket != "u" || !strings.HasPrefix(p.Account, "street:") {
			continue
		}
		location := "location:bank"
		if p.Instrument == t.Terms.Security {
			location = "location:dtc"
		}
		leg = append(leg, Posting{p.Account, p.Instrument, "u", opposite(p.Quantity)}, Posting{location, p.Instrument, "s", p.Quantity})
	}
	return leg
}

// sum gives all that the trade has posted so far.
func (t *Trade) sum() []Posting {
	var all []Posting
	for _, e := range t.Entries {
		all = append(all, e.Postings...)
	}
	return Added(all)
}

// Added adds up postings on the same account, instrument and bucket, and leaves out what is zero.
func Added(postings []Posting) []Posting {
	var sums []Posting
next:
	for _, p := range postings {
		for i := range sums {
			if s := &sums[i]; s.Account == p.Account && s.Instrument == p.Instrument && s.Bucket == p.Bucket {
				s.Quantity = plus(s.Quantity, p.Quantity)
				continue next
			}
		}
		sums = append(sums, p)
	}
	return withoutZeros(sums)
}

func withoutZeros(postings []Posting) []Posting {
	var rest []Posting
	for _, p := range postings {
		if p.Quantity.Sign() != 0 {
			rest = append(rest, p)
		}
	}
	return rest
}

func opposites(postings []Posting) []Posting {
	var out []Posting
	for _, p := range postings {
		p.Quantity = opposite(p.Quantity)
		out = append(out, p)
	}
	return out
}
