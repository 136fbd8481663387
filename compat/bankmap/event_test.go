package bankmap_test

import (
	"testing"

	"pgregory.net/rapid"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/ledger"
)

// TestAmount: any sum of BK's has the text that BK gives it.
func TestAmount(t *testing.T) {
	t.Parallel()
	check := func(t rapid.TB, a ledger.Amount) {
		if got := bankmap.Amount(a); got.String() != a.String() {
			t.Errorf("%s becomes %s", a, got)
		}
	}
	for _, text := range []string{"0", "1", "-1", "0.0000000001", "-0.0000000001", "100000", "1000000.5", "922337203.6854775807", "922337203.6854775808", "-922337203.6854775808", "-922337203.6854775809", "999999999999999999.9999999999"} {
		check(t, ledger.MustAmount(text))
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, ledger.AmountFromBits(rapid.Int64Range(-1<<60, 1<<60).Draw(t, "high"), rapid.Uint64().Draw(t, "low")))
		check(t, ledger.AmountFromBits(rapid.Int64Range(-1, 0).Draw(t, "sign"), rapid.Uint64().Draw(t, "low")))
		whole := ledger.AmountOf(rapid.Int64Range(-1e12, 1e12).Draw(t, "whole"))
		check(t, whole.Add(ledger.AmountFromBits(0, 1_000_000_00*rapid.Uint64Range(0, 99).Draw(t, "cents"))))
	})
}

// TestLegs says whose of two events each account's is.
func TestLegs(t *testing.T) {
	t.Parallel()
	transfer := &bkv1.Trade{Account: bankmap.AccountRef(5), Target: bankmap.AccountRef(6)}
	for account, want := range map[int64]int{5: 0, 6: 1, 7: -1} {
		leg, ok := bankmap.TradeLeg(transfer, account)
		if !ok {
			leg = -1
		}
		if leg != want {
			t.Errorf("account %d of a transfer has leg %d, want %d", account, leg, want)
		}
	}
	ten, err := bank.ParseDecimal("10")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		kind    string
		account bank.ID
		leg     int
		amount  string
	}{
		{bank.Deposit, 5, 0, "10"}, {bank.Withdrawal, 5, 0, "-10"}, {bank.CashJournal, 5, 0, "-10"}, {bank.CashJournal, 6, 1, "10"}, {bank.CashJournal, 7, -1, "0"}, {bank.Deposit, 6, -1, "0"},
	} {
		cash := &bank.Cash{Kind: test.kind, AccountID: 5, Amount: ten}
		if test.kind == bank.CashJournal {
			cash.TargetAccountID = 6
		}
		leg, amount, ok := bankmap.CashLeg(cash, test.account)
		if !ok {
			leg = -1
		}
		if leg != test.leg || amount.String() != test.amount {
			t.Errorf("account %d of a %s has leg %d, %s", test.account, test.kind, leg, amount)
		}
	}
}

// TestTradeEvent says which entries Bank has an event of.
func TestTradeEvent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind  string
		id    int64
		state bkv1.TradeState
		want  string
	}{
		{"trade.exchange", 7, bkv1.TradeState_TRADE_STATE_NEW, bank.EventBooked}, {"trade.transfer", 7, bkv1.TradeState_TRADE_STATE_OPEN, bank.EventOpened},
		{"trade.open", 8, bkv1.TradeState_TRADE_STATE_OPEN, bank.EventOpened}, {"trade.settle", 8, bkv1.TradeState_TRADE_STATE_SETTLED, bank.EventSettled},
		{"trade.cancel", 8, bkv1.TradeState_TRADE_STATE_CANCELED, bank.EventCanceled}, {"trade.link", 8, bkv1.TradeState_TRADE_STATE_CANCELED, ""},
		{"trade.reverse", 8, bkv1.TradeState_TRADE_STATE_OPEN, ""}, {"trade.settle_street", 8, bkv1.TradeState_TRADE_STATE_OPEN, ""},
	} {
		entry := &bkv1.Entry{Id: test.id, Kind: test.kind, Trade: &bkv1.TradeRecord{Id: 7, State: test.state}}
		if got := bankmap.TradeEvent(entry); got != test.want {
			t.Errorf("%s, %s, is %q, want %q", test.kind, test.state, got, test.want)
		}
	}
}
