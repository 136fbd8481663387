package bench

import (
	"fmt"
	"strconv"
	"time"

	"github.com/bkledger/bk/ledger"
)

// The books that trades are made on.
const (
	firstCustomer = 100_000
	customers     = 1000
	symbols       = 200
	tradeDate     = ledger.Date(20131007)
)

// workload makes the trades: a day of a broker, most of them executions on an exchange, half buys and half sells. The n-th trade
// is the same in every run, so that all sides store the same rows.
type workload struct {
	hot bool // all on one account
}

var opened = time.Date(2013, time.October, 7, 13, 30, 0, 0, time.UTC)

// definitions makes the accounts and instruments.
func (workload) definitions() []*ledger.Command {
	usd := ledger.Currency("USD")
	commands := []*ledger.Command{{Kind: ledger.KindInstrument, Define: &usd}}
	for i := range symbols {
		commands = append(commands, &ledger.Command{Kind: ledger.KindInstrument, Define: &ledger.Instrument{
			Symbol: symbol(i), Identifiers: []ledger.Identifier{ticker(i)},
		}})
	}
	for i := range customers {
		id := int64(firstCustomer + i)
		commands = append(commands, &ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{ID: id, Code: fmt.Sprintf("cust:%d", id), Entity: 1}})
	}
	return commands
}

// warmUp is a trade of every sort, so that the house accounts are open before the clock runs.
func (w workload) warmUp() []*ledger.Command {
	commands := make([]*ledger.Command, 100)
	for i := range commands {
		commands[i] = w.trade(i)
		commands[i].Key = fmt.Sprintf("warm-up-%d", i)
	}
	return commands
}

// trade makes the n-th trade. A multiplicative hash picks account, symbol, quantity and price, so that no two neighbours are alike.
func (w workload) trade(n int) *ledger.Command {
	pick := uint64(n+1) * 0x9e3779b97f4a7c15
	pick ^= pick >> 29
	account := int64(firstCustomer)
	if !w.hot {
		account += int64(pick % customers)
	}
	key := strconv.AppendInt([]byte("20131007-BK-"), int64(1_000_000_000+n), 10)
	t := &ledger.Trade{
		ExecutedAt: opened.Add(time.Duration(n) * time.Millisecond), ClientTradeID: string(key[9:]), Account: ledger.AccountRef{ID: account},
		Direction: ledger.Buy, Quantity: ledger.AmountOf(int64(1+pick>>16%50) * 100), Price: price(pick >> 24), Instrument: ticker(int(pick >> 32 % symbols)),
		Capacity: "agency", ExecMPID: "CLST", Commission: ledger.AmountOf(1),
	}
	if n%2 == 1 {
		t.Direction = ledger.Sell
	}
	c := &ledger.Command{Kind: ledger.KindExchangeTrade, Key: string(key), Source: "bench", TradeDate: tradeDate, Trade: t}
	switch n % 20 {
	case 7:
		c.Kind, t.ContraMPID, t.ContraClearingNum = ledger.KindBilateralTrade, "GSCO", "0005"
	case 14:
		c.Kind, t.ContraMPID = ledger.KindAwayTrade, "MSCO"
	default:
		t.MIC = "XNYS"
	}
	return c
}

// groups makes the first n trades, size at a time.
func (w workload) groups(n, size int) [][]*ledger.Command {
	groups := make([][]*ledger.Command, 0, (n+size-1)/size)
	for from := 0; from < n; from += size {
		group := make([]*ledger.Command, min(size, n-from))
		for i := range group {
			group[i] = w.trade(from + i)
		}
		groups = append(groups, group)
	}
	return groups
}

// price is between 10.00 and 209.99.
func price(pick uint64) ledger.Amount {
	exact, err := ledger.AmountOf(int64(1000 + pick%20_000)).Mul(cent)
	if err != nil {
		panic("bench: a price is out of range: " + err.Error())
	}
	return exact
}

var cent = ledger.MustAmount("0.01")

func symbol(i int) string {
	return string([]byte{'B', 'A' + byte(i/26%26), 'A' + byte(i%26)})
}

func ticker(i int) ledger.Identifier {
	return ledger.Identifier{Type: ledger.Ticker, Value: symbol(i), Country: "USA", Currency: "USD"}
}
