package loader

import (
	"context"
	"errors"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/tradefile"
)

const (
	readAhead     = 2       // batches: one is sent, one is read
	maxBatchBytes = 4 << 20 // of fields, half of what a message may have
)

// batch is a part of a file: rows, and what could not be read between them.
type batch struct {
	rows     []tradefile.Row // as many as fit; used[:] of them are filled
	used     int
	bytes    int
	rejects  []*tradefile.RowError
	end      error // what ended the file with this batch, io.EOF at its clean end
	pending  []*tradefile.Row
	commands []*bkv1.Command
}

func newBatch(rows int) *batch { return &batch{rows: make([]tradefile.Row, rows)} }

// read fills batches from free in a goroutine of its own, in the file's order, up to and with the one whose end is set.
func read(ctx context.Context, r *tradefile.Reader, free <-chan *batch, rows int) <-chan *batch {
	filled := make(chan *batch)
	go func() {
		for {
			var b *batch
			select {
			case b = <-free:
			case <-ctx.Done():
				return
			}
			b.fill(ctx, r, rows)
			select {
			case filled <- b:
			case <-ctx.Done():
				return
			}
			if b.end != nil {
				return
			}
		}
	}()
	return filled
}

// fill reads until the batch is full or the file ends.
func (b *batch) fill(ctx context.Context, r *tradefile.Reader, rows int) {
	b.used, b.bytes, b.rejects, b.end = 0, 0, b.rejects[:0], nil
	for b.used+len(b.rejects) < rows && b.bytes < maxBatchBytes && ctx.Err() == nil {
		row := &b.rows[b.used]
		err := r.Read(row)
		var bad *tradefile.RowError
		switch {
		case err == nil:
			b.used++
			b.bytes += row.Bytes
		case errors.As(err, &bad):
			b.rejects = append(b.rejects, bad)
		default:
			b.end = err
			return
		}
	}
}
