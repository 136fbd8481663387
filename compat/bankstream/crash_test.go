package bankstream_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/publisher"
	"github.com/bkledger/bk/migrations/child"
	"github.com/bkledger/bk/migrations/kafkatest"
)

var (
	rounds = flag.Int("rounds", 3, "faults of TestCrash")
	seed   = flag.Uint64("seed", 0, "of TestCrash's faults; 0 takes one from the clock")
)

const (
	recovery = 2 * time.Minute  // until all that was published before a fault's end is told, on a slow machine
	comesTo  = 20 * time.Second // an instance to the request at which it is to end; it may have no partition
	loadRate = 10 * time.Millisecond
	loadMost = 10 // entries at a time
)

// journal is BK's, in memory.
type journal struct {
	directory *ledger.Directory

	mu      sync.Mutex
	entries []*ledger.Entry
	grown   chan struct{}
}

func newJournal() *journal {
	j := &journal{directory: ledger.NewDirectory(), grown: make(chan struct{})}
	var accounts []*ledger.Entry
	for n := range customers {
		accounts = append(accounts, &ledger.Entry{Kind: "silent", Account: &ledger.Account{ID: account(n), Code: fmt.Sprintf("cust:%d", account(n)), Kind: ledger.KindCustomer}})
	}
	j.append(accounts...)
	return j
}

func (j *journal) append(entries ...*ledger.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range entries {
		e.ID = ledger.MakeID(0, uint64(len(j.entries))+1)
		e.BookedAt = time.UnixMilli(1_700_000_000_000 + int64(len(j.entries))).UTC()
		j.entries = append(j.entries, e)
		if e.Account != nil {
			j.directory.Apply(e)
		}
	}
	close(j.grown)
	j.grown = make(chan struct{})
}

// book appends n entries.
func (j *journal) book(rng *rand.Rand, n int) {
	entries := make([]*ledger.Entry, n)
	for i := range entries {
		e := &ledger.Entry{Kind: "one"}
		legs := 1
		switch kind := rng.IntN(40); {
		case kind == 0:
			e.Kind, e.Day, legs = "day", &ledger.Day{Date: 20131008}, 0
		case kind < 8:
			legs = 2
		case kind < 12:
			e.Kind = "silent"
		}
		for _, n := range rng.Perm(customers)[:legs] {
			e.Postings = append(e.Postings, ledger.Posting{Account: account(n), Instrument: 1 + rng.Int64N(5), Bucket: ledger.Settled, Quantity: ledger.AmountOf(1 + rng.Int64N(1_000_000))})
		}
		entries[i] = e
	}
	j.append(entries...)
}

func (j *journal) Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if after >= uint64(len(j.entries)) {
		return nil, ctx.Err()
	}
	return j.entries[after:min(uint64(len(j.entries)), after+uint64(limit))], ctx.Err()
}

func (j *journal) Wait(ctx context.Context, after uint64) error {
	for {
		j.mu.Lock()
		n, grown := uint64(len(j.entries)), j.grown
		j.mu.Unlock()
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

func (j *journal) Head() ledger.Token {
	j.mu.Lock()
	defer j.mu.Unlock()
	return ledger.Token{Seq: uint64(len(j.entries))}
}

// encode makes an event's value as the teller knows it.
func encode(e *ledger.Entry) ([]byte, error) {
	out := &bkv1.Entry{Id: int64(e.ID), Sequence: int64(e.ID.Seq()), Kind: string(e.Kind), BookedAt: timestamppb.New(e.BookedAt)}
	for _, p := range e.Postings {
		out.Postings = append(out.Postings, &bkv1.Posting{Account: p.Account, Instrument: p.Instrument, Quantity: p.Quantity.String(), Bucket: bkv1.Bucket_BUCKET_SETTLED})
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(&bkv1.Event{Entry: out})
}

// crash is the loop: instances of the stream in processes of their own, under load, and what happens to them.
type crash struct {
	*world
	broker    *kafkatest.Broker
	journal   *journal
	publisher *publisher.Publisher
	rng       *rand.Rand
	instances map[string]*instance
	worst     time.Duration
}

type instance struct {
	process *child.Child
	pid     string // file
}

// start runs an instance, which may kill or stop itself.
func (c *crash) start(name string, fault func(*childConfig)) *instance {
	told := c.child(name)
	told.PID = filepath.Join(c.t.TempDir(), "pid")
	if fault != nil {
		fault(&told)
	}
	i := &instance{c.spawn(told), told.PID}
	c.instances[name] = i
	return i
}

// free gives a name that no instance has; "" where there are three.
func (c *crash) free() string {
	for _, name := range []string{"one", "two", "three"} {
		if c.instances[name] == nil {
			return name
		}
	}
	return ""
}

func (c *crash) any() string {
	names := slices.Sorted(maps.Keys(c.instances))
	return names[c.rng.IntN(len(names))]
}

func (i *instance) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(i.number(t), s); err != nil {
		t.Fatal(err)
	}
}

// number is the process'.
func (i *instance) number(t testing.TB) (pid int) {
	t.Helper()
	until(t, "an instance to say its number", func() bool {
		text, err := os.ReadFile(i.pid)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(string(text))
		return err == nil
	})
	return pid
}

// stopped waits for an instance to stop itself; it may not come to that.
func (i *instance) stopped(t testing.TB) bool {
	t.Helper()
	stat := fmt.Sprintf("/proc/%d/stat", i.number(t))
	for end := time.Now().Add(comesTo); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(stat)
		if err != nil {
			t.Skip("what processes do is looked up in /proc")
		}
		if _, state, ok := strings.Cut(string(text), ") "); ok && strings.HasPrefix(state, "T") {
			return true
		}
	}
	return false
}

// requests that matter: produce, commit of offsets, end of a transaction, and others beside.
var requests = []int16{0, 0, 1, 12, 26, 26, 28, 28}

// faults are what happens in a round. What they start runs when they return.
var faults = []struct {
	name string
	real bool // only on Apache Kafka: the embedded broker may lose the tail of its files
	do   func(c *crash)
}{
	{"kill -9, and at once again", false, func(c *crash) {
		name := c.any()
		c.instances[name].process.Kill()
		c.start(name, nil)
	}},
	{"kill -9 right behind a request, and again", false, func(c *crash) {
		name := c.any()
		c.instances[name].process.Kill()
		i := c.start(name, func(told *childConfig) {
			told.KillKey, told.KillAt = requests[c.rng.IntN(len(requests))], 1+c.rng.Int64N(40)
		})
		select {
		case <-i.process.Gone():
		case <-time.After(comesTo):
			i.process.Kill()
		}
		c.start(name, nil)
	}},
	{"kill -9, and another takes over", false, func(c *crash) {
		name := c.any()
		if free := c.free(); free != "" {
			c.start(free, nil)
		} else if len(c.instances) < 2 {
			return
		}
		c.instances[name].process.Kill()
		delete(c.instances, name)
	}},
	{"one more", false, func(c *crash) {
		if free := c.free(); free != "" {
			c.start(free, nil)
			return
		}
		name := c.any()
		c.instances[name].process.Kill()
		c.start(name, nil)
	}},
	{"one goes in order", false, func(c *crash) {
		name := c.any()
		if len(c.instances) < 2 {
			c.start(c.free(), nil)
		}
		if err := c.instances[name].process.Stop(30 * time.Second); err != nil {
			c.t.Error(err)
		}
		delete(c.instances, name)
	}},
	{"stopped behind a request until others have its partitions, then it goes on", false, func(c *crash) {
		for len(c.instances) < 2 {
			c.start(c.free(), nil)
		}
		name := c.any()
		c.instances[name].process.Kill()
		i := c.start(name, func(told *childConfig) {
			told.KillKey, told.KillAt, told.Stop = requests[c.rng.IntN(len(requests))], 1+c.rng.Int64N(40), true
		})
		if !i.stopped(c.t) {
			i.process.Kill()
			c.start(name, nil)
			return
		}
		c.caughtUp() // without it
		i.signal(c.t, syscall.SIGCONT)
	}},
	{"the broker is killed", true, func(c *crash) {
		c.broker.Kill()
		c.broker.Restart()
	}},
	{"the broker is restarted", true, func(c *crash) {
		c.broker.Stop()
		c.broker.Restart()
	}},
}

// caughtUp waits until all that is in the journal now was told, by the group's offsets.
func (c *crash) caughtUp() {
	c.t.Helper()
	began := time.Now()
	head := c.journal.Head().Seq
	var ends map[int32]int64
	missing := "nothing"
	moved, last := began, int64(-1) // it counts from the last step forward
	for time.Since(moved) < recovery {
		if !func() bool {
			ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
			defer cancel()
			if at := c.publisher.Status().Published.Seq; at < head {
				missing = fmt.Sprintf("BK's publisher is at %d of %d", at, head)
				return false
			}
			if ends == nil {
				listed, err := c.admin.ListEndOffsets(ctx, c.events())
				if err = errors.Join(err, listed.Error()); err != nil {
					missing = err.Error()
					return false
				}
				ends = map[int32]int64{}
				for _, o := range listed[c.events()] {
					ends[o.Partition] = o.Offset
				}
			}
			at, err := c.admin.FetchOffsets(ctx, c.name)
			if err != nil {
				missing = err.Error()
				return false
			}
			sum := int64(0)
			at.Each(func(o kadm.OffsetResponse) { sum += o.At })
			if sum > last {
				moved, last = time.Now(), sum
			}
			for id, end := range ends {
				if o, ok := at.Lookup(c.events(), id); !ok || o.At < end {
					missing = fmt.Sprintf("partition %d is at %d of %d", id, o.At, end)
					return false
				}
			}
			return true
		}() {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		c.worst = max(c.worst, time.Since(began))
		return
	}
	c.t.Fatalf("nothing was told for %s: %s", recovery, missing)
}

// TestCrash: whatever happens to instances and broker under load, what a read-committed consumer sees is byte for byte what an undisturbed run gives.
func TestCrash(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	b := kafkatest.Own(t)
	c := &crash{world: newWorld(t, b.Addr()), broker: b, journal: newJournal(), rng: rand.New(rand.NewPCG(*seed, 0)), instances: map[string]*instance{}}
	var err error
	c.publisher, err = publisher.New(publisher.Config{
		Journal: c.journal, Directory: c.journal.directory, Encode: encode, Brokers: []string{b.Addr()}, Events: c.events(), Checkpoints: c.name + ".checkpoints", Partitions: partitions,
		AttemptTimeout: 10 * time.Second, BackoffMax: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.publisher.Run(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("BK's publisher: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	var still atomic.Bool
	running.Go(func() {
		rng := rand.New(rand.NewPCG(*seed, 1))
		for tick := time.NewTicker(loadRate); ctx.Err() == nil && !still.Load(); <-tick.C {
			c.journal.book(rng, 1+rng.IntN(loadMost))
		}
	})

	c.start("one", nil)
	c.caughtUp()
	c.worst = 0
	counts := map[string]int{}
	var deck []int // each fault comes once before any comes again
	for n := range *rounds {
		if len(deck) == 0 {
			deck = slices.DeleteFunc(c.rng.Perm(len(faults)), func(i int) bool { return faults[i].real && !b.Real() })
		}
		f := faults[deck[0]]
		deck = deck[1:]
		counts[f.name]++
		began := time.Now()
		f.do(c)
		hit := time.Since(began)
		c.caughtUp()
		t.Logf("%3d  %-75s %d instances, %.1f s and %.1f s until all was told", n+1, f.name, len(c.instances), hit.Seconds(), (time.Since(began) - hit).Seconds())
		for name, i := range c.instances {
			if !i.process.Running() {
				t.Fatalf("%s ended by itself: %v", name, i.process.Err())
			}
		}
	}
	still.Store(true)
	c.caughtUp()
	for _, i := range c.instances {
		if err := i.process.Stop(30 * time.Second); err != nil {
			t.Error(err)
		}
	}
	c.read(func(r *kgo.Record) { c.records = append(c.records, r) }, c.events())
	c.same(c.published(c.shadows()...), c.expected(nil, nil))
	t.Logf("seed %d, Apache Kafka: %t; %d rounds, %d of BK's events, up to %.1f s until all was told", *seed, b.Real(), *rounds, len(c.records), c.worst.Seconds())
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%4d × %s", counts[name], name)
	}
}
