package legacy

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// Whoever takes Bank's place on its topics steers the relay: it holds it behind a place, and when the topics have changed hands it lets it go on, there or elsewhere.
//
//   - The place (from_event_id) is found while no transaction is under way: all below it is committed, nothing below it comes any more. So an event's topic is decided once, and
//     Kafka has all below the place once the outbox has nothing below it.
//   - All of a setting is one transaction, but for the sequence, which does not go back: killed before the commit, ids are left out and nothing else has happened; killed
//     behind it, the same setting again is answered with what stands.
//   - The relay reads the row and the outbox in one statement. A pass that began before a hold has nothing of behind its place.
//   - The place moves only when Kafka has all below it: else there would be three kinds of event to tell apart.

const sqlRelay = `SELECT epoch, held, prefix, event_id_floor, before, from_event_id, coalesce((SELECT min(event_id) FROM bank.outbox WHERE event_id < from_event_id), 0),
	(SELECT count(*) FROM (SELECT FROM bank.outbox LIMIT 10000) AS counted) FROM bank.relay`

func scanRelay(row pgx.CollectableRow) (r bank.Relay, err error) {
	err = row.Scan(&r.Epoch, &r.Held, &r.Prefix, &r.Floor, &r.Before, &r.From, &r.FirstUnsent, &r.Waiting)
	return r, err
}

// Relay implements front.Relay.
func (b *Bank) Relay(ctx context.Context) (bank.Relay, error) {
	return one(ctx, b.pool, "how the relay is set", nil, scanRelay, sqlRelay)
}

// SetRelay implements front.Relay. To hold it waits until no call and no roll is under way; others wait meanwhile.
func (b *Bank) SetRelay(ctx context.Context, s bank.RelaySetting) (now bank.Relay, err error) {
	err = pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		if s.Held {
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, dateLock); err != nil {
				return fmt.Errorf("wait for what is under way: %w", err)
			}
		}
		if _, err := tx.Exec(ctx, `SELECT FROM bank.relay FOR UPDATE`); err != nil {
			return fmt.Errorf("lock how the relay is set: %w", err)
		}
		was, err := one(ctx, tx, "how the relay is set", nil, scanRelay, sqlRelay)
		if err != nil {
			return err
		}
		if was.RelaySetting == s {
			return nil
		}
		if err := mayFollow(was, s); err != nil {
			return err
		}
		from := was.From
		if s.Held {
			if from, err = skipTo(ctx, tx, s.Floor); err != nil {
				return err
			}
			was.Before, s.Prefix = was.Prefix, ""
		}
		_, err = tx.Exec(ctx, `UPDATE bank.relay SET epoch = $1, held = $2, prefix = $3, event_id_floor = $4, before = $5, from_event_id = $6`,
			s.Epoch, s.Held, s.Prefix, int64(s.Floor), was.Before, int64(from))
		return err
	})
	if err != nil {
		return bank.Relay{}, fmt.Errorf("set the relay: %w", err)
	}
	b.relayWake()
	return b.Relay(ctx)
}

// mayFollow says whether a setting may come after another.
func mayFollow(was bank.Relay, s bank.RelaySetting) error {
	switch {
	case s.Epoch < was.Epoch:
		return bank.Errorf(bank.Conflict, "epoch: %d is over, the relay is set by %d", s.Epoch, was.Epoch)
	case s.Epoch == was.Epoch:
		return bank.Errorf(bank.Conflict, "epoch: %d has set the relay otherwise", s.Epoch)
	case s.Held && was.Held:
		return bank.Errorf(bank.Conflict, "held: it is held by epoch %d already, from event %s on", was.Epoch, was.From)
	case s.Held && was.FirstUnsent != 0:
		return bank.Errorf(bank.Conflict, "held: event %s, from before the relay was last held, is not sent yet", was.FirstUnsent)
	case !s.Held && !was.Held && s.Prefix != was.Prefix:
		return bank.Errorf(bank.Conflict, "prefix: the relay must be held before it changes")
	}
	return nil
}

// skipTo moves the sequence of event ids behind a floor, if it is not there, and gives the next id. Nobody takes one meanwhile.
func skipTo(ctx context.Context, tx pgx.Tx, floor bank.ID) (next bank.ID, err error) {
	const sequence = "bank.event_id"
	next, err = one(ctx, tx, sequence, nil, pgx.RowTo[bank.ID], `SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM `+sequence)
	if err != nil || next > floor {
		return next, err
	}
	if _, err := tx.Exec(ctx, `SELECT setval($1::regclass, $2)`, sequence, int64(floor)); err != nil {
		return 0, fmt.Errorf("move %s past %s: %w", sequence, floor, err)
	}
	return floor + 1, nil
}
