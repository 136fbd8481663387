package positions

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
)

// lineArrays are lines as arguments of a statement.
type lineArrays struct {
	accounts, instruments []int64
	currencies            []string
}

func (q *lineArrays) add(k lineKey) {
	q.accounts, q.instruments, q.currencies = append(q.accounts, k.account), append(q.instruments, k.instrument), append(q.currencies, k.currency.String())
}

// storedBlock is a row of the table of blocks, as it is scanned.
type storedBlock struct {
	date          int32
	trade, seq    int64
	mark, records []byte
}

func (s *storedBlock) columns() []any {
	return []any{&s.date, &s.trade, &s.seq, &s.mark, &s.records}
}

func (s *storedBlock) bound() place {
	return place{ledger.Date(s.date), ledger.ID(s.trade), uint64(s.seq)}
}

func (s *storedBlock) block() (*block, error) {
	b := &block{bound: s.bound(), stored: true}
	var err error
	if b.mark, err = parseMark(s.mark); err != nil {
		return nil, err
	}
	b.records, err = parseRecords(s.records, b.bound, make([]record, 0, b.count+1))
	if err == nil && len(b.records) != b.count {
		err = fmt.Errorf("%d records instead of %d", len(b.records), b.count)
	}
	return b, err
}

// loadEnds reads where the chunk's lines end, of those that are not remembered.
func (f *fold) loadEnds(ctx context.Context, tx pgx.Tx) error {
	var q lineArrays
	var unknown []*line
	for _, l := range f.touched {
		if !l.known {
			unknown = append(unknown, l)
			q.add(l.lineKey)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	table := f.g.Table(fillsName)
	rows, err := tx.Query(ctx, `SELECT g.n, x.* FROM unnest($1::bigint[], $2::bigint[], $3::text[]) WITH ORDINALITY AS g (a, i, c, n),
		LATERAL (SELECT t.first_date, t.first_trade, t.first_seq, t.mark FROM `+table+` AS t
			WHERE t.account = g.a AND t.instrument = g.i AND t.currency = g.c
			ORDER BY t.first_date DESC, t.first_trade DESC, t.first_seq DESC LIMIT 1) AS x`, q.accounts, q.instruments, q.currencies)
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	var n int64
	var s storedBlock
	_, err = pgx.ForEachRow(rows, []any{&n, &s.date, &s.trade, &s.seq, &s.mark}, func() (err error) {
		l := unknown[n-1]
		l.exists, l.bound = true, s.bound()
		if l.mark, err = parseMark(s.mark); err != nil {
			return f.fault(f.g.Checkpoint.Seq+1, fmt.Errorf("%s: a block is altered: %w", l.lineKey, err))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	return nil
}

// pendingBlock is a row to write.
type pendingBlock struct {
	lineKey
	bound place
	mark
	records []byte
	how     writing
}

// writing says what a block's row needs.
type writing int

const (
	insert   writing = iota // all
	extend                  // the records are appended
	replace                 // the records are replaced
	markOnly                // the records stay
	writings
)

// blockWriter gathers rows of the table of blocks and writes them, one statement for each way of writing.
type blockWriter struct {
	tx      pgx.Tx
	table   string
	pending [writings][]*pendingBlock
	count   int
}

// begin makes a row for the line's last block, to which the caller adds records and the mark.
func (w *blockWriter) begin(l *line, exists bool) *pendingBlock {
	p := &pendingBlock{lineKey: l.lineKey, bound: l.bound, how: insert}
	if exists {
		p.how = extend
	}
	w.put(p)
	return p
}

// add takes a block that was worked out anew.
func (w *blockWriter) add(k lineKey, b *block) {
	p := &pendingBlock{lineKey: k, bound: b.bound, mark: b.mark, how: markOnly}
	if b.changed {
		p.how, p.records = replace, appendRecords(nil, b.bound, b.records)
	}
	if !b.stored {
		p.how = insert
	}
	w.put(p)
}

func (w *blockWriter) put(p *pendingBlock) {
	w.pending[p.how] = append(w.pending[p.how], p)
	w.count++
}

func (w *blockWriter) flushIfFull(ctx context.Context) error {
	if w.count < flushAt {
		return nil
	}
	return w.flush(ctx)
}

func (w *blockWriter) flush(ctx context.Context) error {
	const where = ` WHERE t.account = a AND t.instrument = i AND t.currency = c AND t.first_date = d AND t.first_trade = p AND t.first_seq = s`
	const given = `(SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bytea[])
		AS g (a, i, c, d, p, s, l, m, r)) AS x`
	for how, sql := range [writings]string{
		insert:   `INSERT INTO ` + w.table + ` SELECT * FROM ` + given,
		extend:   `UPDATE ` + w.table + ` AS t SET latest = l, mark = m, records = t.records || r FROM ` + given + where,
		replace:  `UPDATE ` + w.table + ` AS t SET latest = l, mark = m, records = r FROM ` + given + where,
		markOnly: `UPDATE ` + w.table + ` AS t SET latest = l, mark = m FROM ` + given + where,
	} {
		if err := w.write(ctx, sql, w.pending[how]); err != nil {
			return fmt.Errorf("write %s: %w", w.table, err)
		}
		w.pending[how] = w.pending[how][:0]
	}
	w.count = 0
	return nil
}

// write gives the rows to a statement that must do something with each.
func (w *blockWriter) write(ctx context.Context, sql string, rows []*pendingBlock) error {
	n := len(rows)
	if n == 0 {
		return nil
	}
	var q lineArrays
	dates, trades, seqs, latest := make([]int32, n), make([]int64, n), make([]int64, n), make([]int64, n)
	marks, records := make([][]byte, n), make([][]byte, n)
	for i, b := range rows {
		q.add(b.lineKey)
		dates[i], trades[i], seqs[i], latest[i] = int32(b.bound.date), int64(b.bound.trade), int64(b.bound.seq), int64(b.latest)
		marks[i], records[i] = appendMark(nil, &b.mark), b.records
	}
	tag, err := w.tx.Exec(ctx, sql, q.accounts, q.instruments, q.currencies, dates, trades, seqs, latest, marks, records)
	if err == nil && tag.RowsAffected() != int64(n) {
		err = fmt.Errorf("%d rows written instead of %d", tag.RowsAffected(), n)
	}
	return err
}

// rowWriter writes the lines' rows.
type rowWriter struct{ exists []bool }

func (w *rowWriter) write(ctx context.Context, tx pgx.Tx, table string, lines []*line) error {
	const given = `(SELECT a, i, c, u::numeric(38,10), s::numeric(38,10), k::numeric(38,10), r::numeric(38,10)
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) AS g (a, i, c, u, s, k, r)) AS x (a, i, c, u, s, k, r)`
	for _, pass := range []struct {
		exists bool
		sql    string
	}{
		{true, `UPDATE ` + table + ` AS t SET unsettled = u, settled = s, cost = k, realised = r FROM ` + given + ` WHERE t.account = a AND t.instrument = i AND t.currency = c`},
		{false, `INSERT INTO ` + table + ` SELECT * FROM ` + given},
	} {
		var q lineArrays
		var columns [4][]string
		for i, l := range lines {
			if w.exists[i] != pass.exists {
				continue
			}
			q.add(l.lineKey)
			for j, a := range [...]ledger.Amount{l.end.Unsettled, l.end.Settled, l.end.cost, l.end.realised} {
				columns[j] = append(columns[j], a.String())
			}
		}
		if len(q.accounts) == 0 {
			continue
		}
		tag, err := tx.Exec(ctx, pass.sql, q.accounts, q.instruments, q.currencies, columns[0], columns[1], columns[2], columns[3])
		if err == nil && tag.RowsAffected() != int64(len(q.accounts)) {
			err = fmt.Errorf("%d rows written instead of %d", tag.RowsAffected(), len(q.accounts))
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", table, err)
		}
	}
	return nil
}
