package positions

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// maxLines bounds how many lines the fold remembers the ends of, beyond those of the chunk in hand.
const maxLines = 1 << 17

// fold collects what a chunk does to lines, and applies it when it is stored: only then does it know what is there already.
type fold struct {
	extractor *extractor
	g         projections.Generation
	lines     map[lineKey]*line
	touched   []*line // in this chunk
}

// line is what the fold knows of a line: where it ends.
type line struct {
	lineKey
	ops   []op // of the chunk in hand, in journal order
	known bool // the rest is known
	// A line that has records has a row and at least one block, which ends as the line does.
	exists bool
	bound  place // of the last block
	mark
}

func (f *fold) Add(e *ledger.Entry) error {
	ops, err := f.extractor.ops(e)
	if err != nil {
		return err
	}
	for i := range ops {
		o := &ops[i]
		l := f.lines[o.line]
		if l == nil {
			l = &line{lineKey: o.line}
			f.lines[o.line] = l
		}
		if len(l.ops) == 0 {
			f.touched = append(f.touched, l)
		}
		l.ops = append(l.ops, o.op)
	}
	return nil
}

// Store applies the chunk: a few statements for all lines that only grow at their end, a few more for each lot of those that change
// before it.
func (f *fold) Store(ctx context.Context, tx pgx.Tx) (err error) {
	seq := f.g.Checkpoint.Seq
	defer func() {
		if v := recover(); v != nil { // an amount that overflows
			err = f.fault(seq+1, fmt.Errorf("panic: %v", v))
		}
	}()
	slices.SortFunc(f.touched, func(a, b *line) int { return a.compare(b.lineKey) }) // neighbours share pages
	if err := f.loadEnds(ctx, tx); err != nil {
		return err
	}
	var rows rowWriter
	for _, l := range f.touched {
		rows.exists = append(rows.exists, l.exists)
	}
	blocks := &blockWriter{tx: tx, table: f.g.Table(fillsName)}
	var before []*line // those that change before their end
	for _, l := range f.touched {
		if !l.onlyGrows() {
			before = append(before, l)
		} else if err := l.grow(blocks); err != nil {
			return f.stop(l, err)
		}
	}
	for lot := range slices.Chunk(before, linesAtOnce) {
		if err := f.rewrite(ctx, tx, lot, blocks); err != nil {
			return err
		}
	}
	if err := blocks.flush(ctx); err != nil {
		return err
	}
	if err := rows.write(ctx, tx, f.g.Table(Name), f.touched); err != nil {
		return err
	}
	f.forget()
	return nil
}

// forget makes ready for the next chunk.
func (f *fold) forget() {
	const keepOps = 16
	for _, l := range f.touched {
		l.exists, l.known = true, true
		if l.ops = l.ops[:0]; cap(l.ops) > keepOps {
			l.ops = nil
		}
	}
	if len(f.lines) > maxLines {
		clear(f.lines)
		for _, l := range f.touched[:min(len(f.touched), maxLines)] {
			f.lines[l.lineKey] = l
		}
	}
	clear(f.touched)
	f.touched = f.touched[:0]
}

// badOp is an op that can't be.
type badOp struct {
	seq uint64
	err error
}

func (b *badOp) Error() string { return b.err.Error() }

// stop makes a fault of what is wrong with a line.
func (f *fold) stop(l *line, err error) error {
	seq := l.ops[0].latest()
	if bad := (*badOp)(nil); errors.As(err, &bad) {
		seq = bad.seq
	}
	return f.fault(seq, fmt.Errorf("%s: %w", l.lineKey, err))
}

func (f *fold) fault(seq uint64, what error) error {
	return &projections.Fault{Projection: Name, Shard: f.g.Shard, Seq: seq, What: what.Error()}
}

// onlyGrows reports whether all that the chunk does to the line is to add records at its end.
func (l *line) onlyGrows() bool {
	end := l.last
	for i := range l.ops {
		if o := &l.ops[i]; o.cancel || o.compare(end) <= 0 {
			return false
		}
		end = l.ops[i].place
	}
	return true
}

// grow adds the records at the line's end. It makes the same blocks as [run.do] does.
func (l *line) grow(w *blockWriter) error {
	var b *pendingBlock
	for i := range l.ops {
		r := &l.ops[i].record
		switch {
		case l.count == maxRecords:
			if b != nil {
				b.mark = l.mark
			}
			l.bound, l.mark = r.place, mark{end: l.end}
			b = w.begin(l, false)
		case b == nil:
			b = w.begin(l, l.exists)
		}
		prev := l.last
		if l.count == 0 {
			prev = l.bound
		}
		b.records = appendRecord(b.records, prev, r)
		l.count, l.last, l.latest = l.count+1, r.place, max(l.latest, r.latest())
		if err := l.end.apply(r); err != nil {
			return &badOp{r.seq, err}
		}
	}
	b.mark = l.mark
	return nil
}
