package kafkatest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/migrations/kafkatest"
)

func client(t *testing.T, b *kafkatest.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createTopic(t *testing.T, b *kafkatest.Broker, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, b)).CreateTopic(t.Context(), 2, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

func producer(t *testing.T, b *kafkatest.Broker, txid string) *kgo.Client {
	return client(t, b, kgo.TransactionalID(txid), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.TransactionTimeout(30*time.Second))
}

// begin produces 10 records in a transaction that it leaves open.
func begin(t *testing.T, c *kgo.Client, topic string, n int) {
	t.Helper()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	var recs []*kgo.Record
	for i := range 10 {
		recs = append(recs, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d/%d", n, i)})
	}
	if err := c.ProduceSync(t.Context(), recs...).FirstErr(); err != nil {
		t.Fatalf("transaction %d: %v", n, err)
	}
}

func commit(t *testing.T, c *kgo.Client, topic string, ns ...int) {
	t.Helper()
	for _, n := range ns {
		begin(t, c, topic, n)
		if err := c.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatalf("committing transaction %d: %v", n, err)
		}
	}
}

// wantTxns reads read-committed until the records of the given transactions are there, and fails on any other one. The
// last one given is the end of the topic.
func wantTxns(t *testing.T, b *kafkatest.Broker, topic string, ns ...int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := client(t, b, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	missing := make(map[string]bool)
	for _, n := range ns {
		for i := range 10 {
			missing[fmt.Sprintf("%d/%d", n, i)] = true
		}
	}
	for len(missing) > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("%v; not there: %v", err, missing)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !missing[string(r.Value)] {
				t.Errorf("record %s is there twice or must not be there", r.Value)
			}
			delete(missing, string(r.Value))
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "two"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := strings.ReplaceAll(t.Name(), "/", "_")
			b := kafkatest.New(t)
			createTopic(t, b, topic)
			p := producer(t, b, topic)
			commit(t, p, topic, 1)
			begin(t, p, topic, 2)
			if err := p.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
				t.Fatal(err)
			}
			commit(t, p, topic, 3)
			wantTxns(t, b, topic, 1, 3)
			if want := os.Getenv(kafkatest.HomeEnv) != ""; b.Real() != want {
				t.Errorf("Real() = %v, want %v", b.Real(), want)
			}
		})
	}
}

func TestOwnKillAndRestart(t *testing.T) {
	t.Parallel()
	const topic = "events"
	b := kafkatest.Own(t)
	addr := b.Addr()
	createTopic(t, b, topic)
	p := producer(t, b, "publisher")
	commit(t, p, topic, 1, 2)

	begin(t, p, topic, 3) // open when it is killed
	b.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := client(t, b).Ping(ctx); err == nil {
		t.Error("a killed broker answers")
	}
	began := time.Now()
	b.Restart()
	t.Logf("started again after the kill in %s", time.Since(began).Round(time.Millisecond))
	if b.Addr() != addr {
		t.Errorf("it was at %s and is at %s", addr, b.Addr())
	}
	p2 := producer(t, b, "publisher") // the same id: ends what the first one left open
	commit(t, p2, topic, 4)
	if err := p.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("the commit of a fenced producer was acknowledged")
	}
	wantTxns(t, b, topic, 1, 2, 4)

	b.Kill()
	b.Restart()
	commit(t, p2, topic, 5) // a producer without an open transaction goes on after a kill
	b.Stop()
	b.Restart()
	commit(t, p2, topic, 6)
	wantTxns(t, b, topic, 1, 2, 4, 5, 6)
}

// recorder is a test that, once it is armed, records what would have ended it.
type recorder struct {
	testing.TB
	armed bool
	fatal string
}

var errFatal = errors.New("fatal")

func (r *recorder) Fatalf(format string, args ...any) {
	r.Helper()
	if !r.armed {
		r.TB.Fatalf(format, args...)
	}
	r.fatal = fmt.Sprintf(format, args...)
	panic(errFatal)
}

func TestSharedCannotBeKilled(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*kafkatest.Broker){"Kill": (*kafkatest.Broker).Kill, "Stop": (*kafkatest.Broker).Stop, "Restart": (*kafkatest.Broker).Restart} {
		r := &recorder{TB: t}
		b := kafkatest.New(r)
		r.armed = true
		func() {
			defer func() {
				if got := recover(); got != errFatal {
					t.Errorf("%s on a broker that may be shared: recovered %v", name, got)
				}
			}()
			do(b)
		}()
		if !strings.Contains(r.fatal, name) {
			t.Errorf("%s says %q", name, r.fatal)
		}
	}
}
