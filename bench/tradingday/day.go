package tradingday

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"

	"github.com/bkledger/bk/ledger"
)

// Where the customers' numbers begin and what owns them; the same scheme as in the sample files.
const (
	firstCustomer = 100_001
	entities      = 50
)

// Config says which day to make up. The zero value of a field is its default.
type Config struct {
	// Seed chooses the day. Default 1.
	Seed uint64
	// Trades is how many trades are booked, corrections among them; cancels come on top. Default 100,000.
	Trades int
	// Customers is how many accounts trade, from 100001 on. Default 1,000.
	Customers int
	// Date is the trade date. Default 20250303, a day with both the SEC fee and the TAF in force.
	Date ledger.Date
	// Dates, if set, gives each new trade its own trade date in place of Date, and its settlement date where that is irregular, else 0.
	// Corrections keep the dates of what they correct.
	Dates func() (trade, settle ledger.Date)
	// CancelEach and CorrectEach say how seldom trades are cancelled and corrected: one for so many trades. Defaults 200 and 300.
	CancelEach, CorrectEach int
	// Source is set on every command. Default "tradingday".
	Source string
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Seed == 0 {
		c.Seed = 1
	}
	if c.Trades == 0 {
		c.Trades = 100_000
	}
	if c.Customers == 0 {
		c.Customers = 1000
	}
	if c.Date == 0 {
		c.Date = 20250303
	}
	if c.CancelEach == 0 {
		c.CancelEach = 200
	}
	if c.CorrectEach == 0 {
		c.CorrectEach = 300
	}
	if c.Source == "" {
		c.Source = "tradingday"
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Trades < 1 || c.Trades > 1_000_000_000 {
		errs = append(errs, fmt.Errorf("trades: %d is not between 1 and 1000000000", c.Trades))
	}
	if c.Customers < 2 || c.Customers > 1_000_000 {
		errs = append(errs, fmt.Errorf("customers: %d is not between 2 and 1000000", c.Customers))
	}
	if !c.Date.Valid() {
		errs = append(errs, fmt.Errorf("date: %d is no day", c.Date))
	}
	if c.CancelEach < 1 || c.CorrectEach < 1 {
		errs = append(errs, fmt.Errorf("one cancel for %d trades and one correction for %d: at least 1", c.CancelEach, c.CorrectEach))
	}
	if len(c.Source) > ledger.MaxNameBytes {
		errs = append(errs, fmt.Errorf("source: %d bytes, %d are allowed", len(c.Source), ledger.MaxNameBytes))
	}
	return errors.Join(errs...)
}

// Day is a made-up day of trading.
type Day struct{ cfg Config }

// New makes a day; nothing is generated yet.
func New(cfg Config) (*Day, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("trading day: %w", err)
	}
	return &Day{cfg}, nil
}

// Trades is how many trades the day has, corrections among them.
func (d *Day) Trades() int { return d.cfg.Trades }

// Accounts are the customers that trade.
func (d *Day) Accounts() []ledger.Account {
	accounts := make([]ledger.Account, d.cfg.Customers)
	for i := range accounts {
		id := int64(firstCustomer + i)
		entity := int64(1 + i%entities)
		accounts[i] = ledger.Account{ID: id, Code: fmt.Sprintf("%s%d", ledger.CodeCustomer, id), Entity: entity,
			Name: fmt.Sprintf("Customer %d of entity %d", id, entity)}
	}
	return accounts
}

// Instruments are what is traded, and the dollar.
func (d *Day) Instruments() []ledger.Instrument {
	all := []ledger.Instrument{ledger.Currency("USD")}
	for _, l := range listings {
		all = append(all, ledger.Instrument{Symbol: l.ticker, Kind: ledger.KindSecurity, Identifiers: []ledger.Identifier{l.identifier()}})
	}
	return all
}

func (l listing) identifier() ledger.Identifier {
	return ledger.Identifier{Type: ledger.Ticker, Value: l.ticker, Country: "USA", Currency: "USD"}
}

// Commands gives the day's commands in the order of their times. They are fresh with every call, and the caller's own.
func (d *Day) Commands() iter.Seq[*ledger.Command] {
	return func(yield func(*ledger.Command) bool) {
		g := newGenerator(d.cfg)
		for n := range d.cfg.Trades {
			if g.rng.IntN(d.cfg.CancelEach) == 0 {
				if c := g.cancel(); c != nil && !yield(c) {
					return
				}
			}
			if !yield(g.trade(n)) {
				return
			}
		}
	}
}

// generator is the state of a day while it is made up.
type generator struct {
	cfg       Config
	rng       *rand.Rand
	market    *market
	positions map[position]int64 // whole shares, to tell short sales
	recent    []*ledger.Command  // live trades of the last while, the ones to cancel or correct
	cancels   int
}

type position struct{ customer, listing int }

const recentTrades = 2000

func newGenerator(cfg Config) *generator {
	rng := rand.New(rand.NewPCG(cfg.Seed, 0x626b))
	return &generator{cfg: cfg, rng: rng, market: newMarket(rng), positions: map[position]int64{}}
}

// customer gives one at random: a third of the trades is among an eighth of the customers, and so on down to eight of them.
func (g *generator) customer() int {
	n := g.cfg.Customers
	for n > 8 && g.rng.IntN(3) == 0 {
		n = max(n/8, 8)
	}
	return g.rng.IntN(n)
}

func (g *generator) trade(n int) *ledger.Command {
	if len(g.recent) > 0 && g.rng.IntN(g.cfg.CorrectEach) == 0 {
		return g.correction(n)
	}
	c := g.fresh(n, g.customer(), g.market.pick())
	g.remember(c)
	return c
}

// fresh makes a trade of a customer in a listing.
func (g *generator) fresh(n, customer, listing int) *ledger.Command {
	l := listings[listing]
	quantity, fraction := g.quantity()
	price := g.market.tick(listing)
	date, settle := g.cfg.Date, ledger.Date(0)
	if g.cfg.Dates != nil {
		date, settle = g.cfg.Dates()
	}
	t := &ledger.Trade{
		ExecutedAt: moment(date, n, g.cfg.Trades), Account: ledger.AccountRef{ID: int64(firstCustomer + customer)},
		Direction: ledger.Buy, Quantity: ledger.MustAmount(fmt.Sprintf("%d%s", quantity, fraction)), Price: amountOfCents(price),
		Instrument: l.identifier(), OrderID: fmt.Sprintf("O%d", 1+n/3),
	}
	t.ClientTradeID = fmt.Sprintf("D%d-%07d", g.cfg.Seed, n+1)
	at := position{customer, listing}
	// Who has much tends to sell, so that positions stay in a likely range.
	if held := g.positions[at]; g.rng.Int64N(2000) < 1000+min(max(held/2, -700), 700) {
		t.Direction = ledger.Sell
		t.Short = held < quantity && held <= 0
		g.positions[at] -= quantity
	} else {
		g.positions[at] += quantity
	}
	c := &ledger.Command{Key: key(t), Source: g.cfg.Source, TradeDate: date, SettleDate: settle, Trade: t}
	g.kind(c, l)
	if c.Trade.Target.IsZero() && customer%5 != 0 { // the others trade without commission
		t.Commission = ledger.MustAmount(fmt.Sprintf("%d.%04d", max(3500, quantity*35)/10_000, max(3500, quantity*35)%10_000))
	}
	return c
}

// key puts the account before the client's own id, as files and the edge do.
func key(t *ledger.Trade) string { return fmt.Sprintf("%d/%s", t.Account.ID, t.ClientTradeID) }

// quantity is whole shares, mostly round lots, and seldom a fraction.
func (g *generator) quantity() (shares int64, fraction string) {
	switch n := g.rng.IntN(200); {
	case n < 120:
		return 100 * (1 + g.rng.Int64N(5)), ""
	case n < 140:
		return 500 * (1 + g.rng.Int64N(8)), ""
	case n < 199:
		return 1 + g.rng.Int64N(99), ""
	}
	return 1 + g.rng.Int64N(20), fmt.Sprintf(".%03d", 1+g.rng.IntN(999))
}

// kind makes it one of the five types, with the fields that it needs.
func (g *generator) kind(c *ledger.Command, l listing) {
	t := c.Trade
	party := parties[g.rng.IntN(len(parties))]
	switch n := g.rng.IntN(100); {
	case n < 88:
		c.Kind, t.MIC = ledger.KindExchangeTrade, l.mic
		if g.rng.IntN(2) == 0 {
			t.MIC = venues[g.rng.IntN(len(venues))]
		}
	case n < 93:
		c.Kind, t.ContraMPID, t.ContraClearingNum = ledger.KindBilateralTrade, party.mpid, party.clearing
	case n < 95:
		c.Kind, t.ContraMPID = ledger.KindAwayTrade, party.mpid
	default:
		c.Kind = ledger.KindAllocationTrade
		if n >= 98 {
			c.Kind = ledger.KindTransferTrade
		}
		t.Short = false
		other := g.rng.IntN(g.cfg.Customers - 1)
		if int64(firstCustomer+other) >= t.Account.ID {
			other++
		}
		t.Target = ledger.AccountRef{ID: int64(firstCustomer + other)}
		return
	}
	t.ExecMPID, t.Capacity = "BKLG", "agency"
	if g.rng.IntN(10) == 0 {
		t.Capacity = "principal"
	}
}

// remember keeps a trade as one that may be cancelled or corrected.
func (g *generator) remember(c *ledger.Command) {
	if len(g.recent) < recentTrades {
		g.recent = append(g.recent, c)
		return
	}
	g.recent[g.rng.IntN(recentTrades)] = c
}

// forget takes a live trade out of those that may be cancelled or corrected.
func (g *generator) forget() *ledger.Command {
	i := g.rng.IntN(len(g.recent))
	c := g.recent[i]
	last := len(g.recent) - 1
	g.recent[i], g.recent = g.recent[last], g.recent[:last]
	return c
}

// correction books a trade again, with another quantity and at another price, in place of the first.
func (g *generator) correction(n int) *ledger.Command {
	old := g.forget()
	t := *old.Trade
	t.ExecutedAt = moment(old.TradeDate, n, g.cfg.Trades)
	t.ClientTradeID = fmt.Sprintf("D%d-%07d", g.cfg.Seed, n+1)
	t.Quantity = ledger.AmountOf(100 * (1 + g.rng.Int64N(5)))
	t.Price = t.Price.Add(amountOfCents(1 + g.rng.Int64N(9)))
	c := &ledger.Command{Kind: old.Kind, Key: key(&t), Source: g.cfg.Source, TradeDate: old.TradeDate, SettleDate: old.SettleDate, Trade: &t,
		Replaces: &ledger.Target{Key: old.Key}}
	g.remember(c)
	return c
}

// cancel gives nil while there is nothing to cancel.
func (g *generator) cancel() *ledger.Command {
	if len(g.recent) == 0 {
		return nil
	}
	old := g.forget()
	g.cancels++
	return &ledger.Command{Kind: ledger.KindCancel, Key: fmt.Sprintf("%d/C%d-%06d", old.Trade.Account.ID, g.cfg.Seed, g.cancels),
		Source: g.cfg.Source, Target: &ledger.Target{Key: old.Key}}
}
