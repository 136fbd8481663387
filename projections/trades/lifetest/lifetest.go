// Package lifetest makes journals of whole trades' lives, for tests of projections: trades of all kinds that are booked, come into force, settle,
// and are cancelled and corrected while days roll, as the ledger's own rules make them, at random.
package lifetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/foldtest"
)

// FirstDay is the first business date that a [Ledger] rolls to.
const FirstDay ledger.Date = 20131007

// Ledger is a ledger in memory. One goroutine uses it; its journal may be read by others.
type Ledger struct {
	Journal   *foldtest.Journal
	Directory *ledger.Directory
	Lives     map[ledger.ID]ledger.Life // of all trades
	Trades    []ledger.ID               // all, in the order of booking
	Day       ledger.BusinessDay
	Customers []int64
	Firm      int64 // an account of kind firm that trades

	t          testing.TB
	rng        *rand.Rand
	rules      *ledger.Rules
	shard      uint16
	next       uint64
	now        time.Time
	securities []ledger.Identifier
}

// New makes a ledger with dollars and euros, so many customers and securities, and no business date.
func New(t testing.TB, rng *rand.Rand, shard uint16, customers, securities int) *Ledger {
	t.Helper()
	l := &Ledger{
		Journal: foldtest.NewJournal(shard), Directory: ledger.NewDirectory(), Lives: map[ledger.ID]ledger.Life{},
		t: t, rng: rng, rules: ledger.StandardRules(), shard: shard, next: 1, now: FirstDay.Time().Add(14 * time.Hour),
	}
	for _, code := range []string{"USD", "EUR"} {
		in := ledger.Currency(code)
		l.define(&ledger.Command{Kind: ledger.KindInstrument, Define: &in})
	}
	for i := range securities {
		id := ledger.Identifier{Type: ledger.Ticker, Value: fmt.Sprintf("S%d", i), Country: "USA", Currency: "USD"}
		l.define(&ledger.Command{Kind: ledger.KindInstrument, Define: &ledger.Instrument{Identifiers: []ledger.Identifier{id}}})
		l.securities = append(l.securities, id)
	}
	for i := range customers {
		id := foldtest.FirstCustomer + int64(i)
		l.define(&ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{ID: id, Code: fmt.Sprintf("cust:%d", id)}})
		l.Customers = append(l.Customers, id)
	}
	l.Firm = l.define(&ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{Code: "firm:inventory"}}).Account.ID
	return l
}

// Security gives the number of one of the securities.
func (l *Ledger) Security(i int) int64 {
	in, ok := l.Directory.Instrument(l.securities[i])
	if !ok {
		l.t.Fatalf("no security %d", i)
	}
	return in.ID
}

// Head gives the sequence number of the last entry.
func (l *Ledger) Head() uint64 { return l.next - 1 }

func (l *Ledger) define(c *ledger.Command) *ledger.Entry {
	l.t.Helper()
	draft, rej := l.rules.Prepare(c, l.Directory, l.now)
	if rej == nil {
		_, rej = l.Directory.Reserve(draft.Entry)
	}
	if rej != nil {
		l.t.Fatalf("define: %v", rej)
	}
	draft.Entry.ID = ledger.MakeID(l.shard, l.next)
	l.add(draft.Entry)
	return draft.Entry
}

// add puts an entry into the journal and into all that is known.
func (l *Ledger) add(e *ledger.Entry) {
	l.next++
	l.Directory.Apply(e)
	if trade := e.Links.Trade; trade != 0 {
		if trade == e.ID {
			l.Trades = append(l.Trades, trade)
		}
		l.Lives[trade] = append(l.Lives[trade], e)
	}
	l.Day = l.Day.After(e)
	l.Journal.Append(e)
}

// Book books a command, which must not be rejected, and gives the entries.
func (l *Ledger) Book(c *ledger.Command) []*ledger.Entry {
	l.t.Helper()
	entries, rej := l.TryBook(c)
	if rej != nil {
		l.t.Fatalf("book %+v: %v", c, rej)
	}
	return entries
}

// TryBook books a command, if it is not rejected.
func (l *Ledger) TryBook(c *ledger.Command) ([]*ledger.Entry, *ledger.Rejection) {
	l.t.Helper()
	l.now = l.now.Add(time.Duration(1+l.rng.IntN(1000)) * time.Microsecond)
	c.Key = fmt.Sprintf("key-%d", l.next)
	for {
		draft, rej := l.rules.Prepare(c, l.Directory, l.now)
		if rej != nil {
			return nil, rej
		}
		if draft.NeedHouse != nil {
			for _, code := range draft.NeedHouse {
				l.define(ledger.HouseAccount(code))
			}
			continue
		}
		var life ledger.Life
		switch {
		case c.Target != nil:
			life = l.Lives[c.Target.Trade]
		case c.Replaces != nil:
			life = l.Lives[c.Replaces.Trade]
		}
		entries, rej := l.rules.Decide(nil, &draft, life, ledger.Moment{Next: ledger.MakeID(l.shard, l.next), Day: l.Day, Books: l.Directory})
		if rej != nil {
			return nil, rej
		}
		for _, e := range entries {
			l.add(e)
		}
		return entries, nil
	}
}

// Roll takes the business date forward to a day, street side or not.
func (l *Ledger) Roll(to ledger.Date, street bool) {
	l.t.Helper()
	day := to
	if l.Day.Date != 0 {
		day = l.Day.Date.Next()
	}
	for ; day <= to; day = day.Next() {
		l.Book(&ledger.Command{Kind: ledger.KindDayBegin, Day: &ledger.Day{Date: day, To: to, Street: street}})
		for _, kind := range []ledger.Kind{ledger.KindTradeOpen, ledger.KindSettle} {
			for _, trade := range l.Trades {
				life := l.Lives[trade]
				if kind == ledger.KindTradeOpen && life.State() == ledger.TradeNew && life[0].TradeDate <= day ||
					kind == ledger.KindSettle && life.State() == ledger.TradeOpen && life[0].SettleDate <= day {
					l.Book(&ledger.Command{Kind: kind, Target: &ledger.Target{Trade: trade}})
				}
			}
		}
		l.Book(&ledger.Command{Kind: ledger.KindDayEnd, Day: &ledger.Day{Date: day, To: to, Street: street}})
	}
}

// NewTrade makes the command of a random trade: of any kind, some booked late, some of a later date, some between customers or with the firm.
func (l *Ledger) NewTrade() *ledger.Command {
	kinds := []ledger.Kind{
		ledger.KindExchangeTrade, ledger.KindExchangeTrade, ledger.KindExchangeTrade, ledger.KindBilateralTrade, ledger.KindAwayTrade,
		ledger.KindAllocationTrade, ledger.KindTransferTrade,
	}
	c := &ledger.Command{Kind: kinds[l.rng.IntN(len(kinds))], Source: "lifetest"}
	account := l.rng.IntN(len(l.Customers))
	t := &ledger.Trade{
		ExecutedAt: l.now, ClientTradeID: fmt.Sprintf(`C\%d`, l.next), Account: ledger.AccountRef{ID: l.Customers[account]},
		Direction: []ledger.Direction{ledger.Buy, ledger.Sell}[l.rng.IntN(2)], Quantity: ledger.AmountOf(int64(1 + l.rng.IntN(900))),
		Price: ledger.MustAmount(fmt.Sprintf("%d.%02d", l.rng.IntN(300), l.rng.IntN(100))), Instrument: l.securities[l.rng.IntN(len(l.securities))],
		Capacity: "agency", MIC: "XNYS", ExecMPID: "BKBK", ContraMPID: "CTRA", ContraClearingNum: "0161",
	}
	switch c.Kind {
	case ledger.KindExchangeTrade:
		t.ContraMPID, t.ContraClearingNum = "", ""
	case ledger.KindAllocationTrade, ledger.KindTransferTrade:
		t.Target = ledger.AccountRef{ID: l.Customers[(account+1+l.rng.IntN(len(l.Customers)-1))%len(l.Customers)]}
		if l.rng.IntN(3) == 0 {
			t.Target = ledger.AccountRef{ID: l.Firm}
		}
	}
	if l.rng.IntN(2) == 0 {
		t.Commission = ledger.MustAmount(fmt.Sprintf("%d.95", l.rng.IntN(9)))
	}
	if l.rng.IntN(5) == 0 {
		t.Currency, t.Accrued = "EUR", ledger.MustAmount("1.0000000001")
	}
	c.Trade, c.TradeDate = t, max(l.Day.Date, FirstDay)
	switch l.rng.IntN(8) {
	case 0: // late
		c.TradeDate = 20130930
	case 1, 2: // not in force before the next days
		for range 1 + l.rng.IntN(3) {
			c.TradeDate = c.TradeDate.Next()
		}
	}
	switch l.rng.IntN(12) {
	case 0:
		c.SettleDate = ledger.WhenIssuedDate
	case 1:
		c.SettleDate = c.TradeDate
	}
	return c
}

// Step does something at random: mostly it books a trade. What the ledger rejects is not done.
func (l *Ledger) Step() {
	l.t.Helper()
	if len(l.Trades) == 0 {
		l.Book(l.NewTrade())
		return
	}
	// Of the last ones, mostly: the others are settled or cancelled.
	back := 1 + l.rng.IntN(min(len(l.Trades), 60))
	target := &ledger.Target{Trade: l.Trades[len(l.Trades)-back]}
	switch n := l.rng.IntN(100); {
	case n < 12:
		l.TryBook(&ledger.Command{Kind: ledger.KindCancel, Target: target})
	case n < 24:
		c := l.NewTrade()
		target.Link = l.rng.IntN(2) == 0
		c.Replaces = target
		l.TryBook(c)
	case n < 32:
		l.TryBook(&ledger.Command{Kind: ledger.KindSettleStreet, Target: target})
	case n < 40:
		l.Book(l.movement())
	case n < 45:
		to := FirstDay
		for range l.rng.IntN(3) {
			to = to.Next()
		}
		if l.Day.Date != 0 {
			for to = l.Day.Date; l.rng.IntN(2) == 0 || to == l.Day.Date; {
				to = to.Next()
			}
		}
		l.Roll(to, l.rng.IntN(2) == 0)
	default:
		l.Book(l.NewTrade())
	}
}

// movement makes the command of postings between two accounts that are no trade's, in either bucket.
func (l *Ledger) movement() *ledger.Command {
	from := l.rng.IntN(len(l.Customers))
	quantity := ledger.AmountOf(int64(1 + l.rng.IntN(10_000)))
	in := []ledger.Identifier{ledger.CurrencyID("USD"), ledger.CurrencyID("EUR"), l.securities[0]}[l.rng.IntN(3)]
	bucket := []ledger.Bucket{ledger.Unsettled, ledger.Settled}[l.rng.IntN(2)]
	return &ledger.Command{Kind: ledger.KindPosting, Postings: []ledger.PostingRequest{
		{Account: ledger.AccountRef{ID: l.Customers[from]}, Instrument: in, Bucket: bucket, Quantity: quantity.Neg()},
		{Account: ledger.AccountRef{ID: l.Customers[(from+1)%len(l.Customers)]}, Instrument: in, Bucket: bucket, Quantity: quantity},
	}}
}
