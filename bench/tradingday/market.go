package tradingday

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/bkledger/bk/ledger"
)

// listing is a security of the made-up market.
type listing struct {
	ticker, mic string
	cents       int64 // price at the open
	weight      int   // how much of the trading is in it
}

// listings are names that a reader knows; the prices are in the right region, no more.
var listings = []listing{
	{"AAPL", "XNAS", 24110, 12}, {"MSFT", "XNAS", 39425, 9}, {"NVDA", "XNAS", 12492, 14}, {"AMZN", "XNAS", 21228, 8},
	{"GOOGL", "XNAS", 17028, 6}, {"META", "XNAS", 66820, 5}, {"TSLA", "XNAS", 29298, 10}, {"AMD", "XNAS", 9986, 6},
	{"INTC", "XNAS", 2373, 5}, {"NFLX", "XNAS", 98056, 2}, {"SPY", "ARCX", 59418, 16}, {"QQQ", "XNAS", 50805, 9},
	{"IWM", "ARCX", 21465, 5}, {"JPM", "XNYS", 26465, 4}, {"BAC", "XNYS", 4610, 5}, {"IBM", "XNYS", 25244, 2},
	{"XOM", "XNYS", 11133, 4}, {"KO", "XNYS", 7121, 2}, {"DIS", "XNYS", 11380, 2}, {"BRK.B", "XNYS", 51383, 1},
}

// venues are where a security trades besides its own market.
var venues = []string{"XNYS", "XNAS", "ARCX", "BATS", "EDGX", "IEXG"}

// parties are the made-up counterparties of bilateral and away trades, and their clearing numbers.
var parties = []struct{ mpid, clearing string }{
	{"ALFA", "0101"}, {"BRVO", "0202"}, {"CHRL", "0303"}, {"DLTA", "0404"}, {"ECHO", "0505"}, {"FXTR", "0606"},
}

// market is the prices while the day goes on.
type market struct {
	rng   *rand.Rand
	cents []int64
	sums  []int // running sums of the listings' weights
}

func newMarket(rng *rand.Rand) *market {
	m := &market{rng: rng}
	sum := 0
	for _, l := range listings {
		sum += l.weight
		m.cents, m.sums = append(m.cents, l.cents), append(m.sums, sum)
	}
	return m
}

// pick gives a listing, the busy ones more often.
func (m *market) pick() int {
	n := m.rng.IntN(m.sums[len(m.sums)-1])
	i := 0
	for n >= m.sums[i] {
		i++
	}
	return i
}

// tick moves a price by up to a few hundredths of a percent, and gives it in cents.
func (m *market) tick(i int) int64 {
	step := max(1, m.cents[i]/4000)
	m.cents[i] = max(100, m.cents[i]+m.rng.Int64N(2*step+1)-step)
	return m.cents[i]
}

// The session, New York 9:30 to 16:00 in winter time.
const (
	opensAt       = 14*time.Hour + 30*time.Minute // UTC
	sessionMillis = 6*3_600_000 + 1_800_000
)

// moment is the time of trade n of total. Trades crowd at the open and at the close: half evenly spread, half along a curve that is
// flat at both ends, where much happens in little time.
func moment(date ledger.Date, n, total int) time.Time {
	x := (float64(n) + 0.5) / float64(total)
	u := 0.5*x + 0.5*x*x*(3-2*x)
	return date.Time().UTC().Add(opensAt + time.Duration(u*sessionMillis)*time.Millisecond)
}

// amountOfCents is exact.
func amountOfCents(n int64) ledger.Amount {
	return ledger.MustAmount(fmt.Sprintf("%d.%02d", n/100, n%100))
}
