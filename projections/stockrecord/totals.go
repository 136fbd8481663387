package stockrecord

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
)

// Kinds lists the kinds of account in the order that a line has them.
func Kinds() []ledger.AccountKind {
	return []ledger.AccountKind{
		ledger.KindCustomer, ledger.KindFirm, ledger.KindStreet, ledger.KindLocation, ledger.KindLiability, ledger.KindControl,
	}
}

// TotalsQuery asks for a page of totals, a line an instrument, by instrument.
type TotalsQuery struct {
	Instrument int64  // that one alone; 0 for all
	After      int64  // the last instrument seen; 0 for the first page
	Limit      int    // 1 to [MaxLimit] lines
	AtLeast    uint64 // waits until the entry of this sequence number is in
}

// Line sums all holdings of an instrument, on trade date.
type Line struct {
	Instrument int64
	Kinds      []KindSum // those that hold it, or did, in the order of [Kinds]
}

// KindSum sums the holdings of the accounts of a kind.
type KindSum struct {
	Kind     ledger.AccountKind
	Accounts int64         // with a holding other than 0
	Long     ledger.Amount // sum of the holdings above 0
	Short    ledger.Amount // sum of those below, without the sign: >= 0
}

// Net gives the long side less the short side.
func (s KindSum) Net() ledger.Amount { return s.Long.Sub(s.Short) }

// Of gives the sum of a kind, zero if none of its accounts has the instrument.
func (l Line) Of(kind ledger.AccountKind) KindSum {
	for _, s := range l.Kinds {
		if s.Kind == kind {
			return s
		}
	}
	return KindSum{Kind: kind}
}

// Long gives what owners, customers and the firm, have.
func (l Line) Long() ledger.Amount {
	return l.Of(ledger.KindCustomer).Long.Add(l.Of(ledger.KindFirm).Long)
}

// Short gives what owners owe, >= 0.
func (l Line) Short() ledger.Amount {
	return l.Of(ledger.KindCustomer).Short.Add(l.Of(ledger.KindFirm).Short)
}

// Located gives what street and location accounts hold of it, with their sign: − = it is held there or due from there.
func (l Line) Located() ledger.Amount {
	return l.Of(ledger.KindStreet).Net().Add(l.Of(ledger.KindLocation).Net())
}

// Difference gives all holdings together: 0, unless the balances were tampered with.
func (l Line) Difference() (sum ledger.Amount) {
	for _, s := range l.Kinds {
		sum = sum.Add(s.Net())
	}
	return sum
}

// TotalsPage is a part of the totals.
type TotalsPage struct {
	Lines []Line
	More  bool // there are more, after Next
	Next  int64
	At    ledger.Token // the place in the journal that all lines are as of
}

// Totals gives one page. Pages of one list are each as of their own place in the journal. [ErrLimit].
func (r *Reader) Totals(ctx context.Context, q TotalsQuery) (page TotalsPage, err error) {
	if q.Limit < 1 || q.Limit > MaxLimit {
		return page, ErrLimit
	}
	err = r.runner.View(ctx, balances.Name, q.AtLeast, func(tx pgx.Tx, g projections.Generation) error {
		page = TotalsPage{Next: q.After, At: ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}}
		first, last := q.Instrument, q.Instrument
		if q.Instrument == 0 {
			instruments, err := listed(ctx, tx, g, q.After, q.Limit+1)
			if err != nil {
				return fmt.Errorf("list the instruments of the stock record: %w", err)
			}
			if page.More = len(instruments) > q.Limit; page.More {
				instruments = instruments[:q.Limit]
			}
			if len(instruments) == 0 {
				return nil
			}
			first, last = instruments[0], instruments[len(instruments)-1]
		}
		if err := r.sum(ctx, tx, g, &page, first, last); err != nil {
			return fmt.Errorf("sum the stock record: %w", err)
		}
		return nil
	})
	return page, err
}

// listed gives the next instruments that anyone holds or held. It goes from one to the next in the index, however many holdings lie
// between.
func listed(ctx context.Context, tx pgx.Tx, g projections.Generation, after int64, limit int) ([]int64, error) {
	next := `SELECT instrument FROM ` + g.Table(balances.Name) + ` WHERE instrument > `
	rows, err := tx.Query(ctx, `WITH RECURSIVE step (instrument) AS (
		(`+next+`$1 ORDER BY instrument LIMIT 1)
		UNION ALL
		SELECT (`+next+`step.instrument ORDER BY instrument LIMIT 1) FROM step WHERE step.instrument IS NOT NULL
	) SELECT instrument FROM step WHERE instrument IS NOT NULL LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// sum adds the lines of the instruments from first to last.
func (r *Reader) sum(ctx context.Context, tx pgx.Tx, g projections.Generation, page *TotalsPage, first, last int64) error {
	rows, err := tx.Query(ctx, `SELECT account, instrument, unsettled::text, settled::text FROM `+g.Table(balances.Name)+`
		WHERE instrument BETWEEN $1 AND $2 ORDER BY instrument`, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	var line *tally
	for rows.Next() {
		var k projections.Key
		var h projections.Holding
		if err := projections.ScanTotal(rows, &k, &h); err != nil {
			return err
		}
		if line == nil || line.instrument != k.Instrument {
			page.close(line)
			line = &tally{instrument: k.Instrument, kinds: map[ledger.AccountKind]*KindSum{}}
		}
		account, ok := r.books.Account(ledger.AccountRef{ID: k.Account})
		if !ok {
			return fmt.Errorf("account %d holds instrument %d, and the directory does not know it", k.Account, k.Instrument)
		}
		line.add(account.Kind, h.TradeDate())
	}
	page.close(line)
	return rows.Err()
}

// tally sums one instrument's holdings.
type tally struct {
	instrument int64
	kinds      map[ledger.AccountKind]*KindSum
}

func (t *tally) add(kind ledger.AccountKind, holding ledger.Amount) {
	s := t.kinds[kind]
	if s == nil {
		s = &KindSum{Kind: kind}
		t.kinds[kind] = s
	}
	switch holding.Sign() {
	case 1:
		s.Long = s.Long.Add(holding)
		s.Accounts++
	case -1:
		s.Short = s.Short.Sub(holding)
		s.Accounts++
	}
}

// close makes a line of what was summed.
func (page *TotalsPage) close(t *tally) {
	if t == nil {
		return
	}
	line := Line{Instrument: t.instrument}
	for _, kind := range Kinds() {
		if s := t.kinds[kind]; s != nil {
			line.Kinds = append(line.Kinds, *s)
		}
	}
	page.Lines, page.Next = append(page.Lines, line), t.instrument
}
