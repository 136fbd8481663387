package modeltest

import (
	"math/big"
	"strings"
)

// Posting is a quantity that an entry moves. Bucket is "u" or "s".
type Posting struct {
	Account, Instrument, Bucket string
	Quantity                    *big.Rat
}

// Entry is a line of the journal as the model expects it.
type Entry struct {
	Seq                              uint64
	Kind                             string
	Trade                            *Trade // entries about a trade
	State                            string // of the trade after the entry
	Effective, TradeDate, SettleDate Date
	Postings                         []Posting
	Reverses, ReplacedBy             uint64            // by sequence number
	Fields                           map[string]string // of events that have no type of their own
	Day                              *Day              // of entries that begin or end a day
}

// Day is what the entries of a roll say.
type Day struct {
	Date, To        Date
	Street          bool
	Opened, Settled int
	Cut             []Holding // of the end
}

// Trade is a trade, and all entries about it in journal order.
type Trade struct {
	Seq                                 uint64 // of the booking
	Corrects                            *Trade
	Terms                               Terms
	Kind                                string
	Quantity, Price, Gross, SEC, TAF    *big.Rat
	Commission, Accrued, Net, Delivered *big.Rat // Net is the account's cash, Delivered its shares; both signed
	TradeDate, SettleDate, Effective    Date
	Entries                             []*Entry
}

// Place is the trade in whose place it stands: the first of its chain of corrections.
func (t *Trade) Place() uint64 {
	for t.Corrects != nil {
		t = t.Corrects
	}
	return t.Seq
}

// Instrument is what the model must know of one.
type Instrument struct {
	ID       int64
	Currency string // the listing's; "" if it is a currency itself
}

// Model is the ledger.
type Model struct {
	Accounts    map[string]int64 // by code
	Instruments map[string]Instrument
	Head        uint64 // the last entry's place
	Entries     []*Entry
	Trades      []*Trade
	Date        Date // the business date, 0 before the first roll
	Street      bool // settlements include the street side: of the last roll

	keys map[string]booked
}

type booked struct {
	content string
	entry   *Entry
}

// NewModel makes the model of a ledger that has these accounts and instruments, and nothing else; head is its last entry's place.
func NewModel(accounts map[string]int64, instruments map[string]Instrument, head uint64) *Model {
	return &Model{Accounts: accounts, Instruments: instruments, Head: head, keys: map[string]booked{}}
}

// Outcome is what becomes of a command: it is rejected for a reason, or books entries, or repeats an earlier one.
type Outcome struct {
	Reason  string
	Entry   *Entry // the command's own
	Entries []*Entry
	Repeat  bool
}

// Book does what a command asks for, on a day.
func (m *Model) Book(c Command, today Date) Outcome {
	if c.Kind == "roll" {
		return m.roll(c)
	}
	if reason := m.formFault(c); reason != "" {
		return Outcome{Reason: reason}
	}
	content := m.content(c)
	if first, known := m.keys[c.Key]; known {
		if first.content != content {
			return Outcome{Reason: "key_conflict"}
		}
		return Outcome{Entry: first.entry, Repeat: true}
	}
	if reason := m.unknown(c); reason != "" {
		return Outcome{Reason: reason}
	}
	if reason := m.stateFault(c); reason != "" {
		return Outcome{Reason: reason}
	}
	before := len(m.Entries)
	entry := m.apply(c, today)
	m.keys[c.Key] = booked{content, entry}
	return Outcome{Entry: entry, Entries: m.Entries[before:]}
}

// apply books a command that nothing speaks against.
func (m *Model) apply(c Command, today Date) *Entry {
	effective := m.effective(c, today)
	switch {
	case c.isTrade():
		return m.bookTrade(c, effective)
	case c.Kind == "trade.cancel":
		return m.cancel(m.target(c.Target), nil)
	case c.Kind == "trade.settle_street":
		t := m.target(c.Target)
		if c.EffectiveDate == 0 {
			effective = max(effective, t.Effective) // a trade may be in force before its date
		}
		return m.add(&Entry{Kind: c.Kind, Trade: t, State: t.state(), Effective: effective, Postings: t.streetLeg()})
	}
	e := &Entry{Kind: c.Kind, Effective: effective, TradeDate: c.TradeDate, SettleDate: c.SettleDate, Fields: c.Fields}
	if c.Kind == "posting" {
		for _, l := range c.Legs {
			bucket := l.Bucket
			if bucket == "" {
				bucket = "s"
			}
			e.Postings = append(e.Postings, Posting{l.Account, l.Instrument, bucket, number(l.Quantity)})
		}
	} else {
		e.Postings = eventPostings(c)
	}
	return m.add(e)
}

// effective is when a command counts: as it says, else the trade date, the business date, the day of booking.
func (m *Model) effective(c Command, today Date) Date {
	for _, d := range []Date{c.EffectiveDate, c.TradeDate, m.Date} {
		if d != 0 {
			return d
		}
	}
	return today
}

// add gives an entry its place.
func (m *Model) add(e *Entry) *Entry {
	m.Head++
	e.Seq = m.Head
	if t := e.Trade; t != nil {
		if len(t.Entries) == 0 {
			t.Seq = e.Seq
			m.Trades = append(m.Trades, t)
		}
		e.TradeDate, e.SettleDate = t.TradeDate, t.SettleDate
		t.Entries = append(t.Entries, e)
	}
	m.Entries = append(m.Entries, e)
	return e
}

// bookTrade books a trade, in the place of another if it says so, and settles it if that is due.
func (m *Model) bookTrade(c Command, effective Date) *Entry {
	t := priced(c, m.Instruments[c.Trade.Security].Currency)
	t.Effective = effective
	t.SettleDate = c.SettleDate
	if t.SettleDate == 0 {
		t.SettleDate = settlement(t.TradeDate)
	}
	if c.Replaces != nil {
		old := m.target(c.Replaces)
		if c.SettleDate == 0 && old.hasSettled() && t.TradeDate <= m.Date {
			t.SettleDate = m.Date // after settlement the day it is processed is its settlement date
		}
		t.Corrects = old
		if old.state() != "canceled" {
			m.cancel(old, t)
		} else {
			link := m.add(&Entry{Kind: "trade.link", Trade: old, State: "canceled", Effective: old.Effective})
			link.ReplacedBy = link.Seq + 1
		}
	}
	e := &Entry{Kind: c.Kind, Trade: t, State: "new", Effective: t.Effective}
	if m.Date == 0 || t.TradeDate <= m.Date {
		e.State, e.Postings = "open", t.postings()
	}
	m.add(e)
	if m.Date != 0 && e.State == "open" && t.SettleDate <= m.Date {
		m.settle(t)
	}
	return e
}

// settle books the contractual settlement of an open trade, and the street side if it is wanted.
func (m *Model) settle(t *Trade) {
	e := &Entry{Kind: "trade.settle", Trade: t, State: "settled", Effective: max(t.SettleDate, t.Effective)}
	for _, p := range t.sum() {
		if p.Bucket == "u" && (p.Account == t.Terms.Account || p.Account == t.Terms.Target) {
			e.Postings = append(e.Postings, Posting{p.Account, p.Instrument, "u", opposite(p.Quantity)}, Posting{p.Account, p.Instrument, "s", p.Quantity})
		}
	}
	if m.Street {
		e.Postings = append(e.Postings, t.streetLeg()...)
	}
	m.add(e)
}

// cancel takes back all that a trade has done: its settlements, the last one first, then what brought it into force.
func (m *Model) cancel(t, by *Trade) *Entry {
	opening := t.Entries[0]
	for _, e := range t.Entries {
		if e.Kind == "trade.open" {
			opening = e
		}
	}
	for i := len(t.Entries) - 1; i >= 0; i-- {
		if e := t.Entries[i]; e.Kind == "trade.settle" || e.Kind == "trade.settle_street" {
			state := "open"
			for _, before := range t.Entries[:i] {
				if before.Kind == "trade.settle" {
					state = "settled" // until that is taken back, too
				}
			}
			m.add(&Entry{Kind: "trade.reverse", Trade: t, State: state, Effective: e.Effective, Postings: opposites(e.Postings), Reverses: e.Seq})
		}
	}
	e := m.add(&Entry{Kind: "trade.cancel", Trade: t, State: "canceled", Effective: t.Effective, Postings: opposites(opening.Postings), Reverses: opening.Seq})
	if by != nil {
		e.ReplacedBy = e.Seq + 1
	}
	return e
}

// roll takes each day in turn: all that opens, then all that settles, in booking order. The first one sets the business date.
func (m *Model) roll(c Command) Outcome {
	if c.To < m.Date {
		return Outcome{Reason: "day_passed"}
	}
	before := len(m.Entries)
	first := m.Date.Plus(1)
	if m.Date == 0 {
		first = c.To
	}
	for day := first; day <= c.To; day = day.Plus(1) {
		m.Date, m.Street = day, c.Street
		m.add(&Entry{Kind: "day.begin", Effective: day, Day: &Day{Date: day, To: c.To, Street: c.Street}})
		end := &Day{Date: day, To: c.To, Street: c.Street}
		for _, t := range m.Trades {
			if t.state() == "new" && t.TradeDate <= day {
				m.add(&Entry{Kind: "trade.open", Trade: t, State: "open", Effective: t.Effective, Postings: t.postings()})
				end.Opened++
			}
		}
		for _, t := range m.Trades {
			if t.state() == "open" && t.SettleDate <= day {
				m.settle(t)
				end.Settled++
			}
		}
		end.Cut = m.Holdings(Time{AsOf: day})
		m.add(&Entry{Kind: "day.end", Effective: day, Day: end})
	}
	return Outcome{Entries: m.Entries[before:]}
}

// state is where the trade stands after all that is known.
func (t *Trade) state() string { return t.Entries[len(t.Entries)-1].State }

// hasSettled reports whether the trade is settled, or was before it was cancelled.
func (t *Trade) hasSettled() bool {
	for _, e := range t.Entries {
		if e.Kind == "trade.settle" {
			return true
		}
	}
	return false
}

// target finds a trade by the key that it was booked with, or by the other one; nil if there is none.
func (m *Model) target(r *Ref) *Trade {
	for _, key := range []string{r.Key, r.Or} {
		if e := m.keys[key].entry; e != nil && strings.HasPrefix(e.Kind, "trade.") && e.Trade.Entries[0] == e {
			return e.Trade
		}
	}
	return nil
}

// Find gives the trade that a key booked, nil if there is none.
func (m *Model) Find(key string) *Trade { return m.target(&Ref{Key: key}) }
