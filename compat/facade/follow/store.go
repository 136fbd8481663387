package follow

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/queue"
)

// errWindow says that the window was opened or closed while events were read.
var errWindow = errors.New("the window has changed")

// window is which events are followed.
type window struct {
	Epoch int64
	After int64
	UpTo  *int64
	Seen  int64
	Date  bank.Date
}

func (w *window) has(id int64) bool { return id > w.After && (w.UpTo == nil || id <= *w.UpTo) }

// Open begins an epoch in which Bank is alone: its events behind after are followed, from the business date that both systems have. It is part of the step into it,
// in its transaction. Where they stand in Kafka is known from the last time that it was asked for in the epoch before (facade.bank_place): Kafka may be away now.
func (f *Follower) Open(ctx context.Context, tx pgx.Tx, epoch int64, after bank.ID, date bank.Date) error {
	_, err := tx.Exec(ctx, `INSERT INTO facade.follow_window (epoch, after, seen, date) VALUES ($1, $2, $2, $3)`, epoch, int64(after), int32(date))
	if err == nil {
		err = start(ctx, tx, epoch, int64(after))
	}
	if err != nil {
		return fmt.Errorf("open the window of epoch %d: %w", epoch, err)
	}
	return nil
}

// start says where a window's events begin in Kafka, as far as that is known.
func start(ctx context.Context, tx pgx.Tx, epoch, after int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO facade.follow_offset AS had (topic, partition, next)
		SELECT o.topic, o.partition, o.next FROM (SELECT offsets FROM facade.bank_place WHERE epoch = $1 - 1 AND event_id <= $2 AND offsets IS NOT NULL ORDER BY id DESC LIMIT 1) AS p,
			json_to_recordset(p.offsets) AS o (topic text, partition int, next bigint)
		ON CONFLICT (topic, partition) DO UPDATE SET next = greatest(had.next, excluded.next)`, epoch, after)
	return err
}

// adopt opens the window of a bank-only epoch that was entered while the façade had no Kafka.
func (f *Follower) adopt(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, f.cfg.Pool, func(tx pgx.Tx) error {
		// No epoch is entered meanwhile.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared($1)`, queue.LockEpoch); err != nil {
			return err
		}
		var epoch, after int64
		err := tx.QueryRow(ctx, `INSERT INTO facade.follow_window (epoch, after, seen, date)
			SELECT epoch, bank_event_id, bank_event_id, business_date FROM facade.mode WHERE epoch = (SELECT max(epoch) FROM facade.mode) AND mode = $1
			ON CONFLICT DO NOTHING RETURNING epoch, after`, string(mode.BankOnly)).Scan(&epoch, &after)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return start(ctx, tx, epoch, after)
	})
	if err != nil {
		return fmt.Errorf("open the window of the present epoch: %w", err)
	}
	return nil
}

// Close ends it: later events are none of its. It is part of the step out of it, after [Follower.Caught]; an error if Bank has gone on since.
func (f *Follower) Close(ctx context.Context, tx pgx.Tx, upTo bank.ID) error {
	var behind, gap bool
	err := tx.QueryRow(ctx, `WITH closed AS (UPDATE facade.follow_window SET up_to = greatest(after, $1) WHERE up_to IS NULL RETURNING seen)
		SELECT coalesce(bool_or(seen < $1), false) FROM closed`, int64(upTo)).Scan(&behind)
	if err == nil { // behind the window's lock: whoever notes one has it, too
		err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM facade.follow_gap WHERE closed_at IS NULL)`).Scan(&gap)
	}
	if err != nil {
		return fmt.Errorf("close the window: %w", err)
	}
	if gap {
		return fmt.Errorf("close the window: %w", ErrGap)
	}
	if behind {
		return fmt.Errorf("close the window: Bank's events up to %s are not all in the queue", upTo)
	}
	return nil
}

// current gives the open window; ok is false if there is none.
func (f *Follower) current(ctx context.Context) (w window, ok bool, err error) {
	rows, err := f.cfg.Pool.Query(ctx, `SELECT epoch, after, up_to, seen, date FROM facade.follow_window WHERE up_to IS NULL ORDER BY epoch DESC LIMIT 1`)
	if err != nil {
		return w, false, fmt.Errorf("read the window: %w", err)
	}
	w, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[window])
	if errors.Is(err, pgx.ErrNoRows) {
		return w, false, nil
	}
	if err != nil {
		return w, false, fmt.Errorf("read the window: %w", err)
	}
	return w, true, nil
}

func (f *Follower) offsets(ctx context.Context) (map[place]int64, error) {
	rows, err := f.cfg.Pool.Query(ctx, `SELECT topic, partition, next FROM facade.follow_offset`)
	if err != nil {
		return nil, fmt.Errorf("read offsets: %w", err)
	}
	offsets := map[place]int64{}
	var at place
	var next int64
	if _, err := pgx.ForEachRow(rows, []any{&at.topic, &at.partition, &next}, func() error { offsets[at] = next; return nil }); err != nil {
		return nil, fmt.Errorf("read offsets: %w", err)
	}
	return offsets, nil
}

// seen gives those of events that are in the queue already.
func (f *Follower) seen(ctx context.Context, events []*event) (map[int64]bool, error) {
	ids := make([]int64, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	rows, err := f.cfg.Pool.Query(ctx, `SELECT event_id FROM facade.follow_seen WHERE event_id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("look for repeats: %w", err)
	}
	seen := map[int64]bool{}
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { seen[id] = true; return nil }); err != nil {
		return nil, fmt.Errorf("look for repeats: %w", err)
	}
	return seen, nil
}

// write puts items into the queue, in their order, and keeps what that was, in one transaction: over the connection that has the follower's lock, so that
// without it nothing is written.
func (f *Follower) write(ctx context.Context, conn *pgx.Conn, w *window, items []item, offsets map[place]int64) error {
	b := &pgx.Batch{}
	var streams []string
	var ids []int64
	date := w.Date
	for _, i := range items {
		if !i.none {
			row, err := i.row(w.Epoch)
			if err != nil {
				return err
			}
			b.Queue(`INSERT INTO facade.queue (origin, epoch, kind, keys, size, request, answer) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				row.Origin, row.Epoch, row.Kind, row.Keys, row.Size, row.Request, row.Answer)
		}
		for _, e := range i.events {
			streams, ids = append(streams, e.place.topic), append(ids, e.ID)
		}
		date = max(date, i.date)
	}
	if len(ids) > 0 {
		b.Queue(`INSERT INTO facade.follow_seen (stream, event_id) SELECT s, e FROM unnest($1::text[], $2::bigint[]) AS g (s, e) ON CONFLICT DO NOTHING`, streams, ids)
	}
	for at, next := range offsets {
		b.Queue(`INSERT INTO facade.follow_offset (topic, partition, next) VALUES ($1, $2, $3) ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next`,
			at.topic, at.partition, next)
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// A step out of the window waits for this, or this sees it.
		tag, err := tx.Exec(ctx, `UPDATE facade.follow_window SET seen = greatest(seen, $2), date = $3 WHERE epoch = $1 AND up_to IS NULL`, w.Epoch, w.Seen, int32(date))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errWindow
		}
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("write %d rows: %w", len(items), err)
	}
	w.Date = date
	return nil
}

// prune forgets repeats that can't come any more.
func (f *Follower) prune(ctx context.Context) error {
	_, err := f.cfg.Pool.Exec(ctx, `DELETE FROM facade.follow_seen WHERE (stream, event_id) IN (
		SELECT stream, event_id FROM facade.follow_seen WHERE seen_at < clock_timestamp() - $1::interval LIMIT 10000)`, keepSeen)
	if err != nil {
		return fmt.Errorf("forget old events: %w", err)
	}
	return nil
}
