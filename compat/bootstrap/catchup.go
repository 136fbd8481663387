package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/facade/follow"
	"github.com/bkledger/bk/compat/facade/idle"
	"github.com/bkledger/bk/compat/facade/mode"
)

// caughtUp is the content of catch-up.json.
type caughtUp struct {
	Event   int64     `json:"event_id"` // Bank's last, when it ended
	Left    int64     `json:"left"`     // events and rows that were left then
	EndedAt time.Time `json:"ended_at"`
	Seconds float64   `json:"seconds"`
}

// errStuck: waiting does not help.
var errStuck = errors.New("catch-up is stuck")

// catchUp waits until BK has what Bank did behind the snapshot, but for what may be left. A façade follows: one that runs on this database, or one in this process.
func (b *Bootstrap) catchUp(ctx context.Context, m Manifest, s *systems) error {
	in, running, err := modeNow(ctx, s.facade)
	if err != nil {
		return err
	}
	if in != "" && in != mode.BankOnly {
		return nil // a step out of bank-only is made when all is there
	}
	last, err := b.lastEvent(ctx)
	if err != nil {
		return err
	}
	if len(b.cfg.Kafka) == 0 && !running {
		if in == "" && last == m.Place.EventID {
			return b.store.Note(ctx, catchUpDoc, caughtUp{Event: last, EndedAt: time.Now().UTC()})
		}
		return fmt.Errorf("Bank is at event %d, what was loaded ends at %d: Kafka, with Bank's topics, is needed to follow", last, m.Place.EventID)
	}
	defer b.meter.phase("catch-up", 0)()
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, b.cfg.CatchUpFor, fmt.Errorf("not caught up within %s", b.cfg.CatchUpFor))
	defer cancel()
	var left int64
	own := false
	for most := int64(0); ; {
		const every = 100 * time.Millisecond
		if !own { // one that was killed counts as running until its lease is over
			if _, running, err = modeNow(ctx, s.facade); err != nil {
				return err
			}
			if own = !running; own {
				if b.cfg.Bank == "" || len(b.cfg.Kafka) == 0 {
					return errors.New("Bank and Kafka: needed where no façade runs on the façade's database")
				}
				if err := b.runFacade(ctx, s); err != nil {
					return err
				}
			}
		}
		if left, err = b.behind(ctx, s); errors.Is(err, errStuck) {
			return err
		}
		if err == nil {
			most = max(most, left)
			b.meter.set(most-left, most, fmt.Sprintf("%d events and rows are left", left))
			if left <= b.cfg.CaughtUp {
				break
			}
		}
		if !idle.For(ctx, every) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
	if err := b.directory(ctx, m, s); err != nil {
		return err
	}
	if last, err = b.lastEvent(ctx); err != nil {
		return err
	}
	return b.store.Note(ctx, catchUpDoc, caughtUp{Event: last, Left: left, EndedAt: time.Now().UTC(), Seconds: time.Since(began).Seconds()})
}

// behind counts what Bank has done and BK has not: events that Kafka does not have yet, those that are not followed yet, and rows of the queue.
func (b *Bootstrap) behind(ctx context.Context, s *systems) (int64, error) {
	unsent, err := b.unsent(ctx)
	if err != nil {
		return 0, err
	}
	// Where the topics end is asked after that, and what is followed after this: nothing is overlooked.
	var ends []follow.Offset
	if len(b.cfg.Kafka) > 0 {
		if ends, err = follow.TopicEnds(ctx, b.cfg.Kafka); err != nil {
			return 0, err
		}
	}
	var waiting, gaps, windows int64
	var reason string
	next := map[follow.Offset]int64{}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT topic, partition, next FROM facade.follow_offset`).Query(func(rows pgx.Rows) error {
		var o follow.Offset
		_, err := pgx.ForEachRow(rows, []any{&o.Topic, &o.Partition, &o.Next}, func() error {
			next[follow.Offset{Topic: o.Topic, Partition: o.Partition}] = o.Next
			return nil
		})
		return err
	})
	batch.Queue(`SELECT (SELECT count(*) FROM facade.queue WHERE done_at IS NULL), (SELECT count(*) FROM facade.follow_gap WHERE closed_at IS NULL),
		(SELECT count(*) FROM facade.follow_window WHERE up_to IS NULL),
		coalesce((SELECT reason FROM facade.queue WHERE done_at IS NULL AND attempts > 3 ORDER BY position LIMIT 1), '')`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&waiting, &gaps, &windows, &reason)
	})
	if err := s.facade.SendBatch(ctx, batch).Close(); err != nil {
		return 0, fmt.Errorf("how far the façade is: %w", err)
	}
	if gaps > 0 {
		return 0, fmt.Errorf("%w: %w", errStuck, follow.ErrGap)
	}
	if reason != "" {
		return 0, fmt.Errorf("%w: BK refuses what Bank has done: %s (hotswap facade queue list)", errStuck, reason)
	}
	left := unsent + waiting
	if windows == 0 {
		left++
	}
	for _, end := range ends {
		left += max(0, end.Next-next[follow.Offset{Topic: end.Topic, Partition: end.Partition}])
	}
	return left, nil
}

// lastEvent gives Bank's last event.
func (b *Bootstrap) lastEvent(ctx context.Context) (last int64, err error) {
	if b.bank != nil {
		place, err := b.bank.ReplayPlace(ctx)
		if err != nil {
			return 0, fmt.Errorf("ask Bank how far it is: %w", err)
		}
		return int64(place.LastEventID), nil
	}
	return last, b.askBank(ctx, `SELECT greatest(event_id, (SELECT max(event_id) FROM bank.outbox)) FROM bank.published`, &last)
}

// unsent counts events that Kafka may not have.
func (b *Bootstrap) unsent(ctx context.Context) (n int64, err error) {
	if b.cfg.BankDB != "" {
		return n, b.askBank(ctx, `SELECT count(*) FROM bank.outbox`, &n)
	}
	place, err := b.bank.ReplayPlace(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask Bank how far it is: %w", err)
	}
	if first := place.FirstUnsentEventID; first != nil && *first != 0 {
		return int64(place.LastEventID-*first) + 1, nil
	}
	return 0, nil
}

func (b *Bootstrap) askBank(ctx context.Context, query string, to any) error {
	conn, err := pgx.Connect(ctx, b.cfg.BankDB)
	if err != nil {
		return errors.New("Bank's database can't be reached")
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing hangs on it
	if err := conn.QueryRow(ctx, query).Scan(to); err != nil {
		return fmt.Errorf("ask Bank's database: %w", err)
	}
	return nil
}
