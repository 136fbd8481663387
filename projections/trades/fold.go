package trades

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// fold collects the trades that a chunk books, with what comes of them in the same chunk, and what comes of earlier ones.
type fold struct {
	books         Books
	trades, lives string // tables
	booked        []booked
	mine          []*life             // of booked, in the same order
	lifeOf        map[ledger.ID]*life // of all trades in the chunk
	earlier       []ledger.ID         // trades booked before the chunk
}

func newFold(books Books, g projections.Generation) *fold {
	return &fold{books: books, trades: g.Table(Name), lives: g.Table(lifeName), lifeOf: map[ledger.ID]*life{}}
}

func (f *fold) Add(e *ledger.Entry) error {
	if !concerns(e) {
		return nil
	}
	trade := e.Links.Trade
	if trade == 0 || e.Trade == nil && e.Kind != ledger.KindCancel { // the first journals' cancels have no trade
		return errors.New("an entry about a trade does not say which")
	}
	l := f.lifeOf[trade]
	if l == nil {
		l = &life{}
	}
	if err := l.add(e); err != nil {
		return err
	}
	if f.lifeOf[trade] != nil {
		return nil
	}
	f.lifeOf[trade] = l
	if !e.Kind.IsTrade() {
		f.earlier = append(f.earlier, trade)
		return nil
	}
	b, err := bookedBy(e, f.books)
	if err != nil {
		return err
	}
	f.booked, f.mine = append(f.booked, b), append(f.mine, l)
	return nil
}

func (f *fold) Store(ctx context.Context, tx pgx.Tx) error {
	if err := f.insert(ctx, tx); err != nil {
		return err
	}
	if err := f.update(ctx, tx); err != nil {
		return err
	}
	clear(f.lifeOf)
	f.booked, f.mine, f.earlier = f.booked[:0], f.mine[:0], f.earlier[:0]
	return nil
}

// insert adds the chunk's own trades. COPY takes a third of the time of an INSERT with arrays, and the text is made without big integers.
func (f *fold) insert(ctx context.Context, tx pgx.Tx) error {
	if len(f.booked) == 0 {
		return nil
	}
	err := copyIn(ctx, tx, f.trades, len(f.booked), func(t copyText, i int) copyText { return t.booked(&f.booked[i]) })
	if err != nil {
		return err
	}
	return copyIn(ctx, tx, f.lives, len(f.booked), func(t copyText, i int) copyText { return t.life(&f.booked[i], f.mine[i]) })
}

func copyIn(ctx context.Context, tx pgx.Tx, table string, rows int, row func(copyText, int) copyText) error {
	source := &copyRows{rows: rows, row: row}
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, source, `COPY `+table+` FROM STDIN`)
	if err == nil && tag.RowsAffected() != int64(rows) {
		err = fmt.Errorf("%d rows written instead of %d", tag.RowsAffected(), rows)
	}
	if err != nil {
		return fmt.Errorf("add to %s: %w", table, err)
	}
	return nil
}

// update adds what came of earlier trades to their rows.
func (f *fold) update(ctx context.Context, tx pgx.Tx) error {
	n := len(f.earlier)
	if n == 0 {
		return nil
	}
	slices.SortFunc(f.earlier, func(a, b ledger.ID) int { return cmp.Compare(a, b) }) // neighbours share pages
	states := make([]string, n)
	var columns [5][]int64 // trade and the ids
	var dates [2][]int32
	for i := range columns {
		columns[i] = make([]int64, n)
	}
	for i := range dates {
		dates[i] = make([]int32, n)
	}
	for i, trade := range f.earlier {
		l := f.lifeOf[trade]
		states[i] = string(l.state)
		for c, id := range [...]ledger.ID{trade, l.opened, l.settled, l.street, l.canceled} {
			columns[c][i] = int64(id)
		}
		dates[0][i], dates[1][i] = int32(l.settledOn), int32(l.streetOn)
	}
	tag, err := tx.Exec(ctx, `UPDATE `+f.lives+` AS t SET state = x.state,
			opened = coalesce(nullif(o, 0), opened), settled = coalesce(nullif(s, 0), settled), settled_on = coalesce(nullif(son, 0), settled_on),
			street = coalesce(nullif(st, 0), street), street_on = coalesce(nullif(ston, 0), street_on),
			canceled = coalesce(nullif(c, 0), canceled)
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::int[], $8::text[])
			AS x (id, o, s, st, c, son, ston, state)
		WHERE t.trade = x.id`, columns[0], columns[1], columns[2], columns[3], columns[4], dates[0], dates[1], states)
	if err == nil && tag.RowsAffected() != int64(n) {
		err = fmt.Errorf("%d rows written instead of %d", tag.RowsAffected(), n)
	}
	if err != nil {
		return fmt.Errorf("update %s: %w", f.lives, err)
	}
	return nil
}
