package legacy

import (
	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// rate is a fee's from a trade date on.
type rate struct {
	from bank.Date
	rate decimal.Decimal
	most decimal.Decimal // the cap; zero: none
}

// secRates are of the gross amount, tafRates dollars a share; latest first. Before the first there is no fee.
var (
	secRates = []rate{
		{from: 20250514},
		{from: 20240522, rate: decimal.RequireFromString("0.0000278")},
		{from: 20130525, rate: decimal.RequireFromString("0.0000174")},
	}
	tafRates = []rate{
		{from: 20240101, rate: decimal.RequireFromString("0.000166"), most: decimal.RequireFromString("8.30")},
		{from: 20120701, rate: decimal.RequireFromString("0.000119"), most: decimal.RequireFromString("5.95")},
	}
)

// charge gives the fee on base by the rate in force, rounded up to the cent.
func charge(rates []rate, day bank.Date, base decimal.Decimal) decimal.Decimal {
	for _, r := range rates {
		if day < r.from {
			continue
		}
		fee := base.Mul(r.rate)
		if !r.most.IsZero() && fee.GreaterThan(r.most) {
			fee = r.most
		}
		return fee.RoundCeil(2)
	}
	return decimal.Zero
}

// isPair reports whether a trade is between two of Bank's accounts.
func isPair(t *bank.Trade) bool {
	return t.Type == bank.AllocationTrade || t.Type == bank.TransferTrade
}

// amounts fills in what follows from the request: amounts, fees, settlement date.
func amounts(t *bank.StoredTrade) {
	gross := t.Quantity.Mul(t.Price.Decimal)
	var sec, taf, accrued decimal.Decimal
	if t.Interest != nil {
		accrued = t.Interest.Accrued.Decimal
	}
	sells := t.Side.Direction == bank.Sell
	if sells && !isPair(&t.Trade) {
		if !t.Fees.OmitSEC {
			sec = charge(secRates, t.Date, gross)
		}
		if !t.Fees.OmitTAF {
			taf = charge(tafRates, t.Date, t.Quantity.Decimal)
		}
	}
	net := gross.Add(accrued)
	if !sells {
		net = net.Neg()
	}
	net = net.Sub(t.Fees.Commission.Decimal).Sub(sec).Sub(taf)
	t.GrossAmount, t.SECFee, t.TAFFee, t.NetAmount = bank.Decimal{Decimal: gross}, bank.Decimal{Decimal: sec}, bank.Decimal{Decimal: taf}, bank.Decimal{Decimal: net}
	switch {
	case t.Settlement.Date != 0:
		t.SettleDate = t.Settlement.Date
	case t.IsWhenIssued:
		t.SettleDate = bank.WhenIssued
	default:
		t.SettleDate = settleDate(t.Date)
	}
}
