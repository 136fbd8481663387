package statement

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// fold collects what a chunk adds to rows. Openings are relative to the balances before the chunk while it is folded; storing the
// chunk's totals gives those balances.
type fold struct {
	table, totals string
	block         uint64 // the open one: of the last entry
	cells         map[projections.Key]*cell
	changed       []projections.Key // in this chunk
	moved         bool              // on to another block, in this chunk
	rows          map[int64]*row    // of the open block, by account
	pending       []*row            // of any block, with something to store
}

// cell is what the fold knows of one balance: all that the chunk or the open block touches.
type cell struct {
	change  projections.Holding // in this chunk
	base    projections.Holding // before this chunk; known once the totals are stored
	inBlock uint64              // the last block that touched it, if touched
	touched bool
	changed bool // in this chunk
}

// row is what is to be stored of an account in a block.
type row struct {
	account  int64
	block    uint64
	stored   bool   // it has a row in the table
	last     uint64 // sequence number of the last entry; 0 while there is none
	offsets  []byte // see appendOffset
	openings []pendingOpening
	// The first and the last effective date of what is to be stored.
	firstDate, lastDate ledger.Date
}

type pendingOpening struct {
	cell *cell
	opening
}

func (f *fold) Add(e *ledger.Entry) (err error) {
	seq := e.ID.Seq()
	if block := seq / blockEntries; block != f.block {
		f.block, f.rows, f.moved = block, make(map[int64]*row, len(f.rows)), true
	}
	for _, p := range e.Postings {
		r := f.rows[p.Account]
		if r == nil {
			r = &row{account: p.Account, block: f.block}
			f.rows[p.Account] = r
		}
		if r.last != seq {
			if len(r.offsets) == 0 {
				f.pending = append(f.pending, r)
				r.firstDate, r.lastDate = e.EffectiveDate, e.EffectiveDate
			} else {
				r.firstDate, r.lastDate = min(r.firstDate, e.EffectiveDate), max(r.lastDate, e.EffectiveDate)
			}
			r.offsets = appendOffset(r.offsets, seq-max(r.last, f.block*blockEntries))
			r.last = seq
		}
		key := projections.Key{Account: p.Account, Instrument: p.Instrument}
		c := f.cells[key]
		if c == nil {
			c = &cell{}
			f.cells[key] = c
		}
		if !c.touched || c.inBlock != f.block {
			r.openings = append(r.openings, pendingOpening{c, opening{p.Instrument, c.change}})
			c.touched, c.inBlock = true, f.block
		}
		if c.change, err = c.change.Add(p); err != nil {
			return err
		}
		if !c.changed {
			c.changed = true
			f.changed = append(f.changed, key)
		}
	}
	return nil
}

func (f *fold) Store(ctx context.Context, tx pgx.Tx) error {
	err := projections.AddTotals(ctx, tx, f.totals, f.changed,
		func(k projections.Key) projections.Holding { return f.cells[k].change },
		func(k projections.Key, after projections.Holding) {
			c := f.cells[k]
			c.base = after.Minus(c.change)
		})
	if err != nil {
		return err
	}
	if err := f.storeRows(ctx, tx); err != nil {
		return err
	}
	for _, r := range f.pending {
		r.stored, r.offsets, r.openings = true, r.offsets[:0], r.openings[:0]
	}
	f.pending = f.pending[:0]
	for _, k := range f.changed {
		c := f.cells[k]
		c.change, c.changed = projections.Holding{}, false
	}
	f.changed = f.changed[:0]
	if f.moved {
		maps.DeleteFunc(f.cells, func(_ projections.Key, c *cell) bool { return c.inBlock != f.block })
		f.moved = false
	}
	return nil
}

func (f *fold) storeRows(ctx context.Context, tx pgx.Tx) error {
	// Neighbours in the index side by side. Nothing depends on the order.
	slices.SortFunc(f.pending, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.block, b.block))
	})
	var old, new []*row // whether there is a row to add to
	for _, r := range f.pending {
		if r.stored {
			old = append(old, r)
		} else {
			new = append(new, r)
		}
	}
	if err := f.write(ctx, tx, old, `UPDATE `+f.table+` AS t SET offsets = t.offsets || o, openings = t.openings || p,
		first_date = least(t.first_date, f), last_date = greatest(t.last_date, l)
		FROM (`+rowsGiven+`) AS x WHERE t.account = a AND t.block = b`); err != nil {
		return err
	}
	return f.write(ctx, tx, new, `INSERT INTO `+f.table+` (account, block, first_date, last_date, offsets, openings) `+rowsGiven)
}

const rowsGiven = `SELECT a, b, f, l, o, p
	FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[], $5::bytea[], $6::text[]) AS g (a, b, f, l, o, p)`

// write gives the rows to a statement that must do something with each.
func (f *fold) write(ctx context.Context, tx pgx.Tx, rows []*row, sql string) error {
	n := len(rows)
	if n == 0 {
		return nil
	}
	accounts, blocks := make([]int64, n), make([]int64, n)
	offsets, openings := make([][]byte, n), make([]string, n)
	first, last := make([]int32, n), make([]int32, n)
	var text []byte
	for i, r := range rows {
		accounts[i], blocks[i] = r.account, int64(r.block)
		first[i], last[i] = int32(r.firstDate), int32(r.lastDate)
		offsets[i], text = r.offsets, text[:0]
		for _, o := range r.openings {
			o.Holding = o.cell.base.Plus(o.Holding)
			text = o.append(text)
		}
		openings[i] = string(text)
	}
	tag, err := tx.Exec(ctx, sql, accounts, blocks, first, last, offsets, openings)
	if err == nil && tag.RowsAffected() != int64(n) {
		err = fmt.Errorf("%d rows written instead of %d", tag.RowsAffected(), n)
	}
	if err != nil {
		return fmt.Errorf("add to %s: %w", f.table, err)
	}
	return nil
}
