package positions

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

const (
	// linesAtOnce is how many lines' blocks are loaded in one statement, and blocksAtOnce how many of each: at most 1152 blocks in
	// memory, 15 MB.
	linesAtOnce  = 128
	blocksAtOnce = 8
	// flushAt is how many blocks are written in one statement.
	flushAt = 4096
)

// rewrite applies the ops of lines that change before their end: it loads each line's blocks from the first that changes on, page by page, and
// works them out anew, until a block ends as it did before and nothing is left to do.
func (f *fold) rewrite(ctx context.Context, tx pgx.Tx, lot []*line, w *blockWriter) error {
	work := make([]*rewriting, 0, len(lot))
	for _, l := range lot {
		r := &rewriting{line: l, ops: make([]*op, len(l.ops))}
		for i := range l.ops {
			r.ops[i] = &l.ops[i]
		}
		// By place; within a block they are put back in the order in which they came.
		slices.SortStableFunc(r.ops, func(a, b *op) int { return a.compare(b.place) })
		r.from = r.ops[0].place
		work = append(work, r)
	}
	for first := true; len(work) > 0; first = false {
		if err := f.loadRuns(ctx, tx, work, first); err != nil {
			return err
		}
		for _, r := range work {
			if err := r.page(w); err != nil {
				return f.stop(r.line, err)
			}
		}
		if err := w.flushIfFull(ctx); err != nil {
			return err
		}
		work = slices.DeleteFunc(work, func(r *rewriting) bool { return r.done })
	}
	return nil
}

// rewriting is a line that is being worked out anew.
type rewriting struct {
	*line
	ops   []*op // that are left, by place
	from  place // the first block of the next page is the one that this belongs to
	state state // before the next page
	run   run   // the page, and the first block after it, if there is one
	done  bool
}

// page works out the blocks of a page.
func (r *rewriting) page(w *blockWriter) error {
	if len(r.run) == 0 { // the line is new, or the page before was the last: the former
		r.run = run{&block{}}
	}
	whole := r.run
	ends := len(whole) <= blocksAtOnce
	if !ends {
		whole = whole[:blocksAtOnce]
		r.from = r.run[blocksAtOnce].bound
	}
	for i, b := range whole {
		last := ends && i == len(whole)-1
		var mine []*op
		if last {
			mine, r.ops = r.ops, nil
		} else {
			next := r.run[i+1].bound
			n, _ := slices.BinarySearchFunc(r.ops, next, func(o *op, p place) int { return o.compare(p) })
			mine, r.ops = r.ops[:n], r.ops[n:]
		}
		if err := r.block(b, mine, last, w); err != nil {
			return err
		}
		if r.done {
			return nil
		}
	}
	r.done = ends
	return nil
}

// block works out one block, which may become several.
func (r *rewriting) block(b *block, mine []*op, last bool, w *blockWriter) error {
	slices.SortFunc(mine, func(a, b *op) int { return cmp.Compare(a.latest(), b.latest()) })
	was, parts := b.end, run{b}
	for _, o := range mine {
		var err error
		if parts, _, err = parts.do(o, last); err != nil {
			return &badOp{o.latest(), err}
		}
	}
	for _, part := range parts {
		if err := part.derive(&r.state); err != nil {
			return &badOp{part.latest, err}
		}
		w.add(r.lineKey, part)
	}
	if end := parts[len(parts)-1]; last {
		r.line.bound, r.line.mark = end.bound, end.mark
	} else if len(r.ops) == 0 && end.end == was {
		r.done = true // from here on nothing is different
	}
	return nil
}

// loadRuns loads the next page of each line: the block that its place belongs to and those after it; at first also where the line stood before.
func (f *fold) loadRuns(ctx context.Context, tx pgx.Tx, work []*rewriting, first bool) error {
	var q lineArrays
	var dates []int32
	var trades, seqs []int64
	for _, r := range work {
		q.add(r.lineKey)
		dates, trades, seqs = append(dates, int32(r.from.date)), append(trades, int64(r.from.trade)), append(seqs, int64(r.from.seq))
		r.run = r.run[:0]
	}
	back := 1 // blocks up to the place
	if first {
		back = 2
	}
	const columns = `t.first_date, t.first_trade, t.first_seq, t.mark, t.records`
	table := f.g.Table(fillsName)
	const same = ` AS t WHERE t.account = g.a AND t.instrument = g.i AND t.currency = g.c AND (t.first_date, t.first_trade, t.first_seq) `
	rows, err := tx.Query(ctx, `SELECT g.n, x.* FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::int[], $5::bigint[], $6::bigint[]) WITH ORDINALITY AS g (a, i, c, d, p, s, n),
		LATERAL (
			(SELECT `+columns+` FROM `+table+same+`<= (g.d, g.p, g.s) ORDER BY t.first_date DESC, t.first_trade DESC, t.first_seq DESC LIMIT $7)
			UNION ALL
			(SELECT `+columns+` FROM `+table+same+`> (g.d, g.p, g.s) ORDER BY t.first_date, t.first_trade, t.first_seq LIMIT $8)
		) AS x`, q.accounts, q.instruments, q.currencies, dates, trades, seqs, back, blocksAtOnce)
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	var n int64
	var stored storedBlock
	_, err = pgx.ForEachRow(rows, append([]any{&n}, stored.columns()...), func() error {
		r := work[n-1]
		b, err := stored.block()
		if err != nil {
			return f.fault(f.g.Checkpoint.Seq+1, fmt.Errorf("%s: a block is altered: %w", r.lineKey, err))
		}
		r.run = append(r.run, b)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	for _, r := range work {
		slices.SortFunc(r.run, func(a, b *block) int { return a.bound.compare(b.bound) })
		if first && len(r.run) > 1 && r.run[1].bound.compare(r.from) <= 0 {
			r.state = r.run[0].end
			r.run = slices.Delete(r.run, 0, 1)
		}
		if r.exists && len(r.run) == 0 {
			return f.fault(f.g.Checkpoint.Seq+1, fmt.Errorf("%s: its blocks are missing", r.lineKey))
		}
	}
	return nil
}
