package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// standbyPoll is how often a standby looks whether the writer is gone, and how far the journal is.
const standbyPoll = 200 * time.Millisecond

// advisoryClass is the first key of the advisory lock that a writer's session holds; the second is the shard.
const advisoryClass = 0x626b // "bk"

// tryLead takes the shard over if its writer is gone: if nobody holds the writer's advisory lock (a session that died gives it up at
// once), or if the lease has run out (a writer that hangs; its sessions are ended first). It gives nil while there is a writer.
func (j *Journal) tryLead(ctx context.Context, lock *pgx.Conn) (*term, *sequencer, error) {
	var locked, readOnly bool
	limited, cancel := context.WithTimeout(ctx, j.cfg.AppendTimeout)
	defer cancel()
	err := lock.QueryRow(limited, `SELECT pg_try_advisory_lock($1, $2), pg_is_in_recovery()`, advisoryClass, int32(j.cfg.Shard)).Scan(&locked, &readOnly)
	if err != nil {
		return nil, nil, fmt.Errorf("journal: ask for the writer's lock: %w", err)
	}
	if readOnly {
		return nil, nil, errors.New("journal: this database node is read-only")
	}
	if !locked {
		return nil, nil, j.endHangingWriter(limited, lock)
	}
	if _, err := lock.Exec(limited, `SELECT set_config('application_name', $1, false)`, j.sessionName("bk-writer")); err != nil {
		return nil, nil, fmt.Errorf("journal: name the writer's session: %w", err)
	}
	epoch, err := j.raiseEpoch(limited, lock)
	if err != nil {
		return nil, nil, err
	}
	t := &term{
		j: j, epoch: epoch, lock: lock, filter: &keyFilter{},
		queue: make(chan *Pending, j.cfg.MaxInFlight+MaxHeld), toCommit: make(chan *batch), draining: make(chan struct{}),
		statement: appendStatement(j.cfg.Shard, epoch),
	}
	// However long the loading takes, the other standbys see that somebody is at it.
	loading, stop := context.WithCancel(ctx)
	t.stopLoading = stop
	go j.beatWhileLoading(loading, epoch)
	s, err := j.load(ctx, t)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return t, s, nil
}

// beatWhileLoading renews the lease of a term that is not led yet, without a word about how far the journal is acknowledged.
func (j *Journal) beatWhileLoading(ctx context.Context, epoch int64) {
	ticker := time.NewTicker(j.cfg.Lease / 5)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_, err := j.pool.Exec(ctx, `UPDATE bk.lease SET beat = now() WHERE shard = $1 AND epoch = $2`, int16(j.cfg.Shard), epoch)
			if err != nil && ctx.Err() == nil {
				j.log.Warn("could not renew the lease while loading", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// endHangingWriter ends the sessions of a writer whose lease has run out.
func (j *Journal) endHangingWriter(ctx context.Context, lock *pgx.Conn) error {
	var expired bool
	err := lock.QueryRow(ctx, `SELECT beat < clock_timestamp() - $2::bigint * interval '1 microsecond' FROM bk.lease WHERE shard = $1`,
		int16(j.cfg.Shard), j.cfg.Lease.Microseconds()).Scan(&expired)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !expired {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: read the lease: %w", err)
	}
	j.log.Warn("the writer's lease has run out: ending its sessions", "shard", j.cfg.Shard)
	return j.endSessions(ctx, lock)
}

// endSessions ends the writer's sessions on this shard, all but this one, with the rights of the login role, whose they are.
func (j *Journal) endSessions(ctx context.Context, lock *pgx.Conn) error {
	batch := &pgx.Batch{}
	batch.Queue("RESET ROLE")
	batch.Queue(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()`, j.sessionName("bk-writer"))
	batch.Queue("SET ROLE " + appRole)
	if err := lock.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("journal: end the sessions of the former writer: %w", err)
	}
	return nil
}

// raiseEpoch fences all former writers and takes the lease. It waits for an append of theirs that is on its way, not for long.
func (j *Journal) raiseEpoch(ctx context.Context, lock *pgx.Conn) (epoch int64, err error) {
	for {
		err = pgx.BeginFunc(ctx, lock, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '1s'"); err != nil {
				return err
			}
			if epoch, err = Raise(ctx, tx, j.cfg.Shard, j.cfg.Owner, 0); err != nil {
				return err
			}
			// Behind the lock on the shard's row: a load that has begun is seen, and one that has not will find the epoch raised.
			return checkLoading(ctx, tx, j.cfg.Shard)
		})
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != "55P03" { // lock_not_available
			break
		}
		j.log.Warn("the former writer hangs in a transaction: ending its sessions", "shard", j.cfg.Shard)
		if err := j.endSessions(ctx, lock); err != nil {
			return 0, err
		}
	}
	if err != nil {
		return 0, fmt.Errorf("journal: raise the epoch: %w", err)
	}
	return epoch, nil
}

// load reads what the sequencer needs to know of the journal, and checks that nothing acknowledged is missing.
func (j *Journal) load(ctx context.Context, t *term) (*sequencer, error) {
	head, hash, err := j.store.head(ctx)
	if err != nil {
		return nil, err
	}
	if err := j.checkTail(ctx, head); err != nil {
		return nil, err
	}
	if err := j.follow(ctx, head, hash); err != nil {
		return nil, err
	}
	if t.saved, err = t.filter.load(ctx, j.store, head); err != nil {
		return nil, err
	}
	if _, err := t.lock.Exec(ctx, `SELECT bk.add_segment(n) FROM generate_series($1::bigint, $1::bigint + 1) n`, int64(head/segmentEntries)); err != nil {
		return nil, fmt.Errorf("journal: make partitions: %w", err)
	}
	s := &sequencer{j: j, t: t, next: head + 1, hash: hash}
	s.window = newWindow(head+1, perCommand*j.cfg.MaxInFlight+MaxHeld+j.cfg.MaxBatch, (perCommand*j.cfg.MaxInFlight+MaxHeld)*unitBytes)
	if head > 0 {
		last, err := j.store.read(ctx, head-1, 1)
		if err != nil {
			return nil, err
		}
		s.lastTime = last[0].BookedAt
	}
	if s.day, err = j.store.businessDay(ctx, head); err != nil {
		return nil, err
	}
	j.filter.Store(t.filter)
	return s, nil
}

// checkTail compares the journal's end with what the last writer had acknowledged.
func (j *Journal) checkTail(ctx context.Context, head uint64) error {
	var seq int64
	var acknowledged []byte
	err := j.pool.QueryRow(ctx, `SELECT seq, hash FROM bk.lease WHERE shard = $1`, int16(j.cfg.Shard)).Scan(&seq, &acknowledged)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && seq == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: read the lease: %w", err)
	}
	found, err := j.store.bySeqs(ctx, []int64{seq})
	if err != nil {
		return err
	}
	if e := found[uint64(seq)]; e == nil || string(e.Hash[:]) != string(acknowledged) {
		return fmt.Errorf("%w: shard %d ends at %d, entry %d had been acknowledged with hash %x", ErrTailCut, j.cfg.Shard, head, seq, acknowledged)
	}
	return nil
}
