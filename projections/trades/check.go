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

// checker compares fingerprints. A trade's row is what its booking says and what came of it later; each of those facts comes once, at any
// time, and never changes. So the sum of the facts' hashes, for a block of trades, can be taken in the order of the journal and in that of the
// table, and it takes 32 bytes for each 256 entries of the journal, whatever is still to come of their trades.
type checker struct {
	books Books
	tx    pgx.Tx
	g     projections.Generation
	seed  maphash.Seed // of this check alone, so that no row can be made to fit
	want  [2][]fingerprint
	fact  []byte
}

// The tables, as indexes of fingerprints.
const (
	inTrades = iota
	inLife
)

// fingerprint is the sum of a block's facts, and the same with each weighted by its trade's place in the block. Where just one trade of the block is
// not as it should be, the two differences say which.
type fingerprint struct{ sum, weighted uint64 }

func newChecker(books Books, tx pgx.Tx, g projections.Generation) *checker {
	return &checker{books: books, tx: tx, g: g, seed: maphash.MakeSeed()}
}

// put adds a fact about a trade to its table's fingerprints.
func (c *checker) put(to *[2][]fingerprint, table int, trade ledger.ID, fact []byte) {
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
func (c *checker) lived(to *[2][]fingerprint, trade ledger.ID, l life) {
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

// booked adds what the booking says, to both tables.
func (c *checker) booked(to *[2][]fingerprint, b *booked) {
	b.BookedAt = b.BookedAt.UTC()
	c.fact = copyText(c.fact[:0]).booked(b)
	c.put(to, inTrades, b.Trade, c.fact)
}

func (c *checker) dates(to *[2][]fingerprint, trade ledger.ID, traded, settles ledger.Date) {
	c.put(to, inLife, trade, c.numbers(int64(trade), factBooked, int64(traded), int64(settles)))
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
		b, err := bookedBy(e, c.books)
		if err != nil {
			return err
		}
		c.booked(&c.want, &b)
		c.dates(&c.want, b.Trade, b.TradeDate, b.SettleDate)
	}
	c.lived(&c.want, e.Links.Trade, l)
	return nil
}

// Finish reads the tables once each.
func (c *checker) Finish(ctx context.Context) (rows int64, breaches projections.Breaches, err error) {
	var have [2][]fingerprint
	n, err := c.read(ctx, Name, `SELECT `+bookedColumns+` FROM `+c.g.Table(Name)+` AS b`, &breaches, func(r pgx.Rows) (ledger.ID, error) {
		var s scanned
		if err := r.Scan(s.booked()...); err != nil {
			return 0, err
		}
		b, err := s.asBooked()
		if err == nil && c.inReach(b.Trade) {
			c.booked(&have, &b)
		}
		return b.Trade, err
	})
	rows += n
	if err != nil {
		return rows, breaches, err
	}
	n, err = c.read(ctx, lifeName, `SELECT l.trade, l.trade_date, l.settle_date, l.state, `+lifeColumns+` FROM `+c.g.Table(lifeName)+` AS l`,
		&breaches, func(r pgx.Rows) (ledger.ID, error) {
			var s scanned
			var state string
			if err := r.Scan(append([]any{&s.trade, &s.tradeDate, &s.settleDate, &state}, s.life()...)...); err != nil {
				return 0, err
			}
			trade, l := ledger.ID(s.trade), s.lived()
			if !c.inReach(trade) {
				return trade, nil
			}
			c.dates(&have, trade, ledger.Date(s.tradeDate), ledger.Date(s.settleDate))
			c.lived(&have, trade, l)
			if should := l.reached(); string(should) != state {
				breaches.Add(trade.Seq(), "%s: trade %d is %q, should be %q", c.g.Table(lifeName), trade, state, should)
			}
			return trade, nil
		})
	rows += n
	if err != nil {
		return rows, breaches, err
	}
	err = c.compare(ctx, have, &breaches)
	return rows, breaches, err
}

// reached gives the state that the entries of a life lead to.
func (l life) reached() ledger.TradeState {
	switch {
	case l.canceled != 0:
		return ledger.TradeCanceled
	case l.settled != 0:
		return ledger.TradeSettled
	case l.opened != 0:
		return ledger.TradeOpen
	}
	return ledger.TradeNew
}

// inReach reports whether a trade can be one of the journal's up to the checkpoint.
func (c *checker) inReach(trade ledger.ID) bool {
	return trade > 0 && trade.Shard() == c.g.Shard && trade.Seq() >= 1 && trade.Seq() <= c.g.Checkpoint.Seq
}

// read goes through a table and names the rows of trades that can't be.
func (c *checker) read(
	ctx context.Context, name, sql string, breaches *projections.Breaches, row func(pgx.Rows) (ledger.ID, error),
) (n int64, err error) {
	table := c.g.Table(name)
	rows, err := c.tx.Query(ctx, sql)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", table, err)
	}
	defer rows.Close()
	for rows.Next() {
		n++
		trade, err := row(rows)
		if err != nil {
			return n, fmt.Errorf("read %s: %w", table, err)
		}
		if !c.inReach(trade) {
			breaches.Add(c.g.Checkpoint.Seq, "%s: trade %d is there, it is none of the journal's up to the checkpoint", table, trade)
		}
	}
	if err := rows.Err(); err != nil {
		return n, fmt.Errorf("read %s: %w", table, err)
	}
	return n, nil
}

// compare names what differs: the trade, if it is the only one of its block, else the block.
func (c *checker) compare(ctx context.Context, have [2][]fingerprint, breaches *projections.Breaches) error {
	for table, name := range [...]string{inTrades: Name, inLife: lifeName} {
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
