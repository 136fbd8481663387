package modeltest_test

import (
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/bkledger/bk/projections/modeltest"
)

// Step is one step of a sequence: a command, or reads at some place and date.
type Step struct {
	modeltest.Command
	Read *Read `json:",omitempty"`
}

// Read compares all reads at a date, known so many entries before the head.
type Read struct {
	AsOf modeltest.Date
	Back int // -1: whatever is known, without saying so
}

// The accounts and instruments of every sequence. All house accounts are opened before it begins.
var (
	owners = []string{"cust:1001", "cust:1002", "cust:1003", "firm:inventory"}
	house  = []string{
		"street:cns", "street:contra:ABCD", "street:contra:XYZ", "location:dtc", "location:bank", "firm:commission", "liability:sec", "liability:taf",
		"firm:fx", "firm:interest", "control:suspense",
	}
	currencies = []string{"USD", "EUR"}
	securities = map[string]listing{"AAA": {"USA", "USD"}, "BBB": {"USA", "USD"}, "DDD": {"DEU", "EUR"}}
	tickers    = []string{"AAA", "BBB", "DDD"}
)

type listing struct{ country, currency string }

// generator makes up a sequence that looks like a day's work and its accidents. It runs a model along to know what there is to act on; the steps name
// everything by keys, so that any part of a sequence is a sequence, too.
type generator struct {
	rng    *rand.Rand
	model  *modeltest.Model
	base   modeltest.Date // sequences play around this day
	steps  []Step
	trades []string // keys of trades that were booked
	events []modeltest.Command
	keys   int
	long   bool // few accounts and instruments, and more of them
}

// Sequence gives the sequence of a seed, always the same.
func Sequence(seed uint64) []Step {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 0xb00c)), model: newModel(0)}
	g.base = pick(g.rng, []modeltest.Date{20131007, 20131010, 20170830, 20170831, 20240521, 20240524})
	n := 8 + g.rng.IntN(40)
	if g.long = seed%200 == 0; g.long {
		n = 800 + g.rng.IntN(600)
	}
	for ; n > 0; n-- {
		g.step()
	}
	g.read()
	return g.steps
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// chance is true in p of 100 cases.
func (g *generator) chance(p int) bool { return g.rng.IntN(100) < p }

func (g *generator) step() {
	var c modeltest.Command
	switch p := g.rng.IntN(100); {
	case p < 40:
		c = g.trade()
	case p < 52:
		c = g.correction()
	case p < 60:
		c = modeltest.Command{Kind: "trade.cancel", Target: g.ref(10), Unsettled: g.chance(25)}
	case p < 66:
		c = modeltest.Command{Kind: "trade.settle_street", Target: g.ref(10)}
		c.EffectiveDate = g.sometimes(40)
	case p < 76:
		c = g.event()
	case p < 81:
		c = g.posting()
	case p < 84 && len(g.events) > 0:
		c = g.repeat()
		g.book(c)
		return
	case p < 92:
		if g.today() > g.base.Plus(45) { // the model knows the holidays of some months only
			return
		}
		c = g.roll()
	default:
		g.read()
		return
	}
	if c.Kind != "roll" {
		g.keys++
		c.Key = "k" + strconv.Itoa(g.keys)
	}
	if g.chance(4) {
		g.spoil(&c)
	}
	g.book(c)
}

func (g *generator) book(c modeltest.Command) {
	g.steps = append(g.steps, Step{Command: c})
	if out := g.model.Book(c, g.base); out.Reason == "" && !out.Repeat {
		if c.Kind != "roll" {
			g.events = append(g.events, c)
		}
		if c.Trade != nil {
			g.trades = append(g.trades, c.Key)
		}
	}
}

func (g *generator) read() {
	back := -1
	if g.chance(70) {
		back = g.rng.IntN(int(g.model.Head) + 1)
		if g.chance(50) {
			back = min(back, g.rng.IntN(pick(g.rng, []int{3, 12})))
		}
	}
	g.steps = append(g.steps, Step{Read: &Read{AsOf: g.sometimes(75), Back: back}})
}

// today is the business date, or the day that the sequence plays on.
func (g *generator) today() modeltest.Date { return max(g.model.Date, g.base) }

// date is one around today.
func (g *generator) date() modeltest.Date {
	switch p := g.rng.IntN(100); {
	case p < 35:
		return g.today()
	case p < 60:
		return g.today().Plus(-1 - g.rng.IntN(4))
	case p < 75:
		return g.today().Plus(-5 - g.rng.IntN(20))
	default:
		return g.today().Plus(1 + g.rng.IntN(6))
	}
}

func (g *generator) sometimes(percent int) modeltest.Date {
	if g.chance(percent) {
		return g.date()
	}
	return 0
}

func (g *generator) trade() modeltest.Command {
	kind := pick(g.rng, []string{"trade.exchange", "trade.exchange", "trade.exchange", "trade.bilateral", "trade.away", "trade.allocation", "trade.transfer"})
	t := &modeltest.Terms{
		Account: g.owner(), Direction: pick(g.rng, []string{"buy", "sell"}), Quantity: g.quantity(), Price: g.price(), Security: pick(g.rng, tickers[:1+g.rng.IntN(3)]),
	}
	if g.long && g.chance(80) {
		t.Security = tickers[0]
	}
	switch kind {
	case "trade.bilateral", "trade.away":
		t.Contra = pick(g.rng, []string{"ABCD", "abcd", "XYZ"})
	case "trade.allocation", "trade.transfer":
		for t.Target = t.Account; t.Target == t.Account; t.Target = g.owner() {
		}
	}
	if g.chance(20) {
		g.against(t)
	}
	t.Short = t.Direction == "sell" && g.chance(20)
	if g.chance(25) && !g.long && t.Currency == "" {
		t.Currency = pick(g.rng, currencies)
	}
	if g.chance(50) {
		t.Commission = pick(g.rng, []string{"5", "4.95", "0.0000000001", "12.5", "0"})
	}
	if g.chance(5) {
		t.Commission = "-1.25" // a rebate
	}
	if g.chance(10) {
		t.Accrued = pick(g.rng, []string{"3.07", "0.125"})
	}
	t.OmitSEC, t.OmitTAF = g.chance(10), g.chance(10)
	c := modeltest.Command{Kind: kind, Trade: t, TradeDate: g.date()}
	switch p := g.rng.IntN(100); {
	case p < 15:
		c.SettleDate = c.TradeDate.Plus(g.rng.IntN(8))
	case p < 20:
		c.SettleDate = modeltest.WhenIssued
	}
	if g.chance(5) {
		c.EffectiveDate = g.date()
	}
	return c
}

// against makes a trade that closes a position: half of it, where what is released often ends on a half, all of it, or more.
func (g *generator) against(t *modeltest.Terms) {
	all := g.model.Positions(modeltest.Time{})
	var open []*modeltest.Position
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if p := all[key]; p.Net().Sign() != 0 && p.Account != t.Target && !strings.HasPrefix(p.Account, "firm:") {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return
	}
	p := pick(g.rng, open)
	t.Account, t.Security, t.Currency, t.Direction = p.Account, p.Instrument, p.Currency, "sell"
	if p.Net().Sign() < 0 {
		t.Direction = "buy"
	}
	size := new(big.Rat).Abs(p.Net())
	size.Mul(size, pick(g.rng, []*big.Rat{big.NewRat(1, 2), big.NewRat(1, 2), big.NewRat(1, 1), big.NewRat(3, 2)}))
	if text := modeltest.Text(size); !strings.Contains(text, "/") {
		t.Quantity, t.Price = text, pick(g.rng, []string{"10", "11", "9"})
	}
}

// owner prefers few accounts, so that positions meet.
func (g *generator) owner() string {
	n := 1 + g.rng.IntN(len(owners))
	if g.long && n > 2 {
		n = 2
	}
	return pick(g.rng, owners[:n])
}

// quantity prefers few sizes, so that positions close exactly.
func (g *generator) quantity() string {
	switch p := g.rng.IntN(100); {
	case p < 60:
		return pick(g.rng, []string{"100", "100", "50", "30", "7", "3", "1", "1", "2", "200"})
	case p < 80:
		return pick(g.rng, []string{"0.5", "1.25", "33.33", "0.7", "0.0003", "12.345"})
	case p < 90:
		return strconv.Itoa(1 + g.rng.IntN(100_000))
	case p < 92:
		return pick(g.rng, []string{"3000000000", "7000000001"}) // beyond 64 bits in the ledger's units
	}
	return fmt.Sprintf("%d.%05d", g.rng.IntN(50), 1+g.rng.IntN(99_998))
}

func (g *generator) price() string {
	switch p := g.rng.IntN(100); {
	case p < 40:
		return pick(g.rng, []string{"10", "12", "9.5", "33.33", "0.01"})
	case p < 43:
		return "0"
	case p < 50:
		return pick(g.rng, []string{"0.0000000001", "0.0000000004", "2.0000000003", "0.3333333333"}) // so that a division may end on a half
	case p < 85:
		return fmt.Sprintf("%d.%02d", g.rng.IntN(500), g.rng.IntN(100))
	}
	return fmt.Sprintf("%d.%05d", g.rng.IntN(60), g.rng.IntN(100_000))
}

// ref names a trade: most often one that is there, of late; now and then by a key, or else by the id of another trade that is there.
func (g *generator) ref(missing int) *modeltest.Ref {
	r := &modeltest.Ref{ByID: g.chance(50)}
	if len(g.trades) > 0 && g.chance(15) {
		r.ByID, r.Or = false, pick(g.rng, g.trades)
		missing = 50
	}
	switch n := len(g.trades); {
	case n == 0 || g.chance(missing):
		r.Key = pick(g.rng, []string{"nothing", "k1", "k2"})
	case g.chance(50):
		r.Key = g.trades[n-1-g.rng.IntN(min(n, 4))]
	default:
		r.Key = pick(g.rng, g.trades)
	}
	return r
}

// correction changes something of a trade, or everything.
func (g *generator) correction() modeltest.Command {
	c := g.trade()
	c.Replaces, c.Link, c.Unsettled = g.ref(5), g.chance(40), g.chance(20)
	if g.chance(80) {
		for _, e := range g.events {
			if e.Key == c.Replaces.Key && e.Trade != nil {
				terms := *e.Trade
				c = modeltest.Command{Kind: e.Kind, TradeDate: e.TradeDate, Trade: &terms, Replaces: c.Replaces, Link: c.Link, Unsettled: c.Unsettled}
			}
		}
		switch g.rng.IntN(6) {
		case 0:
			c.Trade.Price = g.price()
		case 1:
			c.Trade.Quantity = g.quantity()
		case 2:
			c.TradeDate = g.date()
		case 3:
			c.SettleDate = c.TradeDate.Plus(g.rng.IntN(6))
		case 4:
			if c.Trade.Target == "" {
				c.Trade.Account = g.owner()
			}
		}
	}
	return c
}

func (g *generator) event() modeltest.Command {
	amount := func() string { return pick(g.rng, []string{"100", "0.01", "250.5", "1000000", "0.3333333333"}) }
	f := map[string]string{"account": g.owner(), "currency": pick(g.rng, currencies), "amount": amount()}
	c := modeltest.Command{Kind: pick(g.rng, []string{"cash.deposit", "cash.withdrawal", "interest.charge", "interest.credit", "journal.cash", "journal.security",
		"journal.security", "fx.trade"}), Fields: f}
	if strings.HasPrefix(c.Kind, "journal.") {
		delete(f, "account")
		f["from"] = g.owner()
		for f["to"] = f["from"]; f["to"] == f["from"]; f["to"] = g.owner() {
		}
	}
	switch c.Kind {
	case "journal.security":
		delete(f, "amount")
		f["instrument"], f["quantity"] = pick(g.rng, tickers), g.quantity()
		f["instrument_country"], f["instrument_currency"] = securities[f["instrument"]].country, securities[f["instrument"]].currency
		if g.chance(50) {
			delete(f, "currency")
		}
		if g.chance(60) {
			f["cost"] = pick(g.rng, []string{"1000", "0.01", "333.3333333333", "0"})
		}
	case "fx.trade":
		f["sold_currency"], f["bought_currency"] = "EUR", "USD"
		if g.chance(50) {
			f["sold_currency"], f["bought_currency"] = "USD", "EUR"
		}
		delete(f, "currency")
		delete(f, "amount")
		f["sold_amount"], f["bought_amount"] = amount(), amount()
	}
	c.EffectiveDate = g.sometimes(50)
	return c
}

// posting moves anything by hand, sometimes in many legs.
func (g *generator) posting() modeltest.Command {
	c := modeltest.Command{Kind: "posting", EffectiveDate: g.sometimes(40)}
	if g.chance(15) {
		c.TradeDate = g.date()
	}
	everywhere := append(append([]string{}, owners...), house...)
	for n := 1 + g.rng.IntN(2); n > 0; n-- {
		instrument, quantity := pick(g.rng, append(append([]string{}, tickers...), currencies...)), g.quantity()
		bucket := func() string { return pick(g.rng, []string{"s", "s", "u", ""}) }
		c.Legs = append(c.Legs, modeltest.Leg{Account: pick(g.rng, everywhere), Instrument: instrument, Bucket: bucket(), Quantity: quantity},
			modeltest.Leg{Account: pick(g.rng, everywhere), Instrument: instrument, Bucket: bucket(), Quantity: "-" + quantity})
	}
	return c
}

// repeat sends something once more, as it was or changed.
func (g *generator) repeat() modeltest.Command {
	c := pick(g.rng, g.events)
	if g.chance(50) {
		return c
	}
	switch {
	case c.Kind == "trade.cancel": // the same trade, named otherwise
		c.Target = &modeltest.Ref{Key: c.Target.Key, ByID: !c.Target.ByID}
		c.Unsettled = c.Unsettled != g.chance(30)
	case c.Trade != nil:
		t := *c.Trade
		t.Quantity += pick(g.rng, []string{".00", "0", ".5"})
		if strings.Contains(c.Trade.Quantity, ".") {
			t.Quantity = c.Trade.Quantity + "0"
		}
		c.Trade = &t
	default:
		c.EffectiveDate = g.date()
	}
	return c
}

func (g *generator) roll() modeltest.Command {
	c := modeltest.Command{Kind: "roll", To: g.today().Plus(1 + g.rng.IntN(3)), Street: g.chance(60)}
	switch {
	case g.model.Date == 0:
		c.To = g.base.Plus(g.rng.IntN(3) - 1)
	case g.chance(8):
		c.To = g.model.Date.Plus(-g.rng.IntN(3)) // not forward
	case g.chance(10):
		c.To = g.today().Plus(10)
	}
	return c
}

// spoil makes a command wrong, in one way.
func (g *generator) spoil(c *modeltest.Command) {
	switch p := g.rng.IntN(10); {
	case c.Kind == "roll":
	case p == 0:
		c.Key = ""
	case p == 1:
		c.Kind = "no.such_event"
		c.Trade, c.Replaces, c.Target, c.Legs, c.Fields = nil, nil, nil, nil, nil
	case c.Trade != nil:
		t := c.Trade
		switch p {
		case 2:
			t.Quantity = "0"
		case 3:
			t.Price = "-1"
		case 4:
			t.Price, t.Quantity = "0.000001", "1.00001"
		case 5:
			t.Price, t.Quantity = "1000000000", "1000000000"
		case 6:
			t.Account = "cust:9"
		case 7:
			t.Security = "ZZZ"
		case 8:
			t.Currency = "CHF"
		case 9:
			c.SettleDate = c.TradeDate.Plus(-1)
		}
	case c.Legs != nil && p < 4:
		c.Legs[0].Quantity += "1"
		if strings.Contains(c.Legs[0].Quantity, ".") {
			c.Legs[0].Quantity = "0.1"
		}
	case c.Legs != nil && p < 6:
		c.Legs[0].Account = "firm:nobody"
	case c.Legs != nil && p < 8:
		c.Legs[1].Quantity = "0"
	case c.Fields != nil && p < 4:
		c.Fields["surplus"] = "1"
	case c.Fields != nil && p < 6:
		delete(c.Fields, "amount")
	case c.Fields != nil && c.Fields["amount"] != "" && p < 8:
		c.Fields["amount"] = "0"
	case c.Fields != nil && c.Fields["currency"] != "":
		c.Fields["currency"] = "CHF"
	}
}
