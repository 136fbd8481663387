package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/migrations/embedded"
)

// The topics of these tests, after the publisher's: events on several partitions, a checkpoint in the same transaction.
const (
	eventsTopic     = "events"
	checkpointTopic = "checkpoint"
	eventPartitions = 3
)

func startKafka(t *testing.T, cfg embedded.KafkaConfig) *embedded.Kafka {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	k, err := embedded.StartKafka(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Stop() })
	return k
}

func stopKafka(t *testing.T, k *embedded.Kafka) {
	t.Helper()
	if err := k.Stop(); err != nil {
		t.Fatalf("stopping: %v", err)
	}
}

func newClient(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createTopics(t *testing.T, addr string) {
	t.Helper()
	adm := kadm.NewClient(newClient(t, addr))
	compact := "compact"
	if _, err := adm.CreateTopic(t.Context(), eventPartitions, 1, nil, eventsTopic); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, checkpointTopic); err != nil {
		t.Fatal(err)
	}
}

// txnRecords are the records of transaction n: one for each partition of the events, twice, and a checkpoint.
func txnRecords(n int) []*kgo.Record {
	var recs []*kgo.Record
	for i := range 2 * eventPartitions {
		recs = append(recs, &kgo.Record{Topic: eventsTopic, Partition: int32(i % eventPartitions), Value: fmt.Appendf(nil, "%d/%d", n, i)})
	}
	return append(recs, &kgo.Record{Topic: checkpointTopic, Key: []byte("shard"), Value: fmt.Appendf(nil, "%d/checkpoint", n)})
}

const txnSize = 2*eventPartitions + 1

func newProducer(t *testing.T, addr, txid string) *kgo.Client {
	t.Helper()
	return newClient(t, addr, kgo.TransactionalID(txid), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(time.Minute),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
}

// produceTxn returns nil if, and only if, the commit was acknowledged.
func produceTxn(ctx context.Context, c *kgo.Client, n int) error {
	if err := c.BeginTransaction(); err != nil {
		return err
	}
	if err := c.ProduceSync(ctx, txnRecords(n)...).FirstErr(); err != nil {
		return err
	}
	return c.EndTransaction(ctx, kgo.TryCommit)
}

func mustProduce(t *testing.T, c *kgo.Client, ns ...int) {
	t.Helper()
	for _, n := range ns {
		if err := produceTxn(t.Context(), c, n); err != nil {
			t.Fatalf("transaction %d: %v", n, err)
		}
	}
}

// readTxns reads both topics to their stable ends, read-committed, and fails on a transaction that isn't whole or has a
// record twice. It answers the transactions it saw.
func readTxns(t *testing.T, addr string) map[int]bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := newClient(t, addr, kgo.ConsumeTopics(eventsTopic, checkpointTopic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close() // it takes its leave of the broker, and waits for it once that is gone
	ends, err := kadm.NewClient(c).ListCommittedOffsets(ctx, eventsTopic, checkpointTopic)
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left++
		}
	})
	seen := make(map[string]int)
	for left > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("reading: %v, %d partitions left", err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				seen[string(r.Value)]++
			}
			// The last record of a partition is always a marker, which a consumer that keeps control records gets.
			if end, _ := ends.Lookup(r.Topic, r.Partition); r.Offset == end.Offset-1 {
				left--
			}
		})
	}
	count := make(map[int]int)
	for v, times := range seen {
		var n int
		if _, err := fmt.Sscanf(v, "%d/", &n); err != nil {
			t.Fatalf("a record nobody wrote: %q", v)
		}
		if times != 1 {
			t.Errorf("record %s is there %d times", v, times)
		}
		count[n]++
	}
	txns := make(map[int]bool)
	for n, records := range count {
		if records != txnSize {
			t.Errorf("transaction %d: %d of %d records are visible", n, records, txnSize)
		}
		txns[n] = true
	}
	return txns
}

func wantTxns(t *testing.T, addr string, want ...int) {
	t.Helper()
	got := readTxns(t, addr)
	for _, n := range want {
		if !got[n] {
			t.Errorf("transaction %d is lost", n)
		}
		delete(got, n)
	}
	if len(got) > 0 {
		t.Errorf("transactions %v must not be visible", got)
	}
}

func TestKafkaStopAndStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kafka")
	k := startKafka(t, embedded.KafkaConfig{Dir: dir, Sync: true})
	addr := k.Addr()
	if !strings.HasPrefix(addr, "127.0.0.1:") {
		t.Errorf("it listens on %s", addr)
	}
	createTopics(t, addr)
	p := newProducer(t, addr, "publisher")
	mustProduce(t, p, 1, 2, 3)

	if _, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Dir: dir}); !errors.Is(err, embedded.ErrKafkaBusy) {
		t.Errorf("a second broker on the folder: %v", err)
	}
	if _, err := embedded.MoveKafkaAside(dir); !errors.Is(err, embedded.ErrKafkaBusy) {
		t.Errorf("moving the folder of a running broker: %v", err)
	}
	for n := 4; n <= 6; n++ { // each stop with a producer that goes on afterwards
		stopKafka(t, k)
		var port int
		fmt.Sscanf(addr, "127.0.0.1:%d", &port)
		k = startKafka(t, embedded.KafkaConfig{Dir: dir, Port: port, Sync: true})
		if k.Addr() != addr {
			t.Fatalf("it was on %s and is on %s", addr, k.Addr())
		}
		mustProduce(t, p, n)
	}
	wantTxns(t, addr, 1, 2, 3, 4, 5, 6)
}

func TestKafkaInMemory(t *testing.T) {
	t.Parallel()
	k := startKafka(t, embedded.KafkaConfig{})
	createTopics(t, k.Addr())
	mustProduce(t, newProducer(t, k.Addr(), "publisher"), 1, 2)
	wantTxns(t, k.Addr(), 1, 2)
	if err := errors.Join(k.Stop(), k.Stop()); err != nil {
		t.Error(err)
	}
}

func TestKafkaConfigValidate(t *testing.T) {
	t.Parallel()
	_, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Port: 70000, Sync: true})
	if err == nil || !strings.Contains(err.Error(), "port:") || !strings.Contains(err.Error(), "sync:") {
		t.Errorf("port and sync are both wrong, it says: %v", err)
	}
	k := startKafka(t, embedded.KafkaConfig{})
	var port int
	fmt.Sscanf(k.Addr(), "127.0.0.1:%d", &port)
	if _, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Dir: t.TempDir(), Port: port}); err == nil || errors.Is(err, embedded.ErrKafkaTorn) {
		t.Errorf("a taken port: %v", err)
	}
}

// crashed makes a folder as a kill leaves it: work runs against a broker, then the folder is copied behind its back.
func crashed(t *testing.T, from string, work func(addr string)) (dir string) {
	t.Helper()
	k := startKafka(t, embedded.KafkaConfig{Dir: from})
	work(k.Addr())
	dir = filepath.Join(t.TempDir(), "kafka")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	stopKafka(t, k)
	return dir
}

func cutFile(t *testing.T, path string, bytes int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-bytes); err != nil {
		t.Fatal(err)
	}
}

const markerBytes = 78 // a commit marker's batch

// TestKafkaRepair starts on what kills at chosen moments leave.
func TestKafkaRepair(t *testing.T) {
	t.Parallel()
	segment := func(dir, part, ext string) string { return filepath.Join(dir, "partitions", part, "0"+ext) }
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   []int
	}{
		{"nothing", func(*testing.T, string) {}, []int{1, 2}},
		{"between the markers of two partitions", func(t *testing.T, dir string) {
			cutFile(t, segment(dir, "events-2", ".dat"), markerBytes)
			cutFile(t, segment(dir, "checkpoint-0", ".dat"), markerBytes)
			cutPidsLog(t, dir, 2)
		}, []int{1, 2}},
		{"before the first marker", func(t *testing.T, dir string) {
			for _, part := range []string{"events-0", "events-1", "events-2", "checkpoint-0"} {
				cutFile(t, segment(dir, part, ".dat"), markerBytes)
				cutFile(t, segment(dir, part, ".idx"), 15)
			}
			cutPidsLog(t, dir, 2)
		}, []int{1}},
		{"in a marker", func(t *testing.T, dir string) {
			cutFile(t, segment(dir, "events-1", ".dat"), 7)
			cutFile(t, segment(dir, "events-1", ".idx"), 15)
			cutPidsLog(t, dir, 2)
		}, []int{1, 2}},
		{"between a batch and its index entry", func(t *testing.T, dir string) {
			for _, part := range []string{"events-0", "events-1", "events-2", "checkpoint-0"} {
				cutFile(t, segment(dir, part, ".dat"), markerBytes)
				cutFile(t, segment(dir, part, ".idx"), 30)
			}
			cutPidsLog(t, dir, 2)
		}, []int{1}},
		{"before pids.log, and in an entry of it", func(t *testing.T, dir string) { cutPidsLog(t, dir, 1); cutFile(t, filepath.Join(dir, "pids.log"), 5) }, []int{1, 2}},
		{"with the tail of a file grown but not written", func(t *testing.T, dir string) {
			info, err := os.Stat(segment(dir, "events-0", ".dat"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(segment(dir, "events-0", ".dat"), info.Size()+5000); err != nil {
				t.Fatal(err)
			}
		}, []int{1, 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := crashed(t, t.TempDir(), func(addr string) {
				createTopics(t, addr)
				mustProduce(t, newProducer(t, addr, "publisher"), 1, 2)
			})
			tc.damage(t, dir)
			// Killed again and again with nothing and with more done in between.
			dir = crashed(t, dir, func(addr string) { wantTxns(t, addr, tc.want...) })
			dir = crashed(t, dir, func(addr string) {
				mustProduce(t, newProducer(t, addr, "publisher"), 3)
				wantTxns(t, addr, append(tc.want, 3)...)
			})
			k := startKafka(t, embedded.KafkaConfig{Dir: dir})
			mustProduce(t, newProducer(t, k.Addr(), "publisher"), 4)
			wantTxns(t, k.Addr(), append(tc.want, 3, 4)...)
		})
	}
}

// cutPidsLog cuts off the last entries.
func cutPidsLog(t *testing.T, dir string, entries int) {
	t.Helper()
	path := filepath.Join(dir, "pids.log")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var starts []int
	for pos := 0; pos < len(raw); {
		starts = append(starts, pos)
		pos += 8 + int(uint32(raw[pos])|uint32(raw[pos+1])<<8|uint32(raw[pos+2])<<16|uint32(raw[pos+3])<<24)
	}
	if err := os.Truncate(path, int64(starts[len(starts)-entries])); err != nil {
		t.Fatal(err)
	}
}

// An open transaction must be refused to the client that still holds it, not believed done.
func TestKafkaFencesOpenTransaction(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	k := startKafka(t, embedded.KafkaConfig{Dir: from})
	addr := k.Addr()
	createTopics(t, addr)
	p := newProducer(t, addr, "publisher")
	mustProduce(t, p, 1)
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := p.ProduceSync(t.Context(), txnRecords(2)...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	stopKafka(t, k)
	var port int
	fmt.Sscanf(addr, "127.0.0.1:%d", &port)
	startKafka(t, embedded.KafkaConfig{Dir: from, Port: port})
	if err := p.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("the commit of an aborted transaction was acknowledged")
	}
	mustProduce(t, newProducer(t, addr, "publisher"), 3)
	wantTxns(t, addr, 1, 3)
}

func TestKafkaTorn(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(dir string) error{
		"a byte in the middle of a segment": func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, "partitions", "events-1", "0.dat"), os.O_RDWR, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte{0xff}, 70)
			return errors.Join(err, f.Close())
		},
		"a segment is gone":      func(dir string) error { return os.Remove(filepath.Join(dir, "partitions", "events-0", "0.dat")) },
		"topics.json is cut off": func(dir string) error { return os.Truncate(filepath.Join(dir, "topics.json"), 10) },
		"meta.json is gone":      func(dir string) error { return os.Remove(filepath.Join(dir, "meta.json")) },
		"a snapshot is cut off": func(dir string) error {
			return os.Truncate(filepath.Join(dir, "partitions", "events-0", "snapshot.json"), 10)
		},
		"less than the last stop's": func(dir string) error { return os.Truncate(filepath.Join(dir, "partitions", "events-0", "0.dat"), 100) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "kafka")
			k := startKafka(t, embedded.KafkaConfig{Dir: dir})
			createTopics(t, k.Addr())
			mustProduce(t, newProducer(t, k.Addr(), "publisher"), 1, 2)
			stopKafka(t, k)
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Dir: dir}); !errors.Is(err, embedded.ErrKafkaTorn) {
				t.Fatalf("starting on it: %v", err)
			}
			moved, err := embedded.MoveKafkaAside(dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(moved, "pids.log")); err != nil {
				t.Errorf("the files aren't in %s: %v", moved, err)
			}
			k = startKafka(t, embedded.KafkaConfig{Dir: dir})
			createTopics(t, k.Addr())
			mustProduce(t, newProducer(t, k.Addr(), "publisher"), 3)
			wantTxns(t, k.Addr(), 3)
		})
	}
}
