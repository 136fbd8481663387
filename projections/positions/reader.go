package positions

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

const (
	// maxScan bounds how many lines one page looks at where those without a position are left out.
	maxScan = 50_000
	// asOfLines is how many lines as of another time are read together, and maxReplayed how many records a page replays before it ends
	// with the line in hand.
	asOfLines   = 256
	maxReplayed = 1 << 20
)

// Reader reads positions, in any process.
type Reader struct{ runner *projections.Runner }

// NewReader makes a reader; the runner must have [Projection] among its projections.
func NewReader(runner *projections.Runner) *Reader { return &Reader{runner} }

// Positions gives one page. Pages of one list are each as of their own place in the journal, unless Query.KnownAt names one.
func (r *Reader) Positions(ctx context.Context, q Query) (page Page, err error) {
	if err := q.validate(); err != nil {
		return page, err
	}
	err = r.runner.View(ctx, Name, max(q.AtLeast, q.KnownAt), func(tx pgx.Tx, g projections.Generation) error {
		page = Page{Next: q.After, At: ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}, More: true}
		s := &scan{tx: tx, g: g, q: q, page: &page}
		if q.KnownAt >= g.Checkpoint.Seq {
			s.q.KnownAt = 0 // all that is there
		} else if q.KnownAt != 0 {
			page.At.Seq = q.KnownAt
		}
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("read positions: %w", err)
		}
		return nil
	})
	return page, err
}

// scan fills a page.
type scan struct {
	tx       pgx.Tx
	g        projections.Generation
	q        Query
	page     *Page
	replayed int // records
}

func (s *scan) run(ctx context.Context) error {
	past := s.q.AsOf != 0 || s.q.KnownAt != 0
	if past {
		// As in a chunk's transaction: a young table has no statistics, and reading all of it looks cheap.
		if _, err := s.tx.Exec(ctx, `SELECT set_config('enable_seqscan', 'off', true)`); err != nil {
			return err
		}
	}
	for scanned := 0; s.page.More && len(s.page.Rows) < s.q.Limit && scanned < maxScan && s.replayed < maxReplayed; {
		batch := max(s.q.Limit-len(s.page.Rows), 100)
		if past {
			batch = min(batch, asOfLines)
		}
		lines, err := s.lines(ctx, batch+1)
		if err != nil {
			return err
		}
		s.page.More = len(lines) > batch
		lines = lines[:min(len(lines), batch)]
		scanned += len(lines)
		if past {
			err = s.takePast(ctx, lines)
		} else {
			s.take(lines)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// row is a line's row.
type row struct {
	lineKey
	state
}

// take adds lines as they are now.
func (s *scan) take(lines []row) {
	for _, l := range lines {
		if len(s.page.Rows) == s.q.Limit {
			s.page.More = true
			return
		}
		s.page.take(s.q, l.key(), l.state)
	}
}

// lines gives the rows that follow the page's.
func (s *scan) lines(ctx context.Context, limit int) ([]row, error) {
	after := s.page.Next
	where, args := `(account, instrument, currency) > ($1, $2, $3)`, []any{after.Account, after.Instrument, after.Currency, limit}
	if s.q.Account != 0 {
		args = append(args, s.q.Account)
		where += fmt.Sprintf(" AND account = $%d", len(args))
	}
	if s.q.Instrument != 0 {
		args = append(args, s.q.Instrument)
		where += fmt.Sprintf(" AND instrument = $%d", len(args))
	}
	rows, err := s.tx.Query(ctx, `SELECT `+rowColumns+` FROM `+s.g.Table(Name)+` WHERE `+where+` ORDER BY account, instrument, currency LIMIT $4`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRow)
}

const rowColumns = `account, instrument, currency, unsettled::text, settled::text, cost::text, realised::text`

func scanRow(r pgx.CollectableRow) (row row, err error) {
	var code string
	var texts [4]string
	if err = r.Scan(&row.account, &row.instrument, &code, &texts[0], &texts[1], &texts[2], &texts[3]); err != nil {
		return row, err
	}
	ok := false
	if row.currency, ok = currencyOf(code); !ok {
		return row, fmt.Errorf("account %d, instrument %d: %q is no currency", row.account, row.instrument, code)
	}
	for i, a := range [...]*ledger.Amount{&row.Unsettled, &row.Settled, &row.cost, &row.realised} {
		if *a, err = projections.ParseSum(texts[i]); err != nil {
			return row, fmt.Errorf("%s: %w", row.lineKey, err)
		}
	}
	return row, nil
}

// takePast adds lines as they were. What was known then differs from what is known now from a certain block on: the state before
// it is there, and so is the one before the block in which the day ends; only what is between is replayed.
func (s *scan) takePast(ctx context.Context, lines []row) error {
	starts, err := s.starts(ctx, lines)
	if err != nil {
		return err
	}
	for i, l := range lines {
		if len(s.page.Rows) == s.q.Limit || i > 0 && s.replayed >= maxReplayed {
			s.page.More = true
			return nil
		}
		st, seen, err := s.replay(ctx, l.lineKey, &starts[i])
		if err != nil {
			return fmt.Errorf("%s: %w", l.lineKey, err)
		}
		if seen {
			s.page.take(s.q, l.key(), st)
		}
		s.page.Next = l.key()
	}
	return nil
}

// start is where the replay of a line begins.
type start struct {
	blocks  run  // the one that it begins in, and the one before, if there is one
	differs bool // from there on, from what is known now: so the blocks that follow count too
}

// starts finds where to begin. The block is the last one that begins on the day or before; or the first one of those that has a record which was not
// known.
func (s *scan) starts(ctx context.Context, lines []row) ([]start, error) {
	var q lineArrays
	for _, l := range lines {
		q.add(l.lineKey)
	}
	out := make([]start, len(lines))
	table := s.g.Table(fillsName)
	const same = ` AS t WHERE t.account = g.a AND t.instrument = g.i AND t.currency = g.c `
	const backwards = ` ORDER BY t.first_date DESC, t.first_trade DESC, t.first_seq DESC LIMIT `
	const bound = `t.first_date, t.first_trade, t.first_seq`
	known := int64(math.MaxInt64)
	if s.q.KnownAt != 0 {
		known = int64(s.q.KnownAt)
	}
	unknown := `SELECT g.n, x.* FROM unnest($1::bigint[], $2::bigint[], $3::text[]) WITH ORDINALITY AS g (a, i, c, n),
		LATERAL (SELECT ` + bound + ` FROM ` + table + same + `AND t.first_date <= $4 AND t.latest > $5 ORDER BY ` + bound + ` LIMIT 1) AS x`
	dates, trades, seqs := make([]int32, len(lines)), make([]int64, len(lines)), make([]int64, len(lines))
	for i := range lines {
		dates[i], trades[i], seqs[i] = s.lastDate(), math.MaxInt64, math.MaxInt64
	}
	var n int64
	var b storedBlock
	if s.q.KnownAt != 0 {
		rows, err := s.tx.Query(ctx, unknown, q.accounts, q.instruments, q.currencies, s.lastDate(), known)
		if err != nil {
			return nil, err
		}
		if _, err := pgx.ForEachRow(rows, []any{&n, &b.date, &b.trade, &b.seq}, func() error {
			out[n-1].differs = true
			dates[n-1], trades[n-1], seqs[n-1] = b.date, b.trade, b.seq
			return nil
		}); err != nil {
			return nil, err
		}
	}
	rows, err := s.tx.Query(ctx, `SELECT g.n, x.* FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::int[], $5::bigint[], $6::bigint[]) WITH ORDINALITY AS g (a, i, c, d, p, s, n),
		LATERAL (SELECT `+bound+`, t.mark, t.records FROM `+table+same+`AND (`+bound+`) <= (g.d, g.p, g.s)`+backwards+`2) AS x`,
		q.accounts, q.instruments, q.currencies, dates, trades, seqs)
	if err != nil {
		return nil, err
	}
	_, err = pgx.ForEachRow(rows, append([]any{&n}, b.columns()...), func() error {
		parsed, err := b.block()
		if err != nil {
			return fmt.Errorf("%s: a block is altered: %w", lines[n-1].lineKey, err)
		}
		out[n-1].blocks = append(out[n-1].blocks, parsed)
		return nil
	})
	for _, at := range out {
		slices.SortFunc(at.blocks, func(a, b *block) int { return a.bound.compare(b.bound) })
	}
	return out, err
}

// lastDate is the last day that counts.
func (s *scan) lastDate() int32 {
	if s.q.AsOf == 0 {
		return math.MaxInt32
	}
	return int32(s.q.AsOf)
}

// replay gives where a line stood, and whether it was there.
func (s *scan) replay(ctx context.Context, k lineKey, from *start) (st state, seen bool, err error) {
	v := view{s.q.AsOf, s.q.KnownAt}
	if st, seen, err = from.blocks.at(v); err != nil || !from.differs {
		s.replayed += maxRecords
		return st, seen, err
	}
	last := from.blocks[len(from.blocks)-1].bound
	rows, err := s.tx.Query(ctx, `SELECT first_date, first_trade, first_seq, mark, records FROM `+s.g.Table(fillsName)+`
		WHERE account = $1 AND instrument = $2 AND currency = $3 AND (first_date, first_trade, first_seq) > ($4, $5, $6) AND first_date <= $7
		ORDER BY first_date, first_trade, first_seq`,
		k.account, k.instrument, k.currency.String(), int32(last.date), int64(last.trade), int64(last.seq), s.lastDate())
	if err != nil {
		return st, seen, err
	}
	var b storedBlock
	_, err = pgx.ForEachRow(rows, b.columns(), func() error {
		parsed, err := b.block()
		if err != nil {
			return fmt.Errorf("a block is altered: %w", err)
		}
		s.replayed += parsed.count
		any, err := st.applyAll(parsed.records, v)
		seen = seen || any
		return err
	})
	return st, seen, err
}
