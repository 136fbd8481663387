package follow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/follow"
	"github.com/bkledger/bk/compat/facade/queue"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

const accounts = 6

// mirror is a second reference Bank in BK's place.
type mirror struct{ *legacy.Bank }

func (m mirror) ReplayAll(ctx context.Context, replays []bank.Replay) ([]int64, error) {
	for _, r := range replays {
		if err := m.Replay(ctx, r); err != nil {
			return nil, err
		}
	}
	return make([]int64, len(replays)), nil
}

// listing gives a reference Bank as its client does: its lists in pages, here of all.
type listing struct{ *legacy.Bank }

func (c listing) Entities(ctx context.Context, _ bank.Page) (l bank.List[bank.Entity], err error) {
	l.Data, err = c.Bank.Entities(ctx, 0, 1000)
	return l, err
}

func (c listing) Accounts(ctx context.Context, _ bank.Page) (l bank.List[bank.Account], err error) {
	l.Data, err = c.Bank.Accounts(ctx, 0, 1000)
	return l, err
}

// world is a Bank with its relay and Kafka, what stands for BK, and a façade's queue.
type world struct {
	t      *testing.T
	broker string

	bankDSN string
	pool    *pgxpool.Pool
	bank    *legacy.Bank
	bk      mirror
	queue   *queue.Queue
}

func newBank(t *testing.T, dsn string) *legacy.Bank {
	t.Helper()
	if err := legacy.Migrate(t.Context(), dsn, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	b, err := legacy.Open(t.Context(), legacy.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	_, err = b.CreateEntity(t.Context(), bank.Entity{EntityID: 1, ClientCode: "C", LegalName: "L"})
	for id := bank.ID(1); id <= accounts; id++ {
		_, more := b.CreateAccount(t.Context(), bank.NewAccount{AccountID: id, EntityID: 1, Name: "A"})
		err = errors.Join(err, more)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, broker: kafkatest.New(t).Addr(), bk: mirror{newBank(t, pgtest.New(t))}, bankDSN: pgtest.New(t)}
	dsn := pgtest.New(t)
	w.bank = newBank(t, w.bankDSN)
	if err := schema.Up(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.pool, err = pgxpool.New(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	if w.queue, err = queue.Open(t.Context(), queue.Config{Postgres: dsn, Replica: "a", Bank: listing{w.bank}, BK: w.bk, Log: logOf(t)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.queue.Close)
	background(t, w.queue.Run)
	return w
}

// relay runs what sends Bank's events to Kafka.
func (w *world) relay() (stop func()) {
	return background(w.t, func(ctx context.Context) {
		err := legacy.Run(ctx, legacy.Config{DSN: w.bankDSN, Brokers: []string{w.broker}, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", Partitions: 4}, func(legacy.Addresses) {})
		if err != nil {
			w.t.Error(err)
		}
	})
}

func logOf(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// background runs something until stop, or the test's end.
func background(t *testing.T, run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

func (w *world) follower() (f *follow.Follower, stop func()) {
	w.t.Helper()
	f, err := follow.New(follow.Config{Pool: w.pool, Brokers: []string{w.broker}, Bank: w.bank, Lock: queue.LockFollow, Queued: w.queue.Wake, Log: logOf(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	return f, background(w.t, f.Run)
}

func (w *world) step(do func(tx pgx.Tx) error) {
	w.t.Helper()
	if err := pgx.BeginFunc(w.t.Context(), w.pool, do); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) place() bank.ID {
	w.t.Helper()
	p, err := w.bank.ReplayPlace(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return p.LastEventID
}

func trade(account bank.ID, client string) bank.Trade {
	t, err := bank.ReadTrade([]byte(fmt.Sprintf(`{"type": "exchange_trade", "timestamp": 1381132800464, "client_trade_id": %q, "date": 20131008, "account_id": %d,
		"quantity": "100", "price": "10.5", "instrument": {"identifier": "IBM", "identifier_type": "ticker", "country": "USA", "currency": "USD"},
		"side": {"direction": "buy"}, "capacity": "agency", "mic": "XNYS", "exec_mpid": "ABCD", "user_data": {"a": 1}}`, client, account)))
	if err != nil {
		panic(err)
	}
	return t
}

// work does n writes of all kinds on Bank.
func (w *world) work(name string, seed uint64, n int) error {
	ctx := w.t.Context()
	random := rand.New(rand.NewPCG(9, seed))
	var mine []bank.Trade
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		account, other := bank.ID(1+random.IntN(3)), bank.ID(4+random.IntN(accounts-3))
		var err error
		switch k := random.IntN(20); {
		case k < 8:
			t := trade(account, id)
			mine = append(mine, t)
			_, err = w.bank.BookTrades(ctx, []bank.Trade{t})
		case k < 12:
			t := trade(account, id)
			t.Type, t.TargetAccountID, t.Capacity, t.MIC, t.ExecMPID = bank.TransferTrade, other, "", "", ""
			mine = append(mine, t)
			_, err = w.bank.BookTrades(ctx, []bank.Trade{t, trade(other, id+"b")})
		case k < 15 && len(mine) > 0:
			old := mine[random.IntN(len(mine))]
			t := trade(old.AccountID, id)
			t.CancelTradeID = old.ClientTradeID
			_, err = w.bank.BookTrades(ctx, []bank.Trade{t})
		case k < 17 && len(mine) > 0:
			old := mine[random.IntN(len(mine))]
			err = w.bank.CancelTrade(ctx, bank.TradeRef{AccountID: old.AccountID, ClientTradeID: old.ClientTradeID})
		default:
			amount, _ := bank.ParseDecimal("12.5")
			_, err = w.bank.MoveCash(ctx, bank.Cash{ClientID: id, AccountID: account, TargetAccountID: other, Currency: "USD", Amount: amount, Kind: bank.CashJournal})
		}
		switch bank.TypeOf(err) {
		case bank.TradeAlreadyCanceled, bank.TradeSettled, bank.TradeNotFound:
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

// same compares all journal rows of every account in their order.
func (w *world) same() (rows int) {
	w.t.Helper()
	for id := bank.ID(1); id <= accounts; id++ {
		a, err := w.bank.JournalRows(w.t.Context(), id, 0, 100_000)
		b, err2 := w.bk.JournalRows(w.t.Context(), id, 0, 100_000)
		if err := errors.Join(err, err2); err != nil {
			w.t.Fatal(err)
		}
		if len(a) != len(b) {
			w.t.Fatalf("account %d: Bank has %d rows, BK %d", id, len(a), len(b))
		}
		for i := range a {
			a[i].JournalID, b[i].JournalID = 0, 0
			x, _ := json.Marshal(a[i])
			y, _ := json.Marshal(b[i])
			if string(x) != string(y) {
				w.t.Fatalf("account %d, row %d: Bank has\n%s\nBK\n%s", id, i, x, y)
			}
		}
		rows += len(a)
	}
	return rows
}

func (w *world) caught(f *follow.Follower) {
	w.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(w.t.Context(), 60*time.Second)
	defer cancel()
	if err := f.Caught(ctx, w.place()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("caught up after %s", time.Since(began).Round(time.Millisecond))
	if err := w.queue.Drained(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// Bank alone, several clients, rolls that open and settle, followers that come and go, a relay that repeats: BK gets it all, in order, once; and nothing of what is
// outside the window.
func TestFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.relay()
	ctx := t.Context()
	if _, err := w.bank.BookTrades(ctx, []bank.Trade{trade(1, "before")}); err != nil {
		t.Fatal(err)
	}
	stored, err := w.bank.Trade(ctx, bank.TradeRef{AccountID: 1, ClientTradeID: "before"})
	if err != nil {
		t.Fatal(err)
	}
	request := trade(1, "before")
	if err := w.bk.Replay(ctx, bank.Replay{TradeID: stored.TradeID, BookedAt: stored.BookedAt, Request: &request}); err != nil {
		t.Fatal(err)
	}
	f, stop := w.follower()
	spare, _ := w.follower()
	w.step(func(tx pgx.Tx) error { return f.Open(ctx, tx, 2, w.place(), 0) })
	for i, day := range []bank.Date{20131007, 20131008, 20131011} {
		var clients sync.WaitGroup
		for c := range 6 {
			clients.Go(func() {
				if err := w.work(fmt.Sprintf("d%d-c%d", i, c), uint64(10*i+c), 25); err != nil {
					t.Error(err)
				}
			})
		}
		if err := w.bank.Roll(ctx, day); err != nil {
			t.Fatal(err)
		}
		stop()
		w.repeat()
		f, stop = w.follower()
		clients.Wait()
	}
	w.caught(spare)
	if rows := w.same(); rows < 300 {
		t.Errorf("only %d journal rows were compared", rows)
	}
	if date, err := w.bk.BusinessDate(ctx); err != nil || date != 20131011 {
		t.Errorf("BK's business date is %d (%v)", date, err)
	}

	// Out of the window: Bank's events are no longer followed.
	w.step(func(tx pgx.Tx) error { return f.Close(ctx, tx, w.place()) })
	if _, err := w.bank.BookTrades(ctx, []bank.Trade{trade(2, "after")}); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	if err := f.Caught(short, w.place()); err == nil {
		t.Error("caught up without a window")
	}
	if _, err := w.bk.Trade(ctx, bank.TradeRef{AccountID: 2, ClientTradeID: "after"}); bank.TypeOf(err) != bank.TradeNotFound {
		t.Errorf("a trade outside the window: %v", err)
	}
	// And in a window again.
	w.step(func(tx pgx.Tx) error { return f.Open(ctx, tx, 4, w.place(), 20131011) })
	if _, err := w.bank.BookTrades(ctx, []bank.Trade{trade(3, "again")}); err != nil {
		t.Fatal(err)
	}
	w.caught(f)
	if _, err := w.bk.Trade(ctx, bank.TradeRef{AccountID: 3, ClientTradeID: "again"}); err != nil {
		t.Error(err)
	}
}

// A trade that Bank was given by POST /replay while it is alone has a time of booking that is not that of its event; one that a roll opened has, too. BK gets the first, and the
// second is a repeat to it.
func TestReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.relay()
	ctx := t.Context()
	f, _ := w.follower()
	w.step(func(tx pgx.Tx) error { return f.Open(ctx, tx, 1, w.place(), 0) })
	if err := w.bank.Roll(ctx, 20131007); err != nil {
		t.Fatal(err)
	}
	later := trade(1, "opened by the roll")
	pair := trade(2, "pair opened by the roll")
	pair.Type, pair.TargetAccountID, pair.Capacity, pair.MIC, pair.ExecMPID = bank.TransferTrade, 4, "", "", ""
	if _, err := w.bank.BookTrades(ctx, []bank.Trade{later, pair}); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Roll(ctx, 20131008); err != nil {
		t.Fatal(err)
	}
	open, cross := trade(2, "replayed"), trade(3, "replayed pair")
	cross.Type, cross.TargetAccountID, cross.Capacity, cross.MIC, cross.ExecMPID = bank.TransferTrade, 5, "", "", ""
	for i, r := range []bank.Trade{open, cross} {
		if err := w.bank.Replay(ctx, bank.Replay{TradeID: bank.ID(500_000 + i), BookedAt: 1381132800123, Request: &r}); err != nil {
			t.Fatal(err)
		}
	}
	w.caught(f)
	stored, err := w.bk.Trade(ctx, bank.TradeRef{TradeID: 500_000})
	if err != nil || stored.State != bank.StateOpen || stored.BookedAt != 1381132800123 {
		t.Errorf("the replayed trade in BK: %+v (%v)", stored, err)
	}
	if rows := w.same(); rows != 6 {
		t.Errorf("%d journal rows were compared, not 6", rows)
	}
	w.step(func(tx pgx.Tx) error { return f.Close(ctx, tx, w.place()) })
}

// repeat publishes the last events of every partition again, as a relay does that died before it knew that it had.
func (w *world) repeat() {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker), kgo.ConsumeTopics("bank.trades", "bank.cash"), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd().Relative(-3)))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
	defer cancel()
	for _, r := range client.PollRecords(ctx, 20).Records() {
		again := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
		if err := client.ProduceSync(w.t.Context(), again).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Topics that are not there yet are waited for; partitions that are added later are read, though accounts move to them.
func TestTopics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	f, _ := w.follower()
	w.step(func(tx pgx.Tx) error { return f.Open(ctx, tx, 1, 0, 0) })
	if err := w.work("early", 1, 20); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := f.Caught(short, w.place()); err == nil || !strings.Contains(err.Error(), "not sent") {
		t.Errorf("caught up with what is not in Kafka: %v", err)
	}
	stop := w.relay()
	w.caught(f)
	stop()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	created, err := kadm.NewClient(client).CreatePartitions(ctx, 3, "bank.trades", "bank.cash")
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.relay()
	var clients sync.WaitGroup
	for c := range 6 {
		clients.Go(func() {
			if err := w.work(fmt.Sprintf("late-%d", c), uint64(c), 20); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	w.caught(f)
	if rows := w.same(); rows < 100 {
		t.Errorf("only %d journal rows were compared", rows)
	}
}
