package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bkledger/bk/ledger"
)

// commitLoop copies and commits batches on one connection, until there are no more or one fails.
func (t *term) commitLoop(ctx context.Context, conn *pgconn.PgConn) error {
	for {
		select {
		case b, more := <-t.toCommit:
			if !more {
				return nil
			}
			t.handedOver(b)
			if err := t.commit(ctx, conn, b); err != nil {
				return fmt.Errorf("journal: append entries up to %d: %w", b.seq, err)
			}
			t.answer(b)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// commit makes a batch durable: fence, COPY, and, once the batch before is committed, COMMIT. It is one message to Postgres, and one answer: nothing
// waits for the network in between.
func (t *term) commit(ctx context.Context, conn *pgconn.PgConn, b *batch) error {
	if b.rows.count == 0 {
		return b.follows(ctx)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, t.j.cfg.AppendTimeout)
	defer cancel()
	rows := io.MultiReader(bytes.NewReader(b.rows.bytes()), readerFunc(func([]byte) (int, error) {
		if err := b.follows(ctx); err != nil { // COPY fails, and COMMIT isn't reached
			return 0, err
		}
		return 0, io.EOF
	}))
	tag, err := conn.CopyFrom(ctx, rows, t.statement)
	switch {
	case fenced(err):
		return errFenced
	case err != nil:
		return fmt.Errorf("copy %d entries and commit: %w", b.rows.count, err)
	case tag.String() != "COMMIT":
		return fmt.Errorf("commit %d entries: the server answered %s", b.rows.count, tag)
	}
	t.j.metrics.appending.Observe(time.Since(began).Seconds())
	t.j.metrics.batch.Observe(float64(b.rows.count))
	return nil
}

// appendStatement is a transaction that appends rows in the format of COPY if an epoch is still the shard's, and fails with a division by zero if it isn't.
func appendStatement(shard uint16, epoch int64) string {
	return fmt.Sprintf("BEGIN; %s; %s; COMMIT", Fence(shard, epoch), copyRows)
}

const divisionByZero = "22012" // the state that Postgres gives it

func fenced(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == divisionByZero
}

// follows waits until the batch before is committed.
func (b *batch) follows(ctx context.Context) error {
	select {
	case <-b.previous:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// answer makes a committed batch visible and tells the callers. The order matters: keys before the head moves (a look-up trusts
// the filter up to the head), definitions and the head before the answers (a client reads its own writes).
func (t *term) answer(b *batch) {
	if len(b.entries) > 0 {
		t.filter.add(b.rows.keys, b.seq)
		for _, e := range b.entries {
			t.j.directory.Apply(e)
		}
		t.j.defined.Store(b.seq)
		t.j.tail.publish(b.entries, b.sizes)
		t.j.metrics.appended(b)
	}
	close(b.done)
	for _, p := range b.groups {
		p.finish()
	}
	t.settled(b)
}

// handedOver and settled keep the list of batches whose outcome is not known yet, in order.
func (t *term) handedOver(b *batch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = append(t.open, b)
}

func (t *term) settled(b *batch) {
	t.mu.Lock()
	for i := range t.open {
		if t.open[i] == b {
			t.open = append(t.open[:i], t.open[i+1:]...)
			break
		}
	}
	t.mu.Unlock()
	clear(b.entries)
	clear(b.groups)
	t.spare.Put(b)
}

// resolve tells the callers of a batch, whose commit got no answer, what became of it. It is called when the term that wrote it is
// over for good: a later epoch stands in the database, so its transaction has ended one way or the other.
func (j *Journal) resolve(ctx context.Context, b *batch) error {
	committed := false
	if found, err := j.store.bySeqs(ctx, []int64{int64(b.seq)}); err != nil {
		return err
	} else if e := found[b.seq]; e != nil {
		committed = e.Hash == b.hash
	}
	j.log.Warn("resolved an append whose outcome was not known", "up_to", ledger.MakeID(j.cfg.Shard, b.seq), "entries", len(b.entries), "committed", committed)
	for _, p := range b.groups {
		if committed {
			p.finish()
		} else {
			p.abandon(fmt.Errorf("%w: the append failed; nothing was booked", ErrNotLeader))
		}
	}
	return nil
}
