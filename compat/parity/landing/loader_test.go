package landing_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
)

// TestLoad: both sides at once; aborted transactions and the stream's records on Bank's topics are left out; a second landing goes on, and a third finds nothing.
func TestLoad(t *testing.T) {
	t.Parallel()
	w, prefix, store := newWorld(t), own(t), openStore(t)
	topics := named(prefix, landing.AllTopics())
	w.topics(generate.Partitions, names(topics)...)
	cfg := small(1, 4000)
	w.produce(kafka(prefix, generate.Records(cfg, true))...)
	cfg.BK = true
	bk := kafka(prefix, generate.Records(cfg, true))
	stream := w.connect(kgo.TransactionalID(prefix + "stream"))
	transact := func(records []*kgo.Record, end kgo.TransactionEndTry) {
		t.Helper()
		err := stream.BeginTransaction()
		if err == nil {
			err = stream.ProduceSync(t.Context(), records...).FirstErr()
		}
		if err == nil {
			err = stream.EndTransaction(t.Context(), end)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	again := func(from, to int) []*kgo.Record { // the client keeps what it was given
		return kafka(prefix, generate.Records(generate.Config{Seed: cfg.Seed, Events: cfg.Events, Accounts: cfg.Accounts, Symbols: cfg.Symbols, DayTrades: cfg.DayTrades, BK: true}, true))[from:to]
	}
	transact(bk[:2000], kgo.TryCommit)
	transact(again(2000, 2500), kgo.TryAbort)
	owned := again(2000, 2100) // on Bank's topics, too
	for _, r := range owned {
		r.Topic = strings.Replace(r.Topic, "facade.", "", 1)
	}
	transact(owned, kgo.TryCommit)

	p, err := w.load(store, topics)
	if err != nil || p.Events != 6000 || p.Skipped != 100 || p.Rejects != 0 || p.Behind != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	whole(t, store, 6000)
	transact(bk[2000:], kgo.TryCommit)
	if p, err = w.load(store, topics, func(c *landing.Config) { c.BatchRows = 100 }); err != nil || p.Events != 2000 || p.Commits < 20 {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, err = w.load(store, topics); err != nil || p.Events != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	whole(t, store, 8000)
	for query, want := range map[string]int64{
		`SELECT COUNT(*) FROM trade_events a JOIN trade_events b USING (content_hash) WHERE a.side = 'bank' AND b.side = 'bk'`: number(t, store, `SELECT COUNT(*) FROM trade_events WHERE side = 'bk'`),
		`SELECT COUNT(*) FROM landing_offsets`:                                                         int64(len(topics)) * generate.Partitions,
		`SELECT COUNT(*) FROM landing_offsets WHERE caught_up_at IS NULL OR end_offset <> next_offset`: 0,
		`SELECT COUNT(*) FROM landing_offsets WHERE topic_id IS NULL`:                                  0,
	} {
		if got := number(t, store, query); got != want {
			t.Errorf("%s: %d, not %d", query, got, want)
		}
	}
}

// TestAfter: what Bank told up to an event is left out, of Bank's side alone.
func TestAfter(t *testing.T) {
	t.Parallel()
	w, prefix, store := newWorld(t), own(t), openStore(t)
	topics := named(prefix, landing.AllTopics())
	w.topics(generate.Partitions, names(topics)...)
	cfg := small(3, 1000)
	w.produce(kafka(prefix, generate.Records(cfg, true))...)
	cfg.BK = true
	w.produce(kafka(prefix, generate.Records(cfg, true))...)
	const after = 300
	p, err := w.load(store, topics, func(c *landing.Config) { c.After = after })
	if err != nil || p.Rejects != 0 || p.Events+p.Skipped != 2000 {
		t.Fatalf("%+v, %v", p, err)
	}
	count := func(where string) (n int64) {
		for _, table := range []string{"trade_events", "cash_events", "date_events"} {
			n += number(t, store, `SELECT COUNT(*) FROM `+table+` WHERE `+where)
		}
		return n
	}
	if n := count(`side = 'bk'`); n != 1000 {
		t.Errorf("%d events of BK's", n)
	}
	if n := count(`side = 'bank'`); n != 1000-p.Skipped || p.Skipped == 0 {
		t.Errorf("%d events of Bank's, %d left out", n, p.Skipped)
	}
	if n := count(`side = 'bank' AND event_id <= 300`); n != 0 {
		t.Errorf("%d events of before", n)
	}
}

// TestFollow: what comes later is landed, of topics and partitions too that were not there; and it is said when all was here.
func TestFollow(t *testing.T) {
	t.Parallel()
	w, prefix, store := newWorld(t), own(t), openStore(t)
	topics := named(prefix, landing.TopicsOf(dialect.SideBank, ""))
	stop := w.follow(store, topics)
	w.topics(generate.Partitions, topics[0].Name)
	all := kafka(prefix, generate.Records(small(2, 3000), true))
	byTopic := map[string][]*kgo.Record{}
	for _, r := range all {
		byTopic[r.Topic] = append(byTopic[r.Topic], r)
	}
	trades := byTopic[topics[0].Name]
	w.produce(trades[:500]...)
	eventually(t, store, countEvents, 500)
	w.topics(generate.Partitions, topics[1].Name, topics[2].Name)
	w.produce(byTopic[topics[1].Name]...)
	w.produce(byTopic[topics[2].Name]...)
	w.produce(trades[500:]...)
	eventually(t, store, countEvents, 3000)
	caughtUp := time.Now().UTC()
	eventually(t, store, fmt.Sprintf(`SELECT COUNT(*) FROM landing_offsets WHERE caught_up_at > %s`, dialect.DuckDB().Time(caughtUp)), 3*generate.Partitions)
	if _, err := w.admin.CreatePartitions(t.Context(), 1, topics[0].Name); err != nil {
		t.Fatal(err)
	}
	more := *trades[0]
	more.Partition = generate.Partitions
	deadline := time.Now().Add(20 * time.Second)
	for w.client.ProduceSync(t.Context(), &kgo.Record{Topic: more.Topic, Partition: more.Partition, Key: more.Key, Value: more.Value}).FirstErr() != nil {
		if time.Now().After(deadline) {
			t.Fatal("the new partition can't be written to")
		}
		w.client.ForceMetadataRefresh()
		time.Sleep(20 * time.Millisecond)
	}
	eventually(t, store, countEvents, 3001)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	whole(t, store, 3001)
}

// TestRejects: what is no event is kept as it came, with the reason, and the rest is landed.
func TestRejects(t *testing.T) {
	t.Parallel()
	w, prefix, store := newWorld(t), own(t), openStore(t)
	topics := named(prefix, landing.TopicsOf(dialect.SideBank, ""))
	w.topics(1, names(topics)...)
	var event bank.Event
	for e := range generate.Events(small(3, 50)) {
		if e.Trade != nil {
			event = e
		}
	}
	text := string(event.AppendJSON(nil))
	quantity := `"quantity":"` + event.Trade.Quantity.String()
	bad := map[string]string{ // by what the reason says
		"JSON":           text[:len(text)-1],
		"UTF-8":          strings.Replace(text, "ticker", "tick\xffer", 1),
		"quantity":       strings.Replace(text, quantity, `"quantity":"ten`, 1),
		"event":          strings.Replace(text, `"opened"`, `"closed"`, 1),
		"28 integer":     strings.Replace(text, `"settled_balance":"`, `"settled_balance":"12345678901234567890123456789`, 1),
		"is an event of": `{"event_id":3,"event":"rolled","at":1,"from":0,"to":20131008}`,
		"key":            text,
	}
	key := []byte(event.Key())
	var values []string
	for reason, value := range bad {
		r := &kgo.Record{Topic: topics[0].Name, Key: key, Value: []byte(value)}
		if reason == "key" {
			r.Key = []byte("7")
		}
		w.produce(r)
		values = append(values, value)
	}
	w.produce(&kgo.Record{Topic: topics[0].Name, Key: key})
	spaced := strings.Replace(text, `,"event":`, `, "event": `, 1)
	w.produce(&kgo.Record{Topic: topics[0].Name, Key: key, Value: []byte(text)}, &kgo.Record{Topic: topics[0].Name, Key: key, Value: []byte(spaced)})
	p, err := w.load(store, topics)
	if err != nil || p.Rejects != int64(len(bad)+1) || p.Events != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	whole(t, store, int64(len(bad)+3))
	for reason, value := range bad {
		var said string
		var got []byte
		err := store.DB().QueryRowContext(t.Context(), `SELECT reason, value FROM landing_rejects WHERE reason LIKE '%'||?||'%' AND value = ?`, reason, []byte(value)).Scan(&said, &got)
		if err != nil || string(got) != value {
			t.Errorf("%s: %v: %s", reason, err, got)
		}
	}
	if n := number(t, store, `SELECT COUNT(*) FROM landing_rejects WHERE value IS NULL`); n != 1 {
		t.Errorf("%d records without a value", n)
	}
	for query, want := range map[string]int64{
		`SELECT COUNT(*) FROM trade_events WHERE canonical`:               1,
		`SELECT COUNT(*) FROM trade_events WHERE NOT canonical`:           1,
		`SELECT COUNT(DISTINCT content_hash) FROM trade_events`:           1,
		`SELECT SUM(rejects)::BIGINT FROM landing_offsets WHERE events=2`: int64(len(values) + 1),
	} {
		if got := number(t, store, query); got != want {
			t.Errorf("%s: %d, not %d", query, got, want)
		}
	}
}

// TestGaps: what Kafka has deleted stops the landing, with what is missing, until somebody says that it is to go on; that is written down.
func TestGaps(t *testing.T) {
	t.Parallel()
	w, prefix, store := newWorld(t), own(t), openStore(t)
	topics := named(prefix, landing.TopicsOf(dialect.SideBank, ""))
	w.topics(1, names(topics)...)
	var records []*kgo.Record
	for _, r := range kafka(prefix, generate.Records(small(4, 2000), true)) {
		r.Partition = 0
		records = append(records, r)
	}
	cut := func(at int64) {
		t.Helper()
		offsets, err := w.admin.ListStartOffsets(t.Context(), topics[0].Name)
		if err != nil {
			t.Fatal(err)
		}
		to := offsets.Offsets()
		for topic, partitions := range to {
			for partition, o := range partitions {
				o.At = at
				to[topic][partition] = o
			}
		}
		deleted, err := w.admin.DeleteRecords(t.Context(), to)
		if err == nil {
			err = deleted.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.produce(records[:1000]...)
	first := number(t, store, `SELECT 100`)
	cut(first)
	_, err := w.load(store, topics)
	gap := (*landing.GapError)(nil)
	if !errors.As(err, &gap) || len(gap.Gaps) != 1 || gap.Gaps[0].First != 0 || gap.Gaps[0].Next != 100 || !strings.Contains(err.Error(), "offsets 0 to 99") {
		t.Fatalf("history that is gone: %v", err)
	}
	if n := number(t, store, countEvents); n != 0 {
		t.Errorf("%d events were landed", n)
	}
	accept := func(next int64) func(*landing.Config) {
		return func(c *landing.Config) {
			c.Accept = []landing.Accept{{Topic: topics[0].Name, Next: next, Who: "anna", Why: "it's old"}}
		}
	}
	if _, err := w.load(store, topics, accept(99)); !errors.As(err, &gap) {
		t.Errorf("a gap that nobody has accepted: %v", err)
	}
	if _, err := w.load(store, topics, accept(100)); err != nil {
		t.Fatal(err)
	}
	whole(t, store, 900)
	w.produce(records[1000:]...)
	stands := number(t, store, `SELECT next_offset FROM landing_offsets WHERE topic LIKE '%trades'`)
	cut(stands + 50)
	if _, err := w.load(store, topics, accept(100)); !errors.As(err, &gap) || gap.Gaps[0].First != stands || gap.Gaps[0].Next != stands+50 {
		t.Errorf("a second gap: %v", err)
	}
	if _, err := w.load(store, topics, accept(stands+50)); err != nil {
		t.Fatal(err)
	}
	whole(t, store, 1850)
	if n := number(t, store, `SELECT COUNT(*) FROM landing_gaps WHERE who = 'anna' AND why = 'it''s old' AND next_offset - first_offset IN (50, 100)`); n != 2 {
		t.Errorf("%d gaps are written down", n)
	}
}

// TestMadeAnew: a topic that was deleted and made again is not taken for the one that was landed.
func TestMadeAnew(t *testing.T) {
	t.Parallel()
	w, prefix, store := newWorld(t), own(t), openStore(t)
	topics := named(prefix, landing.TopicsOf(dialect.SideBank, ""))
	w.topics(generate.Partitions, names(topics)...)
	w.produce(kafka(prefix, generate.Records(small(5, 300), true))...)
	if _, err := w.load(store, topics); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.DeleteTopics(t.Context(), topics[0].Name); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		made, err := w.admin.CreateTopics(t.Context(), generate.Partitions, 1, nil, topics[0].Name)
		if err == nil && made.Error() == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err, made.Error())
		}
		time.Sleep(20 * time.Millisecond)
	}
	for { // the broker may not have the topic yet, which is an error, too
		_, err := w.load(store, topics)
		if errors.Is(err, landing.ErrMadeAnew) {
			break
		}
		if err == nil || time.Now().After(deadline) {
			t.Fatalf("%v", err)
		}
	}
	whole(t, store, 300)
}

// TestOtherLoader: of two that land in one warehouse the later fails, and what it landed is not there.
func TestOtherLoader(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	origin := landing.Origin{Topic: landing.TopicsOf(dialect.SideBank, "")[2]}
	roll := func(offset int64) landing.Record {
		return landing.Record{Offset: offset, Event: &bank.Event{ID: offset + 1, Kind: bank.EventRolled, From: 20131007, To: 20131008}}
	}
	_, err := landing.Feed(t.Context(), landing.Config{Store: store, BatchRows: 1}, func(yield func(landing.Origin, landing.Record) bool) {
		if !yield(origin, roll(0)) {
			return
		}
		// The batch may still be on its way; when it is there, another loader lands the next record.
		for deadline := time.Now().Add(10 * time.Second); number(t, store, countEvents) != 1; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Error("the first record is not landed in time")
				return
			}
		}
		if _, err := landing.Feed(t.Context(), landing.Config{Store: store}, func(yield func(landing.Origin, landing.Record) bool) { yield(origin, roll(1)) }); err != nil {
			t.Error(err)
		}
		yield(origin, roll(1))
	})
	if !errors.Is(err, landing.ErrOtherLoader) {
		t.Errorf("%v", err)
	}
	whole(t, store, 2)
	_, err = landing.Feed(t.Context(), landing.Config{Store: store}, func(yield func(landing.Origin, landing.Record) bool) { yield(origin, roll(1)) })
	if err == nil || !strings.Contains(err.Error(), "offset 1 is fed behind 1") {
		t.Errorf("an offset again: %v", err)
	}
}

func TestConfigReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := landing.New(landing.Config{
		Topics: []landing.Topic{{Side: "left", Name: "a", Contract: "b"}}, BatchRows: -1, BatchBytes: 1, Linger: -1, Workers: -1, Patience: -1, Relist: -1,
		Accept: []landing.Accept{{Topic: "x"}},
	})
	for _, field := range []string{"Store:", "Brokers:", "Topics:", "BatchRows:", "BatchBytes:", "Linger:", "Workers:", "Patience:", "Relist:", "Accept:"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not in %v", field, err)
		}
	}
}
