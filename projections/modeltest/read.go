package modeltest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Time is the two times of a question: as of which effective date (0: all), as known after which entry (0: all).
type Time struct {
	AsOf    Date
	KnownAt uint64
}

// knows reports whether an entry was booked by then.
func (t Time) knows(e *Entry) bool { return t.KnownAt == 0 || e.Seq <= t.KnownAt }

// counts reports whether it was, and counts in the books of the date.
func (t Time) counts(e *Entry) bool { return t.knows(e) && (t.AsOf == 0 || e.Effective <= t.AsOf) }

// Holding is what an account has of an instrument.
type Holding struct {
	Account, Instrument string
	Unsettled, Settled  *big.Rat
}

// Holdings gives all that are not zero, by the numbers of account and instrument.
func (m *Model) Holdings(at Time) []Holding {
	var postings []Posting
	for _, e := range m.Entries {
		if at.counts(e) {
			postings = append(postings, e.Postings...)
		}
	}
	return m.holdings(postings)
}

func (m *Model) holdings(postings []Posting) []Holding {
	type key struct{ account, instrument string }
	sums := map[key]*Holding{}
	for _, p := range postings {
		k := key{p.Account, p.Instrument}
		if sums[k] == nil {
			sums[k] = &Holding{p.Account, p.Instrument, zero(), zero()}
		}
		switch h := sums[k]; p.Bucket {
		case "u":
			h.Unsettled.Add(h.Unsettled, p.Quantity)
		case "s":
			h.Settled.Add(h.Settled, p.Quantity)
		}
	}
	var all []Holding
	for _, h := range sums {
		if h.Unsettled.Sign() != 0 || h.Settled.Sign() != 0 {
			all = append(all, *h)
		}
	}
	slices.SortFunc(all, func(a, b Holding) int {
		return cmp.Or(cmp.Compare(m.Accounts[a.Account], m.Accounts[b.Account]), cmp.Compare(m.Instruments[a.Instrument].ID, m.Instruments[b.Instrument].ID))
	})
	return all
}

// CutHash is the hash of a day's cut.
func (m *Model) CutHash(day Date, cut []Holding) [32]byte {
	var text strings.Builder
	fmt.Fprintf(&text, "bk cut v1 %d\n", day)
	for _, h := range cut {
		fmt.Fprintf(&text, "%d:%d:%s:%s\n", m.Accounts[h.Account], m.Instruments[h.Instrument].ID, Text(h.Unsettled), Text(h.Settled))
	}
	return sha256.Sum256([]byte(text.String()))
}

// Cuts gives the end of each day, in order.
func (m *Model) Cuts() []*Entry {
	var ends []*Entry
	for _, e := range m.Entries {
		if e.Kind == "day.end" {
			ends = append(ends, e)
		}
	}
	return ends
}

// Began gives the place of the entry that began a day, 0 if it has not begun.
func (m *Model) Began(day Date) uint64 {
	for _, e := range m.Entries {
		if e.Kind == "day.begin" && e.Day.Date == day {
			return e.Seq
		}
	}
	return 0
}

// Lines are what an entry does on an account, and what the account has of each instrument after it.
type Lines struct {
	Entry    *Entry
	Postings []Posting
	After    []Holding
}

// Statement gives an account's lines, entry by entry.
func (m *Model) Statement(account string, at Time) []Lines {
	var all []Lines
	var sofar []Posting
	for _, e := range m.Entries {
		l := Lines{Entry: e}
		for _, p := range e.Postings {
			if p.Account == account && at.counts(e) {
				l.Postings = append(l.Postings, p)
			}
		}
		if l.Postings != nil {
			sofar = append(sofar, l.Postings...)
			l.After = m.holdings(sofar)
			all = append(all, l)
		}
	}
	return all
}

// Record is a security's stock record: who has it (trade date, both signs apart) against where it is.
type Record struct {
	Long, Short, Elsewhere *big.Rat
	Holders                []Holding
}

// StockRecord gives one security's, as it is now.
func (m *Model) StockRecord(security string) Record {
	r := Record{zero(), zero(), zero(), nil}
	for _, h := range m.Holdings(Time{}) {
		if h.Instrument != security {
			continue
		}
		r.Holders = append(r.Holders, h)
		switch net := plus(h.Unsettled, h.Settled); {
		case !IsOwner(h.Account):
			r.Elsewhere = plus(r.Elsewhere, net)
		case net.Sign() > 0:
			r.Long = plus(r.Long, net)
		default:
			r.Short = plus(r.Short, net)
		}
	}
	return r
}

// IsOwner tells customers and the firm from locations and counterparties.
func IsOwner(account string) bool {
	return strings.HasPrefix(account, "cust:") || strings.HasPrefix(account, "firm:")
}

// State gives where a trade stood, "" if it was not booked yet: a cancel undoes all of its past; otherwise it is as far as its entries had come by
// the date.
func (t *Trade) State(at Time) string {
	state := ""
	for _, e := range t.Entries {
		if !at.knows(e) {
			continue
		}
		if e.Kind == "trade.cancel" {
			return "canceled"
		}
		if state == "" {
			state = "new"
		}
		if at.counts(e) && e.Kind != "trade.settle_street" && e.Kind != "trade.reverse" {
			state = e.State
		}
	}
	return state
}

// Step gives the entry that took the trade a step further ("open", "settle", "street", "cancel"), nil if it was not there yet.
func (t *Trade) Step(step string, at Time) *Entry {
	for _, e := range t.Entries {
		var is bool
		switch step {
		case "open":
			is = at.counts(e) && (e == t.Entries[0] && e.State == "open" || e.Kind == "trade.open")
		case "settle":
			is = at.counts(e) && e.Kind == "trade.settle"
		case "street":
			is = t.State(at) != "canceled" && at.counts(e) && (e.Kind == "trade.settle_street" || e.Kind == "trade.settle" && e.movesStreet())
		case "cancel":
			is = at.knows(e) && e.Kind == "trade.cancel"
		}
		if is {
			return e
		}
	}
	return nil
}

func (e *Entry) movesStreet() bool {
	for _, p := range e.Postings {
		if strings.HasPrefix(p.Account, "street:") {
			return true
		}
	}
	return false
}

// Cash is what open trades pay and bring in: on an account, in a currency, on a settlement date.
type Cash struct {
	Account, Currency string
	SettleDate        Date
	Debits, Credits   *big.Rat
}

// Unsettled gives the cash of all trades that are open.
func (m *Model) Unsettled() map[string]*Cash {
	all := map[string]*Cash{}
	for _, t := range m.Trades {
		if t.state() != "open" {
			continue
		}
		for _, p := range t.sum() {
			if p.Bucket != "u" || p.Instrument != t.Terms.Currency || !IsOwner(p.Account) {
				continue
			}
			key := fmt.Sprint(p.Account, " ", p.Instrument, " ", t.SettleDate)
			if all[key] == nil {
				all[key] = &Cash{p.Account, p.Instrument, t.SettleDate, zero(), zero()}
			}
			if c := all[key]; p.Quantity.Sign() > 0 {
				c.Credits = plus(c.Credits, p.Quantity)
			} else {
				c.Debits = minus(c.Debits, p.Quantity)
			}
		}
	}
	return all
}
