package demo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// placed is a trade that a client has booked.
type placed struct {
	trade    bank.Trade
	id       bank.ID
	roll     int64 // how often the business date had been rolled
	canceled bool
}

// remembered is how many of its last trades a client can go back to.
const remembered = 200

// holding is an account's position in a symbol, or its cash in a currency.
type holding struct {
	account bank.ID
	of      string
}

// client is one user of the legacy API. Its accounts are its own, so it knows what each answer has to be.
type client struct {
	*clients
	*rand.Rand
	api       *bank.Client
	number    int
	accounts  []bank.ID
	trades    int // drawn, for names
	moves     int // of cash
	last      []*placed
	positions map[holding]int64
	cash      map[holding]int64 // cents of cashCurrency
	highest   map[bank.ID]bank.ID
	resting   int         // the half of the accounts that is not written to
	orders    chan func() // what is to be done between two calls
}

func newClient(all *clients, number int, seed uint64) *client {
	c := &client{
		clients: all, Rand: rand.New(rand.NewPCG(seed, uint64(number))), number: number, positions: map[holding]int64{}, cash: map[holding]int64{}, highest: map[bank.ID]bank.ID{},
		resting: neither, orders: make(chan func()),
	}
	for i := range accountsEach {
		c.accounts = append(c.accounts, bank.ID(firstAccount+number*accountsEach+i))
	}
	return c
}

// Cash is moved in a currency that nothing is traded in, so that a client knows it to the cent.
const cashCurrency = "EUR"

// stocks are what is traded, with their prices in cents.
var stocks = []struct {
	symbol string
	price  int64
}{
	{"AAPL", 48775}, {"IBM", 18196}, {"MSFT", 3325}, {"GE", 2403}, {"XOM", 8572}, {"JNJ", 8631}, {"PG", 7602}, {"CVX", 11789}, {"KO", 3735}, {"WMT", 7261},
}

// draw makes a trade of one of the client's accounts; it is not booked yet.
func (c *client) draw(day bank.Date) bank.Trade {
	stock := stocks[c.IntN(len(stocks))]
	c.trades++
	t := bank.Trade{
		Type: bank.ExchangeTrade, Timestamp: moment(day) + c.Int64N(6*3600*1000), ClientTradeID: fmt.Sprintf("c%d-%d", c.number, c.trades), Date: day,
		AccountID: c.account(), Quantity: amount(100*(1+c.Int64N(10)), 0), Price: amount(stock.price*1000+c.Int64N(stock.price*20), -5),
		Instrument: bank.Instrument{Identifier: stock.symbol, IdentifierType: "ticker", Country: "USA", Currency: "USD"}, Side: bank.Side{Direction: bank.Buy},
		Capacity: "agency", MIC: "XNYS", ExecMPID: "DEMO", Settlement: bank.Settlement{Currency: "USD"}, Fees: bank.Fees{Commission: amount(1+c.Int64N(900), -2)},
	}
	if c.IntN(2) == 0 {
		t.Side.Direction = bank.Sell
	}
	return t
}

// account draws one that is not resting.
func (c *client) account() bank.ID {
	for {
		if account := c.accounts[c.IntN(len(c.accounts))]; halfOf(account) != c.resting {
			return account
		}
	}
}

func amount(n int64, exponent int32) bank.Decimal {
	return bank.Decimal{Decimal: decimal.New(n, exponent)}
}

// moment is when the exchange opens, in milliseconds.
func moment(day bank.Date) int64 {
	return time.Date(int(day)/10000, time.Month(int(day)/100%100), int(day)%100, 14, 30, 0, 0, time.UTC).UnixMilli()
}

// signed is what a trade does to a position.
func signed(t *bank.Trade) int64 {
	n := t.Quantity.IntPart()
	if t.Side.Direction == bank.Sell {
		return -n
	}
	return n
}

// keep notes a trade that was booked.
func (c *client) keep(t bank.Trade, id bank.ID, roll int64) {
	c.positions[holding{t.AccountID, t.Instrument.Identifier}] += signed(&t)
	if len(c.last) >= remembered {
		c.last = append(c.last[:0], c.last[1:]...)
	}
	c.last = append(c.last, &placed{trade: t, id: id, roll: roll})
}

// undo notes that a trade is cancelled.
func (c *client) undo(p *placed) {
	p.canceled = true
	c.positions[holding{p.trade.AccountID, p.trade.Instrument.Identifier}] -= signed(&p.trade)
}

// choose gives one of the last trades that is, or is not, cancelled, and that can't settle yet: trades take three business days, and one begun two rolls ago might meet the third.
func (c *client) choose(canceled bool) *placed {
	rolls := c.rolls.Load()
	for range 8 {
		if len(c.last) == 0 {
			return nil
		}
		if p := c.last[c.IntN(len(c.last))]; p.canceled == canceled && rolls-p.roll <= 1 && halfOf(p.trade.AccountID) != c.resting {
			return p
		}
	}
	return nil
}

// called counts a call, and tells whether its answer is the one that Bank alone would give: want is the type of the refusal, "" if it is to be done.
func (c *client) called(what string, began time.Time, want bank.Type, err error) bool {
	if c.calls.Err() != nil {
		return false // cut off at the end
	}
	c.figures.called(time.Since(began), err != nil && want != "")
	if err == nil && want == "" || want != "" && bank.TypeOf(err) == want {
		return true
	}
	if err == nil {
		err = errors.New("was done")
	}
	if want == "" {
		c.surprise("%s: %v", what, err)
	} else {
		c.surprise("%s: %v, not %s", what, err, want)
	}
	return false
}

// surprise says that an answer is wrong.
func (c *client) surprise(format string, args ...any) {
	c.figures.surprised(fmt.Sprintf("client %d: "+format, append([]any{c.number}, args...)...))
}
