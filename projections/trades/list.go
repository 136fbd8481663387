package trades

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bkledger/bk/ledger"
)

// What a posting list is of.
const (
	ofParty      = "p" // trades booked to the account, or targeting it
	ofInstrument = "i"
)

// listed says which list.
type listed struct {
	kind string
	key  int64 // the account's or the instrument's number
}

func (l listed) compare(o listed) int {
	return cmp.Or(cmp.Compare(l.kind, o.kind), cmp.Compare(l.key, o.key))
}

// listsOf gives the lists that a booking is in, once each; the last one may be none.
func listsOf(e *ledger.Entry, instrument int64) [3]listed {
	lists := [3]listed{{ofParty, e.Trade.Account.ID}, {ofInstrument, instrument}}
	if target := e.Trade.Target.ID; target != 0 && target != e.Trade.Account.ID {
		lists[2] = listed{ofParty, target}
	}
	return lists
}

// listing is a trade in a list.
type listing struct {
	listed
	seq  uint64
	date ledger.Date // of the trade
}

// rowsToWrite are what is added to rows of the lists, column by column.
type rowsToWrite struct {
	kinds       []string
	keys        []int64
	blocks      []int64
	offsets     [][]byte
	first, last []int32 // trade dates
}

const rowsGiven = ` (kind, key, block, offsets, first_date, last_date) SELECT k::"char", y, b, o, f, l
	FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::int[], $6::int[]) AS g (k, y, b, o, f, l)`

// listRows puts a chunk's listings together, row by row: those of blocks up to the one that was begun before, and those of later ones.
func listRows(all []listing, begun uint64) (old, new rowsToWrite) {
	// Rows of a list side by side, as in the index.
	slices.SortFunc(all, func(a, b listing) int { return cmp.Or(a.compare(b.listed), cmp.Compare(a.seq, b.seq)) })
	text := make([]byte, 0, 2*len(all)) // of all rows
	for len(all) > 0 {
		head, n := all[0], 1
		first, last := head.date, head.date
		start := len(text)
		text = appendOffset(text, head.seq)
		for ; n < len(all) && all[n].listed == head.listed && all[n].seq/blockEntries == head.seq/blockEntries; n++ {
			text = appendOffset(text, all[n].seq)
			first, last = min(first, all[n].date), max(last, all[n].date)
		}
		all = all[n:]
		to := &new
		if head.seq/blockEntries <= begun {
			to = &old
		}
		to.kinds, to.keys, to.blocks = append(to.kinds, head.kind), append(to.keys, head.key), append(to.blocks, int64(head.seq/blockEntries))
		to.offsets = append(to.offsets, text[start:])
		to.first, to.last = append(to.first, int32(first)), append(to.last, int32(last))
	}
	return old, new
}

func appendOffset(to []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint16(to, uint16(seq%blockEntries))
}

// write gives the rows to a statement that must do something with each.
func (r rowsToWrite) write(ctx context.Context, tx pgx.Tx, sql, table string) error {
	if len(r.keys) == 0 {
		return nil
	}
	tag, err := tx.Exec(ctx, sql, r.kinds, r.keys, r.blocks, r.offsets, r.first, r.last)
	return wrote(tag, err, len(r.keys), "add to "+table)
}

// wrote makes sure that a statement did something with each row.
func wrote(tag pgconn.CommandTag, err error, rows int, what string) error {
	if err == nil && tag.RowsAffected() != int64(rows) {
		err = fmt.Errorf("%d rows written instead of %d", tag.RowsAffected(), rows)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// listRow is a stored row of a list.
type listRow struct {
	block       int64
	offsets     []byte
	first, last ledger.Date // trade dates
}

// appendSeqs adds the sequence numbers of a row. The error says what no fold writes.
func (r listRow) appendSeqs(to []uint64) ([]uint64, error) {
	if len(r.offsets) == 0 || len(r.offsets)%2 != 0 {
		return to, fmt.Errorf("%d bytes of offsets", len(r.offsets))
	}
	for before, at := -1, 0; at < len(r.offsets); at += 2 {
		offset := int(binary.BigEndian.Uint16(r.offsets[at:]))
		if offset <= before || offset >= blockEntries {
			return to, fmt.Errorf("offset %d comes after %d", offset, before)
		}
		before = offset
		to = append(to, uint64(r.block)*blockEntries+uint64(offset))
	}
	return to, nil
}
