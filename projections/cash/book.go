package cash

import (
	"slices"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Book is the whole projection in memory: the same sums as in the tables, for models and for a journal that is small. It is not safe for
// concurrent use.
type Book struct{ sums sums }

// NewBook makes an empty one.
func NewBook(books Books) *Book { return &Book{newSums(books)} }

// Add takes the next entry of the journal. After an error the book is of no more use.
func (b *Book) Add(e *ledger.Entry) error { return b.sums.add(e) }

// Cash gives all rows, by account and currency.
func (b *Book) Cash() []Row {
	var rows []Row
	for k, h := range b.sums.totals {
		rows = append(rows, Row{Key: k, Holding: h})
	}
	slices.SortFunc(rows, func(a, b Row) int { return a.Key.Compare(b.Key) })
	var days []dayKey
	for k, s := range b.sums.days {
		if !s.IsZero() {
			days = append(days, k)
		}
	}
	slices.SortFunc(days, dayKey.compare)
	for _, k := range days {
		i, _ := slices.BinarySearchFunc(rows, k.Key, func(r Row, k projections.Key) int { return r.Key.Compare(k) })
		s := b.sums.days[k]
		rows[i].Sides, rows[i].Dates = rows[i].Sides.Plus(s), append(rows[i].Dates, DateRow{k.settleDate, s})
	}
	return rows
}
