package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
)

// newBooks gives a directory with customers 100001 to 100003, the house accounts, USD, EUR and IBM.
func newBooks() *ledger.Directory {
	d := ledger.NewDirectory()
	apply := func(e *ledger.Entry) {
		if exists, rej := d.Reserve(e); exists || rej != nil {
			panic(fmt.Sprint(exists, rej))
		}
		d.Apply(e)
	}
	for id := int64(100001); id <= 100003; id++ {
		apply(&ledger.Entry{Account: &ledger.Account{ID: id, Code: fmt.Sprint("cust:", id), Kind: ledger.KindCustomer}})
	}
	for _, code := range []string{"street:cns", "street:contra:CODA", "firm:commission", "liability:sec", "liability:taf"} {
		apply(&ledger.Entry{Account: &ledger.Account{Code: code}})
	}
	for _, in := range []ledger.Instrument{ledger.Currency("USD"), ledger.Currency("EUR"), {Symbol: "IBM", Kind: ledger.KindSecurity, Identifiers: []ledger.Identifier{ibm}}} {
		apply(&ledger.Entry{Define: &in})
	}
	return d
}

var ibm = ledger.Identifier{Type: ledger.Ticker, Value: "IBM", Country: "USA", Currency: "USD"}

func exchangeTrade() *ledger.Command {
	return &ledger.Command{Kind: ledger.KindExchangeTrade, Key: "100001/a", TradeDate: 20131007, Trade: &ledger.Trade{
		ExecutedAt: time.UnixMilli(1381132800464), ClientTradeID: "a", Account: ledger.AccountRef{ID: 100001}, Direction: ledger.Buy,
		Quantity: ledger.AmountOf(100), Price: ledger.AmountOf(10), Instrument: ibm, Capacity: "agency", MIC: "XNYS", ExecMPID: "CLST",
		Commission: ledger.AmountOf(5),
	}}
}

// tradeWith changes the sample trade: 100 IBM at 10, commission 5.
func tradeWith(kind ledger.Kind, change func(c *ledger.Command, t *ledger.Trade)) *ledger.Command {
	c := exchangeTrade()
	c.Kind = kind
	c.Trade.ContraMPID, c.Trade.ContraClearingNum, c.Trade.Target = "CODA", "0161", ledger.AccountRef{ID: 100002}
	change(c, c.Trade)
	return c
}

// show writes postings as "code/bucket quantity symbol", joined.
func show(d *ledger.Directory, postings []ledger.Posting) string {
	var lines []string
	for _, p := range postings {
		account := ""
		for _, a := range d.Accounts(p.Account-1, 1) {
			account = a.Code
		}
		in, _ := d.InstrumentByID(p.Instrument)
		lines = append(lines, fmt.Sprintf("%s/%c %s %s", account, p.Bucket, p.Quantity, in.Symbol))
	}
	return strings.Join(lines, ", ")
}

// TestTradeRules follows the table of bookkeeping.md.
func TestTradeRules(t *testing.T) {
	for _, c := range []struct {
		name    string
		command *ledger.Command
		want    string
	}{
		{"buy", exchangeTrade(),
			"cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1005 USD, street:cns/u 1000 USD, firm:commission/s 5 USD"},
		{"sell with fees", tradeWith(ledger.KindExchangeTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Direction = ledger.Sell }),
			"cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 994.96 USD, street:cns/u -1000 USD, firm:commission/s 5 USD, liability:sec/s 0.02 USD, liability:taf/s 0.02 USD"},
		{"sell without fees", tradeWith(ledger.KindExchangeTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Direction, t.OmitSEC, t.OmitTAF = ledger.Sell, true, true }),
			"cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 995 USD, street:cns/u -1000 USD, firm:commission/s 5 USD"},
		{"fees as of 2024-06", tradeWith(ledger.KindExchangeTrade, func(c *ledger.Command, t *ledger.Trade) {
			c.TradeDate, t.Direction, t.Price = 20240603, ledger.Sell, ledger.AmountOf(1000)
		}),
			"cust:100001/u -100 IBM, street:cns/u 100 IBM, cust:100001/u 99992.2 USD, street:cns/u -100000 USD, firm:commission/s 5 USD, liability:sec/s 2.78 USD, liability:taf/s 0.02 USD"},
		{"the TAF's cap", tradeWith(ledger.KindExchangeTrade, func(_ *ledger.Command, t *ledger.Trade) {
			t.Direction, t.OmitSEC, t.Quantity, t.Price, t.Commission = ledger.Sell, true, ledger.AmountOf(100_000), ledger.AmountOf(1), ledger.Amount{}
		}), "cust:100001/u -100000 IBM, street:cns/u 100000 IBM, cust:100001/u 99994.05 USD, street:cns/u -100000 USD, liability:taf/s 5.95 USD"},
		{"bilateral", tradeWith(ledger.KindBilateralTrade, func(_ *ledger.Command, t *ledger.Trade) {}),
			"cust:100001/u 100 IBM, street:contra:CODA/u -100 IBM, cust:100001/u -1005 USD, street:contra:CODA/u 1000 USD, firm:commission/s 5 USD"},
		{"away", tradeWith(ledger.KindAwayTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Commission = ledger.Amount{} }),
			"cust:100001/u 100 IBM, street:contra:CODA/u -100 IBM, cust:100001/u -1000 USD, street:contra:CODA/u 1000 USD"},
		{"allocation, selling", tradeWith(ledger.KindAllocationTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Direction = ledger.Sell }),
			"cust:100001/u -100 IBM, cust:100002/u 100 IBM, cust:100001/u 995 USD, cust:100002/u -1000 USD, firm:commission/s 5 USD"},
		{"transfer with accrued interest", tradeWith(ledger.KindTransferTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Accrued = ledger.MustAmount("1.5") }),
			"cust:100001/u 100 IBM, cust:100002/u -100 IBM, cust:100001/u -1006.5 USD, cust:100002/u 1001.5 USD, firm:commission/s 5 USD"},
		{"for nothing", tradeWith(ledger.KindExchangeTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Price, t.Commission = ledger.Amount{}, ledger.Amount{} }),
			"cust:100001/u 100 IBM, street:cns/u -100 IBM"},
		{"paid in euros", tradeWith(ledger.KindExchangeTrade, func(_ *ledger.Command, t *ledger.Trade) { t.Currency, t.Commission = "EUR", ledger.Amount{} }),
			"cust:100001/u 100 IBM, street:cns/u -100 IBM, cust:100001/u -1000 EUR, street:cns/u 1000 EUR"},
	} {
		books := newBooks()
		d, rej := ledger.StandardRules().Prepare(c.command, books, time.Now())
		if rej != nil || d.NeedHouse != nil {
			t.Errorf("%s: %v, needs %v", c.name, rej, d.NeedHouse)
			continue
		}
		if got := show(books, d.Entry.Postings); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestContentHash: equal requests have equal hashes, however they are written; anything else does not.
func TestContentHash(t *testing.T) {
	hash := func(change func(c *ledger.Command)) ledger.Content {
		c := exchangeTrade()
		change(c)
		d, rej := ledger.StandardRules().Prepare(c, newBooks(), time.Now())
		if rej != nil {
			t.Fatal(rej)
		}
		return d.Content
	}
	first := hash(func(*ledger.Command) {})
	for name, change := range map[string]func(c *ledger.Command){
		"the account by code":         func(c *ledger.Command) { c.Trade.Account = ledger.AccountRef{Code: "cust:100001"} },
		"the account by both":         func(c *ledger.Command) { c.Trade.Account.Code = "cust:100001" },
		"the default currency":        func(c *ledger.Command) { c.Trade.Currency = "USD" },
		"the default effective date":  func(c *ledger.Command) { c.EffectiveDate = 20131007 },
		"another source":              func(c *ledger.Command) { c.Source = "elsewhere" },
		"the time in another place":   func(c *ledger.Command) { c.Trade.ExecutedAt = c.Trade.ExecutedAt.In(time.FixedZone("x", 3600)) },
		"the time below milliseconds": func(c *ledger.Command) { c.Trade.ExecutedAt = c.Trade.ExecutedAt.Add(400 * time.Microsecond) },
	} {
		if hash(change) != first {
			t.Errorf("%s makes it another request", name)
		}
	}
	others := map[ledger.Content]string{}
	for name, change := range map[string]func(c *ledger.Command){
		"quantity":   func(c *ledger.Command) { c.Trade.Quantity = ledger.MustAmount("100.0000000001") },
		"kind":       func(c *ledger.Command) { c.Kind, c.Trade.ContraMPID = ledger.KindAwayTrade, "CODA" },
		"metadata":   func(c *ledger.Command) { c.Metadata = map[string]string{"a": "b"} },
		"trade date": func(c *ledger.Command) { c.TradeDate = 20131008 },
		"replaces":   func(c *ledger.Command) { c.Replaces = &ledger.Target{Key: "x"} },
		"link":       func(c *ledger.Command) { c.Replaces = &ledger.Target{Key: "x", Link: true} },
		"unless":     func(c *ledger.Command) { c.Replaces = &ledger.Target{Key: "x", UnlessSettled: true} },
		"both":       func(c *ledger.Command) { c.Replaces = &ledger.Target{Key: "x", Trade: 1} },
		"order id":   func(c *ledger.Command) { c.Trade.OrderID = "o" },
		"omit fees":  func(c *ledger.Command) { c.Trade.OmitSEC = true },
	} {
		if hash(change) == first {
			t.Errorf("another %s makes it no other request", name)
		}
		if other, there := others[hash(change)]; there {
			t.Errorf("%s and %s are the same request", name, other)
		}
		others[hash(change)] = name
	}
}

// ExampleRules_Prepare shows what a trade does to the books.
func ExampleRules_Prepare() {
	books := newBooks()
	draft, rej := ledger.StandardRules().Prepare(&ledger.Command{
		Kind: ledger.KindExchangeTrade, Key: "100001/42", TradeDate: 20131007,
		Trade: &ledger.Trade{
			ExecutedAt: time.UnixMilli(1381132800464), Account: ledger.AccountRef{Code: "cust:100001"}, Direction: ledger.Buy,
			Quantity: ledger.AmountOf(100), Price: ledger.MustAmount("182.5"), Commission: ledger.AmountOf(5),
			Instrument: ibm, Capacity: "agency", MIC: "XNYS", ExecMPID: "CLST",
		},
	}, books, time.Now())
	if rej != nil {
		fmt.Println(rej)
		return
	}
	for _, line := range strings.Split(show(books, draft.Entry.Postings), ", ") {
		fmt.Println(line)
	}
	// Output:
	// cust:100001/u 100 IBM
	// street:cns/u -100 IBM
	// cust:100001/u -18255 USD
	// street:cns/u 18250 USD
	// firm:commission/s 5 USD
}
