package trades

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// MaxLimit is the most rows of one page, and the most trades that a roll is given at a time.
const MaxLimit = 10_000

// Bounds of a page.
const (
	maxScan    = 50_000 // trades looked at where a filter leaves some out
	maxRows    = 4096   // rows of lists
	fewRows    = 4      // that are read first
	rowsAtOnce = 64     // at most
	loadAtOnce = 1024   // entries
)

// Errors of a query.
var (
	ErrLimit = fmt.Errorf("limit: not between 1 and %d", MaxLimit)
	ErrState = errors.New("states: one is none of new, open, settled, canceled")
	ErrDates = errors.New("from: after to")
)

// Entries is where the bookings come from: the journal; *journal.Journal is one.
type Entries interface {
	// EntriesBySeq gives the entries of those sequence numbers, in their order, nil for one that is not there.
	EntriesBySeq(ctx context.Context, seqs []uint64) ([]*ledger.Entry, error)
	// Wait returns once this process knows of an entry beyond after, and its books of all that is defined up to there.
	Wait(ctx context.Context, after uint64) error
}

// Reader reads trades, in any process.
type Reader struct {
	runner  *projections.Runner
	entries Entries
	books   Books
}

// NewReader makes a reader; the runner must have [Projection] among its projections, and entries and books be of its journal.
func NewReader(runner *projections.Runner, entries Entries, books Books) *Reader {
	return &Reader{runner, entries, books}
}

// view reads the tables, by their indexes.
func (r *Reader) view(ctx context.Context, atLeast uint64, read func(tx pgx.Tx, g projections.Generation) error) error {
	return r.runner.View(ctx, Name, atLeast, func(tx pgx.Tx, g projections.Generation) error {
		if err := byIndex(ctx, tx); err != nil {
			return err
		}
		return read(tx, g)
	})
}

// Query asks for a page of trades, by id: the order in which they were booked.
type Query struct {
	Account    int64               // trades booked to the account or targeting it; 0 for all
	Instrument int64               // 0 for all
	States     []ledger.TradeState // those in one of them; none for all
	From, To   ledger.Date         // trade date, both included; 0 leaves a side open
	After      ledger.ID           // the last trade seen; 0 for the first page
	Limit      int                 // 1 to [MaxLimit] rows
	AtLeast    uint64              // waits until the entry of this sequence number is in

	// AsOf gives trades as they stand at the end of that day, 0 at the end of all days: what is effective later has not happened. KnownAt is up to
	// which sequence number the journal is known, 0 all that is in; what is not in yet is waited for.
	AsOf    ledger.Date
	KnownAt uint64
}

// Row is one trade.
type Row struct {
	Trade ledger.ID
	State ledger.TradeState

	Account       int64 // that it is booked to, and whose direction and cash it has
	Target        int64 // of allocations and transfers, 0 on others
	Instrument    int64
	Kind          ledger.Kind
	Direction     ledger.Direction
	Currency      string // settlement currency, ISO 4217
	ClientTradeID string
	Quantity      ledger.Amount // > 0
	Price         ledger.Amount
	Gross         ledger.Amount // quantity x price
	Net           ledger.Amount // the account's cash, signed
	Commission    ledger.Amount
	SECFee        ledger.Amount
	TAFFee        ledger.Amount
	Accrued       ledger.Amount
	TradeDate     ledger.Date
	SettleDate    ledger.Date
	EffectiveDate ledger.Date
	BookedAt      time.Time // UTC, to the microsecond

	Corrects   ledger.ID // the trade that it was booked in place of, 0 if none
	ReplacedBy ledger.ID // the last trade that was booked in place of it, 0 if none

	// The entries that opened, settled and cancelled it, 0 where there is none. A cancelled trade keeps the first two.
	Opened, Settled, Canceled ledger.ID
	Street                    bool // the street side is settled
}

// Page is a part of an answer.
type Page struct {
	Rows []Row
	// More says that there may be more, after Next. A page can be short, even empty, and still have more to come: it looks at a
	// bounded number of trades.
	More bool
	Next ledger.ID
	// At is the place in the journal that all rows are read at.
	At ledger.Token
}

// Trades gives one page. Pages of one list are each read at their own place in the journal; a query that fixes AsOf and KnownAt gives the same
// for ever. [projections.ErrNotBuilt] while the tables are those of another version.
func (r *Reader) Trades(ctx context.Context, q Query) (page Page, err error) {
	if err := q.check(); err != nil {
		return page, err
	}
	var found []hit
	err = r.view(ctx, max(q.AtLeast, q.KnownAt), func(tx pgx.Tx, g projections.Generation) (err error) {
		page = Page{Next: q.After, At: ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}, More: true}
		s := newScan(tx, g, q)
		if found, err = s.page(ctx, &page); err != nil {
			return fmt.Errorf("read trades: %w", err)
		}
		return nil
	})
	if err != nil {
		return Page{}, err
	}
	// What is booked never changes, so it needs no snapshot, and no connection is held for it.
	if page.Rows, err = r.load(ctx, found); err != nil {
		return Page{}, fmt.Errorf("read trades: %w", err)
	}
	return page, nil
}

func (q Query) check() error {
	switch {
	case q.Limit < 1 || q.Limit > MaxLimit:
		return ErrLimit
	case slices.ContainsFunc(q.States, func(s ledger.TradeState) bool { return !slices.Contains(ledger.TradeStates(), s) }):
		return ErrState
	case q.From != 0 && q.To != 0 && q.From > q.To:
		return ErrDates
	}
	return nil
}

// byIndex keeps the planner to the indexes, whatever it knows of tables that are young or have just changed.
func byIndex(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT set_config(name, 'off', true)
		FROM unnest('{enable_seqscan,enable_bitmapscan,enable_hashjoin,enable_mergejoin}'::text[]) AS name`)
	if err != nil {
		return fmt.Errorf("set the transaction up: %w", err)
	}
	return nil
}

// hit is a trade of a page, as it stands at the page's moment.
type hit struct {
	lived
	replacedBy ledger.ID
}

// load makes the rows of a page, with the bookings from the journal.
func (r *Reader) load(ctx context.Context, found []hit) ([]Row, error) {
	rows := make([]Row, 0, len(found))
	for part := range slices.Chunk(found, loadAtOnce) {
		seqs := make([]uint64, len(part))
		for i, h := range part {
			seqs[i] = h.trade.Seq()
		}
		entries, err := r.entries.EntriesBySeq(ctx, seqs)
		if err != nil {
			return nil, err
		}
		for i, h := range part {
			if i >= len(entries) || entries[i] == nil || entries[i].ID != h.trade {
				return nil, fmt.Errorf("the journal does not give entry %d", seqs[i])
			}
			b, err := r.booked(ctx, entries[i])
			if err != nil {
				return nil, fmt.Errorf("entry %d: %w", seqs[i], err)
			}
			rows = append(rows, row(&b, h.lived, h.replacedBy))
		}
	}
	return rows, nil
}

// booked reads a booking. Where another process leads, its tables may be ahead of what this one knows of the journal.
func (r *Reader) booked(ctx context.Context, e *ledger.Entry) (booked, error) {
	if !e.Kind.IsTrade() || e.Trade == nil {
		return booked{}, fmt.Errorf("it is a %s and books no trade", e.Kind)
	}
	if _, known := r.books.Instrument(e.Trade.Instrument); !known {
		if err := r.entries.Wait(ctx, e.ID.Seq()-1); err != nil {
			return booked{}, fmt.Errorf("wait until it is known here: %w", err)
		}
	}
	return bookedBy(e, r.books)
}
