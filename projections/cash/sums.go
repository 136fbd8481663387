package cash

import (
	"cmp"
	"fmt"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// dayKey names what an account has to pay and to receive in a currency on a settlement date.
type dayKey struct {
	projections.Key
	settleDate ledger.Date
}

func (k dayKey) compare(o dayKey) int {
	return cmp.Or(k.Key.Compare(o.Key), cmp.Compare(k.settleDate, o.settleDate))
}

// Sides is cash to pay and cash to receive, each summed by itself and 0 or more.
type Sides struct{ Debits, Credits ledger.Amount }

// IsZero reports whether both are 0.
func (s Sides) IsZero() bool { return s == Sides{} }

// Plus gives the sum of two.
func (s Sides) Plus(o Sides) Sides {
	return Sides{s.Debits.Add(o.Debits), s.Credits.Add(o.Credits)}
}

// sums is the fold in memory: of a chunk, or of a journal. The maps have a key for all that was touched.
type sums struct {
	books  Books
	totals map[projections.Key]projections.Holding
	days   map[dayKey]Sides
	// What books said of instruments and accounts, which never changes.
	currencies, owners map[int64]bool
}

// maxRemembered bounds each of those.
const maxRemembered = 1 << 17

func newSums(books Books) sums {
	return sums{
		books: books, totals: map[projections.Key]projections.Holding{}, days: map[dayKey]Sides{},
		currencies: map[int64]bool{}, owners: map[int64]bool{},
	}
}

// stand says what an entry about a trade does to the trade's place among the open ones.
type stand int

const (
	aside  stand = iota // nothing: it is no trade's, or about the street side only
	comes               // it is open from here on, or again
	leaves              // it has settled, or was cancelled
)

// standOf goes by the kind alone: what an entry of these kinds has on its parties' unsettled cash is the trade's cash, put there or taken from there. A
// reversal puts back what the settlement took, and the cancel that follows takes it away; one of a street settlement has nothing there.
func standOf(e *ledger.Entry) stand {
	switch {
	case e.Kind == ledger.KindSettle, e.Kind == ledger.KindCancel:
		return leaves
	case e.Kind == ledger.KindTradeOpen, e.Kind == ledger.KindReverse, e.Kind.IsTrade():
		return comes
	}
	return aside
}

// add takes in an entry.
func (s *sums) add(e *ledger.Entry) (err error) {
	stands := standOf(e)
	for i, p := range e.Postings {
		concerned, err := s.concerns(p)
		if err != nil {
			return fmt.Errorf("posting %d: %w", i, err)
		}
		if !concerned {
			continue
		}
		key := projections.Key{Account: p.Account, Instrument: p.Instrument}
		if s.totals[key], err = s.totals[key].Add(p); err != nil {
			return err
		}
		if stands == aside || p.Bucket != ledger.Unsettled || repeated(e.Postings[:i], p) {
			continue
		}
		day := dayKey{key, e.SettleDate}
		s.days[day] = s.days[day].Plus(sidesOf(e.Postings[i:], p, stands))
	}
	return nil
}

// concerns reports whether a posting is on the cash of an owner.
func (s *sums) concerns(p ledger.Posting) (bool, error) {
	currency, known := s.currencies[p.Instrument]
	if !known {
		in, ok := s.books.InstrumentByID(p.Instrument)
		if !ok {
			return false, fmt.Errorf("there is no instrument %d", p.Instrument)
		}
		currency = in.Kind == ledger.KindCurrency
		remember(s.currencies, p.Instrument, currency)
	}
	if !currency {
		return false, nil
	}
	owner, known := s.owners[p.Account]
	if !known {
		a, ok := s.books.Account(ledger.AccountRef{ID: p.Account})
		if !ok {
			return false, fmt.Errorf("there is no account %d", p.Account)
		}
		owner = a.Kind == ledger.KindCustomer || a.Kind == ledger.KindFirm
		remember(s.owners, p.Account, owner)
	}
	return owner, nil
}

func remember(known map[int64]bool, id int64, is bool) {
	if len(known) >= maxRemembered {
		clear(known)
	}
	known[id] = is
}

// repeated reports whether an earlier posting is on the same account, instrument and bucket: the trade's cash is all of them together.
func repeated(before []ledger.Posting, p ledger.Posting) bool {
	for _, o := range before {
		if o.Account == p.Account && o.Instrument == p.Instrument && o.Bucket == p.Bucket {
			return true
		}
	}
	return false
}

// sidesOf gives what the entry changes of a trade's cash to pay or to receive, on the place of p, the first of its postings there.
func sidesOf(postings []ledger.Posting, p ledger.Posting, stands stand) Sides {
	var cash ledger.Amount
	for _, o := range postings {
		if o.Account == p.Account && o.Instrument == p.Instrument && o.Bucket == p.Bucket {
			cash = cash.Add(o.Quantity)
		}
	}
	if stands == leaves {
		cash = cash.Neg() // the posting takes away what the trade has
	}
	var s Sides
	if cash.Sign() < 0 {
		s.Debits = cash.Neg()
	} else {
		s.Credits = cash
	}
	if stands == leaves {
		s.Debits, s.Credits = s.Debits.Neg(), s.Credits.Neg()
	}
	return s
}
