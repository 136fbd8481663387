package landing_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// world is a Kafka that topics are made in.
type world struct {
	t      testing.TB
	broker string
	client *kgo.Client
	admin  *kadm.Client
}

func newWorld(t testing.TB, options ...kgo.Opt) *world {
	t.Helper()
	w := &world{t: t, broker: kafkatest.New(t).Addr()}
	w.client = w.connect(options...)
	w.admin = kadm.NewClient(w.client)
	return w
}

func (w *world) connect(options ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(w.broker), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1)}, options...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}

// topics makes the topics of a name each, with so many partitions. They are the test's own by their prefix.
func (w *world) topics(partitions int32, names ...string) {
	w.t.Helper()
	made, err := w.admin.CreateTopics(w.t.Context(), partitions, 1, nil, names...)
	if err == nil {
		err = made.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) produce(records ...*kgo.Record) {
	w.t.Helper()
	if err := w.client.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// kafka gives generated records as Kafka's, to topics with a prefix.
func kafka(prefix string, records iter.Seq2[landing.Origin, landing.Record]) []*kgo.Record {
	var all []*kgo.Record
	for origin, r := range records {
		one := &kgo.Record{Topic: prefix + origin.Name, Partition: origin.Partition, Key: r.Key, Value: r.Value}
		if r.Stream {
			one.Headers = []kgo.RecordHeader{{Key: landing.HeaderEntry, Value: []byte("1")}}
		}
		all = append(all, one)
	}
	return all
}

// named gives the topics under a prefix of the test's own: brokers may be shared.
func named(prefix string, topics []landing.Topic) []landing.Topic {
	all := slices.Clone(topics)
	for i := range all {
		all[i].Name = prefix + all[i].Name
	}
	return all
}

func names(topics []landing.Topic) []string {
	var all []string
	for _, t := range topics {
		all = append(all, t.Name)
	}
	return all
}

// load lands until the ends.
func (w *world) load(store landing.Store, topics []landing.Topic, change ...func(*landing.Config)) (landing.Progress, error) {
	cfg := landing.Config{Store: store, Brokers: []string{w.broker}, Topics: topics, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil))}
	for _, c := range change {
		c(&cfg)
	}
	l, err := landing.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return l.Run(w.t.Context())
}

// follow lands until stop.
func (w *world) follow(store landing.Store, topics []landing.Topic) (stop func() error) {
	w.t.Helper()
	l, err := landing.New(landing.Config{
		Store: store, Brokers: []string{w.broker}, Topics: topics, Follow: true, Linger: 20 * time.Millisecond, Relist: 50 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := l.Run(ctx)
		done <- err
	}()
	ended := false
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
	w.t.Cleanup(func() { _ = stop() })
	return stop
}

// number asks for one.
func number(t testing.TB, store landing.Store, query string) (n int64) {
	t.Helper()
	if err := store.DB().QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

const countEvents = `SELECT (SELECT COUNT(*) FROM trade_events) + (SELECT COUNT(*) FROM cash_events) + (SELECT COUNT(*) FROM date_events)`

// whole checks that a landing has exactly n records of the topics: none twice, none missing, and the offsets with them.
func whole(t testing.TB, store landing.Store, n int64) {
	t.Helper()
	const places = `(SELECT topic, "partition", "offset" FROM trade_events UNION ALL SELECT topic, "partition", "offset" FROM cash_events
		UNION ALL SELECT topic, "partition", "offset" FROM date_events UNION ALL SELECT topic, "partition", "offset" FROM landing_rejects)`
	for query, want := range map[string]int64{
		`SELECT COUNT(*) FROM ` + places:                                         n,
		`SELECT COUNT(*) FROM (SELECT DISTINCT * FROM ` + places + `)`:           n,
		`SELECT COALESCE(SUM(events + rejects), 0)::BIGINT FROM landing_offsets`: n,
		`SELECT COUNT(*) FROM ` + places + ` p JOIN landing_offsets o ON o.topic = p.topic AND o."partition" = p."partition" WHERE p."offset" >= o.next_offset`: 0,
	} {
		if got := number(t, store, query); got != want {
			t.Errorf("%s: %d, not %d", query, got, want)
		}
	}
}

// eventually waits for a number.
func eventually(t testing.TB, store landing.Store, query string, want int64) {
	t.Helper()
	var got int64
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if got = number(t, store, query); got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d, not %d in time", query, got, want)
		}
	}
}

func small(seed uint64, events int64) generate.Config {
	return generate.Config{Seed: seed, Events: events, Accounts: 40, Symbols: 10, DayTrades: 300}
}

func own(t testing.TB) string { return fmt.Sprintf("t%d.", time.Now().UnixNano()) }
