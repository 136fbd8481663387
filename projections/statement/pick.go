package statement

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// MaxEntries is the most entries that one query may name.
const MaxEntries = 1000

// ErrEntries says that a query's entries can't be asked for so.
var ErrEntries = fmt.Errorf("entries: at most %d, ascending, and not with a date", MaxEntries)

// checkEntries checks what a query says of its entries.
func (q Query) checkEntries() error {
	if len(q.Entries) == 0 {
		return nil
	}
	if len(q.Entries) > MaxEntries || q.From != 0 || q.To != 0 || q.AsOf != 0 {
		return ErrEntries
	}
	for i := 1; i < len(q.Entries); i++ {
		if q.Entries[i] <= q.Entries[i-1] {
			return ErrEntries
		}
	}
	return nil
}

// picked gives a page of the lines of chosen entries. Only the blocks of these entries are read, each up to its last one: a block's openings are
// all that the balances in it rest on.
func (r *Reader) picked(ctx context.Context, q Query) (*Page, error) {
	p := &pager{entries: r.entries, q: q, page: &Page{Next: q.After}, running: map[int64]projections.Holding{}}
	var blocks []int64
	last := map[uint64]int16{} // of each block the last offset that is wanted
	for _, seq := range q.Entries {
		if !q.After.before(seq, afterAnyOne) {
			continue
		}
		block := seq / blockEntries
		if _, there := last[block]; !there {
			blocks = append(blocks, int64(block))
		}
		last[block] = int16(seq % blockEntries)
	}
	atLeast := max(q.AtLeast, q.KnownAt)
	for first := true; first || len(blocks) > 0; first = false {
		lot := blocks[:min(len(blocks), rowsAtOnce)]
		blocks = blocks[len(lot):]
		var rows []storedRow
		err := r.runner.View(ctx, Name, atLeast, func(tx pgx.Tx, g projections.Generation) (err error) {
			if first {
				p.page.At = ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}
				if q.KnownAt != 0 {
					p.page.At.Seq = q.KnownAt
				}
			}
			rows, err = readBlocks(ctx, tx, g, q.Account, lot)
			return err
		})
		if err != nil {
			return nil, err
		}
		atLeast = p.page.At.Seq // what comes later only adds entries after this place
		for _, row := range rows {
			if row.block*blockEntries > p.page.At.Seq {
				return p.page, nil
			}
			n, _ := slices.BinarySearch(row.offsets, last[row.block]+1)
			row.offsets = row.offsets[:n]
			if !slices.ContainsFunc(row.offsets, func(o int16) bool { return q.picks(row.block*blockEntries + uint64(o)) }) {
				continue // what is wanted of the block is not on the account
			}
			if full, err := p.add(ctx, row); err != nil {
				return nil, fmt.Errorf("statement of account %d: %w", q.Account, err)
			} else if full {
				p.page.More = true
				return p.page, nil
			}
		}
	}
	return p.page, nil
}

// picks reports whether the query wants lines of an entry.
func (q Query) picks(seq uint64) bool {
	if len(q.Entries) == 0 {
		return true
	}
	_, wanted := slices.BinarySearch(q.Entries, seq)
	return wanted
}

func readBlocks(ctx context.Context, tx pgx.Tx, g projections.Generation, account int64, blocks []int64) ([]storedRow, error) {
	if len(blocks) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM `+g.Table(Name)+`
		WHERE account = $1 AND block = ANY($2) ORDER BY block`, account, blocks)
	var stored []storedRow
	if err == nil {
		stored, err = pgx.CollectRows(rows, scanRow)
	}
	if err != nil {
		return nil, fmt.Errorf("read the statement of account %d: %w", account, err)
	}
	return stored, nil
}
