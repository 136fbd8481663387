package statement

import (
	"bytes"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// checker folds on its own, plainly, and compares each block as it ends. It holds all balances and one block.
type checker struct {
	tx       pgx.Tx
	g        projections.Generation
	balances map[projections.Key]projections.Holding
	block    uint64
	want     map[int64]*wanted // rows of the block by account
	rows     int64
	breaches projections.Breaches
}

type wanted struct {
	offsets []int16
	bytes   []byte // offsets as they should be stored
	text    []byte
	seen    map[int64]bool // instruments

	firstDate, lastDate ledger.Date // effective
}

func newChecker(tx pgx.Tx, g projections.Generation) *checker {
	return &checker{tx: tx, g: g, balances: map[projections.Key]projections.Holding{}, want: map[int64]*wanted{}}
}

func (c *checker) Add(ctx context.Context, e *ledger.Entry) (err error) {
	seq := e.ID.Seq()
	if seq/blockEntries != c.block {
		if err := c.compareBlock(ctx); err != nil {
			return err
		}
		c.block = seq / blockEntries
	}
	for _, p := range e.Postings {
		w := c.want[p.Account]
		if w == nil {
			w = &wanted{seen: map[int64]bool{}, firstDate: e.EffectiveDate, lastDate: e.EffectiveDate}
			c.want[p.Account] = w
		}
		offset := int16(seq % blockEntries)
		if n := len(w.offsets); n == 0 || w.offsets[n-1] != offset {
			distance := offset
			if n > 0 {
				distance -= w.offsets[n-1]
			}
			w.offsets, w.bytes = append(w.offsets, offset), appendOffset(w.bytes, uint64(distance))
			w.firstDate, w.lastDate = min(w.firstDate, e.EffectiveDate), max(w.lastDate, e.EffectiveDate)
		}
		key := projections.Key{Account: p.Account, Instrument: p.Instrument}
		if !w.seen[p.Instrument] {
			w.seen[p.Instrument] = true
			w.text = opening{p.Instrument, c.balances[key]}.append(w.text)
		}
		if c.balances[key], err = c.balances[key].Add(p); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) compareBlock(ctx context.Context) error {
	first := c.block * blockEntries
	rows, err := c.tx.Query(ctx, `SELECT account, offsets, openings, first_date, last_date FROM `+c.g.Table(Name)+` WHERE block = $1`, int64(c.block))
	if err != nil {
		return fmt.Errorf("read block %d of %s: %w", c.block, c.g.Table(Name), err)
	}
	var account int64
	var offsets []byte
	var openings string
	var firstDate, lastDate ledger.Date
	_, err = pgx.ForEachRow(rows, []any{&account, &offsets, &openings, &firstDate, &lastDate}, func() error {
		c.rows++
		w := c.want[account]
		delete(c.want, account)
		switch {
		case w == nil:
			c.breaches.Add(first, "%s: account %d has a row for entries %d to %d, none of them touches it",
				c.g.Table(Name), account, first, first+blockEntries-1)
		case !bytes.Equal(w.bytes, offsets):
			c.breaches.Add(first+uint64(w.offsets[0]), "%s: account %d, block %d lists entries %s, should be %s",
				c.g.Table(Name), account, c.block, short(listed(offsets)), short(fmt.Sprint(w.offsets)))
		case string(w.text) != openings:
			c.breaches.Add(first+uint64(w.offsets[0]), "%s: account %d, block %d opens with %s, should be %s",
				c.g.Table(Name), account, c.block, short(openings), short(string(w.text)))
		case w.firstDate != firstDate || w.lastDate != lastDate:
			c.breaches.Add(first+uint64(w.offsets[0]), "%s: account %d, block %d is effective from %d to %d, should be from %d to %d",
				c.g.Table(Name), account, c.block, firstDate, lastDate, w.firstDate, w.lastDate)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read block %d of %s: %w", c.block, c.g.Table(Name), err)
	}
	for account, w := range c.want {
		c.breaches.Add(first+uint64(w.offsets[0]), "%s: account %d, block %d is missing", c.g.Table(Name), account, c.block)
	}
	clear(c.want)
	return nil
}

// listed gives stored offsets as text.
func listed(b []byte) string {
	offsets, err := parseOffsets(b)
	if err != nil {
		return fmt.Sprintf("%x (%v)", b, err)
	}
	return fmt.Sprint(offsets)
}

func short(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

func (c *checker) Finish(ctx context.Context) (int64, projections.Breaches, error) {
	if err := c.compareBlock(ctx); err != nil {
		return 0, c.breaches, err
	}
	var beyond int64
	err := c.tx.QueryRow(ctx, `SELECT count(*) FROM `+c.g.Table(Name)+` WHERE block > $1 OR block < 0`, int64(c.block)).Scan(&beyond)
	if err != nil {
		return 0, c.breaches, fmt.Errorf("read %s: %w", c.g.Table(Name), err)
	}
	if beyond > 0 {
		c.breaches.Add((c.block+1)*blockEntries, "%s: %d rows are about entries beyond the checkpoint", c.g.Table(Name), beyond)
	}
	rows, breaches, err := projections.CompareTotals(ctx, c.tx, c.g.Table(totalsName), c.balances, c.g.Checkpoint.Seq)
	c.breaches.Merge(breaches)
	return c.rows + rows, c.breaches, err
}
