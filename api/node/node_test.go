package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/migrations/testlog"
)

// A booking goes all the way: journal, projection, event, proof.
func TestServe(t *testing.T) {
	t.Parallel()
	broker := kafkatest.New(t)
	n := start(t, testConfig(t, pgtest.New(t), broker.Addr()))
	n.define(t)
	receipt := n.mustBook(t, "100001/a")
	if again := n.mustBook(t, "100001/a"); !again.Repeat || again.EntryId != receipt.EntryId {
		t.Errorf("the same again: %v, after %v", again, receipt)
	}
	if q := n.position(t, receipt.Token); q != "100" {
		t.Errorf("the position is %s, not 100", q)
	}
	if e := awaitEvent(t, broker.Addr(), "100001/a"); e.Id != receipt.EntryId || e.Trade.GetTrade().GetPrice() != "10" {
		t.Errorf("the event has entry %d at %s, not %d at 10", e.Id, e.Trade.GetTrade().GetPrice(), receipt.EntryId)
	}
	findings := n.verified(t)
	if f := findings["stream"]; f.GetCounts()["events"] == 0 {
		t.Errorf("the proof of the stream has no events: %v", f)
	}

	if status, body := get(t, n.metrics+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d %s", status, body)
	}
	if status, body := get(t, n.metrics+"/readyz"); status != http.StatusOK || !strings.HasPrefix(body, "leading at 0:") {
		t.Errorf("readyz: %d %s", status, body)
	}
	_, body := get(t, n.metrics+"/metrics")
	for _, want := range []string{"bk_journal_entries_total 6\n", "bk_publisher_halted 0\n", "bk_journal_append_seconds_bucket", "bk_publisher_lag_entries", "go_goroutines"} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics have no %q", want)
		}
	}
	if status, _ := get(t, n.metrics+"/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("profiles that nobody asked for: %d", status)
	}
}

// Callers keep booking while the node stops: what was acknowledged is there, what was not is retried elsewhere, the stop is clean.
func TestShutdownDrains(t *testing.T) {
	t.Parallel()
	broker, dsn := kafkatest.New(t), pgtest.New(t)
	n := start(t, testConfig(t, dsn, broker.Addr()))
	n.define(t)
	// An open watch must not hold up the stop.
	watch, err := n.Query.WatchJournal(t.Context(), connect.NewRequest(&bkv1.WatchJournalRequest{}))
	if err != nil || !watch.Receive() {
		t.Fatalf("watch: %v, %v", err, watch.Err())
	}

	const callers = 16
	var wg sync.WaitGroup
	acknowledged := make([][]string, callers)
	first := make(chan struct{}, callers)
	for i := range callers {
		wg.Go(func() {
			for k := 0; ; k++ {
				key := fmt.Sprintf("100001/%d-%d", i, k)
				if _, err := n.book(context.Background(), key); err != nil {
					if !client.Retryable(err) {
						t.Errorf("%s: %s", key, client.Describe(err))
					}
					return
				}
				if acknowledged[i] = append(acknowledged[i], key); k == 5 {
					first <- struct{}{}
				}
			}
		})
	}
	for range callers {
		<-first
	}
	began := time.Now()
	n.end()
	if took := time.Since(began); took > 8*time.Second { // less than the grace
		t.Errorf("the stop took %s", took)
	}
	wg.Wait()
	for watch.Receive() {
	}
	if watch.Err() == nil {
		t.Error("the watch ended as if the journal had an end")
	}

	again := start(t, testConfig(t, dsn, broker.Addr()))
	total := 0
	for _, keys := range acknowledged {
		total += len(keys)
		for _, key := range keys {
			if !again.has(t, key) {
				t.Errorf("%s was acknowledged and is not there", key)
			}
		}
	}
	again.verified(t)
	t.Logf("%d bookings acknowledged", total)
}

// Nothing is there yet: the node says why it isn't ready, and gets ready by itself.
func TestPostgresComesLater(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Cluster(t)
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	logs := &testlog.Lines{}
	cfg := testConfig(t, cluster.DSN())
	cfg.Listen, cfg.MetricsListen = freeAddress(t), freeAddress(t)
	cfg.Log = logs.Logger()
	n, ready := launch(t, cfg)
	url := "http://" + cfg.MetricsListen
	eventually(t, 10*time.Second, "the metrics listener answers", func() bool {
		c, err := net.Dial("tcp", cfg.MetricsListen)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	eventually(t, 10*time.Second, "readyz names Postgres", func() bool {
		status, body := get(t, url+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "waiting for postgres")
	})
	if status, _ := get(t, url+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
	c := newCaller(t, node.Addresses{API: cfg.Listen, Metrics: cfg.MetricsListen})
	if _, err := c.book(t.Context(), "x"); connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("a booking before the start is complete: %v", err)
	}
	if err := cluster.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ready:
	case <-n.done:
		t.Fatalf("the node ended: %v", n.err)
	case <-time.After(30 * time.Second):
		t.Fatal("not ready")
	}
	c.define(t)
	c.mustBook(t, "100001/late")
	if said := logs.Count("can't use postgres yet"); said < 1 || said > 3 { // refused, maybe "starting up" in between
		t.Errorf("the log says %d times that Postgres is away", said)
	}

	// And away again: not ready while it is.
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "readyz notices", func() bool {
		status, _ := get(t, url+"/readyz")
		return status == http.StatusServiceUnavailable
	})
	if err := cluster.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the node books again", func() bool {
		_, err := c.book(t.Context(), "100001/later")
		return err == nil
	})
}

// Without Kafka the node books; when Kafka comes, the events do.
func TestKafkaComesLater(t *testing.T) {
	t.Parallel()
	broker := kafkatest.Own(t)
	broker.Stop()
	n := start(t, testConfig(t, pgtest.New(t), broker.Addr()))
	n.define(t)
	receipt := n.mustBook(t, "100001/a")
	if q := n.position(t, receipt.Token); q != "100" {
		t.Errorf("the position is %s", q)
	}
	eventually(t, 20*time.Second, "readyz mentions the publisher", func() bool {
		status, body := get(t, n.metrics+"/readyz")
		return status == http.StatusOK && strings.Contains(body, "publisher down")
	})
	broker.Restart()
	awaitEvent(t, broker.Addr(), "100001/a")
}

// A stream of another journal: publishing halts, booking goes on; a node that owns its broker makes the stream anew.
func TestStreamOfAnotherJournal(t *testing.T) {
	t.Parallel()
	broker := kafkatest.Own(t)
	first := start(t, testConfig(t, pgtest.New(t), broker.Addr()))
	first.define(t)
	first.mustBook(t, "100001/first")
	awaitEvent(t, broker.Addr(), "100001/first")
	first.end()

	dsn := pgtest.New(t)
	second := start(t, testConfig(t, dsn, broker.Addr()))
	eventually(t, 20*time.Second, "publishing halts", func() bool {
		status, body := get(t, second.metrics+"/readyz")
		return status == http.StatusOK && strings.Contains(body, "publisher halted")
	})
	if _, body := get(t, second.metrics+"/metrics"); !strings.Contains(body, "bk_publisher_halted 1\n") {
		t.Error("the metric doesn't say so")
	}
	second.define(t)
	second.mustBook(t, "100001/second")
	second.end()

	cfg := testConfig(t, dsn, broker.Addr())
	cfg.Republish = true
	third := start(t, cfg)
	third.awaitPublished(t) // before anybody consumes: topics of the same name are others now
	awaitEvent(t, broker.Addr(), "100001/second")
	third.verified(t)
}

// A journal that has lost acknowledged entries is not appended to: the node ends with the reason.
func TestCutTailIsRefused(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	n := start(t, testConfig(t, dsn))
	n.define(t)
	n.mustBook(t, "100001/a")
	n.end()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if tag, err := conn.Exec(t.Context(), "DELETE FROM bk.journal WHERE seq = (SELECT max(seq) FROM bk.journal)"); err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("cut the tail: %v, %v", tag, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cfg := testConfig(t, dsn)
	cfg.StandbyAfter = time.Hour // the end must not wait for it
	if err := node.Run(ctx, cfg, func(node.Addresses) { t.Error("it says that it is ready") }); !errors.Is(err, journal.ErrTailCut) {
		t.Errorf("the node ended with: %v", err)
	}
}

func TestConfigViolations(t *testing.T) {
	t.Parallel()
	err := node.Run(t.Context(), node.Config{
		Brokers: []string{"kafka"}, Listen: "nowhere", MetricsListen: "127.0.0.1:99999", Shard: -1, MaxBatch: -1, Lease: time.Millisecond, Partitions: 5000,
	}, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	all := node.Config{
		Brokers: []string{"kafka"}, Listen: "nowhere", MetricsListen: "127.0.0.1:99999", Shard: -1, MaxBatch: -1, Lease: time.Millisecond, Partitions: 5000,
	}.WithDefaults().Validate()
	if got, want := reasons(all), "Postgres Brokers Partitions Listen MetricsListen Shard MaxBatch Lease"; got != want {
		t.Errorf("violations of %s, not %s", got, want)
	}
	if err := (node.Config{Postgres: "postgres://x"}).WithDefaults().Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := testConfig(t, "postgres://127.0.0.1:1/x")
	cfg.Listen = l.Addr().String()
	err = node.Run(t.Context(), cfg, nil)
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("the error is: %v", err)
	}
}
