package bank_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
)

// TestTimestamps: what is below 100000000000 is seconds and is given back in milliseconds, however old; what is sent or stored of it is read as the same.
func TestTimestamps(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"0": "0", "1": "1000", "99999999": "99999999000", "99999999999": "99999999999000", "100000000000": "100000000000", "1381132800464": "1381132800464",
	} {
		trade, err := bank.ReadTrade([]byte(with(bank.ExchangeTrade, "timestamp", given)))
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		checkTrade(t, trade)
		shown, err := json.Marshal(bank.StoredTrade{TradeID: 1, Trade: trade})
		if err != nil || !strings.Contains(string(shown), `"timestamp":`+want+`,`) {
			t.Errorf("%s is given back in %s, %v; want %s", given, shown, err, want)
		}
	}
}
