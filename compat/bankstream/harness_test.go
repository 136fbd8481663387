package bankstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/publisher"
)

const (
	patience   = 60 * time.Second
	partitions = 4
	customers  = 40
	base       = 7_000_000 // of event ids on Bank's topics
)

// world is a topic of BK's, and what the stream should make of it. Names of topics are the test's own, since tests may share a broker.
type world struct {
	t      testing.TB
	broker string
	name   string
	client *kgo.Client // a transactional producer
	admin  *kadm.Client
	rng    *rand.Rand

	turn sync.Mutex // of those who book

	mu       sync.Mutex
	sequence int64
	records  []*kgo.Record // BK's, in order
}

// odd is what a topic's name can't have.
var odd = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func newWorld(t testing.TB, broker string) *world {
	t.Helper()
	w := &world{t: t, broker: broker, name: fmt.Sprintf("%s-%d", odd.ReplaceAllString(t.Name(), "_"), rand.Uint32()), rng: rand.New(rand.NewPCG(1, 2))}
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.TransactionalID("publisher-"+w.name), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.DefaultProduceTopic(w.events()), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.client, w.admin = client, kadm.NewClient(client)
	return w
}

func (w *world) events() string { return w.name + ".events" }

// topic makes BK's topic.
func (w *world) topic(partitions int32) {
	w.t.Helper()
	if _, err := w.admin.CreateTopic(w.t.Context(), partitions, 1, map[string]*string{"retention.ms": new("-1")}, w.events()); err != nil {
		w.t.Fatal(err)
	}
	until(w.t, "all partitions to have a leader", func() bool {
		ends, err := w.admin.ListEndOffsets(w.t.Context(), w.events())
		return err == nil && ends.Error() == nil && len(ends[w.events()]) == int(partitions)
	})
}

// config is that of an instance.
func (w *world) config(instance string, translator bankstream.Translator) bankstream.Config {
	return bankstream.Config{
		Translator: translator, Brokers: []string{w.broker}, Events: w.events(), Group: w.name, State: w.name + ".state", Shadow: w.name + ".", Instance: instance,
		SessionTimeout: 6 * time.Second, TransactionTimeout: 10 * time.Second, MaxRecords: 200,
		Options: []kgo.Opt{kgo.MetadataMinAge(50 * time.Millisecond)}, Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
}

// running is an instance that runs.
type running struct {
	*bankstream.Service
	stop func() error // waits for the end
	done chan struct{}
	err  error
}

func (w *world) start(cfg bankstream.Config) *running {
	w.t.Helper()
	s, err := bankstream.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Service: s, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = s.Run(ctx)
	}()
	r.stop = func() error {
		cancel()
		select {
		case <-r.done:
			return r.err
		case <-time.After(patience):
			return errors.New("the stream does not end")
		}
	}
	w.t.Cleanup(func() {
		if err := r.stop(); err != nil && !errors.Is(err, bankstream.ErrFenced) && !errors.Is(err, bankstream.ErrTopics) {
			w.t.Error(err)
		}
	})
	return r
}

// entry makes the events of an entry that moves an amount on some accounts; kind is what the translator does of it.
func (w *world) entry(kind string, accounts ...int64) []*kgo.Record {
	w.sequence++
	e := &bkv1.Entry{Id: w.sequence, Sequence: w.sequence, Kind: kind, BookedAt: timestamppb.New(time.UnixMilli(1_700_000_000_000 + w.sequence))}
	for i, account := range accounts {
		quantity := fmt.Sprintf("%d.%02d", w.rng.IntN(100_000)+1, w.rng.IntN(100))
		if i > 0 {
			quantity = "-" + quantity
		}
		e.Postings = append(e.Postings, &bkv1.Posting{Account: account, Instrument: 1 + w.rng.Int64N(5), Quantity: quantity, Bucket: bkv1.Bucket_BUCKET_SETTLED})
	}
	value, err := proto.Marshal(&bkv1.Event{Entry: e})
	if err != nil {
		w.t.Fatal(err)
	}
	keys := []string{"day"}
	if len(accounts) > 0 {
		keys = nil
	}
	for _, account := range accounts {
		keys = append(keys, strconv.FormatInt(account, 10))
	}
	var out []*kgo.Record
	for leg, key := range keys {
		n := func(v int64) []byte { return strconv.AppendInt(nil, v, 10) }
		out = append(out, &kgo.Record{Key: []byte(key), Value: value, Timestamp: e.BookedAt.AsTime(), Headers: []kgo.RecordHeader{
			{Key: publisher.HeaderType, Value: []byte(kind)}, {Key: publisher.HeaderShard, Value: n(0)}, {Key: publisher.HeaderSeq, Value: n(w.sequence)},
			{Key: publisher.HeaderEntryID, Value: n(w.sequence)}, {Key: publisher.HeaderLeg, Value: n(int64(leg))}, {Key: publisher.HeaderLegs, Value: n(int64(len(keys)))},
		}})
	}
	return out
}

// publish makes one transaction of records.
func (w *world) publish(records ...*kgo.Record) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.client.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		w.t.Fatal(err)
	}
	w.records = append(w.records, records...)
}

// book publishes n entries of all kinds, in transactions of some.
func (w *world) book(n int) {
	w.t.Helper()
	w.turn.Lock()
	defer w.turn.Unlock()
	for n > 0 {
		var batch []*kgo.Record
		for range min(n, 1+w.rng.IntN(60)) {
			n--
			a, b := account(w.rng.IntN(customers)), account(w.rng.IntN(customers))
			switch kind := w.rng.IntN(30); {
			case kind == 0:
				batch = append(batch, w.entry("day")...)
			case kind < 8 && a != b:
				batch = append(batch, w.entry("both", a, b)...)
			case kind < 12:
				batch = append(batch, w.entry("silent", a)...)
			default:
				batch = append(batch, w.entry("one", a)...)
			}
		}
		w.publish(batch...)
	}
}

func account(n int) int64 { return 100_000 + int64(n) }

// teller is a simple translator: the sum of an account's postings, and how many events it had, which is kept as a trade.
type teller struct {
	away   atomic.Int64 // account of which nothing can be told now
	called atomic.Int64
	poison atomic.Bool // cured
}

var errAway = errors.New("BK is away")

func (l *teller) Apply(_ context.Context, v state.View, r rehydrate.Record) ([]bank.Event, error) {
	l.called.Add(1)
	at := r.Entry.GetBookedAt().AsTime().UnixMilli()
	id := 2*r.Entry.GetSequence() + int64(r.Leg)
	if r.Account == 0 {
		return []bank.Event{{ID: id, Kind: bank.EventRolled, At: at, From: 20131007, To: 20131008}}, nil
	}
	var total ledger.Amount
	var last state.HoldingKey
	for _, p := range r.Entry.GetPostings() {
		if p.GetAccount() != r.Account {
			continue
		}
		amount, err := ledger.ParseAmount(p.GetQuantity())
		if err != nil {
			return nil, fmt.Errorf("%w: %w", rehydrate.ErrPoison, err)
		}
		total, last = amount, state.HoldingKey{Account: r.Account, Instrument: p.GetInstrument()}
		h := v.Holding(last)
		h.Settled = h.Settled.Add(amount)
		v.SetHolding(last, h)
	}
	count := state.TradeKey{Account: r.Account, Trade: 1}
	trade, _ := v.Trade(count)
	trade.BankID++
	v.SetTrade(count, trade)
	if l.away.Load() == r.Account {
		return nil, errAway // what was changed is undone
	}
	text := "text"
	switch r.Entry.GetKind() {
	case "silent":
		return nil, nil
	case "poison":
		if !l.poison.Load() {
			return nil, fmt.Errorf("%w: account %d is odd", rehydrate.ErrPoison, r.Account)
		}
	case "large":
		text = strings.Repeat("x", 2<<20)
	}
	return []bank.Event{{
		ID: id, Kind: bank.Deposit, At: at, BusinessDate: 20131007, AccountID: bank.ID(r.Account), CashID: trade.BankID, ClientID: text, Currency: "USD",
		Amount: number(total), Balance: number(v.Holding(last).Settled), SettledBalance: number(v.Holding(last).Settled),
	}}, nil
}

func number(a ledger.Amount) bank.Decimal {
	return bank.Decimal{Decimal: decimal.NewFromBigInt(a.Unscaled(), -ledger.AmountScale)}
}

// plain is a view without transactions.
type plain struct {
	holdings map[state.HoldingKey]state.Holding
	trades   map[state.TradeKey]state.Trade
}

func newPlain() *plain {
	return &plain{map[state.HoldingKey]state.Holding{}, map[state.TradeKey]state.Trade{}}
}

func (p *plain) Holding(k state.HoldingKey) state.Holding       { return p.holdings[k] }
func (p *plain) SetHolding(k state.HoldingKey, h state.Holding) { p.holdings[k] = h }
func (p *plain) Trade(k state.TradeKey) (state.Trade, bool)     { t, ok := p.trades[k]; return t, ok }
func (p *plain) SetTrade(k state.TradeKey, t state.Trade)       { p.trades[k] = t }
func (p *plain) DropTrade(k state.TradeKey)                     { delete(p.trades, k) }

// told is a record as a consumer sees it.
type told struct {
	topic, key, value, entry string
	at                       int64
}

func (r told) String() string {
	return fmt.Sprintf("%s %q %s %d: %.300s", r.topic, r.key, r.entry, r.at, r.value)
}

// expected is what an undisturbed run gives, by topic and key; left says which records are left out, owned which entries are the stream's.
func (w *world) expected(left func(*kgo.Record) bool, owned func(sequence int64) bool) map[string][]told {
	w.t.Helper()
	out := map[string][]told{}
	view, translator := newPlain(), &teller{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		if left != nil && left(r) {
			continue
		}
		var event bkv1.Event
		if err := proto.Unmarshal(r.Value, &event); err != nil {
			w.t.Fatal(err)
		}
		in := rehydrate.Record{Entry: event.Entry, Leg: int(r.Headers[4].Value[0] - '0'), Legs: int(r.Headers[5].Value[0] - '0')}
		in.Account, _ = strconv.ParseInt(string(r.Key), 10, 64)
		events, err := translator.Apply(context.Background(), view, in)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range events {
			add := func(topic string) {
				key := topic + "/" + e.Key()
				out[key] = append(out[key], told{topic, e.Key(), string(e.AppendJSON(nil)), string(r.Headers[3].Value), e.At})
			}
			add(w.name + "." + e.Topic())
			if owned != nil && owned(event.Entry.Sequence) {
				e.ID += base
				add(e.Topic())
			}
		}
	}
	return out
}

// published gives what a read-committed consumer sees of topics, up to their ends as they are now, by topic and key.
func (w *world) published(topics ...string) map[string][]told {
	w.t.Helper()
	out := map[string][]told{}
	w.read(func(r *kgo.Record) {
		key := r.Topic + "/" + string(r.Key)
		one := told{topic: r.Topic, key: string(r.Key), value: string(r.Value), at: r.Timestamp.UnixMilli()}
		if len(r.Headers) == 1 && r.Headers[0].Key == bankstream.HeaderEntry {
			one.entry = string(r.Headers[0].Value)
		}
		out[key] = append(out[key], one)
	}, topics...)
	return out
}

// read gives topics' committed records up to their ends as they are now, each partition's in order.
func (w *world) read(each func(*kgo.Record), topics ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ends, err := w.admin.ListEndOffsets(ctx, topics...)
	if err != nil || ends.Error() != nil {
		w.t.Fatal(err, ends.Error())
	}
	left, from := map[string]map[int32]int64{}, map[string]map[int32]kgo.Offset{}
	count := 0
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset == 0 {
			return
		}
		if left[o.Topic] == nil {
			left[o.Topic], from[o.Topic] = map[int32]int64{}, map[int32]kgo.Offset{}
		}
		left[o.Topic][o.Partition], from[o.Topic][o.Partition] = o.Offset, kgo.NewOffset().At(0)
		count++
	})
	if count == 0 {
		return
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker), kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	for count > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatalf("read what was published, %v left: %v", left, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, ok := left[r.Topic][r.Partition]
			if !ok || r.Offset >= end {
				return
			}
			if !r.Attrs.IsControl() {
				each(r)
			}
			if r.Offset == end-1 {
				delete(left[r.Topic], r.Partition)
				count--
			}
		})
	}
}

func (w *world) shadows() []string {
	return []string{w.name + "." + bank.TopicTrades, w.name + "." + bank.TopicCash, w.name + "." + bank.TopicBusinessDate}
}

// same compares what was published with an undisturbed run: for each account, content and order.
func (w *world) same(got, want map[string][]told) {
	w.t.Helper()
	faults := 0
	for key := range want {
		if !slices.Equal(got[key], want[key]) {
			n := 0
			for n < len(got[key]) && n < len(want[key]) && got[key][n] == want[key][n] {
				n++
			}
			show := func(all []told) any {
				if n < len(all) {
					return all[n]
				}
				return "nothing"
			}
			w.t.Errorf("%s: %d events and not %d; event %d is\n%v\nand not\n%v", key, len(got[key]), len(want[key]), n, show(got[key]), show(want[key]))
			if faults++; faults > 3 {
				w.t.Fatal("and more")
			}
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			w.t.Errorf("%s should have no events, and has %v", key, got[key][0])
		}
	}
}

// until waits for something.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// caughtUp waits until instances have told all that was published.
func (w *world) caughtUp(instances ...*running) {
	w.t.Helper()
	ends, err := w.admin.ListEndOffsets(context.Background(), w.events())
	if err != nil {
		w.t.Fatal(err)
	}
	until(w.t, "all to be told", func() bool {
		at := map[int32]int64{}
		for _, r := range instances {
			for _, p := range r.Status().Partitions {
				at[p.Partition] = p.Offset
			}
		}
		behind := false
		ends.Each(func(o kadm.ListedOffset) { behind = behind || at[o.Partition] < o.Offset })
		return !behind
	})
}

// find gives the status of a partition of an instance.
func (r *running) find(id int32) bankstream.PartitionStatus {
	for _, p := range r.Status().Partitions {
		if p.Partition == id {
			return p
		}
	}
	return bankstream.PartitionStatus{Partition: -1}
}

// standing waits until a partition is in a phase and gives its status.
func (w *world) standing(r *running, phase bankstream.Phase) (found bankstream.PartitionStatus) {
	w.t.Helper()
	until(w.t, "a partition to be "+string(phase), func() bool {
		for _, p := range r.Status().Partitions {
			if p.Phase == phase {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

// entryOf gives a header's number.
func entryOf(r *kgo.Record) string { return string(r.Headers[3].Value) }
