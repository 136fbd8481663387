package trades

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// scan finds the trades of one page in a snapshot: those that lists or the table of lives give, in the order of booking, less what filters leave out.
type scan struct {
	tx pgx.Tx
	g  projections.Generation
	q  Query
	moment

	// Where lists are read: their rows from the block next on, and what of the rows that were read is behind the last trade looked at.
	next   uint64
	atOnce int // rows
	rows   int // that were read
	listed []uint64
	ended  bool
}

func newScan(tx pgx.Tx, g projections.Generation, q Query) *scan {
	s := &scan{tx: tx, g: g, q: q, moment: moment{known: ledger.MakeID(g.Shard, g.Checkpoint.Seq), asOf: math.MaxInt32}}
	if q.KnownAt != 0 {
		s.known = ledger.MakeID(g.Shard, min(q.KnownAt, g.Checkpoint.Seq))
	}
	if q.AsOf != 0 {
		s.asOf = q.AsOf
	}
	if q.After.Shard() == g.Shard {
		s.next = q.After.Seq() / blockEntries
	}
	return s
}

// page looks at trades in batches, each larger than the one before, until the page is full.
func (s *scan) page(ctx context.Context, page *Page) ([]hit, error) {
	var found []hit
	batch := max(s.q.Limit, 100) + 1
	for scanned := 0; page.More && len(found) < s.q.Limit && scanned < maxScan; batch *= 4 {
		n := min(batch, maxScan-scanned)
		part, more, err := s.look(ctx, page.Next, n)
		if err != nil {
			return nil, err
		}
		page.More = more
		for _, l := range part {
			if len(found) == s.q.Limit {
				page.More = true // this one is for the next page
				break
			}
			page.Next = l.trade
			if l = l.at(s.moment); s.fits(&l) {
				found = append(found, hit{lived: l})
			}
		}
		scanned += len(part)
		if more && s.rows >= maxRows && len(s.listed) == 0 && len(found) < s.q.Limit {
			// All of the blocks that were read has been seen.
			page.Next = max(page.Next, min(s.known, ledger.MakeID(s.g.Shard, s.next*blockEntries-1)))
			break
		}
	}
	return found, s.replaced(ctx, found)
}

// fits applies the filters that lists don't.
func (s *scan) fits(l *lived) bool {
	return (s.q.From == 0 || l.tradeDate >= s.q.From) && (s.q.To == 0 || l.tradeDate <= s.q.To) &&
		(len(s.q.States) == 0 || slices.Contains(s.q.States, l.state()))
}

// look gives the next n trades to look at, fewer where that is all for now; more says that there may be more.
func (s *scan) look(ctx context.Context, after ledger.ID, n int) (part []lived, more bool, err error) {
	if s.q.Account == 0 && s.q.Instrument == 0 {
		part, err = s.lives(ctx, `trade > $1 AND trade <= $2 ORDER BY trade LIMIT $3`, int64(after), int64(s.known), n)
		return part, len(part) == n, err
	}
	for len(s.listed) < n && !s.ended && s.rows < maxRows {
		if err := s.readLists(ctx, after); err != nil {
			return nil, false, err
		}
	}
	trades := make([]int64, min(n, len(s.listed)))
	for i := range trades {
		trades[i] = int64(ledger.MakeID(s.g.Shard, s.listed[i]))
	}
	if part, err = s.lives(ctx, `trade = ANY($1) ORDER BY trade`, trades); err != nil {
		return nil, false, err
	}
	for i, trade := range trades {
		if i >= len(part) || int64(part[i].trade) != trade {
			return nil, false, fmt.Errorf("%s has no row for trade %d, which is listed; bk verify says what else is wrong", s.g.Table(lifeName), trade)
		}
	}
	s.listed = s.listed[len(trades):]
	return part, len(s.listed) > 0 || !s.ended, nil
}

// readLists adds what the next rows of the lists name.
func (s *scan) readLists(ctx context.Context, after ledger.ID) error {
	first := listed{ofParty, s.q.Account}
	if s.q.Account == 0 {
		first = listed{ofInstrument, s.q.Instrument}
	}
	s.atOnce = min(max(4*s.atOnce, fewRows), rowsAtOnce) // one row of a hot account fills a page
	rows, err := s.readList(ctx, first, s.next, s.known.Seq()/blockEntries, s.atOnce)
	if err != nil {
		return err
	}
	s.ended = len(rows) < s.atOnce
	s.rows += len(rows)
	if len(rows) == 0 {
		return nil
	}
	last := rows[len(rows)-1].block
	var second []listRow // of trades that have to be in both lists
	if s.q.Account != 0 && s.q.Instrument != 0 {
		if second, err = s.readSome(ctx, listed{ofInstrument, s.q.Instrument}, rows); err != nil {
			return err
		}
	}
	var seqs, others []uint64
	for _, r := range rows {
		if seqs, err = r.appendSeqs(seqs[:0]); err != nil {
			return s.odd(first, r, err)
		}
		if s.q.Account != 0 && s.q.Instrument != 0 {
			others = others[:0]
			for len(second) > 0 && second[0].block < r.block {
				second = second[1:]
			}
			if len(second) > 0 && second[0].block == r.block {
				if others, err = second[0].appendSeqs(others); err != nil {
					return s.odd(listed{ofInstrument, s.q.Instrument}, second[0], err)
				}
			}
			seqs = inBoth(seqs, others)
		}
		for _, seq := range seqs {
			if id := ledger.MakeID(s.g.Shard, seq); id > after && id <= s.known {
				s.listed = append(s.listed, seq)
			}
		}
	}
	s.next = uint64(last) + 1
	return nil
}

func (s *scan) odd(of listed, r listRow, err error) error {
	return fmt.Errorf("%s: list %s of %d, block %d: %w", s.g.Table(listName), of.kind, of.key, r.block, err)
}

// inBoth gives what two ascending lists have in common, in the place of the first.
func inBoth(a, b []uint64) []uint64 {
	n := 0
	for _, seq := range a {
		for len(b) > 0 && b[0] < seq {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == seq {
			a[n] = seq
			n++
		}
	}
	return a[:n]
}

// readList gives up to limit rows of a list, from a block to another one. Those whose dates are all outside of the dates asked for are left out.
func (s *scan) readList(ctx context.Context, of listed, from, to uint64, limit int) ([]listRow, error) {
	earliest, latest := s.q.From, s.q.To
	if latest == 0 {
		latest = math.MaxInt32
	}
	return s.collectList(ctx, of, `block >= $3 AND block <= $4 AND last_date >= $5 AND first_date <= $6 ORDER BY block LIMIT $7`,
		int64(from), int64(to), int32(earliest), int32(latest), limit)
}

// readSome gives a list's rows of the blocks that others are of.
func (s *scan) readSome(ctx context.Context, of listed, others []listRow) ([]listRow, error) {
	blocks := make([]int64, len(others))
	for i, r := range others {
		blocks[i] = r.block
	}
	return s.collectList(ctx, of, `block = ANY($3) ORDER BY block`, blocks)
}

func (s *scan) collectList(ctx context.Context, of listed, where string, args ...any) ([]listRow, error) {
	rows, err := s.tx.Query(ctx, `SELECT block, offsets FROM `+s.g.Table(listName)+` WHERE kind = $1::text::"char" AND key = $2 AND `+where,
		append([]any{of.kind, of.key}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (row listRow, err error) {
		return row, r.Scan(&row.block, &row.offsets)
	})
}

// lifeColumns are those of lived.scan; what is not there is 0.
const lifeColumns = `trade, coalesce(opened, 0), coalesce(settled, 0), coalesce(street, 0), coalesce(canceled, 0),
	trade_date, settle_date, effective_date, coalesce(settled_on, 0), coalesce(street_on, 0)`

func (l *lived) scan(r pgx.Rows) error {
	return r.Scan(&l.trade, &l.opened, &l.settled, &l.street, &l.canceled, &l.tradeDate, &l.settleDate, &l.effectiveDate, &l.settledOn, &l.streetOn)
}

func (s *scan) lives(ctx context.Context, where string, args ...any) ([]lived, error) {
	rows, err := s.tx.Query(ctx, `SELECT `+lifeColumns+` FROM `+s.g.Table(lifeName)+` WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []lived
	for rows.Next() {
		var l lived
		if err := l.scan(rows); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

// replaced fills in the last trade, of those that are known, that was booked in place of each that is cancelled.
func (s *scan) replaced(ctx context.Context, found []hit) error {
	var canceled []int64
	for i := range found {
		if found[i].canceled != 0 {
			canceled = append(canceled, int64(found[i].trade))
		}
	}
	if len(canceled) == 0 {
		return nil
	}
	rows, err := s.tx.Query(ctx, `SELECT corrects, max(trade) FROM `+s.g.Table(correctsName)+`
		WHERE corrects = ANY($1) AND trade <= $2 GROUP BY corrects`, canceled, int64(s.known))
	if err != nil {
		return err
	}
	by := map[ledger.ID]ledger.ID{}
	var old, new ledger.ID
	if _, err = pgx.ForEachRow(rows, []any{&old, &new}, func() error { by[old] = new; return nil }); err != nil {
		return err
	}
	for i := range found {
		found[i].replacedBy = by[found[i].trade]
	}
	return nil
}
