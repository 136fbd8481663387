package legacy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// event is what a test looks at.
type event struct {
	EventID   int64   `json:"event_id"`
	Event     string  `json:"event"`
	AccountID bank.ID `json:"account_id"`
	Trade     struct {
		TradeID    bank.ID  `json:"trade_id"`
		State      string   `json:"state"`
		ReplacedBy *bank.ID `json:"replaced_by"`
		Replaces   *bank.ID `json:"replaces"`
	} `json:"trade"`
	Amount          string `json:"amount"`
	Position        string `json:"position"`
	Balance         string `json:"balance"`
	SettledPosition string `json:"settled_position"`
	SettledBalance  string `json:"settled_balance"`
	From, To        int

	key, topic string
}

func (e event) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s %s", e.Event, e.key, e.Position, e.Balance, e.SettledPosition, e.SettledBalance))
}

// consume gives the events of all topics, in order by partition, until enough says so.
func consume(t *testing.T, broker string, enough func([]event) bool) (all []event) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(bank.TopicTrades, bank.TopicCash, bank.TopicBusinessDate), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !enough(all) {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("waited in vain after %d events", len(all))
		}
		fetches.EachRecord(func(r *kgo.Record) {
			e := event{key: string(r.Key), topic: r.Topic}
			if err := json.Unmarshal(r.Value, &e); err != nil {
				t.Errorf("%s: %v", r.Value, err)
			}
			all = append(all, e)
		})
	}
	return all
}

// TestEvents: figures by hand, as a consumer sees them.
func TestEvents(t *testing.T) {
	t.Parallel()
	b := open(t)
	broker := kafkatest.New(t).Addr()
	b.roll(t, 20131007)
	pair := parse(t, `{"type":"transfer_trade","timestamp":1381132800,"client_trade_id":"p","date":20131007,"account_id":1,"target_account_id":2,
		"quantity":"30","price":"0","instrument":{"identifier":"XYZ","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"sell"}}`)
	ids := b.book(t, exchange(t, "1", 1, "buy", "100", "10", 20131007, ""), exchange(t, "2", 1, "buy", "100", "9", 20131007, `,"cancel_trade_id":"1","settlement":{"date":20131007}`), pair,
		exchange(t, "3", 1, "buy", "1", "1", 20131008, ""))
	if _, err := b.MoveCash(t.Context(), bank.Cash{ClientID: "<c>", AccountID: 1, Currency: "USD", Amount: amount(t, "250"), Kind: bank.CashJournal, TargetAccountID: 3}); err != nil {
		t.Fatal(err)
	}
	b.roll(t, 20131008)
	ctx, stop := context.WithCancel(t.Context())
	var relay sync.WaitGroup
	relay.Go(func() { legacy.RunRelay(ctx, b.dsn, broker, slog.New(slog.DiscardHandler), nil) })
	defer relay.Wait()
	defer stop()
	all := consume(t, broker, func(seen []event) bool { return len(seen) >= 12 })
	lines := map[string][]string{}
	for _, e := range all {
		lines[e.topic+" "+e.key] = append(lines[e.topic+" "+e.key], e.String())
		if e.Event == "canceled" {
			want(t, "the old one's link", *e.Trade.ReplacedBy, ids[1])
		}
		if e.Event == "opened" && e.Trade.TradeID == ids[1] {
			want(t, "the new one's link", *e.Trade.Replaces, ids[0])
			want(t, "state at that moment", e.Trade.State, bank.StateOpen)
		}
	}
	wantLines(t, "account 1", lines["bank.trades 1"],
		"opened 1 100 -1000 0 0", "canceled 1 0 0 0 0", "opened 1 100 -900 0 0", "settled 1 100 -900 100 -900", "opened 1 70 -900 100 -900", "booked 1 70 -900 100 -900",
		"opened 1 71 -1151 100 -1150")
	wantLines(t, "account 2", lines["bank.trades 2"], "opened 2 30 0 0 0")
	wantLines(t, "cash of 1", lines["bank.cash 1"], "journal 1  -1150  -1150")
	wantLines(t, "cash of 3", lines["bank.cash 3"], "journal 3  250  250")
	wantLines(t, "dates", lines["bank.business-date "], "rolled", "rolled")
}

// TestRelayIsKilled: relays are ended again and again between the broker's answer and the delete, while bookings go on and one transaction commits late. Nothing is missing, what is repeated
// has the same id and content, and the first appearances are in the order of each account's work.
func TestRelayIsKilled(t *testing.T) {
	t.Parallel()
	b := open(t)
	broker := kafkatest.New(t).Addr()
	ctx, stop := context.WithCancel(t.Context())
	var background sync.WaitGroup
	var killed atomic.Int64
	background.Go(func() {
		for ctx.Err() == nil {
			life, kill := context.WithCancel(ctx)
			passes := 0
			legacy.RunRelay(life, b.dsn, broker, slog.New(slog.DiscardHandler), func() {
				if passes++; passes == 2 && killed.Load() < 5 {
					killed.Add(1)
					kill()
				}
			})
			kill()
		}
	})
	defer background.Wait()
	defer stop()

	// A transaction that took its event id first and commits last.
	late, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Exec(t.Context(), `INSERT INTO bank.outbox (event_id, topic, key, event) SELECT id, 1, '9', '{"event_id":' || id || ',"event":"late"}' FROM (SELECT nextval('bank.event_id') AS id) AS n`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	const workers, rounds = 4, 60
	for w := range workers {
		wg.Go(func() {
			for n := range rounds {
				if _, err := b.BookTrades(t.Context(), []bank.Trade{exchange(t, fmt.Sprint(w, "-", n), 1+w%2, "buy", "1", "1", 20131007, "")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	await(t, func() bool { return killed.Load() == 5 || b.outbox(t) == 0 })
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	distinct := map[int64]event{}
	last := map[string]int64{}
	repeats := 0
	consume(t, broker, func(seen []event) bool {
		clear(distinct)
		clear(last)
		repeats = 0
		for _, e := range seen {
			if first, again := distinct[e.EventID]; again {
				repeats++
				want(t, "a repeat", e.String(), first.String())
				continue
			}
			distinct[e.EventID] = e
			if e.EventID < last[e.key] {
				t.Errorf("event %d of account %s came after %d", e.EventID, e.key, last[e.key])
			}
			last[e.key] = e.EventID
		}
		return len(distinct) == workers*rounds+1
	})
	if killed.Load() == 0 || repeats == 0 {
		t.Errorf("%d kills, %d repeats: the test has tested nothing", killed.Load(), repeats)
	}
	var positions [2]int
	for i := range positions { // running totals without a gap
		for _, e := range distinct {
			if e.key == fmt.Sprint(i+1) && e.Position != "" {
				positions[i]++
			}
		}
		want(t, "events of an account", positions[i], workers*rounds/2)
	}
	await(t, func() bool { return b.outbox(t) == 0 })
	place, err := b.ReplayPlace(t.Context())
	if err != nil || int64(place.LastEventID) < workers*rounds+1 {
		t.Errorf("last event %s, %v", place.LastEventID, err)
	}
}

// outbox counts what is not published.
func (b *books) outbox(t *testing.T) (n int) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM bank.outbox`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
