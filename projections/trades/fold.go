package trades

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// fold collects the trades that a chunk books, with what comes of them in the same chunk, and what comes of earlier ones.
type fold struct {
	books                 Books
	lives, list, corrects string // tables
	block                 uint64 // of the last entry before the chunk: rows of lists for later blocks are new
	last                  uint64 // entry
	booked                []lived
	listed                []listing
	instead               [2][]int64 // trades corrected, and those booked in their place
	earlier               map[ledger.ID]*life
	copied                copyRows
}

func newFold(books Books, g projections.Generation) *fold {
	return &fold{
		books: books, lives: g.Table(lifeName), list: g.Table(listName), corrects: g.Table(correctsName),
		block: g.Checkpoint.Seq / blockEntries, last: g.Checkpoint.Seq, earlier: map[ledger.ID]*life{},
	}
}

func (f *fold) Add(e *ledger.Entry) error {
	f.last = e.ID.Seq()
	if !concerns(e) {
		return nil
	}
	trade, err := tradeOf(e)
	if err != nil {
		return err
	}
	if e.Kind.IsTrade() {
		return f.book(e)
	}
	return f.lifeOf(trade).add(e)
}

// tradeOf gives the trade that an entry moves on.
func tradeOf(e *ledger.Entry) (ledger.ID, error) {
	if e.Links.Trade == 0 || e.Trade == nil && e.Kind != ledger.KindCancel { // the first journals' cancels have no trade
		return 0, errors.New("an entry about a trade does not say which")
	}
	return e.Links.Trade, nil
}

func (f *fold) book(e *ledger.Entry) error {
	var l life
	if err := l.add(e); err != nil {
		return err
	}
	instrument, err := instrumentOf(e, f.books)
	if err != nil {
		return err
	}
	f.booked = append(f.booked, livedBy(e, l))
	for _, of := range listsOf(e, instrument) {
		if of != (listed{}) {
			f.listed = append(f.listed, listing{of, e.ID.Seq(), e.TradeDate})
		}
	}
	if old := e.Links.Corrects; old != 0 {
		f.instead[0], f.instead[1] = append(f.instead[0], int64(old)), append(f.instead[1], int64(e.ID))
	}
	return nil
}

// lifeOf gives what the chunk knows of a trade's life. It stands until the next booking is added.
func (f *fold) lifeOf(trade ledger.ID) *life {
	i, found := slices.BinarySearchFunc(f.booked, trade, func(l lived, trade ledger.ID) int { return cmp.Compare(l.trade, trade) })
	if found {
		return &f.booked[i].life
	}
	l := f.earlier[trade]
	if l == nil {
		l = &life{}
		f.earlier[trade] = l
	}
	return l
}

func (f *fold) Store(ctx context.Context, tx pgx.Tx) error {
	for _, store := range []func(context.Context, pgx.Tx) error{f.copyLives, f.addToLists, f.addCorrections, f.update} {
		if err := store(ctx, tx); err != nil {
			return err
		}
	}
	clear(f.earlier)
	f.booked, f.listed, f.instead = f.booked[:0], f.listed[:0], [2][]int64{f.instead[0][:0], f.instead[1][:0]}
	f.block = f.last / blockEntries
	return nil
}

// copyLives adds the chunk's own trades. COPY takes a third of the time of an INSERT with arrays.
func (f *fold) copyLives(ctx context.Context, tx pgx.Tx) error {
	if len(f.booked) == 0 {
		return nil
	}
	f.copied.begin()
	for i := range f.booked {
		f.copied.add(&f.booked[i])
	}
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, f.copied.end(), `COPY `+f.lives+` FROM STDIN (FORMAT binary)`)
	return wrote(tag, err, len(f.booked), "add to "+f.lives)
}

// addToLists adds the chunk's own trades to the lists of their parties and instruments. Only the block that was begun before has rows; ON CONFLICT,
// which looks for one first, is for those.
func (f *fold) addToLists(ctx context.Context, tx pgx.Tx) error {
	begun, new := listRows(f.listed, f.block)
	if err := begun.write(ctx, tx, `INSERT INTO `+f.list+` AS t`+rowsGiven+` ON CONFLICT (kind, key, block) DO UPDATE SET
		offsets = t.offsets || excluded.offsets,
		first_date = least(t.first_date, excluded.first_date), last_date = greatest(t.last_date, excluded.last_date)`, f.list); err != nil {
		return err
	}
	return new.write(ctx, tx, `INSERT INTO `+f.list+rowsGiven, f.list)
}

func (f *fold) addCorrections(ctx context.Context, tx pgx.Tx) error {
	n := len(f.instead[0])
	if n == 0 {
		return nil
	}
	tag, err := tx.Exec(ctx, `INSERT INTO `+f.corrects+` (corrects, trade) SELECT * FROM unnest($1::bigint[], $2::bigint[])`, f.instead[0], f.instead[1])
	return wrote(tag, err, n, "add to "+f.corrects)
}

// update adds what came of earlier trades to their rows.
func (f *fold) update(ctx context.Context, tx pgx.Tx) error {
	n := len(f.earlier)
	if n == 0 {
		return nil
	}
	var columns [5][]int64 // trade and the ids
	var dates [2][]int32
	for i := range columns {
		columns[i] = make([]int64, 0, n)
	}
	for trade := range f.earlier {
		columns[0] = append(columns[0], int64(trade))
	}
	slices.Sort(columns[0]) // neighbours share pages
	for _, trade := range columns[0] {
		l := f.earlier[ledger.ID(trade)]
		for c, id := range [...]ledger.ID{l.opened, l.settled, l.street, l.canceled} {
			columns[c+1] = append(columns[c+1], int64(id))
		}
		dates[0], dates[1] = append(dates[0], int32(l.settledOn)), append(dates[1], int32(l.streetOn))
	}
	tag, err := tx.Exec(ctx, `UPDATE `+f.lives+` AS t SET
			opened = coalesce(nullif(o, 0), opened), settled = coalesce(nullif(s, 0), settled), settled_on = coalesce(nullif(son, 0), settled_on),
			street = coalesce(nullif(st, 0), street), street_on = coalesce(nullif(ston, 0), street_on),
			canceled = coalesce(nullif(c, 0), canceled)
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::int[]) AS x (id, o, s, st, c, son, ston)
		WHERE t.trade = x.id`, columns[0], columns[1], columns[2], columns[3], columns[4], dates[0], dates[1])
	return wrote(tag, err, n, "update "+f.lives)
}
