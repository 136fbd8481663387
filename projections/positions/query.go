package positions

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// MaxLimit is the most rows of one page.
const MaxLimit = 10_000

// Errors of queries.
var (
	// ErrLimit is the error of a page size that is not between 1 and [MaxLimit].
	ErrLimit = fmt.Errorf("limit: not between 1 and %d", MaxLimit)
	// ErrAccount is the error of a question about another time that names no account.
	ErrAccount = errors.New("account: needed for positions as of another time")
)

// Key names one line: an account's position in a security, traded in one currency.
type Key struct {
	Account, Instrument int64
	Currency            string // ISO 4217
}

// Compare orders keys by account, then instrument, then currency.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Account, o.Account), cmp.Compare(k.Instrument, o.Instrument), cmp.Compare(k.Currency, o.Currency))
}

func (k lineKey) key() Key { return Key{k.account, k.instrument, k.currency.String()} }

// Query asks for a page of positions, ordered by key.
type Query struct {
	Account    int64 // 0 for all
	Instrument int64 // 0 for all
	NonZero    bool  // leaves out lines without a position: 0 in both buckets
	After      Key   // the last row seen; zero for the first page
	Limit      int   // 1 to [MaxLimit] rows
	AtLeast    uint64
	// AsOf counts only what is effective up to that day; 0: everything. KnownAt counts only what was booked up to that sequence number, and waits
	// for it; 0: everything that is in. With either, Account is needed.
	AsOf    ledger.Date
	KnownAt uint64
}

func (q Query) validate() error {
	switch {
	case q.Limit < 1 || q.Limit > MaxLimit:
		return ErrLimit
	case q.Account == 0 && (q.AsOf != 0 || q.KnownAt != 0):
		return ErrAccount
	}
	return nil
}

// Row is one line.
type Row struct {
	Key
	projections.Holding
	// Cost is the total cost of the position, without commission, fees and accrued interest: above zero what was paid for a long one, below
	// zero what was received for a short one.
	Cost ledger.Amount
	// Realised is the profit (below zero: the loss) of all that was closed, before commission and fees.
	Realised ledger.Amount
}

func rowOf(k Key, st state) Row {
	return Row{Key: k, Holding: st.Holding, Cost: st.cost, Realised: st.realised}
}

// Long gives the trade-date position where it is above zero, else 0.
func (r Row) Long() ledger.Amount {
	if q := r.TradeDate(); q.Sign() > 0 {
		return q
	}
	return ledger.Amount{}
}

// Short gives the size of the trade-date position where it is below zero, else 0.
func (r Row) Short() ledger.Amount {
	if q := r.TradeDate(); q.Sign() < 0 {
		return q.Neg()
	}
	return ledger.Amount{}
}

// AverageCost gives the cost of one unit, rounded half to even at 10 digits: what was paid, or, of a short position, received. 0 where there is no
// position.
func (r Row) AverageCost() ledger.Amount {
	q := r.TradeDate()
	if q.IsZero() {
		return ledger.Amount{}
	}
	average, err := ledger.MulDivHalfEven(r.Cost, ledger.AmountOf(1), q)
	if err != nil { // 10^28 for one unit: no price is a millionth of that
		return ledger.Amount{}
	}
	return average
}

// Page is a part of an answer.
type Page struct {
	Rows []Row
	// More says that there may be more, after Next. A page can be short, even empty, and still have more to come: it looks at a bounded number of
	// lines and records.
	More bool
	Next Key
	// At is the place in the journal that all rows are as of: what was known there.
	At ledger.Token
}

// take adds a line, if the query wants it.
func (page *Page) take(q Query, k Key, st state) {
	page.Next = k
	if !q.NonZero || !st.Holding.IsZero() {
		page.Rows = append(page.Rows, rowOf(k, st))
	}
}
