package generate

import (
	"iter"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// money counts in ten-thousandths.
const (
	unit  = 10_000
	cents = unit / 100
)

// firstAccount is the id of the first one.
const firstAccount = 100_001

// total is what an account has of a symbol or a currency, in units of one or of a ten-thousandth.
type total struct{ traded, settled int64 }

// live is a trade that may still change.
type live struct {
	trade    *bank.StoredTrade // as last told
	symbol   int
	currency int
	quantity int64 // of the booking account, signed
	gross    int64 // of the other account, signed: what it pays or gets
	net      int64 // of the booking account, signed
	gone     bool
}

// world is all that the events are of.
type world struct {
	cfg    Config
	dice   *rand.Rand
	events func(bank.Event) bool
	over   bool
	left   int64

	symbols   []string
	positions []total // by account and symbol
	balances  []total // by account and currency

	date     time.Time
	now      int64 // milliseconds
	eventID  int64
	entry    int64 // BK's: of what the event is of
	leg      int64
	tradeID  int64
	cashID   int64
	pending  []*live           // new: they open on the next date
	due      map[int64][]*live // by settlement date, as days since 1970
	recent   []*live           // some that may be cancelled or replaced
	decimals [200]bank.Decimal // hundreds, for quantities
	zero     bank.Decimal
}

const (
	maxRecent  = 512
	settleDays = 3
)

var currencies = [...]string{"USD", "USD", "USD", "EUR", "CAD"} // by symbol, in turn

// Events gives them in the order of their ids. The configuration is taken as valid.
func Events(cfg Config) iter.Seq[bank.Event] {
	return func(yield func(bank.Event) bool) {
		cfg = cfg.WithDefaults()
		w := &world{cfg: cfg, dice: rand.New(rand.NewPCG(cfg.Seed, 0x6b)), events: yield, left: cfg.Events, due: map[int64][]*live{}}
		w.positions, w.balances = make([]total, cfg.Accounts*cfg.Symbols), make([]total, cfg.Accounts*len(currencies))
		for i := range cfg.Symbols {
			w.symbols = append(w.symbols, string([]byte{byte('A' + i/676), byte('A' + i/26%26), byte('A' + i%26)}))
		}
		for i := range w.decimals {
			w.decimals[i] = bank.Decimal{Decimal: decimal.NewFromInt(int64(100 * i))}
		}
		w.date = timeOf(cfg.First)
		for first := true; !w.over; first = false {
			w.day(first)
		}
	}
}

func weekday(d bank.Date) bool {
	day := timeOf(d).Weekday()
	return day != time.Saturday && day != time.Sunday
}

func timeOf(d bank.Date) time.Time {
	return time.Date(int(d)/10000, time.Month(d/100%100), int(d)%100, 0, 0, 0, 0, time.UTC)
}

func nextWeekday(t time.Time) time.Time {
	t = t.AddDate(0, 0, 1)
	for t.Weekday() == time.Saturday || t.Weekday() == time.Sunday {
		t = t.AddDate(0, 0, 1)
	}
	return t
}

func day(t time.Time) int64 { return t.Unix() / 86400 }

func dateOf(t time.Time) bank.Date {
	y, m, d := t.Date()
	return bank.Date(y*10000 + int(m)*100 + d)
}

// day rolls to a business date, opens and settles what is due, then books.
func (w *world) day(first bool) {
	w.now = w.date.UnixMilli() + 6*3_600_000
	var from bank.Date
	if !first {
		yesterday := w.date
		w.date = nextWeekday(w.date)
		from = dateOf(yesterday)
		w.now = w.date.UnixMilli() + 6*3_600_000
	}
	w.work()
	w.emit(bank.Event{Kind: bank.EventRolled, From: from, To: dateOf(w.date)})
	pending := w.pending
	w.pending = nil
	for _, l := range pending {
		if !l.gone {
			w.open(l)
		}
	}
	due := w.due[day(w.date)]
	delete(w.due, day(w.date))
	for _, l := range due {
		if !l.gone && !w.over {
			w.settle(l)
		}
	}
	w.recent = w.recent[:0]
	w.now = w.date.UnixMilli() + 14*3_600_000
	for range w.cfg.DayTrades {
		if w.over {
			return
		}
		w.now += int64(w.dice.IntN(5))
		switch kind := w.dice.IntN(1000); {
		case kind < 30:
			w.cash()
		case kind < 60 && len(w.recent) > 0:
			w.cancel(w.pick(), nil)
		case kind < 80 && len(w.recent) > 0:
			w.replace()
		default:
			w.book(nil)
		}
	}
}

// pick takes a recent trade out.
func (w *world) pick() *live {
	i := w.dice.IntN(len(w.recent))
	l := w.recent[i]
	w.recent[i] = w.recent[len(w.recent)-1]
	w.recent = w.recent[:len(w.recent)-1]
	return l
}

// work begins what is one entry of BK's.
func (w *world) work() {
	w.entry += 1 + int64(w.dice.IntN(2))
	w.leg = 0
}

// emit gives an event its id and hands it over.
func (w *world) emit(e bank.Event) {
	if w.over {
		return
	}
	w.eventID++
	e.ID, e.At = w.eventID, w.now
	if w.cfg.BK {
		e.ID, e.At = 2*w.entry+w.leg, w.now+7
		w.leg++
	}
	w.left--
	if !w.events(e) || w.left == 0 {
		w.over = true
	}
}

func (w *world) position(account bank.ID, symbol int) *total {
	return &w.positions[(int(account)-firstAccount)*w.cfg.Symbols+symbol]
}

func (w *world) balance(account bank.ID, currency int) *total {
	return &w.balances[(int(account)-firstAccount)*len(currencies)+currency]
}

func (w *world) account() bank.ID { return bank.ID(firstAccount + w.dice.IntN(w.cfg.Accounts)) }

// other is an account that is not a given one.
func (w *world) other(than bank.ID) bank.ID {
	return bank.ID(firstAccount + (int(than)-firstAccount+1+w.dice.IntN(w.cfg.Accounts-1))%w.cfg.Accounts)
}

// whole is a decimal of ones.
func (w *world) whole(n int64) bank.Decimal {
	if n >= 0 && n%100 == 0 && n/100 < int64(len(w.decimals)) {
		return w.decimals[n/100]
	}
	return bank.Decimal{Decimal: decimal.NewFromInt(n)}
}

// amount is a decimal of ten-thousandths.
func (w *world) amount(n int64) bank.Decimal {
	if n == 0 {
		return w.zero
	}
	exponent := int32(-4)
	for ; exponent < 0 && n%10 == 0; exponent++ {
		n /= 10
	}
	return bank.Decimal{Decimal: decimal.New(n, exponent)}
}

// cash moves money, settled at once.
func (w *world) cash() {
	account, currency := w.account(), w.dice.IntN(len(currencies))
	for currency > 0 && currencies[currency] == currencies[0] {
		currency-- // one place for each currency
	}
	amount := int64(1+w.dice.IntN(1_000_000)) * cents
	w.cashID++
	id := w.cashID
	client := "wire-" + strconv.FormatInt(id, 10)
	move := func(kind string, account bank.ID, amount int64) {
		b := w.balance(account, currency)
		b.traded, b.settled = b.traded+amount, b.settled+amount
		w.emit(bank.Event{
			Kind: kind, BusinessDate: dateOf(w.date), AccountID: account, CashID: bank.ID(id), ClientID: client, Currency: currencies[currency], Amount: w.amount(amount),
			Balance: w.amount(b.traded), SettledBalance: w.amount(b.settled),
		})
	}
	w.work()
	switch w.dice.IntN(3) {
	case 0:
		move(bank.Deposit, account, amount)
	case 1:
		move(bank.Withdrawal, account, -amount)
	default:
		other := w.other(account)
		move(bank.CashJournal, account, -amount)
		move(bank.CashJournal, other, amount)
	}
}
