package follow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/follow"
	"github.com/bkledger/bk/compat/facade/mode"
)

// expire has Kafka delete all events of a topic that it has now, as it does with old ones, and gives how many those of each partition were.
func expire(t *testing.T, broker, topic string) (ends map[int32]int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	listed, err := admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := admin.DeleteRecords(t.Context(), listed.Offsets())
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	ends = map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends
}

// await asks until the answer is yes, or fails.
func await(t *testing.T, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ask(); time.Sleep(10 * time.Millisecond) { // the pace of asking
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// sent waits until Kafka has all that Bank has done.
func sent(t *testing.T, place func(context.Context) (bank.ReplayPlace, error)) {
	t.Helper()
	await(t, "Bank has sent all", func() bool {
		p, err := place(t.Context())
		return err == nil && p.FirstUnsentEventID != nil && *p.FirstUnsentEventID == 0
	})
}

// Kafka deletes what nobody has read yet: following stops there, a step is refused with what is missing, whoever follows next, until somebody has brought BK up to date.
func TestGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.relay()
	ctx := t.Context()
	book := func(account bank.ID, name string) bank.Trade {
		t.Helper()
		request := trade(account, name)
		if _, err := w.bank.BookTrades(ctx, []bank.Trade{request}); err != nil {
			t.Fatal(err)
		}
		return request
	}
	f, stop := w.follower()
	w.step(func(tx pgx.Tx) error { return f.Open(ctx, tx, 2, w.place(), 0) })
	book(1, "read")
	w.caught(f)
	stop()
	lost := book(1, "lost")
	sent(t, w.bank.ReplayPlace)
	after := w.place()
	expire(t, w.broker, "bank.trades")
	book(1, "behind it")
	for range 2 { // the second finds it written down
		f, stop = w.follower()
		await(t, "the gap is noticed", func() bool { return len(f.Gaps()) == 1 })
		if g := f.Gaps()[0]; g.Epoch != 2 || g.Topic != "bank.trades" || g.Next != g.First+1 {
			t.Errorf("%+v", g)
		}
		err := f.Caught(ctx, w.place())
		if g := f.Gaps()[0]; !errors.Is(err, follow.ErrGap) || !strings.Contains(err.Error(), fmt.Sprintf("bank.trades/%d from offset %d to %d", g.Partition, g.First, g.First)) || !strings.Contains(err.Error(), "/follow") {
			t.Errorf("caught up over a gap: %v", err)
		}
		if err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error { return f.Close(ctx, tx, 0) }); !errors.Is(err, follow.ErrGap) {
			t.Errorf("the window was closed over a gap: %v", err)
		}
		stop()
	}
	if err := w.queue.Drained(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lost", "behind it"} {
		if _, err := w.bk.Trade(ctx, bank.TradeRef{AccountID: 1, ClientTradeID: name}); bank.TypeOf(err) != bank.TradeNotFound {
			t.Errorf("%s came over a gap: %v", name, err)
		}
	}

	// Somebody brings BK up to date, and says so.
	stored, err := w.bank.Trade(ctx, bank.TradeRef{AccountID: 1, ClientTradeID: "lost"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.bk.Replay(ctx, bank.Replay{TradeID: stored.TradeID, BookedAt: stored.BookedAt, Request: &lost}); err != nil {
		t.Fatal(err)
	}
	f, _ = w.follower()
	if err := f.Reopen(ctx, w.place()+1000, 0, "anna", "loaded by hand"); !errors.Is(err, mode.ErrRequest) {
		t.Errorf("followed from an event that Bank has not come to: %v", err)
	}
	if err := f.Reopen(ctx, after, 0, "anna", "loaded by hand"); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(ctx, after, 0, "anna", "again"); !errors.Is(err, follow.ErrNoGap) {
		t.Errorf("again: %v", err)
	}
	book(2, "at last")
	w.caught(f)
	if rows := w.same(); rows != 4 {
		t.Errorf("%d journal rows were compared, not 4", rows)
	}
	if gaps := f.Gaps(); len(gaps) != 0 {
		t.Errorf("gaps are left: %v", gaps)
	}
	var who string
	if err := w.pool.QueryRow(ctx, `SELECT who || ': ' || why FROM facade.follow_gap`).Scan(&who); err != nil || who != "anna: loaded by hand" {
		t.Errorf("%q (%v)", who, err)
	}
}

func stagePool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (w *whole) get(address string, answer any) {
	w.t.Helper()
	response, err := http.Get(address)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		w.t.Fatal(err)
	}
}

// A replica is killed, and Kafka deletes what it had not read: the next one says what is missing, in words, figures and health, and refuses the step. What Kafka
// deletes of the time before a window is no gap.
func TestGapBehindKill(t *testing.T) {
	t.Parallel()
	w := newWhole(t)
	ctx := t.Context()
	direct := w.client(w.bank)
	w.facade.Store(direct)
	if err := w.open(ctx, 1); err != nil {
		t.Fatal(err)
	}
	f := w.replica("first", mode.BankOnly)
	if err := w.book(ctx, trade(1, "followed")); err != nil {
		t.Fatal(err)
	}
	w.to(f, mode.BankPrimary)
	if err := w.book(ctx, trade(1, "queued")); err != nil {
		t.Fatal(err)
	}
	sent(t, direct.ReplayPlace)
	place, err := direct.ReplayPlace(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pool := stagePool(t, w.base.Postgres)
	await(t, "it is kept where Bank's topics end", func() bool {
		var kept bool
		err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM facade.bank_place WHERE event_id = $1 AND (SELECT sum((o->>'next')::bigint) FROM json_array_elements(offsets) AS o) >= $1)`,
			int64(place.LastEventID)).Scan(&kept)
		return err == nil && kept
	})
	expire(t, w.base.Broker, "bank.trades")
	w.to(f, mode.BankOnly)
	if err := w.book(ctx, trade(1, "behind what was deleted")); err != nil {
		t.Fatal(err)
	}
	w.to(f, mode.BankPrimary)
	w.to(f, mode.BankOnly)

	kill := w.victim("second")
	f.Stop()
	if err := w.book(ctx, trade(1, "read")); err != nil {
		t.Fatal(err)
	}
	kill()
	w.facade.Store(direct)
	if err := w.book(ctx, trade(1, "lost")); err != nil {
		t.Fatal(err)
	}
	sent(t, direct.ReplayPlace)
	expire(t, w.base.Broker, "bank.trades")
	f = w.replica("third", "")
	err = f.Switch(ctx, mode.BankPrimary)
	if err == nil || !strings.Contains(err.Error(), "bank.trades/") || !strings.Contains(err.Error(), "deleted") {
		t.Fatalf("a step over a gap: %v", err)
	}
	await(t, "the figures say so", func() bool {
		var ready facade.Readiness
		var status facade.Status
		w.get(f.Admin+"/readyz", &ready)
		w.get(f.Admin+"/status", &status)
		return ready.Gaps > 0 && len(status.Gaps) == ready.Gaps && status.Gaps[0].Topic == "bank.trades"
	})
	if err := w.book(ctx, trade(1, "nobody notices")); err != nil {
		t.Error(err)
	}
	for body, want := range map[string]int{
		`{"after": 1, "why": "x"}`: http.StatusBadRequest, `{"after": 999999, "who": "anna", "why": "x"}`: http.StatusBadRequest,
		`{"after": 1, "date": 20131099, "who": "anna", "why": "x"}`: http.StatusBadRequest,
	} {
		response, err := http.Post(f.Admin+"/follow", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != want {
			t.Errorf("%s: %d, want %d", body, response.StatusCode, want)
		}
	}
}

// TestMadeAnew: a topic that ends before what was read of it is another one: it is a gap, not something to wait for.
func TestMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stopRelay := w.relay()
	ctx := t.Context()
	f, stop := w.follower()
	w.step(func(tx pgx.Tx) error { return f.Open(ctx, tx, 2, w.place(), 0) })
	if _, err := w.bank.BookTrades(ctx, []bank.Trade{trade(1, "read")}); err != nil {
		t.Fatal(err)
	}
	w.caught(f)
	stop()
	stopRelay()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.DeleteTopic(ctx, "bank.trades"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(ctx, 4, 1, nil, "bank.trades"); err != nil {
		t.Fatal(err)
	}
	f, _ = w.follower()
	await(t, "the gap is noticed", func() bool { return len(f.Gaps()) == 1 })
	if g := f.Gaps()[0]; g.Topic != "bank.trades" || g.First < 1 || g.Next != 0 || !strings.Contains(g.String(), "made anew") {
		t.Errorf("%+v: %s", g, g)
	}
	if err := f.Caught(ctx, w.place()); !errors.Is(err, follow.ErrGap) || !strings.Contains(err.Error(), "made anew") {
		t.Errorf("caught up over a gap: %v", err)
	}
	if err := f.Reopen(ctx, w.place(), 0, "anna", "nothing is missing"); err != nil {
		t.Fatal(err)
	}
	w.relay()
	if _, err := w.bank.BookTrades(ctx, []bank.Trade{trade(1, "behind it")}); err != nil {
		t.Fatal(err)
	}
	w.caught(f)
	if w.same() == 0 {
		t.Error("nothing was compared")
	}
}
