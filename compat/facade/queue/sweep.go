package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	sweepRows  = 100                    // intents in memory
	sweepTells = 5                      // errors of one sweep
	sweepAfter = 500 * time.Millisecond // younger ones are under way
)

// sweep resolves intents of calls whose process or connection is gone: nobody holds their keys. Those on whose keys somebody works are left to him.
func (q *Queue) sweep(ctx context.Context) error {
	const older = `SELECT id, kind, keys, request, 0::float8 AS left FROM facade.intent WHERE id > $1 AND opened_at < clock_timestamp() - $3::interval ORDER BY id LIMIT $2`
	return q.each(ctx, older, q.try, sweepAfter)
}

// each does something with all intents that a query gives, in pages: those above the id $1, up to $2. One that fails doesn't keep it from the others.
func (q *Queue) each(ctx context.Context, query string, do func(context.Context, *intent) error, args ...any) error {
	var errs []error
	failed := 0
	for last, more := int64(0), true; more && ctx.Err() == nil; {
		rows, err := q.pool.Query(ctx, query, append([]any{last, sweepRows}, args...)...)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("look for intents: %w", err))...)
		}
		page, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[intent])
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("look for intents: %w", err))...)
		}
		for _, in := range page {
			last = in.ID
			if err := do(ctx, in); err != nil {
				if failed++; failed <= sweepTells {
					errs = append(errs, fmt.Errorf("intent %d: %w", in.ID, err))
				}
			}
			if ctx.Err() != nil {
				break
			}
		}
		more = len(page) == sweepRows
	}
	if failed > sweepTells {
		errs = append(errs, fmt.Errorf("and %d more", failed-sweepTells))
	}
	return errors.Join(errs...)
}

// try resolves an intent if its keys are free.
func (q *Queue) try(ctx context.Context, in *intent) (err error) {
	conn, err := q.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			_, err = conn.Exec(ctx, unlockSQL)
		}
		if err != nil {
			drop(conn)
			return
		}
		conn.Release()
	}()
	lock := `SELECT pg_try_advisory_lock_shared($1)`
	if in.Kind == KindRoll {
		lock = `SELECT pg_try_advisory_lock($1)`
	}
	free := true
	if err := conn.QueryRow(ctx, lock, lockRoll).Scan(&free); err != nil || !free {
		return err
	}
	if err := conn.QueryRow(ctx, `SELECT coalesce(bool_and(pg_try_advisory_lock(l)), true) FROM unnest($1::bigint[]) AS l`, locksOf(in.Keys)).Scan(&free); err != nil || !free {
		return err
	}
	_, err = q.resolveChain(ctx, conn.Conn(), []int64{in.ID}, false)
	return err
}

// watch asks Bank again for calls that it knew nothing of. One that it did very late goes to the end of the queue: its accounts may have gone on meanwhile.
func (q *Queue) watch(ctx context.Context) error {
	if _, err := q.pool.Exec(ctx, `DELETE FROM facade.intent_given_up WHERE given_up_at < clock_timestamp() - $1::interval`, q.cfg.WatchFor); err != nil {
		return fmt.Errorf("forget calls: %w", err)
	}
	const given = `SELECT id, kind, keys, request, 0::float8 AS left FROM facade.intent_given_up WHERE id > $1 ORDER BY id LIMIT $2`
	return q.each(ctx, given, func(ctx context.Context, in *intent) error {
		o, known, err := q.ask(ctx, in, false)
		if err != nil || !known {
			return err
		}
		if o.accepted {
			q.cfg.Log.Error("Bank has done a call after all that it knew nothing of; the order of its accounts may differ in BK", "intent", in.ID, "kind", in.Kind, "keys", in.Keys)
		}
		return q.revive(ctx, in, o)
	})
}

// revive takes a call off the list, into the queue if it was done, under the locks that order the queue.
func (q *Queue) revive(ctx context.Context, in *intent, o outcome) error {
	return pgx.BeginFunc(ctx, q.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared($1)`, lockRoll); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT count(pg_advisory_xact_lock(l)) FROM unnest($1::bigint[]) AS l`, locksOf(in.Keys)); err != nil {
			return err
		}
		const taken = `WITH gone AS (DELETE FROM facade.intent_given_up WHERE id = $1 RETURNING *) `
		if !o.accepted {
			_, err := tx.Exec(ctx, taken+`SELECT FROM gone`, in.ID)
			return err
		}
		_, err := tx.Exec(ctx, taken+`INSERT INTO facade.queue (origin, epoch, kind, keys, size, request, answer) SELECT id, epoch, kind, keys, size, request, $2 FROM gone`,
			in.ID, json.RawMessage(o.answer))
		return err
	})
}
