package balances

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// MaxLimit is the most rows of one page.
const MaxLimit = 10_000

// maxScan bounds how many rows one page looks at where zero rows are left out.
const maxScan = 50_000

// ErrLimit is the error of a page size that is not between 1 and [MaxLimit].
var ErrLimit = fmt.Errorf("limit: not between 1 and %d", MaxLimit)

// Reader reads balances, in any process.
type Reader struct{ runner *projections.Runner }

// NewReader makes a reader; the runner must have [Projection] among its projections.
func NewReader(runner *projections.Runner) *Reader { return &Reader{runner} }

// Query asks for a page of balances, ordered by account and instrument.
type Query struct {
	Account int64           // 0 for all
	NonZero bool            // leaves out balances that are 0 in both buckets
	After   projections.Key // the last row seen; zero for the first page
	Limit   int             // 1 to [MaxLimit] rows
	AtLeast uint64          // waits until the entry of this sequence number is in
}

// Row is one balance.
type Row struct {
	projections.Key
	projections.Holding
}

// Page is a part of an answer.
type Page struct {
	Rows []Row
	// More says that there may be more, after Next. A page can be short, even empty, and still have more to come: it looks at a
	// bounded number of rows.
	More bool
	Next projections.Key
	// At is the place in the journal that all rows are as of.
	At ledger.Token
}

// Balances gives one page. Pages of one list are each as of their own place in the journal.
func (r *Reader) Balances(ctx context.Context, q Query) (page Page, err error) {
	if q.Limit < 1 || q.Limit > MaxLimit {
		return page, ErrLimit
	}
	err = r.runner.View(ctx, Name, q.AtLeast, func(tx pgx.Tx, g projections.Generation) error {
		page = Page{Next: q.After, At: ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}, More: true}
		for scanned := 0; page.More && len(page.Rows) < q.Limit && scanned < maxScan; {
			n, err := page.extend(ctx, tx, g, q)
			if err != nil {
				return fmt.Errorf("read balances: %w", err)
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
	where, args := "(account, instrument) > ($1, $2)", []any{page.Next.Account, page.Next.Instrument, batch}
	if q.Account != 0 {
		where += " AND account = $4"
		args = append(args, q.Account)
	}
	rows, err := tx.Query(ctx, `SELECT account, instrument, unsettled::text, settled::text FROM `+g.Table(Name)+
		` WHERE `+where+` ORDER BY account, instrument LIMIT $3`, args...)
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
		page.Next = k
		if !q.NonZero || !h.IsZero() {
			page.Rows = append(page.Rows, Row{k, h})
		}
	})
	page.More = full || scanned == batch
	return scanned, err
}

// Trial is a trial balance: by instrument and class of accounts, on trade date (both buckets together).
type Trial struct {
	Lines []TrialLine // by instrument, then class
	At    ledger.Token
}

// TrialLine sums the balances of one class of accounts in one instrument.
type TrialLine struct {
	Instrument int64
	Class      string
	Accounts   int64         // with a balance other than 0
	Positive   ledger.Amount // sum of the balances above 0
	Negative   ledger.Amount // sum of those below
}

// Sum gives both sides together.
func (l TrialLine) Sum() ledger.Amount { return l.Positive.Add(l.Negative) }

// Off gives the instruments whose balances don't add up to zero, with what is left over: none, unless the table was tampered with.
func (t Trial) Off() map[int64]ledger.Amount {
	off := map[int64]ledger.Amount{}
	for _, l := range t.Lines {
		off[l.Instrument] = off[l.Instrument].Add(l.Sum())
	}
	maps.DeleteFunc(off, func(_ int64, sum ledger.Amount) bool { return sum.IsZero() })
	return off
}

// maxTrialLines bounds the memory of a trial balance.
const maxTrialLines = 1 << 20

// ErrTrialTooLarge is the error of a trial balance with more lines than a program should hold.
var ErrTrialTooLarge = errors.New("the trial balance has more than 1,048,576 lines")

// TrialBalance sums all balances in one snapshot. class puts an account into a class, such as its kind; nil puts all into one. It
// reads every balance once and holds a line for each instrument and class.
func (r *Reader) TrialBalance(ctx context.Context, atLeast uint64, class func(account int64) string) (trial Trial, err error) {
	err = r.runner.View(ctx, Name, atLeast, func(tx pgx.Tx, g projections.Generation) error {
		trial = Trial{At: ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}}
		lines, err := sumLines(ctx, tx, g, class)
		if err != nil {
			return fmt.Errorf("read balances: %w", err)
		}
		for _, l := range lines {
			trial.Lines = append(trial.Lines, *l)
		}
		slices.SortFunc(trial.Lines, func(a, b TrialLine) int {
			if c := cmp.Compare(a.Instrument, b.Instrument); c != 0 {
				return c
			}
			return strings.Compare(a.Class, b.Class)
		})
		return nil
	})
	return trial, err
}

type lineKey struct {
	instrument int64
	class      string
}

func sumLines(ctx context.Context, tx pgx.Tx, g projections.Generation, class func(int64) string) (map[lineKey]*TrialLine, error) {
	lines := map[lineKey]*TrialLine{}
	rows, err := tx.Query(ctx, `SELECT account, instrument, unsettled::text, settled::text FROM `+g.Table(Name))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var k projections.Key
		var h projections.Holding
		if err := projections.ScanTotal(rows, &k, &h); err != nil {
			return nil, err
		}
		at := lineKey{instrument: k.Instrument}
		if class != nil {
			at.class = class(k.Account)
		}
		l := lines[at]
		if l == nil {
			if len(lines) == maxTrialLines {
				return nil, ErrTrialTooLarge
			}
			l = &TrialLine{Instrument: at.instrument, Class: at.class}
			lines[at] = l
		}
		balance := h.TradeDate()
		switch balance.Sign() {
		case 1:
			l.Positive = l.Positive.Add(balance)
			l.Accounts++
		case -1:
			l.Negative = l.Negative.Add(balance)
			l.Accounts++
		}
	}
	return lines, rows.Err()
}
