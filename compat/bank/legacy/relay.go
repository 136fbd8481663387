package legacy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
)

// The relay publishes the outbox, at least once.
//
// Event ids are given before a commit, so that an event may appear after others with higher ids were published: there is no watermark. Instead the relay takes the
// lowest ids that are there, publishes them, waits until the broker has them all, and deletes them; a late one is simply there the next time.
//
// The order of an account's events on its topic is that of its work: whoever takes an event's id holds the account until the commit, so of two events of an
// account the higher was taken after the lower was committed; who sees the higher sees the lower. Within a pass they go out by id, to one partition, by a producer that keeps
// the order over its own retries; a pass that fails is repeated as a whole, so that the first appearance of each event keeps the order too.
//
// An event's topic is that of its kind, behind a prefix; where one system takes the other's place on the topics, events are held or go elsewhere (steer.go).
//
// One relay works over all processes, by an advisory lock of the very connection that deletes: a relay that lost the lock can't delete.
//
//   - Killed or cut off between the broker's answer and the delete: the next one publishes these events again, with the same ids.
//   - The broker is away: events stay in the outbox, the relay tries again.
type relay struct {
	dsn        string
	brokers    []string
	partitions int32
	log        *slog.Logger
	wake       <-chan struct{}
	metrics    *metrics
	acked      func() // tests: after the broker's answer, before the delete
}

const (
	// relayLock is the relay's advisory lock: "bankrely" in ASCII.
	relayLock int64 = 0x62616e6b72656c79

	relayBatch   = 1000                   // events of a pass
	relayPoll    = 100 * time.Millisecond // for what other processes commit
	relayPause   = time.Second            // after a failure
	relayTimeout = 30 * time.Second       // of a pass
)

// run publishes until ctx ends.
func (r *relay) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		r.metrics.relayFailures.Inc()
		r.log.Error("the relay failed, events wait in the outbox", "error", err)
		if sleep(ctx, relayPause) != nil {
			return
		}
	}
}

// session publishes with one connection to each side, until one fails.
func (r *relay) session(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, r.dsn)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackBound)
		defer cancel()
		if err := conn.Close(closing); err != nil {
			r.log.Debug("close the relay's connection", "error", err)
		}
	}()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, relayLock); err != nil { // waits while another relay works
		return fmt.Errorf("become the relay: %w", err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.ProducerLinger(0), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.MaxBufferedRecords(2*relayBatch))
	if err != nil {
		return fmt.Errorf("make a Kafka client: %w", err)
	}
	defer client.Close()
	p := &publishing{relay: r, conn: conn, client: client, made: map[string]bool{}}
	if err := p.makeTopics(ctx, ""); err != nil {
		return err
	}
	poll := time.NewTicker(relayPoll)
	defer poll.Stop()
	for {
		count, err := p.pass(ctx)
		if err != nil {
			return err
		}
		if count == relayBatch {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.wake:
		case <-poll.C:
		}
	}
}

// publishing is a session's.
type publishing struct {
	*relay
	conn   *pgx.Conn
	client *kgo.Client
	made   map[string]bool // prefixes whose topics are there
}

func (p *publishing) makeTopics(ctx context.Context, prefix string) error {
	if p.made[prefix] {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	admin := kadm.NewClient(p.client)
	for topic, partitions := range map[string]int32{bank.TopicTrades: p.partitions, bank.TopicCash: p.partitions, bank.TopicBusinessDate: 1} { // the dates have no key, only an order
		if _, err := admin.CreateTopic(ctx, partitions, -1, nil, prefix+topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("make topic %s: %w", prefix+topic, err)
		}
	}
	p.made[prefix] = true
	return nil
}

// sqlOutbox reads what is to be published next, and the prefix of its topic (steer.go). As one statement it has one view of both tables. What
// is held is a bound of the index scan, so that it costs nothing while it waits.
const sqlOutbox = `SELECT event_id, topic, CASE WHEN event_id < (SELECT from_event_id FROM bank.relay) THEN (SELECT before FROM bank.relay) ELSE (SELECT prefix FROM bank.relay) END, key, event
	FROM bank.outbox WHERE event_id < (SELECT CASE WHEN held THEN from_event_id ELSE 9223372036854775807 END FROM bank.relay) ORDER BY event_id LIMIT $1`

// pass publishes what is there and is not held, up to relayBatch events, and deletes them.
func (p *publishing) pass(ctx context.Context) (count int, err error) {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	var ids []int64
	var records []*kgo.Record
	var prefixes []string
	found, err := p.conn.Query(ctx, sqlOutbox, relayBatch)
	if err != nil {
		return 0, fmt.Errorf("read the outbox: %w", err)
	}
	var id int64
	var to topic
	var prefix, key, event string
	_, err = pgx.ForEachRow(found, []any{&id, &to, &prefix, &key, &event}, func() error {
		ids = append(ids, id)
		records = append(records, &kgo.Record{Topic: prefix + to.name(), Key: []byte(key), Value: []byte(event)})
		if n := len(prefixes); n == 0 || prefixes[n-1] != prefix { // there are two at most
			prefixes = append(prefixes, prefix)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read the outbox: %w", err)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	for _, prefix := range prefixes {
		if err := p.makeTopics(ctx, prefix); err != nil {
			return 0, err
		}
	}
	if err := p.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return 0, fmt.Errorf("publish events %s to %s: %w", strconv.FormatInt(ids[0], 10), strconv.FormatInt(ids[len(ids)-1], 10), err)
	}
	if p.acked != nil {
		p.acked()
	}
	_, err = p.conn.Exec(ctx, `WITH gone AS (DELETE FROM bank.outbox WHERE event_id = ANY($1) RETURNING event_id)
		UPDATE bank.published SET event_id = greatest(event_id, (SELECT max(event_id) FROM gone))`, ids)
	if err != nil {
		return 0, fmt.Errorf("mark events as published: %w", err)
	}
	p.metrics.published.Add(float64(len(ids)))
	return len(ids), nil
}
