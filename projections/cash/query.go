package cash

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// MaxLimit is the most rows of one page.
const MaxLimit = 10_000

// maxScan bounds how many balances one page looks at where zero rows are left out.
const maxScan = 50_000

// ErrLimit is the error of a page size that is not between 1 and [MaxLimit].
var ErrLimit = fmt.Errorf("limit: not between 1 and %d", MaxLimit)

// Reader reads cash, in any process.
type Reader struct{ runner *projections.Runner }

// NewReader makes a reader; the runner must have [Projection] among its projections.
func NewReader(runner *projections.Runner) *Reader { return &Reader{runner} }

// Query asks for a page of cash, ordered by account and currency.
type Query struct {
	Account int64           // 0 for all
	NonZero bool            // leaves out rows with neither a balance nor an open trade's cash
	After   projections.Key // the last row seen; zero for the first page
	Limit   int             // 1 to [MaxLimit] rows
	AtLeast uint64          // waits until the entry of this sequence number is in
}

// Row is an account's cash in one currency, which is the key's instrument. Its TradeDate is Settled + Credits - Debits + [Row.Other].
type Row struct {
	projections.Key
	projections.Holding
	Sides           // of open trades, all days together
	Dates []DateRow // by settlement date; only those with something to pay or to receive
}

// DateRow is what open trades of one settlement date have to pay and to receive; the date is 99991231 for when-issued trades, 0 for those of journals
// from before there were settlement dates.
type DateRow struct {
	SettleDate ledger.Date
	Sides
}

// Other gives what is unsettled and is no trade's: dividends between ex date and pay date, for one.
func (r Row) Other() ledger.Amount { return r.Unsettled.Sub(r.Credits).Add(r.Debits) }

// IsZero reports whether there is neither a balance nor an open trade's cash.
func (r Row) IsZero() bool { return r.Holding.IsZero() && r.Sides.IsZero() }

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

// Cash gives one page. Pages of one list are each as of their own place in the journal.
func (r *Reader) Cash(ctx context.Context, q Query) (page Page, err error) {
	if q.Limit < 1 || q.Limit > MaxLimit {
		return page, ErrLimit
	}
	err = r.runner.View(ctx, Name, q.AtLeast, func(tx pgx.Tx, g projections.Generation) error {
		page = Page{Next: q.After, At: ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}, More: true}
		for scanned := 0; page.More && len(page.Rows) < q.Limit && scanned < maxScan; {
			n, err := page.extend(ctx, tx, g, q)
			if err != nil {
				return fmt.Errorf("read cash: %w", err)
			}
			scanned += n
		}
		return nil
	})
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

// extend adds the rows that follow, and gives how many it looked at.
func (page *Page) extend(ctx context.Context, tx pgx.Tx, g projections.Generation, q Query) (scanned int, err error) {
	batch := max(q.Limit-len(page.Rows), 100) + 1
	where, args := "(account, instrument) > ($1, $2)", []any{page.Next.Account, page.Next.Instrument, batch}
	if q.Account != 0 {
		where += " AND account = $4"
		args = append(args, q.Account)
	}
	rows, err := tx.Query(ctx, `SELECT account, instrument, unsettled::text, settled::text FROM `+g.Table(totalsName)+
		` WHERE `+where+` ORDER BY account, instrument LIMIT $3`, args...)
	if err != nil {
		return 0, err
	}
	var found []Row
	err = projections.EachTotal(rows, func(k projections.Key, h projections.Holding) { found = append(found, Row{Key: k, Holding: h}) })
	if err != nil || len(found) == 0 {
		page.More = false
		return 0, err
	}
	if err := addDates(ctx, tx, g, found); err != nil {
		return 0, err
	}
	page.More = len(found) == batch
	for _, row := range found {
		if len(page.Rows) == q.Limit {
			page.More = true // this one is for the next page
			break
		}
		page.Next = row.Key
		if !q.NonZero || !row.IsZero() {
			page.Rows = append(page.Rows, row)
		}
	}
	return len(found), nil
}

const dayColumns = `account, instrument, settle_date, debits::text, credits::text`

// addDates completes rows, which are in order and leave no balance out, by what is to be paid and received.
func addDates(ctx context.Context, tx pgx.Tx, g projections.Generation, found []Row) error {
	first, last := found[0].Key, found[len(found)-1].Key
	rows, err := tx.Query(ctx, `SELECT `+dayColumns+` FROM `+g.Table(Name)+`
		WHERE (account, instrument) >= ($1, $2) AND (account, instrument) <= ($3, $4) ORDER BY account, instrument, settle_date`,
		first.Account, first.Instrument, last.Account, last.Instrument)
	if err != nil {
		return err
	}
	at := 0
	return eachDay(rows, func(k dayKey, s Sides) {
		for at < len(found)-1 && found[at].Compare(k.Key) < 0 {
			at++
		}
		if row := &found[at]; row.Key == k.Key {
			row.Sides = row.Sides.Plus(s)
			row.Dates = append(row.Dates, DateRow{k.settleDate, s})
		}
	})
}

// eachDay reads rows of dayColumns to the end.
func eachDay(rows pgx.Rows, do func(dayKey, Sides)) error {
	var k dayKey
	var debits, credits string
	_, err := pgx.ForEachRow(rows, []any{&k.Account, &k.Instrument, &k.settleDate, &debits, &credits}, func() (err error) {
		var s Sides
		if s.Debits, err = projections.ParseSum(debits); err == nil {
			s.Credits, err = projections.ParseSum(credits)
		}
		if err != nil {
			return fmt.Errorf("account %d, instrument %d, settlement date %d: %w", k.Account, k.Instrument, k.settleDate, err)
		}
		do(k, s)
		return nil
	})
	return err
}
