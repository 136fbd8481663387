package stockrecord

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
)

// MaxLimit is the most rows, or lines, of one page.
const MaxLimit = 10_000

// maxScan bounds how many rows one page looks at where zero rows are left out.
const maxScan = 50_000

// Errors of a query.
var (
	ErrLimit      = fmt.Errorf("limit: not between 1 and %d", MaxLimit)
	ErrInstrument = errors.New("instrument: needed")
)

// Books knows the kinds of accounts; *[ledger.Directory] does.
type Books interface {
	Account(ref ledger.AccountRef) (ledger.Account, bool)
}

// Reader reads the stock record, in any process.
type Reader struct {
	runner *projections.Runner
	books  Books
}

// NewReader makes a reader; the runner must have the projection of package balances among its projections.
func NewReader(runner *projections.Runner, books Books) *Reader { return &Reader{runner, books} }

// Query asks for a page of an instrument's holdings, ordered by account.
type Query struct {
	Instrument int64  // needed
	NonZero    bool   // leaves out holdings that are 0 in both buckets
	After      int64  // the last account seen; 0 for the first page
	Limit      int    // 1 to [MaxLimit] rows
	AtLeast    uint64 // waits until the entry of this sequence number is in
}

// Row is what an account holds of the instrument.
type Row struct {
	Account int64
	projections.Holding
}

// Page is a part of an instrument's record.
type Page struct {
	Rows []Row
	// More says that there may be more, after Next. A page can be short, even empty, and still have more to come: it looks at a
	// bounded number of rows.
	More bool
	Next int64
	// At is the place in the journal that all rows are as of.
	At ledger.Token
}

// Record gives one page. Pages of one list are each as of their own place in the journal. [ErrInstrument], [ErrLimit].
func (r *Reader) Record(ctx context.Context, q Query) (page Page, err error) {
	if q.Instrument == 0 {
		return page, ErrInstrument
	}
	if q.Limit < 1 || q.Limit > MaxLimit {
		return page, ErrLimit
	}
	err = r.runner.View(ctx, balances.Name, q.AtLeast, func(tx pgx.Tx, g projections.Generation) error {
		page = Page{Next: q.After, At: ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}, More: true}
		for scanned := 0; page.More && len(page.Rows) < q.Limit && scanned < maxScan; {
			n, err := page.extend(ctx, tx, g, q)
			if err != nil {
				return fmt.Errorf("read the record of instrument %d: %w", q.Instrument, err)
			}
			scanned += n
		}
		return nil
	})
	return page, err
}

// extend adds the rows that follow, and gives how many it looked at.
func (page *Page) extend(ctx context.Context, tx pgx.Tx, g projections.Generation, q Query) (scanned int, err error) {
	batch := max(q.Limit-len(page.Rows), 100) + 1
	rows, err := tx.Query(ctx, `SELECT account, instrument, unsettled::text, settled::text FROM `+g.Table(balances.Name)+`
		WHERE instrument = $1 AND account > $2 ORDER BY instrument, account LIMIT $3`, q.Instrument, page.Next, batch)
	if err != nil {
		return 0, err
	}
	full := false
	err = projections.EachTotal(rows, func(k projections.Key, h projections.Holding) {
		scanned++
		if full || len(page.Rows) == q.Limit {
			full = true // this one is for the next page
			return
		}
		page.Next = k.Account
		if !q.NonZero || !h.IsZero() {
			page.Rows = append(page.Rows, Row{k.Account, h})
		}
	})
	page.More = full || scanned == batch
	return scanned, err
}
