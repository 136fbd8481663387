package bulk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

const publishAttempts = 12 // of lockTimeout each

// Finish reads all that was loaded and checks it (numbers without a gap, the hash chain from its start to the manifest's hash, each row's columns, postings that add up to zero, and
// the sums of each instrument), then makes it the journal and lets servers in. [ErrBroken], [ErrFenced]; after another error it can be called again.
func (l *Loader) Finish(ctx context.Context) error {
	id, epoch, done, err := l.begun()
	if err != nil || done {
		return err
	}
	began := time.Now()
	there, err := l.verify(ctx, id, epoch)
	if err != nil {
		return fmt.Errorf("bulk: finish: %w", fencedOr(err))
	}
	verified := time.Now()
	for attempt := 1; !there; attempt++ {
		err = l.publish(ctx, id, epoch)
		if !isState(err, "55P03") || attempt == publishAttempts { // lock_not_available
			break
		}
		l.log.Warn("a session is in the way of the journal's table; trying again", "error", err)
	}
	if err != nil {
		return fmt.Errorf("bulk: finish: let servers in: %w", fencedOr(err))
	}
	l.mu.Lock()
	l.done = true
	l.mu.Unlock()
	s := l.cfg.Manifest.Summary
	l.log.Info("bulk load done: servers may lead this ledger", "load", id, "head", s.Head, "hash", s.Hash.String(),
		"verified_in", verified.Sub(began).Round(time.Millisecond), "swapped_in", time.Since(verified).Round(time.Millisecond))
	return nil
}

// verify reads every row once, several chunks at a time, each from the hash that the manifest has for its beginning: together they are the chain. there: the load is done
// already, by a commit that got no answer.
func (l *Loader) verify(ctx context.Context, id, epoch int64) (there bool, err error) {
	err = pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, journal.Fence(l.cfg.Manifest.Shard, epoch)); err != nil {
			return err
		}
		if err := l.complete(ctx, tx, id); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE bk.bulk_load SET state = 'verifying', changed_at = now() WHERE id = $1 AND state <> 'done'`, id)
		there = err == nil && tag.RowsAffected() == 0
		return err
	})
	if err != nil || there {
		return there, err
	}
	var (
		total  = uint64(l.cfg.Manifest.Summary.Rows)
		read   atomic.Uint64
		mu     sync.Mutex
		all    sums
		others int64
	)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(l.cfg.Connections)
	for _, c := range l.cfg.Manifest.Chunks {
		group.Go(func() error {
			of, err := l.verifyChunk(groupCtx, c)
			if err != nil {
				return fmt.Errorf("chunk %d (entries %d to %d): %w", c.Number, c.First, c.Last, err)
			}
			mu.Lock()
			all.merge(of)
			mu.Unlock()
			l.cfg.Progress(read.Add(uint64(c.Rows)), total)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	if have, want := all.list(), l.cfg.Manifest.Summary.Sums; !slices.Equal(have, want) {
		return false, fmt.Errorf("%w: it moves %v, should move %v", ErrBroken, have, want)
	}
	for _, s := range all.list() {
		if s.In != s.Out {
			return false, fmt.Errorf("%w: instrument %d comes in with %s and goes out with %s", ErrBroken, s.Instrument, s.In, s.Out)
		}
	}
	head := int64(l.cfg.Manifest.Summary.Head)
	err = l.pool.QueryRow(ctx, `SELECT count(*) FROM bk.bulk_journal WHERE seq < 1 OR seq > $1`, head).Scan(&others)
	if err == nil && others > 0 {
		err = fmt.Errorf("%w: %d rows are outside of 1 to %d", ErrBroken, others, head)
	}
	return false, err
}

// complete sees whether all chunks are in, and are the manifest's.
func (l *Loader) complete(ctx context.Context, tx pgx.Tx, id int64) error {
	rows, err := tx.Query(ctx, `SELECT number, rows, sha256 FROM bk.bulk_chunk WHERE load = $1 ORDER BY number`, id)
	if err != nil {
		return fmt.Errorf("read which chunks are in: %w", err)
	}
	var number int
	var count int64
	var sum []byte
	next := 1
	_, err = pgx.ForEachRow(rows, []any{&number, &count, &sum}, func() error {
		if number != next {
			return fmt.Errorf("bulk: chunk %d is not loaded yet", next)
		}
		if c := l.cfg.Manifest.Chunks[number-1]; count != c.Rows || Hash(sum) != c.SHA256 {
			return fmt.Errorf("%w: chunk %d is in with %d rows and the SHA-256 %x", ErrBroken, number, count, sum)
		}
		next++
		return nil
	})
	if err == nil && next <= len(l.cfg.Manifest.Chunks) {
		err = fmt.Errorf("bulk: chunk %d is not loaded yet", next)
	}
	return err
}

// verifyChunk reads a chunk's rows and gives what they move.
func (l *Loader) verifyChunk(ctx context.Context, c ChunkMeta) (of sums, err error) {
	shard := l.cfg.Manifest.Shard
	rows, err := l.pool.Query(ctx, `SELECT seq, epoch, key_hash, subject, hash, payload FROM bk.bulk_journal WHERE shard = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq`,
		int16(shard), int64(c.First), int64(c.Last))
	if err != nil {
		return of, err
	}
	defer rows.Close()
	seq, hash := c.First, [32]byte(c.PrevHash)
	for ; rows.Next(); seq++ {
		row, err := journal.ScanRow(rows)
		if errors.Is(err, journal.ErrGap) {
			return of, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		if err != nil {
			return of, err
		}
		if err := checkRow(shard, seq, hash, &row, &of); err != nil {
			return of, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		hash = row.Hash
	}
	if err := rows.Err(); err != nil {
		return of, err
	}
	if seq != c.Last+1 {
		return of, fmt.Errorf("%w: entry %d is missing", ErrBroken, seq)
	}
	if hash != c.Hash {
		return of, fmt.Errorf("%w: the chain ends with the hash %x instead of %s", ErrBroken, hash, c.Hash)
	}
	return of, nil
}

func checkRow(shard uint16, seq uint64, prev [32]byte, row *journal.Row, of *sums) error {
	if row.Seq != seq {
		return fmt.Errorf("entry %d is missing", seq)
	}
	if journal.ChainNext(prev, shard, row) != row.Hash {
		return fmt.Errorf("the hash of entry %d does not follow from the one before and its content", seq)
	}
	e, err := row.Entry(shard)
	if err != nil {
		return err
	}
	if (row.KeyHash != nil) != (e.Key != "") || row.KeyHash != nil && *row.KeyHash != journal.KeyHash(e.Key) {
		return fmt.Errorf("entry %d: the column key_hash is not that of the key %q", seq, e.Key)
	}
	if subject, ok := journal.SubjectOf(e); (row.Subject != nil) != ok || ok && *row.Subject != subject {
		return fmt.Errorf("entry %d: the column subject does not fit the entry", seq)
	}
	if instrument, ok := ledger.Balanced(e.Postings); !ok {
		return fmt.Errorf("entry %d: the quantities of instrument %d do not add up to zero", seq, instrument)
	}
	of.add(e.Postings)
	return nil
}

// publish makes the rows the journal, moves the lease to its head, and ends the load, all at once.
func (l *Loader) publish(ctx context.Context, id, epoch int64) error {
	s, shard := l.cfg.Manifest.Summary, int16(l.cfg.Manifest.Shard)
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		for _, step := range []struct {
			sql  string
			args []any
		}{
			{lockTimeout, nil},
			{`SELECT bk.bulk_publish($1, $2)`, []any{shard, epoch}},
			{`UPDATE bk.lease SET seq = $2, hash = $3, beat = now() WHERE shard = $1`, []any{shard, int64(s.Head), s.Hash[:]}},
			{`DELETE FROM bk.key_filter WHERE shard = $1`, []any{shard}}, // of whatever was here once: a filter of other keys would hide these
			{`UPDATE bk.bulk_load SET state = 'done', changed_at = now() WHERE id = $1`, []any{id}},
		} {
			if _, err := tx.Exec(ctx, step.sql, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
}
