package trades

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// blockTrades is how many sequence numbers share a fingerprint of the checker.
const blockTrades = 256

// checker compares fingerprints. What the tables say of a trade are facts that come once, at any time, and never change: its dates, what came of it, that
// it is in a list, that it corrects another one. So the sum of the facts' hashes, for a block of trades, can be taken in the order of the journal
// and in that of the table, and it takes 48 bytes for each 256 entries of the journal, whatever is still to come of their trades.
type checker struct {
	books Books
	tx    pgx.Tx
	g     projections.Generation
	seed  maphash.Seed // of this check alone, so that no row can be made to fit
	want  fingerprints
	fact  []byte
	block uint64          // of lists, in the journal
	lists map[listed]span // of that block
}

// span is what a list's row says of all of its trades.
type span struct {
	first               ledger.ID // trade
	firstDate, lastDate ledger.Date
}

// The tables, as indexes of fingerprints.
const (
	inLife = iota
	inLists
	inCorrects
	tables
)

type fingerprints [tables][]fingerprint

// fingerprint is the sum of a block's facts, and the same with each weighted by its trade's place in the block. Where just one trade of the block is
// not as it should be, the two differences say which.
type fingerprint struct{ sum, weighted uint64 }

func newChecker(books Books, tx pgx.Tx, g projections.Generation) *checker {
	return &checker{books: books, tx: tx, g: g, seed: maphash.MakeSeed(), lists: map[listed]span{}}
}

// put adds a fact about a trade to its table's fingerprints.
func (c *checker) put(to *fingerprints, table int, trade ledger.ID, fact []byte) {
	block := int(trade.Seq() / blockTrades)
	for len(to[table]) <= block {
		to[table] = append(to[table], fingerprint{})
	}
	h := maphash.Bytes(c.seed, fact)
	f := &to[table][block]
	f.sum += h
	f.weighted += h * (trade.Seq()%blockTrades + 1)
}

// The facts of a life.
const (
	factBooked = iota
	factOpened
	factSettled
	factStreet
	factCanceled
)

// lived adds those facts that are there.
func (c *checker) lived(to *fingerprints, trade ledger.ID, l life) {
	for kind, f := range [...]struct {
		by, what int64
		there    bool
	}{
		factOpened:   {int64(l.opened), 0, l.opened != 0},
		factSettled:  {int64(l.settled), int64(l.settledOn), l.settled != 0 || l.settledOn != 0},
		factStreet:   {int64(l.street), int64(l.streetOn), l.street != 0 || l.streetOn != 0},
		factCanceled: {int64(l.canceled), 0, l.canceled != 0},
	} {
		if f.there {
			c.put(to, inLife, trade, c.numbers(int64(trade), int64(kind), f.by, f.what))
		}
	}
}

func (c *checker) dates(to *fingerprints, l *lived) {
	c.put(to, inLife, l.trade, c.numbers(int64(l.trade), factBooked, int64(l.tradeDate), int64(l.settleDate), int64(l.effectiveDate)))
}

// listed adds that a trade is in a list.
func (c *checker) listed(to *fingerprints, of listed, trade ledger.ID) {
	c.put(to, inLists, trade, c.numbers(int64(trade), int64(of.kind[0]), of.key))
}

// spans adds the dates of a list's row. They count as a fact about its first trade.
func (c *checker) spans(to *fingerprints, of listed, s span) {
	c.put(to, inLists, s.first, c.numbers(int64(s.first), int64(of.kind[0]), of.key, int64(s.firstDate), int64(s.lastDate)))
}

func (c *checker) corrects(to *fingerprints, old, trade ledger.ID) {
	c.put(to, inCorrects, trade, c.numbers(int64(trade), int64(old)))
}

func (c *checker) numbers(numbers ...int64) []byte {
	c.fact = c.fact[:0]
	for _, n := range numbers {
		c.fact = binary.LittleEndian.AppendUint64(c.fact, uint64(n))
	}
	return c.fact
}

func (c *checker) Add(_ context.Context, e *ledger.Entry) error {
	if c.books == nil {
		return errNoBooks
	}
	if !concerns(e) {
		return nil
	}
	var l life
	if err := l.add(e); err != nil {
		return err
	}
	if e.Kind.IsTrade() {
		if err := c.book(e); err != nil {
			return err
		}
	}
	c.lived(&c.want, e.Links.Trade, l)
	return nil
}

// book adds what the booking says, to all tables.
func (c *checker) book(e *ledger.Entry) error {
	instrument, err := instrumentOf(e, c.books)
	if err != nil {
		return err
	}
	l := livedBy(e, life{})
	c.dates(&c.want, &l)
	if old := e.Links.Corrects; old != 0 {
		c.corrects(&c.want, old, e.ID)
	}
	if block := e.ID.Seq() / blockEntries; block != c.block {
		c.endBlock()
		c.block = block
	}
	for _, of := range listsOf(e, instrument) {
		if of == (listed{}) {
			continue
		}
		c.listed(&c.want, of, e.ID)
		s, begun := c.lists[of]
		if !begun {
			s = span{e.ID, e.TradeDate, e.TradeDate}
		}
		s.firstDate, s.lastDate = min(s.firstDate, e.TradeDate), max(s.lastDate, e.TradeDate)
		c.lists[of] = s
	}
	return nil
}

// endBlock adds the dates of the lists' rows.
func (c *checker) endBlock() {
	for of, s := range c.lists {
		c.spans(&c.want, of, s)
	}
	clear(c.lists)
}

// Finish reads the tables once each.
func (c *checker) Finish(ctx context.Context) (rows int64, breaches projections.Breaches, err error) {
	c.endBlock()
	var have fingerprints
	for _, read := range []func(context.Context, *fingerprints, *projections.Breaches) (int64, error){c.readLives, c.readLists, c.readCorrects} {
		n, err := read(ctx, &have, &breaches)
		rows += n
		if err != nil {
			return rows, breaches, err
		}
	}
	err = c.compare(ctx, have, &breaches)
	return rows, breaches, err
}

func (c *checker) readLives(ctx context.Context, have *fingerprints, breaches *projections.Breaches) (int64, error) {
	return c.read(ctx, lifeName, lifeColumns, func(r pgx.Rows) error {
		var l lived
		if err := l.scan(r); err != nil {
			return err
		}
		if c.inReach(lifeName, l.trade, breaches) {
			c.dates(have, &l)
			c.lived(have, l.trade, l.life)
		}
		return nil
	})
}

func (c *checker) readLists(ctx context.Context, have *fingerprints, breaches *projections.Breaches) (int64, error) {
	var seqs []uint64
	return c.read(ctx, listName, `kind::text, key, block, offsets, first_date, last_date`, func(r pgx.Rows) error {
		var of listed
		var row listRow
		if err := r.Scan(&of.kind, &of.key, &row.block, &row.offsets, &row.first, &row.last); err != nil {
			return err
		}
		wrong := func(seq uint64, format string, args ...any) {
			breaches.Add(seq, "%s: list %q of %d, block %d: %s", c.g.Table(listName), of.kind, of.key, row.block, fmt.Sprintf(format, args...))
		}
		if row.block < 0 || uint64(row.block) > c.g.Checkpoint.Seq/blockEntries || of.kind != ofParty && of.kind != ofInstrument {
			wrong(c.g.Checkpoint.Seq, "it is none of the journal's up to the checkpoint")
			return nil
		}
		var err error
		if seqs, err = row.appendSeqs(seqs[:0]); err != nil {
			wrong(uint64(row.block)*blockEntries, "%s", err)
		}
		for i, seq := range seqs {
			trade := ledger.MakeID(c.g.Shard, seq)
			if !c.inReach(listName, trade, breaches) {
				continue
			}
			c.listed(have, of, trade)
			if i == 0 {
				c.spans(have, of, span{trade, row.first, row.last})
			}
		}
		return nil
	})
}

func (c *checker) readCorrects(ctx context.Context, have *fingerprints, breaches *projections.Breaches) (int64, error) {
	return c.read(ctx, correctsName, `corrects, trade`, func(r pgx.Rows) error {
		var old, trade ledger.ID
		if err := r.Scan(&old, &trade); err != nil {
			return err
		}
		if c.inReach(correctsName, trade, breaches) {
			c.corrects(have, old, trade)
		}
		return nil
	})
}

// inReach reports whether a trade can be one of the journal's up to the checkpoint, and names it if not.
func (c *checker) inReach(name string, trade ledger.ID, breaches *projections.Breaches) bool {
	if trade > 0 && trade.Shard() == c.g.Shard && trade.Seq() >= 1 && trade.Seq() <= c.g.Checkpoint.Seq {
		return true
	}
	breaches.Add(c.g.Checkpoint.Seq, "%s: trade %d is there, it is none of the journal's up to the checkpoint", c.g.Table(name), trade)
	return false
}

// read goes through a table.
func (c *checker) read(ctx context.Context, name, columns string, row func(pgx.Rows) error) (n int64, err error) {
	table := c.g.Table(name)
	rows, err := c.tx.Query(ctx, `SELECT `+columns+` FROM `+table)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", table, err)
	}
	defer rows.Close()
	for rows.Next() {
		n++
		if err := row(rows); err != nil {
			return n, fmt.Errorf("read %s: %w", table, err)
		}
	}
	if err := rows.Err(); err != nil {
		return n, fmt.Errorf("read %s: %w", table, err)
	}
	return n, nil
}

// compare names what differs: the trade, if it is the only one of its block, else the block.
func (c *checker) compare(ctx context.Context, have fingerprints, breaches *projections.Breaches) error {
	for table, name := range [...]string{inLife: lifeName, inLists: listName, inCorrects: correctsName} {
		for block := range max(len(c.want[table]), len(have[table])) {
			want, got := at(c.want[table], block), at(have[table], block)
			if want == got {
				continue
			}
			first := uint64(block) * blockTrades
			seq, found := only(want, got)
			if !found {
				breaches.Add(first, "%s: of the trades booked by entries %d to %d, several are not as the journal says, or not there, or too many",
					c.g.Table(name), first, first+blockTrades-1)
				continue
			}
			trade := ledger.MakeID(c.g.Shard, first+seq)
			if table == inLists {
				breaches.Add(first+seq, "%s: trade %d is not in the lists that the journal says, or in others, or their dates, from it on, are wrong",
					c.g.Table(name), trade)
				continue
			}
			stored, err := c.stored(ctx, name, trade)
			if err != nil {
				return err
			}
			breaches.Add(first+seq, "%s: trade %d is not as the journal says; stored is %s", c.g.Table(name), trade, stored)
		}
	}
	return nil
}

func at(all []fingerprint, block int) fingerprint {
	if block < len(all) {
		return all[block]
	}
	return fingerprint{}
}

// only gives the place in its block of the trade that alone makes the difference, if it does.
func only(want, got fingerprint) (place uint64, found bool) {
	sum, weighted := want.sum-got.sum, want.weighted-got.weighted
	for place := range uint64(blockTrades) {
		if sum*(place+1) == weighted && sum != 0 {
			return place, true
		}
	}
	return 0, false
}

// stored gives what the table has of a trade, in words.
func (c *checker) stored(ctx context.Context, name string, trade ledger.ID) (string, error) {
	rows, err := c.tx.Query(ctx, `SELECT t::text FROM `+c.g.Table(name)+` AS t WHERE trade = $1`, int64(trade))
	if err != nil {
		return "", fmt.Errorf("read trade %d of %s: %w", trade, c.g.Table(name), err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", fmt.Errorf("read trade %d of %s: %w", trade, c.g.Table(name), err)
	}
	if len(texts) == 0 {
		return "no row", nil
	}
	return strings.Join(texts, " and "), nil
}
