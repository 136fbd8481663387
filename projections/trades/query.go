package trades

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// MaxLimit is the most rows of one page, and the most trades that a roll is given at a time.
const MaxLimit = 10_000

// maxScan bounds how many trades one page looks at where a filter leaves some out.
const maxScan = 50_000

// Errors of a query.
var (
	ErrLimit = fmt.Errorf("limit: not between 1 and %d", MaxLimit)
	ErrState = errors.New("states: one is none of new, open, settled, canceled")
	ErrDates = errors.New("from: after to")
)

// Reader reads trades, in any process.
type Reader struct{ runner *projections.Runner }

// NewReader makes a reader; the runner must have [Projection] among its projections.
func NewReader(runner *projections.Runner) *Reader { return &Reader{runner} }

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
// for ever.
func (r *Reader) Trades(ctx context.Context, q Query) (page Page, err error) {
	if err := q.check(); err != nil {
		return page, err
	}
	err = r.runner.View(ctx, Name, max(q.AtLeast, q.KnownAt), func(tx pgx.Tx, g projections.Generation) error {
		page = Page{Next: q.After, At: ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}, More: true}
		v := view{tx: tx, g: g, q: q, known: math.MaxInt64, asOf: math.MaxInt32}
		if q.KnownAt != 0 {
			v.known = int64(ledger.MakeID(g.Shard, min(q.KnownAt, ledger.MaxSeq)))
		}
		if q.AsOf != 0 {
			v.asOf = int32(q.AsOf)
		}
		return v.page(ctx, &page)
	})
	if err != nil {
		return Page{}, err
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

// view is one page's snapshot.
type view struct {
	tx    pgx.Tx
	g     projections.Generation
	q     Query
	known int64 // the last entry known
	asOf  int32
}

// page looks at trades in batches, each larger than the one before, until the page is full.
func (v *view) page(ctx context.Context, page *Page) error {
	if err := byIndex(ctx, v.tx); err != nil {
		return err
	}
	var fits []int64
	batch := max(v.q.Limit, 100) + 1
	for scanned := 0; page.More && len(fits) < v.q.Limit && scanned < maxScan; batch *= 4 {
		n := min(batch, maxScan-scanned)
		rows, err := v.scan(ctx, page.Next, n)
		if err != nil {
			return fmt.Errorf("read trades: %w", err)
		}
		page.More = len(rows) == n
		for _, c := range rows {
			if len(fits) == v.q.Limit {
				page.More = true // this one is for the next page
				break
			}
			page.Next = ledger.ID(c.trade)
			if c.fits {
				fits = append(fits, c.trade)
			}
		}
		scanned += len(rows)
	}
	var err error
	if page.Rows, err = v.load(ctx, fits); err != nil {
		return fmt.Errorf("read trades: %w", err)
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

// state gives a trade's state as of $2 (effective date), known at $1 (entry).
const state = `CASE WHEN l.canceled <= $1 THEN 'canceled'
	WHEN l.settled <= $1 AND l.settled_on <= $2 THEN 'settled'
	WHEN l.opened <= $1 AND b.effective_date <= $2 THEN 'open'
	ELSE 'new' END`

// candidate is a trade that was looked at.
type candidate struct {
	trade int64
	fits  bool
}

// scan looks at the next n trades of the account or instrument, or of all. An account's trades of a single day have an index of their own;
// all other filters are looked at trade by trade.
func (v *view) scan(ctx context.Context, after ledger.ID, n int) ([]candidate, error) {
	const columns = `trade, instrument, trade_date, effective_date`
	q, args := v.q, []any{v.known, v.asOf}
	arg := func(value any) string {
		args = append(args, value)
		return fmt.Sprintf("$%d", len(args))
	}
	table := v.g.Table(Name)
	part := ` AND trade > ` + arg(int64(after)) + ` AND trade <= $1 ORDER BY trade LIMIT ` + arg(n)
	from, fits := `SELECT `+columns+` FROM `+table+` WHERE true`+part, `true`
	switch {
	case q.Account != 0:
		if q.From != 0 && q.From == q.To {
			part = ` AND trade_date = ` + arg(int32(q.From)) + part
		}
		account := arg(q.Account)
		from = `(SELECT ` + columns + ` FROM ` + table + ` WHERE account = ` + account + part + `)
			UNION ALL (SELECT ` + columns + ` FROM ` + table + ` WHERE target = ` + account + part + `) ORDER BY trade LIMIT $4`
		if q.Instrument != 0 {
			fits += ` AND b.instrument = ` + arg(q.Instrument)
		}
	case q.Instrument != 0:
		from = `SELECT ` + columns + ` FROM ` + table + ` WHERE instrument = ` + arg(q.Instrument) + part
	}
	if q.From != 0 {
		fits += ` AND b.trade_date >= ` + arg(int32(q.From))
	}
	if q.To != 0 {
		fits += ` AND b.trade_date <= ` + arg(int32(q.To))
	}
	join := ``
	if len(q.States) > 0 {
		fits += ` AND ` + state + ` = ANY(` + arg(q.States) + `::text[])`
		join = ` LEFT JOIN ` + v.g.Table(lifeName) + ` AS l ON l.trade = b.trade`
	} else {
		fits += ` AND $2::int IS NOT NULL` // every statement has the same parameters
	}
	rows, err := v.tx.Query(ctx, `SELECT b.trade, `+fits+` FROM (`+from+`) AS b`+join+` ORDER BY b.trade`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (c candidate, err error) {
		return c, r.Scan(&c.trade, &c.fits)
	})
}

// load gives the rows of those trades.
func (v *view) load(ctx context.Context, trades []int64) ([]Row, error) {
	if len(trades) == 0 {
		return nil, nil
	}
	rows, err := v.tx.Query(ctx, `SELECT `+bookedColumns+`, `+lifeColumns+`, `+replacedBy(v.g)+`, `+state+` FROM `+v.g.Table(Name)+` AS b
		JOIN `+v.g.Table(lifeName)+` AS l ON l.trade = b.trade WHERE b.trade = ANY($3) ORDER BY b.trade`, v.known, v.asOf, trades)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (Row, error) {
		var s scanned
		var state string
		if err := r.Scan(append(append(s.booked(), s.life()...), &s.replacedBy, &state)...); err != nil {
			return Row{}, err
		}
		b, err := s.asBooked()
		if err != nil {
			return Row{}, err
		}
		return v.row(b, s.lived(), ledger.TradeState(state), ledger.ID(s.replacedBy)), nil
	})
}

// row leaves out what is not known yet, or not effective.
func (v *view) row(b booked, l life, state ledger.TradeState, replacedBy ledger.ID) Row {
	known := func(id ledger.ID, on ledger.Date) ledger.ID {
		if int64(id) > v.known || int32(on) > v.asOf {
			return 0
		}
		return id
	}
	row := Row{
		Trade: b.Trade, State: state, Account: b.Account, Target: b.Target, Instrument: b.Instrument,
		Kind: b.Kind, Direction: b.Direction, Currency: b.Currency, ClientTradeID: b.ClientTradeID,
		Quantity: b.Quantity, Price: b.Price, Gross: b.Gross, Net: b.Net, Commission: b.Commission, SECFee: b.SECFee, TAFFee: b.TAFFee, Accrued: b.Accrued,
		TradeDate: b.TradeDate, SettleDate: b.SettleDate, EffectiveDate: b.EffectiveDate, BookedAt: b.BookedAt, Corrects: b.Corrects,
		Opened: known(l.opened, b.EffectiveDate), Settled: known(l.settled, l.settledOn), Canceled: known(l.canceled, 0),
	}
	if row.Canceled != 0 {
		row.ReplacedBy = known(replacedBy, 0)
	}
	row.Street = row.Canceled == 0 && known(l.street, l.streetOn) != 0
	return row
}
