package shadow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
)

// TestVariants: a trade that is drawn is well formed; what is to mean the same does, and what is to be another is.
func TestVariants(t *testing.T) {
	d := newDice(1, 0)
	seen := map[string]int{}
	for i := range 5000 {
		body := d.trade(1, 2, 20131007)
		body["client_trade_id"] = fmt.Sprint("t", i)
		read := func(o obj) []byte {
			t.Helper()
			trade, err := bank.ReadTrade(encode(o))
			if err != nil {
				t.Fatalf("%v: %s", err, encode(o))
			}
			return encode(trade)
		}
		text, drawn := encode(body), read(body)
		same, other := d.variant(body), d.other(body)
		if !bytes.Equal(drawn, read(same)) {
			t.Fatalf("%s is not the same as %s", encode(same), text)
		}
		if bytes.Equal(encode(same), text) {
			t.Fatalf("written the same way: %s", text)
		}
		if bytes.Equal(drawn, read(other)) {
			t.Fatalf("%s is no other than %s", encode(other), text)
		}
		if !bytes.Equal(encode(body), text) {
			t.Fatalf("%s was changed to %s", text, encode(body))
		}
		var trade bank.Trade
		if err := json.Unmarshal(drawn, &trade); err != nil {
			t.Fatal(err)
		}
		for what, is := range map[string]bool{
			trade.Type: true, trade.Settlement.Currency: true, "late": trade.Date < 20131007, "ahead": trade.Date > 20131007, "when-issued": trade.IsWhenIssued,
			"no date yet": trade.Settlement.Date == bank.WhenIssued, "irregular": trade.Settlement.Date != 0, "bond": trade.Interest != nil, "short": trade.Side.Qualifier != "",
			"fraction": strings.Contains(trade.Quantity.String(), "."), "free": trade.Price.IsZero(), "commission": trade.Fees.Commission.Sign() > 0, "rebate": trade.Fees.Commission.Sign() < 0,
		} {
			if is {
				seen[what]++
			}
		}
	}
	for _, what := range []string{
		bank.ExchangeTrade, bank.BilateralTrade, bank.AwayTrade, bank.AllocationTrade, bank.TransferTrade, "USD", "EUR", "GBP", "JPY", "late", "ahead", "when-issued", "no date yet",
		"irregular", "bond", "short", "fraction", "free", "commission", "rebate",
	} {
		if seen[what] < 10 {
			t.Errorf("%s: %d of 5000", what, seen[what])
		}
	}
}

// TestModel: the desk's checks find answers that should not be.
func TestModel(t *testing.T) {
	p := newPlayer(newDesk(Traffic{Target: System{API: "http://127.0.0.1:1", Operations: "http://127.0.0.1:1"}, Requests: 100}.WithDefaults()), 0)
	s := &sent{account: 1, clientID: "a", body: p.dice.trade(1, 2, 20131007)}
	s.body["client_trade_id"] = "a"
	asked, err := bank.ReadTrade(encode(s.body))
	if err != nil {
		t.Fatal(err)
	}
	s.id = 7
	good := bank.StoredTrade{TradeID: 7, Trade: asked, State: bank.StateOpen, GrossAmount: bank.Decimal{Decimal: asked.Quantity.Mul(asked.Price.Decimal)}}
	if err := p.likeSent(s, facts{}, encode(good)); err != nil {
		t.Errorf("the trade as it was sent: %v", err)
	}
	at := int64(1)
	for what, spoil := range map[string]func(*bank.StoredTrade){
		"another id":              func(s *bank.StoredTrade) { s.TradeID = 8 },
		"another quantity":        func(s *bank.StoredTrade) { s.Quantity = s.Price },
		"another gross amount":    func(s *bank.StoredTrade) { s.GrossAmount = s.Quantity },
		"cancelled without us":    func(s *bank.StoredTrade) { s.State, s.CanceledAt = bank.StateCanceled, &at },
		"cancelled at no time":    func(s *bank.StoredTrade) { s.State = bank.StateCanceled },
		"replaces what it is not": func(s *bank.StoredTrade) { id := bank.ID(3); s.Replaces = &id },
	} {
		bad := good
		spoil(&bad)
		if err := p.likeSent(s, facts{}, encode(bad)); err == nil {
			t.Errorf("%s: not seen", what)
		}
	}
	if err := p.likeSent(s, facts{canceled: true}, encode(good)); err == nil {
		t.Error("open although it is cancelled: not seen")
	}
	r, a := get("/x"), answer{code: 409, kind: "trade_settled"}
	if token := p.judge("x", r, a, "202"); token != "" || p.result().Surprised != 1 {
		t.Errorf("an answer that is not allowed gives %q, %d surprises", token, p.result().Surprised)
	}
	p.enter(s, 7, true)
	p.enter(&sent{account: 1, clientID: "b"}, 7, true)
	if got := p.result(); got.Surprised != 2 || len(got.Trades) != 1 {
		t.Errorf("an id that is given twice: %d surprises, trades %v", got.Surprised, got.Trades)
	}
	p.fresh(true, []*sent{{account: 1, clientID: "c"}, {account: 1, clientID: "d"}}, []bank.Booked{{TradeID: 12}, {TradeID: 11}})
	if got := p.result(); got.Surprised != 3 {
		t.Errorf("ids that go down: %d surprises", got.Surprised)
	}
	p.learn(s, true, false)
	p.learn(s, false, true)
	if got := p.result(); got.Surprised != 4 || len(got.Surprises) != 4 {
		t.Errorf("cancelled and settled: %d surprises", got.Surprised)
	}
}
