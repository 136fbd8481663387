package statement

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Bounds of a page.
const (
	MaxLimit    = 10_000 // lines
	maxEntries  = 4096   // looked at for one page; a block that is begun is finished, or left where the page is full
	maxRows     = 4096   // of posting lists, looked at for one page
	rowsAtOnce  = 64
	loadAtOnce  = 256
	afterAnyOne = math.MaxInt32 // as the index of a posting: after all of the entry
)

// Errors of a query.
var (
	ErrLimit   = fmt.Errorf("limit: not between 1 and %d", MaxLimit)
	ErrAccount = errors.New("account: needed")
)

// Entries is where a statement's entries come from: the journal. It gives the entries of those sequence numbers, in their order,
// nil for one that is not there.
type Entries interface {
	EntriesBySeq(ctx context.Context, seqs []uint64) ([]*ledger.Entry, error)
}

// Reader reads statements, in any process.
type Reader struct {
	runner  *projections.Runner
	entries Entries
}

// NewReader makes a reader; the runner must have [Projection] among its projections.
func NewReader(runner *projections.Runner, entries Entries) *Reader { return &Reader{runner, entries} }

// Place is a line's place in the journal: an entry's sequence number and the index of one of its postings.
type Place struct {
	Seq     uint64
	Posting int
}

// before reports whether the place comes before the posting.
func (p Place) before(seq uint64, posting int) bool {
	return p.Seq < seq || p.Seq == seq && p.Posting < posting
}

// block gives the block of the first posting after the place.
func (p Place) block() uint64 {
	if p.Posting >= afterAnyOne {
		return (p.Seq + 1) / blockEntries
	}
	return p.Seq / blockEntries
}

// Query asks for a page of an account's statement, in journal order.
type Query struct {
	Account    int64
	Instrument int64 // 0 for all
	// After is where the page before ended (its Next); zero for the first page.
	After Place
	// From and To bound the effective date, both included; 0 leaves a side open. Running balances are in journal order all the same.
	From, To ledger.Date
	// AsOf leaves out what is effective after that day, from the lines and from the running balances; 0 leaves nothing out.
	AsOf ledger.Date
	// KnownAt leaves out the entries after that sequence number, and waits until those up to it are in; 0 leaves nothing out.
	KnownAt uint64
	// Entries leaves out the lines of all other entries: sequence numbers, ascending, at most [MaxEntries]; none leaves nothing out. Running
	// balances are what they are all the same. Not with From, To and AsOf.
	Entries []uint64
	Limit   int    // 1 to [MaxLimit] lines
	AtLeast uint64 // waits until the entry of this sequence number is in
}

// Line is one posting on the account.
type Line struct {
	Entry *ledger.Entry
	Index int // of the posting in the entry
	ledger.Posting
	// Balance is the account's holding of the instrument after this posting.
	Balance projections.Holding
}

// Running gives the balance after the posting in its own bucket.
func (l Line) Running() ledger.Amount {
	if l.Bucket == ledger.Unsettled {
		return l.Balance.Unsettled
	}
	return l.Balance.Settled
}

// Page is a part of a statement.
type Page struct {
	Lines []Line
	// More says that there may be more, after Next. A page can be short, even empty, and still have more to come: it looks at a
	// bounded number of entries.
	More bool
	Next Place
	// At is the place in the journal that the page is as of: KnownAt where that is given.
	At ledger.Token
}

// Statement gives one page. [ErrAccount], [ErrLimit], [ErrEntries].
func (r *Reader) Statement(ctx context.Context, q Query) (*Page, error) {
	if q.Account == 0 {
		return nil, ErrAccount
	}
	if q.Limit < 1 || q.Limit > MaxLimit {
		return nil, ErrLimit
	}
	if err := q.checkEntries(); err != nil {
		return nil, err
	}
	if len(q.Entries) > 0 {
		return r.picked(ctx, q)
	}
	p := &pager{entries: r.entries, q: q, page: &Page{Next: q.After}, running: map[int64]projections.Holding{}}
	block, atLeast := q.After.block(), max(q.AtLeast, q.KnownAt)
	for first := true; ; first = false {
		var rows []storedRow
		from := block
		err := r.runner.View(ctx, Name, atLeast, func(tx pgx.Tx, g projections.Generation) (err error) {
			if first {
				p.page.At = ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}
				if q.KnownAt != 0 {
					p.page.At.Seq = q.KnownAt
				}
				if from, err = firstToRead(ctx, tx, g, q, block); err != nil {
					return err
				}
			}
			rows, err = readRows(ctx, tx, g, q.Account, from)
			return err
		})
		if err != nil {
			return nil, err
		}
		// What comes later only adds entries after this place, in this generation and any other; those are left out.
		atLeast = p.page.At.Seq
		for _, row := range rows {
			if row.block*blockEntries > p.page.At.Seq {
				return p.page, nil
			}
			if full, err := p.add(ctx, row); err != nil {
				return nil, fmt.Errorf("statement of account %d: %w", q.Account, err)
			} else if full {
				p.page.More = true
				return p.page, nil
			}
		}
		if len(rows) < rowsAtOnce {
			return p.page, nil
		}
		block = rows[len(rows)-1].block + 1
	}
}

// firstToRead gives the block to begin with: the page's, or, as of a day, the first that has something effective later, if that comes
// before. Up to there nothing is left out, so the openings of what comes first are right.
func firstToRead(ctx context.Context, tx pgx.Tx, g projections.Generation, q Query, block uint64) (uint64, error) {
	if q.AsOf == 0 {
		return block, nil
	}
	var later int64
	err := tx.QueryRow(ctx, `SELECT block FROM `+g.Table(Name)+` WHERE account = $1 AND block < $2 AND last_date > $3 ORDER BY block LIMIT 1`,
		q.Account, int64(block), q.AsOf).Scan(&later)
	if errors.Is(err, pgx.ErrNoRows) {
		return block, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for what account %d has after %s: %w", q.Account, q.AsOf, err)
	}
	return uint64(later), nil
}

func readRows(ctx context.Context, tx pgx.Tx, g projections.Generation, account int64, block uint64) ([]storedRow, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM `+g.Table(Name)+`
		WHERE account = $1 AND block >= $2 ORDER BY block LIMIT $3`, account, int64(block), rowsAtOnce)
	if err != nil {
		return nil, fmt.Errorf("read the statement of account %d: %w", account, err)
	}
	stored, err := pgx.CollectRows(rows, scanRow)
	if err != nil {
		return nil, fmt.Errorf("read the statement of account %d: %w", account, err)
	}
	return stored, nil
}

// pager fills one page.
type pager struct {
	entries    Entries
	q          Query
	page       *Page
	rowCount   int
	entryCount int
	running    map[int64]projections.Holding // the balances before the next posting to look at
}

// add goes through one row, and reports whether the page has to end here.
func (p *pager) add(ctx context.Context, row storedRow) (full bool, err error) {
	if p.rowCount >= maxRows || p.entryCount >= maxEntries {
		return true, nil
	}
	catchingUp := row.block < p.q.After.block() // for running balances only
	if !catchingUp {
		p.rowCount++
	}
	if p.q.AsOf == 0 {
		clear(p.running)
	}
	for _, o := range row.openings {
		// As of a day only the first opening of an instrument is right: after it something may have been left out.
		if _, ok := p.running[o.instrument]; !ok {
			p.running[o.instrument] = o.Holding
		}
	}
	if p.q.concerns(row) {
		for batch := range slices.Chunk(row.offsets, loadAtOnce) {
			n, full, err := p.addEntries(ctx, row.block, batch)
			if full || err != nil {
				return full, err
			}
			if !catchingUp {
				p.entryCount += n
			}
		}
	}
	// All up to the end of the block has been seen, or up to the snapshot.
	if end := min((row.block+1)*blockEntries-1, p.page.At.Seq); p.page.Next.before(end, afterAnyOne) {
		p.page.Next = Place{end, afterAnyOne}
	}
	return false, nil
}

func (p *pager) addEntries(ctx context.Context, block uint64, offsets []int16) (loaded int, full bool, err error) {
	seqs := make([]uint64, 0, len(offsets))
	for _, o := range offsets {
		if seq := block*blockEntries + uint64(o); seq <= p.page.At.Seq {
			seqs = append(seqs, seq)
		}
	}
	if len(seqs) == 0 {
		return 0, false, nil
	}
	entries, err := p.entries.EntriesBySeq(ctx, seqs)
	if err != nil {
		return 0, false, err
	}
	for n, seq := range seqs {
		if n >= len(entries) || entries[n] == nil || entries[n].ID.Seq() != seq {
			return 0, false, fmt.Errorf("the journal does not give entry %d", seq)
		}
		e := entries[n]
		if p.q.AsOf != 0 && e.EffectiveDate > p.q.AsOf {
			continue
		}
		for i, posting := range e.Postings {
			if posting.Account != p.q.Account {
				continue
			}
			balance, err := p.running[posting.Instrument].Add(posting)
			if err != nil {
				return 0, false, err
			}
			p.running[posting.Instrument] = balance
			if !p.q.wants(e, i, posting) {
				continue
			}
			if len(p.page.Lines) == p.q.Limit {
				return len(seqs), true, nil
			}
			p.page.Lines = append(p.page.Lines, Line{Entry: e, Index: i, Posting: posting, Balance: balance})
			p.page.Next = Place{seq, i}
		}
	}
	return len(seqs), false, nil
}

// concerns reports whether the entries of a row have to be looked at: for lines, or, as of a day, for the balances of those that follow.
func (q Query) concerns(row storedRow) bool {
	if q.Instrument != 0 && !slices.ContainsFunc(row.openings, func(o opening) bool { return o.instrument == q.Instrument }) {
		return false
	}
	if q.AsOf != 0 {
		return row.firstDate <= q.AsOf
	}
	return (q.From == 0 || row.lastDate >= q.From) && (q.To == 0 || row.firstDate <= q.To)
}

func (q Query) wants(e *ledger.Entry, index int, p ledger.Posting) bool {
	return q.After.before(e.ID.Seq(), index) && q.picks(e.ID.Seq()) &&
		(q.Instrument == 0 || q.Instrument == p.Instrument) &&
		(q.From == 0 || e.EffectiveDate >= q.From) &&
		(q.To == 0 || e.EffectiveDate <= q.To)
}
