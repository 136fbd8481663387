package tradingday_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/bench/tradingday"
	"github.com/bkledger/bk/ledger"
)

func newDay(t *testing.T, cfg tradingday.Config) *tradingday.Day {
	t.Helper()
	day, err := tradingday.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return day
}

func TestSameSeedSameDay(t *testing.T) {
	t.Parallel()
	first, second := newDay(t, tradingday.Config{Seed: 7, Trades: 5000}), newDay(t, tradingday.Config{Seed: 7, Trades: 5000})
	other := slices.Collect(newDay(t, tradingday.Config{Seed: 8, Trades: 5000}).Commands())
	commands := slices.Collect(second.Commands())
	i, same := 0, 0
	for c := range first.Commands() {
		if !proto.Equal(tradingday.Message(c), tradingday.Message(commands[i])) {
			t.Fatalf("command %d differs between two days of one seed:\n%v\n%v", i, tradingday.Message(c), tradingday.Message(commands[i]))
		}
		if i < len(other) && c.Key == other[i].Key {
			same++
		}
		i++
	}
	if i != len(commands) {
		t.Errorf("%d commands, the second time %d", i, len(commands))
	}
	if same > 0 {
		t.Errorf("%d keys are the same under another seed", same)
	}
}

// Every command is well formed, and what it cancels or corrects is a live trade of its own account that came before.
func TestCommandsAreBookable(t *testing.T) {
	t.Parallel()
	const trades = 30_000
	day := newDay(t, tradingday.Config{Trades: trades})
	customers := map[int64]bool{}
	for _, a := range day.Accounts() {
		customers[a.ID] = true
	}
	live, kinds, corrections, count := map[string]bool{}, map[ledger.Kind]int{}, 0, 0
	perCustomer := map[int64]int{}
	for c := range day.Commands() {
		account := tradingday.Account(c)
		if converted, _, rej := wire.Command(tradingday.Message(c)); rej != nil {
			t.Fatalf("%s: the message is refused: %v", c.Key, rej)
		} else if rej := converted.Normalize(); rej != nil {
			t.Fatalf("%s: %v", c.Key, rej)
		}
		if !strings.HasPrefix(c.Key, account+"/") {
			t.Fatalf("%s: the account is %s", c.Key, account)
		}
		kinds[c.Kind]++
		var target *ledger.Target
		switch {
		case c.Kind == ledger.KindCancel:
			target = c.Target
		case c.Replaces != nil:
			target = c.Replaces
			corrections++
		}
		if target != nil {
			if !live[target.Key] || !strings.HasPrefix(target.Key, account+"/") {
				t.Fatalf("%s: %s is no live trade of the same account", c.Key, target.Key)
			}
			delete(live, target.Key)
		}
		if c.Trade == nil {
			continue
		}
		count++
		perCustomer[c.Trade.Account.ID]++
		if _, known := live[c.Key]; known {
			t.Fatalf("%s: twice", c.Key)
		}
		live[c.Key] = true
		if !customers[c.Trade.Account.ID] || !c.Trade.Target.IsZero() && !customers[c.Trade.Target.ID] {
			t.Fatalf("%s: %d or %d is no customer", c.Key, c.Trade.Account.ID, c.Trade.Target.ID)
		}
		if c.Trade.Direction == ledger.Buy && c.Trade.Short {
			t.Fatalf("%s: a short buy", c.Key)
		}
	}
	if count != trades {
		t.Errorf("%d trades, not %d", count, trades)
	}
	for kind, least := range map[ledger.Kind]int{
		ledger.KindExchangeTrade: trades * 8 / 10, ledger.KindBilateralTrade: trades / 50, ledger.KindAwayTrade: trades / 100,
		ledger.KindAllocationTrade: trades / 100, ledger.KindTransferTrade: trades / 100, ledger.KindCancel: trades / 400,
	} {
		if kinds[kind] < least {
			t.Errorf("%d of %s, less than %d", kinds[kind], kind, least)
		}
	}
	if corrections < trades/600 {
		t.Errorf("%d corrections", corrections)
	}
	busiest := 0
	for _, n := range perCustomer {
		busiest = max(busiest, n)
	}
	if busiest < 10*trades/1000 {
		t.Errorf("the busiest customer has %d trades: nobody is busy", busiest)
	}
}

func TestDatesAreTheCallers(t *testing.T) {
	t.Parallel()
	dates := []ledger.Date{20250303, 20250304, 20250305}
	n := 0
	day := newDay(t, tradingday.Config{Trades: 3000, CancelEach: 10, CorrectEach: 10, Dates: func() (trade, settle ledger.Date) {
		n++
		if n%7 == 0 {
			settle = 20250310
		}
		return dates[n%len(dates)], settle
	}})
	booked, corrections, cancels, seen := map[string]*ledger.Command{}, 0, 0, map[ledger.Date]bool{}
	for c := range day.Commands() {
		m := tradingday.Message(c)
		if m.TradeDate != int32(c.TradeDate) || m.SettleDate != int32(c.SettleDate) {
			t.Fatalf("%s: the message has the dates %d and %d, not %d and %d", c.Key, m.TradeDate, m.SettleDate, c.TradeDate, c.SettleDate)
		}
		if c.Trade == nil {
			cancels++
			continue
		}
		if ledger.DateOf(c.Trade.ExecutedAt) != c.TradeDate {
			t.Fatalf("%s of %s was executed at %s", c.Key, c.TradeDate, c.Trade.ExecutedAt)
		}
		if c.Replaces != nil {
			corrections++
			if old := booked[c.Replaces.Key]; old.TradeDate != c.TradeDate || old.SettleDate != c.SettleDate {
				t.Fatalf("%s: %s and %s, it corrects one of %s and %s", c.Key, c.TradeDate, c.SettleDate, old.TradeDate, old.SettleDate)
			}
		}
		booked[c.Key], seen[c.TradeDate] = c, true
	}
	if len(seen) != len(dates) || corrections < 150 || cancels < 150 {
		t.Errorf("trade dates %v, %d corrections and %d cancels of 3000 trades", seen, corrections, cancels)
	}
}

func TestConfigReportsAllViolations(t *testing.T) {
	t.Parallel()
	_, err := tradingday.New(tradingday.Config{Trades: -1, Customers: 1, Date: 20250230, CancelEach: -1})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"trades:", "customers:", "date:", "one cancel for -1 trades"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q doesn't name %s", err, want)
		}
	}
}
