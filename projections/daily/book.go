package daily

import (
	"maps"
	"slices"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Book is the whole projection in memory: the checker's movements and totals, for models and for a journal that is small. It is not safe for
// concurrent use.
type Book struct{ books *books }

// NewBook makes an empty one.
func NewBook() *Book { return &Book{newBooks()} }

// NewTotals makes one for cuts alone: it forgets the movements that are in force, so that its memory does not grow with the days, and Balances is not to be asked of it.
func NewTotals() *Book {
	b := newBooks()
	b.totalsOnly = true
	return &Book{b}
}

// Add takes the next entry of the journal. After an error the book is of no more use.
func (b *Book) Add(e *ledger.Entry) error { return b.books.add(e) }

// Cut gives the rows and the hash that the cut of the day that is under way would have if it ended now, as [Reader.Cut] does.
func (b *Book) Cut() (rows int64, hash [32]byte) {
	h := NewHasher(b.books.day.Date)
	for _, k := range slices.SortedFunc(maps.Keys(b.books.totals), projections.Key.Compare) {
		if holding := b.books.totals[k]; !holding.IsZero() {
			h.Add(k, holding)
		}
	}
	return h.Sum()
}

// Balances gives all holdings as of a date, 0 for all of them, as far as the journal is in. Some may be zero.
func (b *Book) Balances(asOf ledger.Date) map[projections.Key]projections.Holding {
	sums := map[projections.Key]projections.Holding{}
	for date, movements := range b.books.movements {
		if asOf == 0 || date <= asOf {
			for k, h := range movements {
				sums[k] = sums[k].Plus(h)
			}
		}
	}
	return sums
}
