package script

import (
	"crypto/sha256"
	"math"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// TextKey is the key of a text's row, which bankmap.Hashed shows.
func TextKey(text string) [32]byte { return sha256.Sum256([]byte(text)) }

var (
	mostFees    = decimal.NewFromInt(10) // TAF is capped below
	mostFeeRate = decimal.New(1, -4)     // SEC's fee is below
)

// Free gives the accounts of a trade to which it may bring no cash at all. Nearly always there are none.
func Free(t *bank.Trade) (accounts []bank.ID) {
	if surelyPaid(t) {
		return nil
	}
	own, target := mayBeFree(t)
	if own {
		accounts = append(accounts, t.AccountID)
	}
	if target {
		accounts = append(accounts, t.TargetAccountID)
	}
	return accounts
}

// surelyPaid reports whether a trade's gross amount is so much above its commission and all fees that there is no need to work them out, as nearly always. Fifteen
// digits will do for that.
func surelyPaid(t *bank.Trade) bool {
	const digits = 18 // that a word holds
	if t.Interest != nil || t.Quantity.NumDigits() > digits || t.Price.NumDigits() > digits || t.Fees.Commission.NumDigits() > digits {
		return false
	}
	about := func(d bank.Decimal) float64 { return float64(d.CoefficientInt64()) * math.Pow10(int(d.Exponent())) }
	return about(t.Quantity)*about(t.Price)*0.99 > math.Abs(about(t.Fees.Commission))+20
}

// mayBeFree reports for either account of a trade whether its cash may be zero. Only BK knows the fees of a sale.
func mayBeFree(t *bank.Trade) (own, target bool) {
	gross := t.Quantity.Mul(t.Price.Decimal)
	moved := gross
	if t.Interest != nil {
		moved = moved.Add(t.Interest.Accrued.Decimal)
	}
	target = t.TargetAccountID != 0 && moved.IsZero()
	if t.Side.Direction == bank.Buy {
		return moved.Add(t.Fees.Commission.Decimal).IsZero(), target
	}
	left := moved.Sub(t.Fees.Commission.Decimal)
	if left.IsZero() {
		return true, target
	}
	if bank.TwoAccounts(t.Type) || left.IsNegative() {
		return false, target
	}
	return left.Cmp(gross.Mul(mostFeeRate).Add(mostFees)) <= 0, target
}
