package trades

import (
	"cmp"
	"math"
	"slices"

	"github.com/bkledger/bk/ledger"
)

// Book is the whole projection in memory, for models and for a journal that is small. It is not safe for concurrent use.
type Book struct {
	books  Books
	booked []booked
	lives  map[ledger.ID]*lived
}

// NewBook makes an empty one.
func NewBook(books Books) *Book { return &Book{books: books, lives: map[ledger.ID]*lived{}} }

// Add takes the next entry of the journal. After an error the book is of no more use.
func (b *Book) Add(e *ledger.Entry) error {
	if !concerns(e) {
		return nil
	}
	trade, err := tradeOf(e)
	if err != nil {
		return err
	}
	l := b.lives[trade]
	if e.Kind.IsTrade() {
		t, err := bookedBy(e, b.books)
		if err != nil {
			return err
		}
		made := livedBy(e, life{})
		l, b.booked, b.lives[trade] = &made, append(b.booked, t), &made
	}
	if l == nil {
		return errNotBooked
	}
	return l.add(e)
}

// Trades gives all trades by id, with the times of [Query].
func (b *Book) Trades(asOf ledger.Date, knownAt uint64) []Row {
	at := moment{known: math.MaxInt64, asOf: math.MaxInt32}
	if asOf != 0 {
		at.asOf = asOf
	}
	known := b.booked
	if knownAt != 0 && len(known) > 0 {
		at.known = ledger.MakeID(known[0].Trade.Shard(), min(knownAt, ledger.MaxSeq))
		n, _ := slices.BinarySearchFunc(known, at.known+1, func(t booked, id ledger.ID) int { return cmp.Compare(t.Trade, id) })
		known = known[:n]
	}
	replacedBy := map[ledger.ID]ledger.ID{} // the last one
	for i := range known {
		replacedBy[known[i].Corrects] = known[i].Trade
	}
	var rows []Row
	for i := range known {
		t := &known[i]
		rows = append(rows, row(t, b.lives[t.Trade].at(at), replacedBy[t.Trade]))
	}
	return rows
}
