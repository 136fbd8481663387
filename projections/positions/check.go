package positions

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// checker compares the records in the blocks with those that the journal makes, and replays the blocks. It does not hold the records, only a sum of
// their hashes for each line.
type checker struct {
	tx        pgx.Tx
	g         projections.Generation
	extractor *extractor
	want      map[lineKey]*sum
	scratch   []byte
	rows      int64
	breaches  projections.Breaches
}

// sum is a multiset of hashes: what is added in any order gives the same.
type sum [4]uint64

func (s *sum) add(data []byte) {
	h := sha256.Sum256(data)
	for i := range s {
		s[i] += binary.LittleEndian.Uint64(h[8*i:])
	}
}

// addRecord adds a record, and addCancel its cancel, as they come in the journal.
func (c *checker) addRecord(s *sum, r record) {
	r.canceled = 0
	c.scratch = appendRecord(append(c.scratch[:0], 'r'), place{}, &r)
	s.add(c.scratch)
}

func (c *checker) addCancel(s *sum, r *record) {
	c.scratch = append(c.scratch[:0], 'c')
	for _, v := range [...]uint64{uint64(r.date), uint64(r.trade), r.seq, r.canceled} {
		c.scratch = binary.BigEndian.AppendUint64(c.scratch, v)
	}
	s.add(c.scratch)
}

func newChecker(tx pgx.Tx, g projections.Generation, books Books) *checker {
	return &checker{tx: tx, g: g, extractor: newExtractor(books), want: map[lineKey]*sum{}}
}

func (c *checker) Add(_ context.Context, e *ledger.Entry) error {
	ops, err := c.extractor.ops(e)
	if err != nil {
		return err
	}
	for i := range ops {
		o := &ops[i]
		s := c.want[o.line]
		if s == nil {
			s = &sum{}
			c.want[o.line] = s
		}
		if o.cancel {
			c.addCancel(s, &o.record)
		} else {
			c.addRecord(s, o.record)
		}
	}
	return nil
}

func (c *checker) Finish(ctx context.Context) (int64, projections.Breaches, error) {
	stored, err := c.readRows(ctx)
	if err != nil {
		return 0, c.breaches, err
	}
	if err := c.readBlocks(ctx, stored); err != nil {
		return 0, c.breaches, err
	}
	for _, k := range sorted(stored) {
		if c.want[k] == nil {
			c.breach("%s: %s is there, no entry touches it", c.g.Table(Name), k)
		}
	}
	for _, k := range sorted(c.want) {
		c.breach("%s: %s is missing, with all its records", c.g.Table(fillsName), k)
	}
	return c.rows, c.breaches, nil
}

func sorted[V any](m map[lineKey]V) []lineKey {
	keys := make([]lineKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, lineKey.compare)
	return keys
}

func (c *checker) breach(format string, args ...any) {
	c.breaches.Add(c.g.Checkpoint.Seq, format, args...)
}

// readRows reads the lines' rows, as text: whatever it is, it is compared with what it should be.
func (c *checker) readRows(ctx context.Context) (map[lineKey][4]string, error) {
	table := c.g.Table(Name)
	rows, err := c.tx.Query(ctx, `SELECT `+rowColumns+` FROM `+table)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	stored := map[lineKey][4]string{}
	var k lineKey
	var code string
	var texts [4]string
	_, err = pgx.ForEachRow(rows, []any{&k.account, &k.instrument, &code, &texts[0], &texts[1], &texts[2], &texts[3]}, func() error {
		c.rows++
		var ok bool
		if k.currency, ok = currencyOf(code); !ok {
			c.breach("%s: account %d, instrument %d is there in %q, which is no currency", table, k.account, k.instrument, code)
			return nil
		}
		stored[k] = texts
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	return stored, nil
}

// checkedLine is the line whose blocks are being read.
type checkedLine struct {
	lineKey
	state  state
	last   place
	blocks int
	have   sum
	broken bool // some records can't be read: what follows is wrong as well
}

// readBlocks replays all blocks in order, and takes what it has seen out of the rows and out of what the journal makes.
func (c *checker) readBlocks(ctx context.Context, stored map[lineKey][4]string) error {
	table := c.g.Table(fillsName)
	rows, err := c.tx.Query(ctx, `SELECT account, instrument, currency, first_date, first_trade, first_seq, latest, mark, records FROM `+table+`
		ORDER BY account, instrument, currency, first_date, first_trade, first_seq`)
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	var line *checkedLine
	var k lineKey
	var code string
	var latest int64
	var b storedBlock
	_, err = pgx.ForEachRow(rows, []any{&k.account, &k.instrument, &code, &b.date, &b.trade, &b.seq, &latest, &b.mark, &b.records}, func() error {
		c.rows++
		var ok bool
		if k.currency, ok = currencyOf(code); !ok {
			c.breach("%s: account %d, instrument %d has a block in %q, which is no currency", table, k.account, k.instrument, code)
			return nil
		}
		if line == nil || line.lineKey != k {
			c.endLine(line, stored)
			line = &checkedLine{lineKey: k}
		}
		if what := c.block(line, &b, latest); what != "" {
			c.breach("%s: %s, block from %s, trade %d, entry %d: %s", table, k, b.bound().date, b.trade, b.seq, what)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	c.endLine(line, stored)
	return nil
}

// block takes a line's next block in, and says what is wrong with it.
func (c *checker) block(l *checkedLine, b *storedBlock, latest int64) string {
	bound := b.bound()
	records, err := parseRecords(b.records, bound, nil)
	if err != nil || len(records) == 0 || len(records) > maxRecords {
		l.broken = true
		return "its records can't be read"
	}
	l.blocks++
	first := l.blocks == 1
	if first && bound != (place{}) || !first && records[0].place != bound {
		return "it begins elsewhere: a block is missing, or moved"
	}
	for i := range records {
		r := &records[i]
		if r.compare(l.last) <= 0 {
			return fmt.Sprintf("entry %d is out of order", r.seq)
		}
		l.last = r.place
		c.addRecord(&l.have, *r)
		if r.canceled != 0 {
			c.addCancel(&l.have, r)
		}
	}
	at := block{bound: bound, records: records}
	if err := at.derive(&l.state); err != nil {
		return err.Error()
	}
	switch {
	case !bytes.Equal(appendRecords(nil, bound, records), b.records):
		return "its records are written in another way"
	case !bytes.Equal(appendMark(nil, &at.mark), b.mark):
		return fmt.Sprintf("it does not end as its records do: at %s unsettled, %s settled, cost %s, realised %s after %d records",
			l.state.Unsettled, l.state.Settled, l.state.cost, l.state.realised, len(records))
	case latest != int64(at.latest):
		return fmt.Sprintf("latest is %d, should be %d", latest, at.latest)
	}
	return ""
}

// endLine compares a line that was read to its end.
func (c *checker) endLine(l *checkedLine, stored map[lineKey][4]string) {
	if l == nil {
		return
	}
	want, wanted := c.want[l.lineKey]
	delete(c.want, l.lineKey)
	have, there := stored[l.lineKey]
	delete(stored, l.lineKey)
	switch {
	case !wanted:
		c.breach("%s: %s has records, no entry touches it", c.g.Table(fillsName), l.lineKey)
		return
	case *want != l.have && !l.broken:
		c.breach("%s: the records of %s are not those of the journal", c.g.Table(fillsName), l.lineKey)
	}
	if !there {
		c.breach("%s: %s is missing", c.g.Table(Name), l.lineKey)
		return
	}
	for i, a := range [...]ledger.Amount{l.state.Unsettled, l.state.Settled, l.state.cost, l.state.realised} {
		if text, err := projections.ParseSum(have[i]); !l.broken && (err != nil || text != a) {
			c.breach("%s: %s: %s is %s, should be %s by its records", c.g.Table(Name), l.lineKey, [...]string{"unsettled", "settled", "cost", "realised"}[i], have[i], a)
		}
	}
}
