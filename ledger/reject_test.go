package ledger_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
)

// TestRejections has a row for each fault of a command that can be found without the journal.
func TestRejections(t *testing.T) {
	trade := func(change func(c *ledger.Command, t *ledger.Trade)) *ledger.Command {
		return tradeWith(ledger.KindExchangeTrade, change)
	}
	posting := func(change func(p []ledger.PostingRequest) []ledger.PostingRequest) *ledger.Command {
		p := []ledger.PostingRequest{
			{Account: ledger.AccountRef{ID: 100001}, Instrument: ledger.CurrencyID("USD"), Quantity: ledger.AmountOf(5)},
			{Account: ledger.AccountRef{ID: 100002}, Instrument: ledger.CurrencyID("USD"), Quantity: ledger.AmountOf(-5)},
		}
		return &ledger.Command{Kind: ledger.KindPosting, Key: "k", Postings: change(p)}
	}
	open := func(a ledger.Account) *ledger.Command { return &ledger.Command{Kind: ledger.KindOpen, Account: &a} }
	define := func(in ledger.Instrument) *ledger.Command {
		return &ledger.Command{Kind: ledger.KindInstrument, Define: &in}
	}
	type pr = []ledger.PostingRequest
	for _, c := range []struct {
		name    string
		command *ledger.Command
		reason  ledger.Reason
		field   string
	}{
		{"no kind", &ledger.Command{Key: "k"}, ledger.ReasonMissing, "kind"},
		{"unknown kind", &ledger.Command{Kind: "rain", Key: "k"}, ledger.ReasonUnknownKind, "kind"},
		{"no key", trade(func(c *ledger.Command, _ *ledger.Trade) { c.Key = "" }), ledger.ReasonMissing, "key"},
		{"long key", trade(func(c *ledger.Command, _ *ledger.Trade) { c.Key = strings.Repeat("k", 257) }), ledger.ReasonTooLarge, "key"},
		{"key with a line break", trade(func(c *ledger.Command, _ *ledger.Trade) { c.Key = "a\nb" }), ledger.ReasonInvalid, "key"},
		{"key not UTF-8", trade(func(c *ledger.Command, _ *ledger.Trade) { c.Key = "\xff" }), ledger.ReasonInvalid, "key"},
		{"metadata too large", trade(func(c *ledger.Command, _ *ledger.Trade) {
			c.Metadata = map[string]string{"a": strings.Repeat("x", 64<<10)}
		}), ledger.ReasonTooLarge, "metadata"},
		{"metadata without name", trade(func(c *ledger.Command, _ *ledger.Trade) { c.Metadata = map[string]string{"": "x"} }), ledger.ReasonInvalid, "metadata"},
		{"no trade", &ledger.Command{Kind: ledger.KindExchangeTrade, Key: "k"}, ledger.ReasonMissing, "trade"},
		{"no trade date", trade(func(c *ledger.Command, _ *ledger.Trade) { c.TradeDate = 0 }), ledger.ReasonMissing, "trade_date"},
		{"no such day", trade(func(c *ledger.Command, _ *ledger.Trade) { c.TradeDate = 20130230 }), ledger.ReasonInvalid, "trade_date"},
		{"day too early", trade(func(c *ledger.Command, _ *ledger.Trade) { c.TradeDate = 20001231 }), ledger.ReasonInvalid, "trade_date"},
		{"day too late", trade(func(c *ledger.Command, _ *ledger.Trade) { c.TradeDate = 21000102 }), ledger.ReasonInvalid, "trade_date"},
		{"settles before it trades", trade(func(c *ledger.Command, _ *ledger.Trade) { c.SettleDate = 20131004 }), ledger.ReasonInvalid, "settle_date"},
		{"no time", trade(func(_ *ledger.Command, t *ledger.Trade) { t.ExecutedAt = time.Time{} }), ledger.ReasonMissing, "trade.executed_at"},
		{"time out of bounds", trade(func(_ *ledger.Command, t *ledger.Trade) { t.ExecutedAt = time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC) }), ledger.ReasonInvalid, "trade.executed_at"},
		{"no account", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Account = ledger.AccountRef{} }), ledger.ReasonMissing, "trade.account"},
		{"unknown account", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Account.ID = 5 }), ledger.ReasonUnknownAccount, "trade.account"},
		{"id and code of two accounts", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Account.Code = "cust:100002" }), ledger.ReasonUnknownAccount, "trade.account"},
		{"zero shares", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Quantity = ledger.Amount{} }), ledger.ReasonInvalid, "trade.quantity"},
		{"negative price", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Price = ledger.AmountOf(-1) }), ledger.ReasonInvalid, "trade.price"},
		{"product too fine", trade(func(_ *ledger.Command, t *ledger.Trade) {
			t.Quantity, t.Price = ledger.MustAmount("0.000001"), ledger.MustAmount("0.000001")
		}), ledger.ReasonOutOfRange, "trade.price"},
		{"product too large", trade(func(_ *ledger.Command, t *ledger.Trade) {
			t.Quantity, t.Price = ledger.AmountOf(1e12), ledger.AmountOf(1e12)
		}), ledger.ReasonOutOfRange, "trade.price"},
		{"no direction", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Direction = "" }), ledger.ReasonMissing, "trade.direction"},
		{"a direction of one's own", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Direction = "hold" }), ledger.ReasonInvalid, "trade.direction"},
		{"short buy", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Short = true }), ledger.ReasonInvalid, "trade.short"},
		{"bad effect", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Effect = "roll" }), ledger.ReasonInvalid, "trade.effect"},
		{"no capacity", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Capacity = "" }), ledger.ReasonMissing, "trade.capacity"},
		{"bad capacity", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Capacity = "friend" }), ledger.ReasonInvalid, "trade.capacity"},
		{"no market", trade(func(_ *ledger.Command, t *ledger.Trade) { t.MIC = "" }), ledger.ReasonMissing, "trade.mic"},
		{"long market", trade(func(_ *ledger.Command, t *ledger.Trade) { t.MIC = "XNYSXNYSXNY" }), ledger.ReasonInvalid, "trade.mic"},
		{"no party", trade(func(_ *ledger.Command, t *ledger.Trade) { t.ExecMPID = "" }), ledger.ReasonMissing, "trade.exec_mpid"},
		{"bilateral without contra", tradeWith(ledger.KindBilateralTrade, func(_ *ledger.Command, t *ledger.Trade) { t.ContraMPID = "" }), ledger.ReasonMissing, "trade.contra_mpid"},
		{"bilateral without clearing", tradeWith(ledger.KindBilateralTrade, func(_ *ledger.Command, t *ledger.Trade) { t.ContraClearingNum = "" }), ledger.ReasonMissing, "trade.contra_clearing_num"},
		{"allocation without target", tradeWith(ledger.KindAllocationTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Target = ledger.AccountRef{} }), ledger.ReasonMissing, "trade.target"},
		{"allocation to itself", tradeWith(ledger.KindAllocationTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Target = ledger.AccountRef{Code: "cust:100001"} }), ledger.ReasonInvalid, "trade.target"},
		{"transfer to nobody", tradeWith(ledger.KindTransferTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Target.ID = 9 }), ledger.ReasonUnknownAccount, "trade.target"},
		{"unknown instrument", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Instrument.Value = "XYZ" }), ledger.ReasonUnknownInstrument, "trade.instrument"},
		{"no identifier type", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Instrument.Type = "" }), ledger.ReasonMissing, "trade.instrument.type"},
		{"no country", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Instrument.Country = "" }), ledger.ReasonMissing, "trade.instrument.country"},
		{"a currency traded", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Instrument = ledger.CurrencyID("EUR") }), ledger.ReasonInvalid, "trade.instrument.type"},
		{"currency unknown", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Currency = "XXX" }), ledger.ReasonWrongCurrency, "trade.currency"},
		{"currency malformed", trade(func(_ *ledger.Command, t *ledger.Trade) { t.Currency = "usd" }), ledger.ReasonInvalid, "trade.currency"},
		{"no postings", posting(func(pr) pr { return nil }), ledger.ReasonMissing, "postings"},
		{"one posting", posting(func(p pr) pr { return p[:1] }), ledger.ReasonInvalid, "postings"},
		{"1001 postings", posting(func(p pr) pr { return slices.Repeat(p[:1], 1001) }), ledger.ReasonTooLarge, "postings"},
		{"zero posting", posting(func(p pr) pr { p[1].Quantity = ledger.Amount{}; return p }), ledger.ReasonInvalid, "postings[1].quantity"},
		{"bad bucket", posting(func(p pr) pr { p[0].Bucket = 'x'; return p }), ledger.ReasonInvalid, "postings[0].bucket"},
		{"posting without account", posting(func(p pr) pr { p[1].Account = ledger.AccountRef{}; return p }), ledger.ReasonMissing, "postings[1].account"},
		{"posting on nobody", posting(func(p pr) pr { p[1].Account.ID = 3; return p }), ledger.ReasonUnknownAccount, "postings[1].account"},
		{"unbalanced", posting(func(p pr) pr { p[1].Quantity = ledger.MustAmount("-5.0000000001"); return p }), ledger.ReasonUnbalanced, "postings"},
		{"two currencies", posting(func(p pr) pr { p[1].Instrument = ledger.CurrencyID("EUR"); return p }), ledger.ReasonUnbalanced, "postings"},
		{"cancel of nothing", &ledger.Command{Kind: ledger.KindCancel, Key: "k"}, ledger.ReasonMissing, "target"},
		{"cancel of neither id nor key", &ledger.Command{Kind: ledger.KindCancel, Key: "k", Target: &ledger.Target{UnlessSettled: true}}, ledger.ReasonMissing, "target"},
		{"cancel by key and no id", &ledger.Command{Kind: ledger.KindCancel, Key: "k", Target: &ledger.Target{Trade: -1, Key: "x"}}, ledger.ReasonInvalid, "target.trade"},
		{"account without code", open(ledger.Account{}), ledger.ReasonMissing, "account.code"},
		{"account of no kind", open(ledger.Account{Code: "moon:1"}), ledger.ReasonInvalid, "account.code"},
		{"account code malformed", open(ledger.Account{Code: "cust:"}), ledger.ReasonInvalid, "account.code"},
		{"account id too large", open(ledger.Account{ID: 1 << 40, Code: "cust:1"}), ledger.ReasonInvalid, "account.id"},
		{"account of another kind", open(ledger.Account{Code: "cust:1", Kind: ledger.KindFirm}), ledger.ReasonInvalid, "account.kind"},
		{"instrument without identifier", define(ledger.Instrument{Symbol: "A"}), ledger.ReasonMissing, "instrument.identifiers"},
		{"instrument with a bad identifier", define(ledger.Instrument{Identifiers: []ledger.Identifier{{Type: ledger.Ticker, Value: "A B!", Country: "USA", Currency: "USD"}}}), ledger.ReasonInvalid, "instrument.identifiers[0].value"},
		{"currency with a ticker", define(ledger.Instrument{Identifiers: []ledger.Identifier{ledger.CurrencyID("GBP"), ibm}}), ledger.ReasonInvalid, "instrument.identifiers"},
	} {
		_, rej := ledger.StandardRules().Prepare(c.command, newBooks(), time.Now())
		if rej == nil {
			t.Errorf("%s: not rejected", c.name)
			continue
		}
		if rej.Reason != c.reason || rej.Field != c.field || rej.Message == "" {
			t.Errorf("%s: got %s at %q (%s), want %s at %q", c.name, rej.Reason, rej.Field, rej.Message, c.reason, c.field)
		}
	}
}

func TestDefinitionsOfTheSame(t *testing.T) {
	books := newBooks()
	for _, c := range []struct {
		name   string
		entry  *ledger.Entry
		exists bool
		reason ledger.Reason
	}{
		{"the same account", &ledger.Entry{Account: &ledger.Account{ID: 100001, Code: "cust:100001", Kind: ledger.KindCustomer}}, true, ""},
		{"its code alone", &ledger.Entry{Account: &ledger.Account{Code: "cust:100001", Kind: ledger.KindCustomer}}, true, ""},
		{"its code, another id", &ledger.Entry{Account: &ledger.Account{ID: 7, Code: "cust:100001"}}, false, ledger.ReasonAccountExists},
		{"its code, another entity", &ledger.Entry{Account: &ledger.Account{Code: "cust:100001", Entity: 9}}, false, ledger.ReasonAccountExists},
		{"its id, another code", &ledger.Entry{Account: &ledger.Account{ID: 100001, Code: "cust:other"}}, false, ledger.ReasonAccountExists},
		{"the same instrument", &ledger.Entry{Define: &ledger.Instrument{Symbol: "IBM", Kind: ledger.KindSecurity, Identifiers: []ledger.Identifier{ibm}}}, true, ""},
		{"its ticker, another symbol", &ledger.Entry{Define: &ledger.Instrument{Symbol: "BIG", Kind: ledger.KindSecurity, Identifiers: []ledger.Identifier{ibm}}}, false, ledger.ReasonInstrumentExists},
	} {
		exists, rej := books.Reserve(c.entry)
		if exists != c.exists || (rej == nil) != (c.reason == "") || rej != nil && rej.Reason != c.reason {
			t.Errorf("%s: exists %v, %v", c.name, exists, rej)
		}
	}
	fresh := &ledger.Entry{Account: &ledger.Account{Code: "cust:x"}}
	if exists, rej := books.Reserve(fresh); exists || rej != nil {
		t.Fatal(exists, rej)
	}
	if _, seen := books.Account(ledger.AccountRef{Code: "cust:x"}); seen {
		t.Error("a reserved account is seen before it is booked")
	}
	if exists, _ := books.Reserve(&ledger.Entry{Account: &ledger.Account{Code: "cust:x"}}); !exists {
		t.Error("a reserved account can be reserved again")
	}
	books.Release(fresh)
	if exists, rej := books.Reserve(&ledger.Entry{Account: &ledger.Account{Code: "cust:x", Name: "other"}}); exists || rej != nil {
		t.Errorf("after the release: %v, %v", exists, rej)
	}
}
