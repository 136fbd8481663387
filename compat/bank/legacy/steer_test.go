package legacy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/migrations/kafkatest"
)

const legacyPrefix = "legacy."

// steer sets the relay.
func (b *books) steer(t *testing.T, s bank.RelaySetting) bank.Relay {
	t.Helper()
	relay, err := b.SetRelay(t.Context(), s)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return relay
}

// runRelay runs one until stop, or the test's end.
func (b *books) runRelay(t *testing.T, broker string, acked func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { legacy.RunRelay(ctx, b.dsn, broker, slog.New(slog.DiscardHandler), acked) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

// published gives the events that a topic has now, repeats too, in order by partition.
func published(t *testing.T, broker, topic string) (events []bank.Event) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	if err == nil {
		err = ends.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for left > 0 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			e, err := bank.ReadEvent(r.Value)
			if err != nil || string(e.AppendJSON(nil)) != string(r.Value) || e.Key() != string(r.Key) || !strings.HasSuffix(topic, e.Topic()) {
				t.Errorf("%s: %s: %v, or in another spelling", topic, r.Value, err)
			}
			events = append(events, e)
			left--
		})
	}
	if left > 0 {
		t.Fatalf("%s: %d events did not come", topic, left)
	}
	return events
}

// byName gives the ids of trade events by the client's id, as seen first; it fails where one has two ids, or an account's ids do not ascend.
func byName(t *testing.T, events []bank.Event) map[string]int64 {
	t.Helper()
	names, seen, last := map[string]int64{}, map[int64]bool{}, map[bank.ID]int64{}
	for _, e := range events {
		if seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		if names[e.Trade.ClientTradeID] != 0 || e.ID < last[e.AccountID] {
			t.Errorf("event %d of %q: there was %d, the account's last is %d", e.ID, e.Trade.ClientTradeID, names[e.Trade.ClientTradeID], last[e.AccountID])
		}
		names[e.Trade.ClientTradeID], last[e.AccountID] = e.ID, e.ID
	}
	return names
}

// TestSteer: what is below the place goes where it went, what is behind it waits, then goes on elsewhere, and comes back behind a floor.
func TestSteer(t *testing.T) {
	t.Parallel()
	b := open(t)
	broker := kafkatest.New(t).Addr()
	book := func(name string) { b.book(t, exchange(t, name, 1, "buy", "1", "1", 20131007, "")) }
	idle := func() bool { r, err := b.Relay(t.Context()); return err == nil && r.FirstUnsent == 0 }
	book("before")
	held := b.steer(t, bank.RelaySetting{Epoch: 3, Held: true}) // nothing is sent yet
	want(t, "as held", held, bank.Relay{RelaySetting: bank.RelaySetting{Epoch: 3, Held: true}, From: 2, FirstUnsent: 1, Waiting: 1})
	book("held")
	b.runRelay(t, broker, nil)
	await(t, idle)
	want(t, "held", b.outbox(t), 1)
	place, err := b.ReplayPlace(t.Context())
	if err != nil || place.LastEventID != 2 || *place.FirstUnsentEventID != 2 {
		t.Errorf("the place says %+v, %v", place, err)
	}
	want(t, "the same again", b.steer(t, bank.RelaySetting{Epoch: 3, Held: true}).From, 2)

	b.steer(t, bank.RelaySetting{Epoch: 4, Prefix: legacyPrefix})
	await(t, func() bool { return b.outbox(t) == 0 })
	book("elsewhere")
	await(t, func() bool { return b.outbox(t) == 0 })
	back := b.steer(t, bank.RelaySetting{Epoch: 5, Held: true, Floor: 1000})
	want(t, "behind the floor", back.From, 1001)
	want(t, "went", back.Before, legacyPrefix)
	book("back")
	place, err = b.ReplayPlace(t.Context())
	if err != nil || place.LastEventID != 1001 || *place.FirstUnsentEventID != 1001 {
		t.Errorf("the place says %+v, %v", place, err)
	}
	b.steer(t, bank.RelaySetting{Epoch: 6})
	await(t, func() bool { return b.outbox(t) == 0 })
	got := byName(t, published(t, broker, bank.TopicTrades))
	want(t, "on Bank's topic", fmt.Sprint(got), fmt.Sprint(map[string]int64{"before": 1, "back": 1001}))
	got = byName(t, published(t, broker, legacyPrefix+bank.TopicTrades))
	want(t, "elsewhere", fmt.Sprint(got), fmt.Sprint(map[string]int64{"held": 2, "elsewhere": 3}))
	lower := b.steer(t, bank.RelaySetting{Epoch: 7, Held: true, Floor: 10}) // ids never go back
	want(t, "behind what was given", lower.From, 1002)
}

// TestSteerRefuses what is over, or can't be done as the relay stands.
func TestSteerRefuses(t *testing.T) {
	t.Parallel()
	b := open(t)
	refused := func(s bank.RelaySetting, words string) {
		t.Helper()
		before, _ := b.Relay(t.Context())
		if _, err := b.SetRelay(t.Context(), s); bank.TypeOf(err) != bank.Conflict || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v", s, err)
		}
		if after, err := b.Relay(t.Context()); err != nil || after != before {
			t.Errorf("%+v has changed %+v to %+v (%v)", s, before, after, err)
		}
	}
	refused(bank.RelaySetting{Epoch: 1, Prefix: legacyPrefix}, "must be held")
	b.steer(t, bank.RelaySetting{Epoch: 5, Held: true})
	refused(bank.RelaySetting{Epoch: 4}, "5")
	refused(bank.RelaySetting{Epoch: 5}, "otherwise")
	refused(bank.RelaySetting{Epoch: 5, Held: true, Floor: 7}, "otherwise")
	refused(bank.RelaySetting{Epoch: 6, Held: true}, "held by epoch 5")
	b.steer(t, bank.RelaySetting{Epoch: 6, Prefix: legacyPrefix})
	refused(bank.RelaySetting{Epoch: 5, Held: true}, "6")
	b.book(t, exchange(t, "unsent", 1, "buy", "1", "1", 20131007, ""))
	b.steer(t, bank.RelaySetting{Epoch: 7, Held: true})
	b.steer(t, bank.RelaySetting{Epoch: 8})
	refused(bank.RelaySetting{Epoch: 9, Held: true}, "event 1")
	b.steer(t, bank.RelaySetting{Epoch: 9}) // the same by a later one
}

// TestSteerWaits: a hold waits for the calls that are under way, so that none has an event below its place that comes later; who does not want to wait gets nothing done.
func TestSteerWaits(t *testing.T) {
	t.Parallel()
	b := open(t)
	late, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Rollback(context.Background()) //nolint:errcheck // it is committed below
	if _, err := late.Exec(t.Context(), `SELECT pg_advisory_xact_lock_shared($1)`, legacy.DateLock); err != nil {
		t.Fatal(err)
	}
	if _, err := late.Exec(t.Context(), `INSERT INTO bank.outbox (event_id, topic, key, event) SELECT nextval('bank.event_id'), 1, '1', '{}'`); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := b.SetRelay(short, bank.RelaySetting{Epoch: 1, Held: true}); err == nil {
		t.Error("held while a call is under way")
	}
	if r, err := b.Relay(t.Context()); err != nil || r.Held || r.Epoch != 0 {
		t.Errorf("given up, and yet %+v (%v)", r, err)
	}
	done := make(chan bank.Relay)
	go func() {
		r, err := b.SetRelay(context.Background(), bank.RelaySetting{Epoch: 1, Held: true})
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	await(t, func() bool {
		var waiting bool
		err := b.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waiting)
		return err == nil && waiting
	})
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.From != 2 || r.FirstUnsent != 1 {
		t.Errorf("held as %+v", r)
	}
	if _, err := b.pool.Exec(t.Context(), `DELETE FROM bank.outbox`); err != nil { // it is no event
		t.Fatal(err)
	}
}

// TestSteerUnderLoad: four clients book, relays are killed between the broker's answer and the delete, connections are cut in the middle of settings, and the relay is steered there and
// back again and again. Every event is on one side, as its id and the places say; none is missing; each account's ids ascend on each topic.
func TestSteerUnderLoad(t *testing.T) {
	t.Parallel()
	b := open(t)
	broker := kafkatest.New(t).Addr()
	ctx, stop := context.WithCancel(t.Context())
	var background, clients sync.WaitGroup
	var kills, cuts, booked atomic.Int64
	background.Go(func() { // relays
		for ctx.Err() == nil {
			life, kill := context.WithCancel(ctx)
			passes := 0
			legacy.RunRelay(life, b.dsn, broker, slog.New(slog.DiscardHandler), func() {
				if passes++; passes%7 == 6 {
					kills.Add(1)
					kill()
				}
			})
			kill()
		}
	})
	var end atomic.Bool
	for c := range 4 {
		clients.Go(func() {
			for i := 0; !end.Load(); i++ {
				trade := []bank.Trade{exchange(t, fmt.Sprint(c, "-", i), 1+c%2, "buy", "1", "1", 20131007, "")}
				for _, err := b.BookTrades(t.Context(), trade); err != nil; _, err = b.BookTrades(t.Context(), trade) { // a cut may hit the connection that the pool gives it next
					if t.Context().Err() != nil {
						return
					}
				}
				booked.Add(1)
			}
		})
	}
	cut := func() { // ends whoever is in the middle of a setting
		tag, err := b.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
			AND (query LIKE '%FROM bank.relay%' OR query LIKE 'UPDATE bank.relay%' OR query LIKE 'SELECT setval%') AND application_name = 'bank'`)
		if err == nil {
			cuts.Add(tag.RowsAffected())
		}
	}
	epoch := int64(0)
	set := func(s bank.RelaySetting) (r bank.Relay) {
		epoch++
		s.Epoch = epoch
		await(t, func() bool {
			cutting := make(chan struct{})
			go func() { defer close(cutting); cut() }()
			var err error
			r, err = b.SetRelay(t.Context(), s)
			<-cutting
			return err == nil
		})
		return r
	}
	type place struct {
		from   bank.ID
		prefix string
	}
	places := []place{{1, ""}}
	const rounds = 12
	for round := range rounds {
		from := booked.Load()
		await(t, func() bool { return booked.Load() > from+20 })
		var floor bank.ID
		if round%2 == 1 {
			await(t, func() bool {
				place, err := b.ReplayPlace(t.Context()) // so may it this one's
				floor = place.LastEventID + 1000
				return err == nil
			})
		}
		r := set(bank.RelaySetting{Held: true, Floor: floor})
		if r.From <= floor {
			t.Errorf("held from %s on, the floor is %s", r.From, floor)
		}
		from = booked.Load()
		await(t, func() bool { return booked.Load() > from+10 })
		prefix := places[len(places)-1].prefix
		if round%3 != 2 { // else the step has failed
			prefix = map[string]string{"": legacyPrefix, legacyPrefix: ""}[prefix]
		}
		set(bank.RelaySetting{Prefix: prefix})
		places = append(places, place{r.From, prefix})
	}
	end.Store(true)
	clients.Wait()
	await(t, func() bool { return b.outbox(t) == 0 })
	stop()
	background.Wait()
	total := int64(0)
	for _, prefix := range []string{"", legacyPrefix} {
		events := published(t, broker, prefix+bank.TopicTrades)
		total += int64(len(byName(t, events)))
		for _, e := range events {
			in := ""
			for _, p := range places {
				if bank.ID(e.ID) >= p.from {
					in = p.prefix
				}
			}
			want(t, fmt.Sprintf("the prefix of event %d", e.ID), prefix, in)
		}
	}
	want(t, "events", total, booked.Load())
	t.Logf("%d events, %d relays killed, %d settings cut", total, kills.Load(), cuts.Load())
	if kills.Load() == 0 || total < 300 {
		t.Error("the test has tested nothing")
	}
}

// TestSteerOverHTTP: the calls of a running Bank, and what they refuse.
func TestSteerOverHTTP(t *testing.T) {
	t.Parallel()
	b := open(t)
	ready, ended := make(chan legacy.Addresses, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		ended <- legacy.Run(ctx, legacy.Config{DSN: b.dsn, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", Keys: []string{"k"}}, func(a legacy.Addresses) { ready <- a })
	}()
	at := <-ready
	client, err := bank.NewClient(bank.ClientConfig{API: "http://" + at.API, Operations: "http://" + at.Operations, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	relay, err := client.Relay(ctx)
	if err != nil || relay != (bank.Relay{From: 1}) {
		t.Errorf("fresh: %+v, %v", relay, err)
	}
	set := bank.RelaySetting{Epoch: 2, Held: true, Floor: 50}
	for range 2 {
		relay, err = client.SetRelay(ctx, set)
		if err != nil || relay != (bank.Relay{RelaySetting: set, From: 51}) {
			t.Errorf("%+v, %v", relay, err)
		}
	}
	if _, err := client.SetRelay(ctx, bank.RelaySetting{Epoch: 1}); bank.TypeOf(err) != bank.Conflict {
		t.Errorf("an older epoch: %v", err)
	}
	for body, field := range map[string]string{
		`{"held": true}`: "epoch", `{"epoch": 0, "held": true}`: "epoch", `{"epoch": 1}`: "held", `{"epoch": 3, "held": 1}`: "held", `{"epoch": 3, "held": true, "prefix": "legacy."}`: "prefix",
		`{"epoch": 3, "held": false, "prefix": "A"}`: "prefix", `{"epoch": 3, "held": false, "prefix": 7}`: "prefix", `{"epoch": 3, "held": false, "event_id_floor": 7}`: "event_id_floor",
		`{"epoch": 3, "held": true, "event_id_floor": "x"}`: "event_id_floor", `[]`: "the body",
	} {
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+at.Operations+"/relay", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer k")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 500)
		n, _ := response.Body.Read(text)
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(text[:n]), `"message":"`+field) {
			t.Errorf("%s: %d %s", body, response.StatusCode, text[:n])
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
