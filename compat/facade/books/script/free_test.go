package script

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/bkledger/bk/compat/bank"
)

// TestSurelyPaid: what the short look calls paid is paid by the exact one, too.
func TestSurelyPaid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := func(name string, least int64) bank.Decimal {
			whole := rapid.OneOf(rapid.Int64Range(least, 200), rapid.Int64Range(least, 999_999_999_999_999_999)).Draw(t, name)
			text := fmt.Sprint(whole)
			if digits := rapid.StringMatching(`[0-9]{0,10}`).Draw(t, name+"'s fraction"); digits != "" {
				text += "." + digits
			}
			d, err := bank.ParseDecimal(text)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		trade := bank.Trade{
			Type: rapid.SampledFrom([]string{bank.ExchangeTrade, bank.AllocationTrade}).Draw(t, "type"), AccountID: 1,
			Quantity: amount("quantity", 0), Price: amount("price", 0), Fees: bank.Fees{Commission: amount("commission", -999_999_999_999_999_999)},
			Side: bank.Side{Direction: rapid.SampledFrom([]string{bank.Buy, bank.Sell}).Draw(t, "direction")},
		}
		if trade.Type == bank.AllocationTrade {
			trade.TargetAccountID = 2
		}
		if rapid.Bool().Draw(t, "the commission is near the gross amount") {
			trade.Fees.Commission.Decimal = trade.Quantity.Mul(trade.Price.Decimal).Sub(amount("difference", -100).Decimal)
		}
		if own, target := mayBeFree(&trade); surelyPaid(&trade) && (own || target) {
			t.Fatalf("%s may be free", trade.AppendJSON(nil))
		}
	})
	hundred, err := bank.ParseDecimal("100")
	if err != nil {
		t.Fatal(err)
	}
	if trade := (bank.Trade{Quantity: hundred, Price: hundred}); !surelyPaid(&trade) {
		t.Error("a usual trade takes the long way")
	}
}
