package legacy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
)

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func wantLines(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (b *books) wantHolds(t *testing.T, account bank.ID, position, balance string) {
	t.Helper()
	p, m := b.holds(t, account, "XYZ")
	want(t, "position of "+account.String(), p, position)
	want(t, "balance of "+account.String(), m, balance)
}

// TestBuyAndSell: figures by hand. Sold 100 at 167.41: gross 16741, SEC 0.2912934 up to 0.30, TAF 0.0119 up to 0.02, commission 1.50: 16739.18.
func TestBuyAndSell(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.roll(t, 20131007)
	buy := b.book(t, exchange(t, "b1", 1, "buy", "200", "83.7", 20131007, `,"fees":{"commission":"1"}`))[0]
	sell := b.book(t, exchange(t, "s1", 1, "sell", "100", "167.41", 20131007, `,"fees":{"commission":"1.50"},"order_id":"o"`))[0]
	b.wantHolds(t, 1, "100/0", "USD -1.82 0 -16741 +16739.18;")
	stored := b.trade(t, sell)
	want(t, "state", stored.State, bank.StateOpen)
	want(t, "settle date", stored.SettleDate, 20131010)
	want(t, "gross", stored.GrossAmount.String(), "16741")
	want(t, "SEC fee", stored.SECFee.String(), "0.3")
	want(t, "TAF", stored.TAFFee.String(), "0.02")
	want(t, "net", stored.NetAmount.String(), "16739.18")
	wantLines(t, "journal", b.journal(t, 1),
		"20131007 open td 200 -16740 sd 0 0", "20131007 commission td 0 -1 sd 0 0",
		"20131007 open td -100 16741 sd 0 0", "20131007 commission td 0 -1.5 sd 0 0", "20131007 sec_fee td 0 -0.3 sd 0 0", "20131007 taf td 0 -0.02 sd 0 0")

	b.roll(t, 20131009)
	b.wantHolds(t, 1, "100/0", "USD -1.82 0 -16741 +16739.18;")
	b.roll(t, 20131010)
	b.wantHolds(t, 1, "100/100", "USD -1.82 -1.82 -0 +0;")
	want(t, "state", b.trade(t, buy).State, bank.StateSettled)
	wantLines(t, "journal", b.journal(t, 1)[6:],
		"20131010 settle td 0 0 sd 200 -16740", "20131010 commission_settle td 0 0 sd 0 -1",
		"20131010 settle td 0 0 sd -100 16741", "20131010 commission_settle td 0 0 sd 0 -1.5", "20131010 sec_fee_settle td 0 0 sd 0 -0.3", "20131010 taf_settle td 0 0 sd 0 -0.02")
	if err := b.CancelTrade(t.Context(), bank.TradeRef{TradeID: sell}); bank.TypeOf(err) != bank.TradeSettled {
		t.Errorf("cancel of a settled trade: %v", err)
	}
	list, err := b.AccountTrades(t.Context(), 1, front.TradeFilter{Date: 20131007}, 0, 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("trades: %v, %v", list, err)
	}
	want(t, "running position", list[0].RunningPosition.String()+" "+list[1].RunningPosition.String(), "200 100")
	want(t, "side and order", list[1].Side+" "+list[1].OrderID, "sell o")
}

func TestAllocation(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.book(t, parse(t, `{"type":"allocation_trade","timestamp":1381132800,"client_trade_id":"a","date":20131007,"account_id":"1","target_account_id":2,
		"quantity":"50","price":"10","instrument":{"identifier":"XYZ","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"buy"},
		"fees":{"commission":"2"},"interest":{"accrued":"3.5"}}`))[0]
	want(t, "state", b.trade(t, id).State, bank.StateOpen)
	want(t, "net", b.trade(t, id).NetAmount.String(), "-505.5")
	b.wantHolds(t, 1, "50/0", "USD -505.5 0 -505.5 +0;")
	b.wantHolds(t, 2, "-50/0", "USD 503.5 0 -0 +503.5;")
	wantLines(t, "journal of 1", b.journal(t, 1), "0 open td 50 -503.5 sd 0 0", "0 commission td 0 -2 sd 0 0")
	wantLines(t, "journal of 2", b.journal(t, 2), "0 open td -50 503.5 sd 0 0")
	target, err := b.AccountTrade(t.Context(), 2, id)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the target", target.Side+" "+target.RunningPosition.String(), "sell -50")
	b.roll(t, 20131010)
	b.wantHolds(t, 2, "-50/-50", "USD 503.5 503.5 -0 +0;")
}

// TestShortSale: 50,001 sold short at 10: TAF 5.950119 capped at 5.95, SEC 8.700174 up to 8.71.
func TestShortSale(t *testing.T) {
	t.Parallel()
	b := open(t)
	sale := exchange(t, "s", 1, "sell", "50001", "10", 20131007, "")
	sale.Side.Qualifier = "short"
	id := b.book(t, sale)[0]
	b.wantHolds(t, 1, "-50001/0", "USD 499995.34 0 -0 +499995.34;")
	got, err := b.AccountTrade(t.Context(), 1, id)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "side", got.Side, "sell-short")
}

func TestWhenIssuedNewAndLate(t *testing.T) {
	t.Parallel()
	b := open(t)
	issued := b.book(t, exchange(t, "w", 1, "buy", "1", "1", 20131007, `,"is_when_issued":true`))[0]
	b.roll(t, 20131010) // the first roll: one day
	want(t, "when issued", b.trade(t, issued).SettleDate, bank.WhenIssued)
	late := b.book(t, exchange(t, "l", 2, "buy", "5", "2", 20131007, ""))[0] // settles on the 10th
	want(t, "late", b.trade(t, late).State, bank.StateSettled)
	b.wantHolds(t, 2, "5/5", "USD -10 -10 -0 +0;")
	wantLines(t, "late", b.journal(t, 2), "20131010 open td 5 -10 sd 0 0", "20131010 settle td 0 0 sd 5 -10")
	next := b.book(t, exchange(t, "n", 3, "buy", "7", "3", 20131011, ""))[0]
	want(t, "new", b.trade(t, next).State, bank.StateNew)
	b.wantHolds(t, 3, "none", "")
	undone := b.book(t, exchange(t, "u", 3, "buy", "70", "3", 20131011, ""))[0]
	if err := b.CancelTrade(t.Context(), bank.TradeRef{AccountID: 3, ClientTradeID: "u"}); err != nil {
		t.Fatal(err)
	}
	b.roll(t, 20131017) // 11 + 3 settlement days, Columbus Day between
	want(t, "cancelled while new", b.trade(t, undone).State, bank.StateCanceled)
	b.wantHolds(t, 3, "7/7", "USD -21 -21 -0 +0;")
	wantLines(t, "rolled", b.journal(t, 3), "20131011 open td 7 -21 sd 0 0", "20131017 settle td 0 0 sd 7 -21")
	want(t, "when issued", b.trade(t, issued).State, bank.StateOpen)
	if err := b.Roll(t.Context(), 20131016); bank.TypeOf(err) != bank.MalformedRequest {
		t.Errorf("back: %v", err)
	}
	b.roll(t, 20131017)
}

func TestReplacements(t *testing.T) {
	t.Parallel()
	b := open(t)
	first := b.book(t, exchange(t, "1", 1, "buy", "10", "5", 20131007, ""))[0]
	second := exchange(t, "2", 1, "buy", "10", "6", 20131007, `,"cancel_trade_id":"1"`)
	third := exchange(t, "3", 1, "buy", "10", "7", 20131007, `,"cancel_trade_id":"2"`)
	ids := b.book(t, second, third, second) // of one earlier in the call, and a repeat
	want(t, "repeat", ids[2], ids[0])
	want(t, "linked", *b.trade(t, first).ReplacedBy, ids[0])
	want(t, "linked", *b.trade(t, ids[0]).Replaces, first)
	want(t, "chain", *b.trade(t, ids[0]).ReplacedBy, ids[1])
	want(t, "state", b.trade(t, ids[0]).State, bank.StateCanceled)
	b.wantHolds(t, 1, "10/0", "USD -70 0 -70 +0;")
	// Cancelled already: only linked. By trade id, since there is no such client id.
	fourth := b.book(t, exchange(t, "4", 1, "buy", "1", "1", 20131007, `,"cancel_trade_id":`+first.String()))
	_ = fourth
	want(t, "repeat", b.book(t, second)[0], ids[0])
	b.wantHolds(t, 1, "11/0", "USD -71 0 -71 +0;")
	for _, c := range []struct {
		more string
		want bank.Type
	}{{`,"cancel_trade_id":"none"`, bank.TradeNotFound}, {`,"cancel_trade_id":"x"`, bank.TradeNotFound}, {`,"cancel_trade_id":999999`, bank.TradeNotFound}} {
		if _, err := b.BookTrades(t.Context(), []bank.Trade{exchange(t, "x", 1, "buy", "1", "1", 20131007, c.more)}); bank.TypeOf(err) != c.want {
			t.Errorf("%s: %v", c.more, err)
		}
	}
	b.roll(t, 20131010)
	call := []bank.Trade{exchange(t, "y", 1, "buy", "1", "1", 20131010, ""), exchange(t, "z", 1, "buy", "1", "1", 20131007, `,"cancel_trade_id":"3"`)}
	if _, err := b.BookTrades(t.Context(), call); bank.TypeOf(err) != bank.TradeSettled {
		t.Errorf("replacing a settled trade: %v", err)
	}
	if _, err := b.Trade(t.Context(), bank.TradeRef{AccountID: 1, ClientTradeID: "y"}); bank.TypeOf(err) != bank.TradeNotFound {
		t.Errorf("the rest of a refused call: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := open(t)
	first := exchange(t, "1", 1, "buy", "10", "5", 20131007, "")
	id := b.book(t, first)[0]
	want(t, "the same", b.book(t, first)[0], id)
	want(t, "10.0 = 10", b.book(t, exchange(t, "1", 1, "buy", "10.0", "5.00", 20131007, ""))[0], id)
	for name, c := range map[string]struct {
		trade bank.Trade
		want  bank.Type
	}{
		"other content":   {exchange(t, "1", 1, "buy", "11", "5", 20131007, ""), bank.ClientIDConflict},
		"unknown account": {exchange(t, "1", 77, "buy", "11", "5", 20131007, ""), bank.UnknownAccount},
	} {
		if _, err := b.BookTrades(t.Context(), []bank.Trade{exchange(t, "ok", 2, "buy", "1", "1", 20131007, ""), c.trade}); bank.TypeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.wantHolds(t, 2, "none", "")
	if err := b.CancelTrade(t.Context(), bank.TradeRef{TradeID: id}); err != nil {
		t.Fatal(err)
	}
	b.wantHolds(t, 1, "none", "USD 0 0 -0 +0;")
	wantLines(t, "cancel", b.journal(t, 1), "0 open td 10 -50 sd 0 0", "0 cancel td -10 50 sd 0 0")
	if err := b.CancelTrade(t.Context(), bank.TradeRef{TradeID: id}); bank.TypeOf(err) != bank.TradeAlreadyCanceled {
		t.Errorf("cancelled twice: %v", err)
	}
	if err := b.CancelTrade(t.Context(), bank.TradeRef{TradeID: 12345}); bank.TypeOf(err) != bank.TradeNotFound {
		t.Errorf("unknown: %v", err)
	}
	want(t, "a cancelled trade again", b.book(t, first)[0], id)
}

func amount(t *testing.T, text string) bank.Decimal {
	t.Helper()
	d, err := bank.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCash(t *testing.T) {
	t.Parallel()
	b := open(t)
	move := func(c bank.Cash) (bank.ID, error) { return b.MoveCash(t.Context(), c) }
	deposit := bank.Cash{ClientID: "d", AccountID: 1, Currency: "USD", Amount: amount(t, "250.50"), Kind: bank.Deposit}
	id, err := move(deposit)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := move(deposit); err != nil || again != id {
		t.Errorf("again: %v, %v", again, err)
	}
	if _, err := move(bank.Cash{ClientID: "j", AccountID: 1, Currency: "USD", Amount: amount(t, "300"), Kind: bank.CashJournal, TargetAccountID: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := move(bank.Cash{ClientID: "w", AccountID: 2, Currency: "USD", Amount: amount(t, "1"), Kind: bank.Withdrawal}); err != nil {
		t.Fatal(err)
	}
	deposit.Amount = amount(t, "251")
	if _, err := move(deposit); bank.TypeOf(err) != bank.Conflict {
		t.Errorf("other content: %v", err)
	}
	if _, err := move(bank.Cash{ClientID: "q", AccountID: 77, Currency: "USD", Amount: amount(t, "1"), Kind: bank.Deposit}); bank.TypeOf(err) != bank.UnknownAccount {
		t.Errorf("unknown account: %v", err)
	}
	b.wantHolds(t, 1, "none", "USD -49.5 -49.5 -0 +0;")
	b.wantHolds(t, 2, "none", "USD 299 299 -0 +0;")
	wantLines(t, "journal", b.journal(t, 1), "0 deposit td 0 250.5 sd 0 250.5", "0 journal td 0 -300 sd 0 -300")
	wantLines(t, "journal", b.journal(t, 2), "0 journal td 0 300 sd 0 300", "0 withdrawal td 0 -1 sd 0 -1")
}
