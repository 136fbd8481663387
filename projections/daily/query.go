package daily

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/statement"
)

// MaxLimit is the most rows of one page.
const MaxLimit = 10_000

// maxBalances bounds the memory of an account's balances.
const maxBalances = 1 << 20

// Errors of a query.
var (
	ErrLimit   = fmt.Errorf("limit: not between 1 and %d", MaxLimit)
	ErrAccount = errors.New("account: needed")
	// ErrTooLarge: the account had more instruments than a program should hold; ask for one of them.
	ErrTooLarge = errors.New("account: it has balances of more than 1,048,576 instruments")
	// ErrNoCut: the day has not ended, in the journal as far as it is folded.
	ErrNoCut = errors.New("day: there is no cut of it")
)

// Reader reads balances as of a day, and cuts, in any process.
type Reader struct {
	runner     *projections.Runner
	statements *statement.Reader
}

// NewReader makes a reader; the runner must have [Projection] and that of package statement among its projections, and entries are
// the journal's.
func NewReader(runner *projections.Runner, entries statement.Entries) *Reader {
	return &Reader{runner, statement.NewReader(runner, entries)}
}

// Query asks for an account's balances.
type Query struct {
	Account    int64       // needed
	Instrument int64       // 0 for all
	AsOf       ledger.Date // counts what is effective on that day or before; 0 counts everything
	// KnownAt counts the entries up to that sequence number, and waits until they are in; 0 is whatever is there.
	KnownAt uint64
	AtLeast uint64 // waits until the entry of this sequence number is in
}

// Row is one balance.
type Row struct {
	projections.Key
	projections.Holding
}

// Balances gives the account's balances that are not zero, by instrument, and the place in the journal that they are as of: KnownAt
// where it is given. Its memory is a row for each instrument that the account ever had. [ErrAccount], [ErrTooLarge].
func (r *Reader) Balances(ctx context.Context, q Query) ([]Row, ledger.Token, error) {
	if q.Account == 0 {
		return nil, ledger.Token{}, ErrAccount
	}
	sums, at, walk := map[int64]projections.Holding{}, ledger.Token{}, span{}
	err := r.runner.View(ctx, Name, max(q.AtLeast, q.KnownAt), func(tx pgx.Tx, g projections.Generation) (err error) {
		clear(sums)
		at = ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}
		walk = span{}
		if q.KnownAt != 0 {
			if walk = way(q.KnownAt, at.Seq); !walk.back {
				return nil // the sums are made of the entries themselves
			}
		}
		return sumMovements(ctx, tx, g, q, sums)
	})
	if err != nil {
		return nil, ledger.Token{}, err
	}
	if q.KnownAt != 0 {
		at.Seq = q.KnownAt
		if err := r.walk(ctx, q, walk, sums); err != nil {
			return nil, ledger.Token{}, fmt.Errorf("balances of account %d known at %d: %w", q.Account, q.KnownAt, err)
		}
	}
	rows := make([]Row, 0, len(sums))
	for instrument, h := range sums {
		if !h.IsZero() {
			rows = append(rows, Row{projections.Key{Account: q.Account, Instrument: instrument}, h})
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Instrument, b.Instrument) })
	return rows, at, nil
}

func sumMovements(ctx context.Context, tx pgx.Tx, g projections.Generation, q Query, sums map[int64]projections.Holding) error {
	where, args := `account = $1`, []any{q.Account}
	if q.Instrument != 0 {
		args = append(args, q.Instrument)
		where += fmt.Sprintf(` AND instrument = $%d`, len(args))
	}
	if q.AsOf != 0 {
		args = append(args, q.AsOf)
		where += fmt.Sprintf(` AND effective_date <= $%d`, len(args))
	}
	rows, err := tx.Query(ctx, `SELECT account, instrument, sum(unsettled)::text, sum(settled)::text FROM `+g.Table(Name)+`
		WHERE `+where+fmt.Sprintf(` GROUP BY account, instrument LIMIT %d`, maxBalances+1), args...)
	if err == nil {
		err = projections.EachTotal(rows, func(k projections.Key, h projections.Holding) { sums[k.Instrument] = h })
	}
	if err != nil {
		return fmt.Errorf("read the movements of account %d: %w", q.Account, err)
	}
	if len(sums) > maxBalances {
		return ErrTooLarge
	}
	return nil
}

// span is a part of the journal: the entries after the first, up to the second.
type span struct {
	after, upTo uint64
	back        bool // they are taken away from what is there
}

// way gives the shorter way to what was known at a place: back from where the movements are, or on from the beginning.
func way(known, at uint64) span {
	if known >= at-known {
		return span{after: known, upTo: at, back: true}
	}
	return span{upTo: known}
}

const linesAtOnce = 1000

// walk adds the account's postings in the span to the sums, or takes them away. It knows them from the account's posting list, which
// is at a checkpoint of its own: it waits for the span's end, and takes nothing beyond it.
func (r *Reader) walk(ctx context.Context, q Query, s span, sums map[int64]projections.Holding) error {
	if s.after == s.upTo {
		return nil
	}
	list := statement.Query{
		Account: q.Account, Instrument: q.Instrument, To: q.AsOf, KnownAt: s.upTo,
		After: statement.Place{Seq: s.after, Posting: math.MaxInt}, Limit: linesAtOnce,
	}
	for more := true; more; {
		page, err := r.statements.Statement(ctx, list)
		if err != nil {
			return err
		}
		for _, line := range page.Lines {
			p := line.Posting
			if s.back {
				p.Quantity = p.Quantity.Neg()
			}
			if sums[p.Instrument], err = sums[p.Instrument].Add(p); err != nil {
				return err
			}
		}
		if len(sums) > maxBalances {
			return ErrTooLarge
		}
		more, list.After = page.More, page.Next
	}
	return nil
}

// Cut is the frozen cut of a day: all balances other than zero, as of the day, known when it ended.
type Cut struct {
	Day      ledger.Date
	Begin    ledger.Token // of the day.begin entry
	Token    ledger.Token // of the day.end entry
	Rows     int64
	Hash     [32]byte // see [Hasher]
	BookedAt time.Time
}

// Cuts gives up to limit (1 to [MaxLimit]) cuts of the days after one, by day. It waits for the entry atLeast. [ErrLimit].
func (r *Reader) Cuts(ctx context.Context, after ledger.Date, limit int, atLeast uint64) (cuts []Cut, err error) {
	if limit < 1 || limit > MaxLimit {
		return nil, ErrLimit
	}
	err = r.runner.View(ctx, Name, atLeast, func(tx pgx.Tx, g projections.Generation) error {
		rows, err := tx.Query(ctx, `SELECT day, begun, seq, hash, rows, booked_at FROM `+g.Table(dayName)+`
			WHERE day > $1 AND seq IS NOT NULL ORDER BY day LIMIT $2`, after, limit)
		if err == nil {
			cuts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Cut, error) { return scanCut(row, g.Shard) })
		}
		if err != nil {
			return fmt.Errorf("read cuts: %w", err)
		}
		return nil
	})
	return cuts, err
}

func scanCut(row pgx.CollectableRow, shard uint16) (c Cut, err error) {
	var begun, seq int64
	var hash []byte
	if err := row.Scan(&c.Day, &begun, &seq, &hash, &c.Rows, &c.BookedAt); err != nil {
		return c, err
	}
	if copy(c.Hash[:], hash) != len(c.Hash) {
		return c, fmt.Errorf("the hash of %s has %d bytes", c.Day, len(hash))
	}
	c.Begin, c.Token = ledger.Token{Shard: shard, Seq: uint64(begun)}, ledger.Token{Shard: shard, Seq: uint64(seq)}
	c.BookedAt = c.BookedAt.UTC()
	return c, nil
}

// CutPage is a part of a cut.
type CutPage struct {
	Cut  Cut
	Rows []Row // by account and instrument
	More bool  // there are more, after Next
	Next projections.Key
}

// CutRows gives up to limit (1 to [MaxLimit]) rows of a day's cut, after the last one seen. They never change, so pages of one cut fit
// together. [ErrLimit], [ErrNoCut].
func (r *Reader) CutRows(ctx context.Context, day ledger.Date, after projections.Key, limit int) (page CutPage, err error) {
	if limit < 1 || limit > MaxLimit {
		return page, ErrLimit
	}
	err = r.runner.View(ctx, Name, 0, func(tx pgx.Tx, g projections.Generation) error {
		page = CutPage{Next: after}
		rows, err := tx.Query(ctx, `SELECT day, begun, seq, hash, rows, booked_at FROM `+g.Table(dayName)+` WHERE day = $1 AND seq IS NOT NULL`, day)
		if err == nil {
			page.Cut, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (Cut, error) { return scanCut(row, g.Shard) })
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("%s: %w", day, ErrNoCut)
		}
		if err != nil {
			return fmt.Errorf("read the cut of %s: %w", day, err)
		}
		rows, err = tx.Query(ctx, `SELECT account, instrument, unsettled::text, settled::text FROM `+g.Table(cutName)+`
			WHERE day = $1 AND (account, instrument) > ($2, $3) ORDER BY account, instrument LIMIT $4`, day, after.Account, after.Instrument, limit+1)
		if err == nil {
			err = projections.EachTotal(rows, page.add(limit))
		}
		if err != nil {
			return fmt.Errorf("read the cut of %s: %w", day, err)
		}
		return nil
	})
	return page, err
}

func (page *CutPage) add(limit int) func(projections.Key, projections.Holding) {
	return func(k projections.Key, h projections.Holding) {
		if page.More = len(page.Rows) == limit; !page.More {
			page.Rows, page.Next = append(page.Rows, Row{k, h}), k
		}
	}
}
