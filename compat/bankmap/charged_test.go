package bankmap_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/ledger"
)

// TestCharged: what Bank charged otherwise is what BK books, and the request that is read back is as it was.
func TestCharged(t *testing.T) {
	t.Parallel()
	rules := ledger.StandardRules()
	rapid.Check(t, func(t *rapid.T) {
		trade := drawTrade(t)
		trade.CancelTradeID = ""
		charged := bankmap.Charged{NoSECFee: rapid.Bool().Draw(t, "no SEC fee"), NoTAFFee: rapid.Bool().Draw(t, "no TAF")}
		if rapid.Bool().Draw(t, "settles otherwise") {
			charged.SettleDate = 20991231
		}
		if trade.Date > 20991231 {
			charged.SettleDate = 0
		}
		instrument := bankmap.Natural(trade.Instrument)
		command, extras, err := bankmap.FromCharged(&trade, instrument, charged)
		if err != nil {
			t.Fatal(err)
		}
		if extras != "" {
			command.Metadata = map[string]string{bankmap.MetadataKey: extras}
		}
		entry := book(t, rules, &trade, command, instrument)
		x, err := bankmap.ParseExtras(entry.Metadata[bankmap.MetadataKey])
		if err != nil {
			t.Fatal(err)
		}
		back, err := bankmap.ToTrade(entry.Trade, x)
		if err != nil {
			t.Fatal(err)
		}
		if !back.Same(&trade) {
			t.Errorf("booked\n%s\ngives\n%s", trade.AppendJSON(nil), back.AppendJSON(nil))
		}
		if charged.NoSECFee && entry.Trade.SecFee != "0" || charged.NoTAFFee && entry.Trade.TafFee != "0" {
			t.Errorf("fees %s and %s of what was charged none", entry.Trade.SecFee, entry.Trade.TafFee)
		}
		if charged.SettleDate != 0 && entry.SettleDate != int32(charged.SettleDate) {
			t.Errorf("settles %d, not %d", entry.SettleDate, charged.SettleDate)
		}
	})
}
