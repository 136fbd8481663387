package publisher

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/kafkatest"
)

const (
	customers = 40 // accounts 1 to 40
	house     = 3  // and 1001 to 1003 are the firm's
)

// memory is a journal in memory: real entries, really chained.
type memory struct {
	shard     uint16
	directory *ledger.Directory

	mu      sync.Mutex
	entries []*ledger.Entry
	grown   chan struct{}
}

// newMemory makes a journal with definitions only. A broker may be shared with other tests, so the shard is a random one.
func newMemory() *memory {
	m := &memory{shard: uint16(rand.IntN(ledger.MaxShard)), directory: ledger.NewDirectory(), grown: make(chan struct{})}
	m.define()
	return m
}

func (m *memory) define() {
	for id := int64(1); id <= customers; id++ {
		m.append(&ledger.Entry{Kind: "account", Account: &ledger.Account{ID: id, Code: fmt.Sprintf("cust:%d", id), Kind: ledger.KindCustomer}})
	}
	for id := int64(1001); id <= 1000+house; id++ {
		m.append(&ledger.Entry{Kind: "account", Account: &ledger.Account{ID: id, Code: fmt.Sprintf("firm:%d", id), Kind: ledger.KindFirm}})
	}
	usd := ledger.Currency("USD")
	usd.ID = 1
	m.append(&ledger.Entry{Kind: "instrument", Define: &usd})
}

// append gives entries their place.
func (m *memory) append(entries ...*ledger.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		var last [32]byte
		if n := len(m.entries); n > 0 {
			last = m.entries[n-1].Hash
		}
		e.ID = ledger.MakeID(m.shard, uint64(len(m.entries))+1)
		e.BookedAt = time.Unix(1_700_000_000, 0).Add(time.Duration(e.ID.Seq()) * 1234567 * time.Nanosecond).UTC().Truncate(time.Microsecond)
		e.Epoch = 1
		e.Hash = sha256.Sum256(ledger.AppendEntry(last[:], e))
		m.entries = append(m.entries, e)
		m.directory.Apply(e)
	}
	close(m.grown)
	m.grown = make(chan struct{})
}

// book appends n entries between random accounts: mostly one or two customers, some with many, some with none.
func (m *memory) book(n int) {
	entries := make([]*ledger.Entry, n)
	for i := range entries {
		e := &ledger.Entry{Kind: "transfer", Key: fmt.Sprintf("key-%d", rand.Int64()), Source: "test"}
		pairs := 1
		if rand.IntN(50) == 0 {
			pairs = 1 + rand.IntN(20)
		}
		for range pairs {
			from, to := rand.Int64N(customers)+1, rand.Int64N(customers)+1
			switch rand.IntN(10) {
			case 0:
				from, to = 1001, 1002
			case 1, 2, 3, 4, 5:
				to = 1003
			}
			q, _ := ledger.ParseAmount(fmt.Sprint(rand.IntN(1000) + 1))
			e.Postings = append(e.Postings,
				ledger.Posting{Account: from, Instrument: 1, Bucket: ledger.Settled, Quantity: q.Neg()},
				ledger.Posting{Account: to, Instrument: 1, Bucket: ledger.Settled, Quantity: q})
		}
		entries[i] = e
	}
	m.append(entries...)
}

func (m *memory) Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if after >= uint64(len(m.entries)) {
		return nil, ctx.Err()
	}
	return m.entries[after:min(uint64(len(m.entries)), after+uint64(limit))], ctx.Err()
}

func (m *memory) Wait(ctx context.Context, after uint64) error {
	for {
		m.mu.Lock()
		n, grown := uint64(len(m.entries)), m.grown
		m.mu.Unlock()
		if n > after {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *memory) Head() ledger.Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	return ledger.Token{Shard: m.shard, Seq: uint64(len(m.entries))}
}

func encode(e *ledger.Entry) ([]byte, error) { return ledger.AppendEntry(nil, e), nil }

// config publishes into topics of the journal's own.
func config(t testing.TB, b *kafkatest.Broker, m *memory) Config {
	return Config{
		Journal: m, Directory: m.directory, Encode: encode, Brokers: []string{b.Addr()},
		Events: fmt.Sprintf("bk.events.%d", m.shard), Checkpoints: fmt.Sprintf("bk.checkpoints.%d", m.shard), Partitions: 4,
		AttemptTimeout: 20 * time.Second, BackoffMin: 10 * time.Millisecond, BackoffMax: 200 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
}

func newPublisher(t testing.TB, cfg Config) *Publisher {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// running is a publisher whose Run is under way.
type running struct {
	*Publisher
	t      testing.TB
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

func start(t testing.TB, cfg Config) *running {
	t.Helper()
	r := &running{Publisher: newPublisher(t, cfg), t: t, ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		r.err = r.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-r.ended })
	return r
}

// stop ends Run and wants it to say nil.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	if err := r.wait(); err != nil {
		r.t.Fatalf("Run: %v", err)
	}
}

// wait gives what Run answered.
func (r *running) wait() error {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(time.Minute):
		r.t.Fatalf("Run doesn't end; status %+v", r.Status())
	}
	return r.err
}

// caughtUp waits until all is published.
func (r *running) caughtUp() {
	r.t.Helper()
	eventually(r.t, "published", func() bool { return r.Status().Published == r.cfg.Journal.Head() || r.gone() })
	if r.gone() {
		r.t.Fatalf("Run ended: %v", r.err)
	}
}

func (r *running) gone() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not %s after 90 seconds", what)
		}
	}
}

// consume reads a topic as any read-committed consumer does, up to its last stable offsets now, by partition.
func consume(t testing.TB, addr, topic string) map[int32][]*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, topic) // high watermarks: an open transaction would be waited for
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	out, left := map[int32][]*kgo.Record{}, map[int32]int64{}
	for p, o := range ends[topic] {
		if o.Offset > 0 {
			left[p] = o.Offset
		}
	}
	for len(left) > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("consuming %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				out[r.Partition] = append(out[r.Partition], r)
			}
			if to, ok := left[r.Partition]; ok && r.Offset >= to-1 {
				delete(left, r.Partition)
			}
		})
	}
	return out
}

// wantStream wants the stream to be the journal, as a consumer sees it: checked here from the entries alone, and by Verify.
func wantStream(t testing.TB, b *kafkatest.Broker, cfg Config, m *memory) {
	t.Helper()
	type event struct {
		seq uint64
		leg string
	}
	want := map[string][]event{} // by key, in journal order
	total := 0
	for _, e := range m.entries {
		var keys []string
		for _, p := range e.Postings {
			key := fmt.Sprint(p.Account)
			seen := p.Account > customers
			for _, k := range keys {
				seen = seen || k == key
			}
			if !seen {
				keys = append(keys, key)
			}
		}
		switch {
		case e.Account != nil:
			keys = []string{fmt.Sprint(e.Account.ID)}
		case e.Define != nil:
			keys = []string{fmt.Sprintf("instrument/%d", e.Define.ID)}
		case len(keys) == 0:
			keys = []string{fmt.Sprint(e.Postings[0].Account)}
		}
		for leg, key := range keys {
			want[key] = append(want[key], event{e.ID.Seq(), fmt.Sprintf("%d/%d", leg, len(keys))})
			total++
		}
	}
	bad := 0
	complain := func(format string, args ...any) {
		if bad++; bad <= 10 {
			t.Errorf(format, args...)
		}
	}
	for partition, records := range consume(t, b.Addr(), cfg.Events) {
		for _, r := range records {
			h := map[string]string{}
			for _, header := range r.Headers {
				h[header.Key] = string(header.Value)
			}
			due := want[string(r.Key)]
			if len(due) == 0 {
				complain("partition %d, offset %d: entry %s under %s is one too many", partition, r.Offset, h[HeaderSeq], r.Key)
				continue
			}
			want[string(r.Key)] = due[1:]
			total--
			e := m.entries[due[0].seq-1]
			got := fmt.Sprint(h[HeaderType], h[HeaderShard], h[HeaderSeq], h[HeaderEntryID], h[HeaderLeg], "/", h[HeaderLegs], r.Timestamp.UnixMilli(), r.Value)
			wanted := fmt.Sprint(string(e.Kind), fmt.Sprint(m.shard), fmt.Sprint(e.ID.Seq()), fmt.Sprint(int64(e.ID)), due[0].leg[:len(due[0].leg)-len(h[HeaderLegs])-1], "/",
				due[0].leg[len(due[0].leg)-len(h[HeaderLegs]):], e.BookedAt.UnixMilli(), ledger.AppendEntry(nil, e))
			if got != wanted {
				complain("partition %d, offset %d: got  %s\nwant %s", partition, r.Offset, got, wanted)
			}
		}
	}
	if total != 0 {
		t.Errorf("%d events are missing", total)
	}
	cfg.Metrics = nil
	report, err := newPublisher(t, cfg).Verify(t.Context(), nil)
	if err != nil || !report.OK() || report.Checkpoint != m.Head().Seq || report.Entries != report.Checkpoint {
		t.Errorf("Verify: %v, %d breaches, checkpoint %d, %d entries: %.5v", err, report.BreachCount, report.Checkpoint, report.Entries, report.Breaches)
	}
}
