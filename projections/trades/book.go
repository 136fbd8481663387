package trades

import (
	"math"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Book is the whole projection in memory: the fold, with the journal as one chunk, for models and for a journal that is small. It is not safe for
// concurrent use.
type Book struct{ fold *fold }

// NewBook makes an empty one.
func NewBook(books Books) *Book { return &Book{newFold(books, projections.Generation{})} }

// Add takes the next entry of the journal. After an error the book is of no more use.
func (b *Book) Add(e *ledger.Entry) error { return b.fold.Add(e) }

// Trades gives all trades by id, with the times of [Query].
func (b *Book) Trades(asOf ledger.Date, knownAt uint64) []Row {
	v := view{known: math.MaxInt64, asOf: math.MaxInt32}
	if asOf != 0 {
		v.asOf = int32(asOf)
	}
	known := b.fold.booked
	replacedBy := map[ledger.ID]ledger.ID{} // the last one
	for i, t := range known {
		if knownAt != 0 {
			v.known = int64(ledger.MakeID(t.Trade.Shard(), min(knownAt, ledger.MaxSeq)))
		}
		if int64(t.Trade) > v.known {
			known = known[:i]
			break
		}
		replacedBy[t.Corrects] = t.Trade
	}
	var rows []Row
	for i, t := range known {
		row := v.row(t, *b.fold.mine[i], ledger.TradeNew, replacedBy[t.Trade])
		row.State = life{opened: row.Opened, settled: row.Settled, canceled: row.Canceled}.reached()
		rows = append(rows, row)
	}
	return rows
}
