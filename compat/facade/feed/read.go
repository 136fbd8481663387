package feed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/idle"
)

// errTaken says that another reader has moved the place.
var errTaken = errors.New("another reader has gone on meanwhile")

const (
	standBy = 200 * time.Millisecond // between two looks whether the reader's lock is free
	silence = 30 * time.Second       // without even a heartbeat the stream is dead
	look    = 50 * time.Millisecond  // between two looks whether enough rows are done to read on
)

// read becomes the reader, and reads the journal into rows until something fails.
func (f *Feed) read(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, f.cfg.Pool.Config().ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("connect for the lock: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // the lock goes with the session, whatever happens
	}()
	for got := false; !got; {
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, f.cfg.LockRead).Scan(&got); err != nil {
			return fmt.Errorf("take the lock: %w", err)
		}
		if !got && !idle.For(ctx, standBy) {
			return nil
		}
	}
	// The rows go over the connection that has the lock: without it nothing is written.
	place, err := f.place(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	alive := time.AfterFunc(silence, func() { stop(fmt.Errorf("no message of BK's journal for %s", silence)) })
	defer alive.Stop()
	stream, err := f.cfg.Client.Query.WatchJournal(ctx, connect.NewRequest(&bkv1.WatchJournalRequest{After: token(place)}))
	if err != nil {
		return fmt.Errorf("watch BK's journal: %w", err)
	}
	defer stream.Close()
	t := &translator{books: f.cfg.Books, replaced: map[int64][]int64{}}
	for stream.Receive() {
		alive.Reset(silence)
		if place, err = f.take(ctx, conn, t, place, stream.Msg().GetEntries()); err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if err := f.room(ctx, alive); err != nil {
			return err
		}
	}
	return errors.Join(fmt.Errorf("watch BK's journal: %w", stream.Err()), context.Cause(ctx))
}

// take writes the rows of entries, and the place behind them, in one transaction.
func (f *Feed) take(ctx context.Context, conn *pgx.Conn, t *translator, place int64, entries []*bkv1.Entry) (int64, error) {
	if len(entries) == 0 {
		return place, nil
	}
	b := &pgx.Batch{}
	reached, same := place, f.cfg.Epoch()
	unmappable := 0
	for _, e := range entries {
		row, ok, err := t.row(ctx, e)
		if err != nil {
			return place, err
		}
		if ok && row.Kind == kindUnmappable {
			unmappable++
			f.cfg.Log.Error("Bank has no notion of an entry of BK: the systems differ by it", "entry", e.GetId(), "kind", e.GetKind())
		}
		if ok {
			insert(b, row)
		}
		if !t.within() { // else the place stays before what belongs together
			reached = e.GetSequence()
		}
		f.booked.Store(e.GetBookedAt().AsTime().UnixMilli())
	}
	if reached == place && b.Len() == 0 {
		return place, nil
	}
	rows := b.Len()
	b.Queue(`INSERT INTO facade.feed_place (sequence) VALUES ($2) ON CONFLICT (only_one) DO UPDATE SET sequence = $2 WHERE facade.feed_place.sequence = $1`, place, reached)
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := same(ctx, tx); err != nil {
			return err
		}
		results := tx.SendBatch(ctx, b)
		for range rows {
			if _, err := results.Exec(); err != nil {
				return errors.Join(err, results.Close())
			}
		}
		tag, err := results.Exec()
		if err == nil && tag.RowsAffected() == 0 {
			err = errTaken
		}
		return errors.Join(err, results.Close())
	})
	if err != nil {
		return place, fmt.Errorf("write rows behind sequence %d: %w", place, err)
	}
	if rows > 0 {
		f.worker.Wake()
	}
	return reached, nil
}

func insert(b *pgx.Batch, row backlog.Row) {
	if row.Kind == kindUnmappable {
		b.Queue(`INSERT INTO facade.feed (position, origin, epoch, kind, keys, size, request, done_at, outcome) VALUES ($1, $2, 0, $3, $4, $5, $6, clock_timestamp(), $7)`,
			row.Position, row.Origin, row.Kind, row.Keys, row.Size, row.Request, backlog.Unmappable)
		return
	}
	b.Queue(`INSERT INTO facade.feed (position, origin, epoch, kind, keys, size, request) VALUES ($1, $2, 0, $3, $4, $5, $6)`,
		row.Position, row.Origin, row.Kind, row.Keys, row.Size, row.Request)
}

// room waits until few enough rows wait. The stream waits meanwhile, and BK's server reads no further.
func (f *Feed) room(ctx context.Context, alive *time.Timer) error {
	for full := false; ; full = true {
		stats, err := f.store.Stats(ctx, f.cfg.Ahead)
		if err != nil {
			return err
		}
		if stats.Waiting < f.cfg.Ahead {
			return nil
		}
		if !full {
			f.cfg.Log.Info("the feed waits: enough rows wait for Bank", "rows", stats.Waiting)
		}
		if !idle.For(ctx, look) {
			return ctx.Err()
		}
		alive.Reset(silence)
	}
}

func token(sequence int64) string { return "0:" + strconv.FormatInt(sequence, 10) }

func sequenceOf(token string) (int64, error) {
	_, text, ok := strings.Cut(token, ":")
	sequence, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is no place in BK's journal", token)
	}
	return sequence, nil
}
