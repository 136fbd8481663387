package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	sweepRows  = 100                    // intents of one sweep
	sweepAfter = 500 * time.Millisecond // younger ones are under way
)

// sweep resolves intents of calls whose process or connection is gone: nobody holds their keys. Those on whose keys somebody works are left to him.
func (q *Queue) sweep(ctx context.Context) error {
	rows, err := q.pool.Query(ctx, `SELECT id, kind, keys, request, 0::float8 AS left FROM facade.intent WHERE opened_at < clock_timestamp() - $1::interval ORDER BY id LIMIT $2`,
		sweepAfter, sweepRows)
	if err != nil {
		return fmt.Errorf("look for intents: %w", err)
	}
	intents, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[intent])
	if err != nil {
		return fmt.Errorf("look for intents: %w", err)
	}
	for _, in := range intents {
		if err := q.try(ctx, in); err != nil {
			return fmt.Errorf("resolve intent %d: %w", in.ID, err)
		}
	}
	return nil
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
	rows, err := q.pool.Query(ctx, `SELECT id, kind, keys, request, 0::float8 AS left FROM facade.intent_given_up ORDER BY id DESC LIMIT $1`, sweepRows)
	if err != nil {
		return fmt.Errorf("look for calls that were given up: %w", err)
	}
	given, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[intent])
	if err != nil {
		return fmt.Errorf("look for calls that were given up: %w", err)
	}
	for _, in := range given {
		o, known, err := q.ask(ctx, in, false)
		if err != nil {
			return fmt.Errorf("ask for call %d: %w", in.ID, err)
		}
		if !known {
			continue
		}
		if o.accepted {
			q.cfg.Log.Error("Bank has done a call after all that it knew nothing of; the order of its accounts may differ in BK", "intent", in.ID, "kind", in.Kind, "keys", in.Keys)
		}
		if err := q.revive(ctx, in, o); err != nil {
			return fmt.Errorf("take call %d up again: %w", in.ID, err)
		}
	}
	return nil
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
