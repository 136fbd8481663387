package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/feed"
	"github.com/bkledger/bk/compat/facade/queue"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	accounts = 6
	base     = 5000 // Bank's ids of what BK books are above BK's by so much
)

// fault is a Bank that can be made to refuse replays, or to be away.
type fault struct {
	*legacy.Bank
	fail atomic.Pointer[func(bank.Replay) error]
}

func (f *fault) Replay(ctx context.Context, r bank.Replay) error {
	if fail := f.fail.Load(); fail != nil {
		if err := (*fail)(r); err != nil {
			return err
		}
	}
	return f.Bank.Replay(ctx, r)
}

func (f *fault) failing(do func(bank.Replay) error) { f.fail.Store(&do) }

// world is BK with Bank's API on it, a Bank, and a façade's database.
type world struct {
	t      testing.TB
	client *client.Client
	pool   *pgxpool.Pool
	dsn    string
	books  *books.Ledger
	bank   *fault
}

func newWorld(t testing.TB, ids *books.IDs) *world {
	t.Helper()
	w := &world{t: t, dsn: pgtest.New(t)}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan node.Addresses, 1), make(chan error, 1)
	go func() {
		done <- node.Run(ctx, node.Config{Postgres: pgtest.New(t), Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0"}, func(at node.Addresses) { ready <- at })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case at := <-ready:
		c, err := client.New("http://" + at.API)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		w.client = c
	case <-time.After(60 * time.Second):
		t.Fatal("BK is not ready after 60 s")
	}
	if err := schema.Up(t.Context(), w.dsn, nil); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.pool, err = pgxpool.New(t.Context(), w.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	if w.books, err = books.New(books.Config{Client: w.client, Pool: w.pool, IDs: ids, RetryFor: time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.books.Close)
	dsn := pgtest.New(t)
	if err := legacy.Migrate(t.Context(), dsn, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	b, err := legacy.Open(t.Context(), legacy.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	w.bank = &fault{Bank: b}
	return w
}

// run runs a feed of the world's.
func (w *world) run() (f *feed.Feed, stop func()) {
	w.t.Helper()
	f, err := feed.New(feed.Config{
		Pool: w.pool, Client: w.client, Books: w.books, Bank: w.bank, LockRead: queue.LockFeed, LockDeliver: queue.LockDelivery, Ahead: 500,
		Worker: backlog.Config{FirstPause: 100 * time.Millisecond}, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	w.t.Cleanup(stop)
	f.Resume()
	return f, stop
}

func (w *world) define() {
	w.t.Helper()
	_, err := w.books.CreateEntity(w.t.Context(), bank.Entity{EntityID: 1, ClientCode: "C", LegalName: "L"})
	for id := bank.ID(1); id <= accounts; id++ {
		_, more := w.books.CreateAccount(w.t.Context(), bank.NewAccount{AccountID: id, EntityID: 1, Name: "A"})
		err = errors.Join(err, more)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) head() int64 {
	w.t.Helper()
	status, err := w.client.Admin.Status(w.t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		w.t.Fatal(err)
	}
	var shard, sequence int64
	if _, err := fmt.Sscanf(status.Msg.Head, "%d:%d", &shard, &sequence); err != nil {
		w.t.Fatal(err)
	}
	return sequence
}

func (w *world) drained(f *feed.Feed) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 60*time.Second)
	defer cancel()
	if err := f.Drained(ctx, w.head()); err != nil {
		w.t.Fatal(err)
	}
}

func trade(account bank.ID, client string) bank.Trade {
	t, err := bank.ReadTrade([]byte(fmt.Sprintf(`{"type": "exchange_trade", "timestamp": 1381132800464, "client_trade_id": %q, "date": 20131007, "account_id": %d,
		"quantity": "100", "price": "10.5", "instrument": {"identifier": "IBM", "identifier_type": "ticker", "country": "USA", "currency": "USD"},
		"side": {"direction": "buy"}, "capacity": "agency", "mic": "XNYS", "exec_mpid": "ABCD", "user_data": {"a": 1}}`, client, account)))
	if err != nil {
		panic(err)
	}
	return t
}

// client does n writes of all kinds on BK.
func (w *world) clientOf(ctx context.Context, name string, seed uint64, n int) error {
	random := rand.New(rand.NewPCG(7, seed))
	var mine []bank.Trade
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		account, other := bank.ID(1+random.IntN(3)), bank.ID(4+random.IntN(accounts-3))
		var err error
		switch k := random.IntN(20); {
		case k < 9:
			t := trade(account, id)
			mine = append(mine, t)
			_, err = w.books.BookTrades(ctx, []bank.Trade{t})
		case k < 12:
			t := trade(account, id)
			t.Type, t.TargetAccountID, t.Capacity, t.MIC, t.ExecMPID = bank.TransferTrade, other, "", "", ""
			mine = append(mine, t)
			_, err = w.books.BookTrades(ctx, []bank.Trade{t, trade(other, id+"b")})
		case k < 15 && len(mine) > 0: // a replacement
			old := mine[random.IntN(len(mine))]
			t := trade(old.AccountID, id)
			t.CancelTradeID = old.ClientTradeID
			_, err = w.books.BookTrades(ctx, []bank.Trade{t})
		case k < 17 && len(mine) > 0:
			old := mine[random.IntN(len(mine))]
			err = w.books.CancelTrade(ctx, bank.TradeRef{AccountID: old.AccountID, ClientTradeID: old.ClientTradeID})
		default:
			amount, _ := bank.ParseDecimal("12.5")
			_, err = w.books.MoveCash(ctx, bank.Cash{ClientID: id, AccountID: account, TargetAccountID: other, Currency: "USD", Amount: amount, Kind: bank.CashJournal})
		}
		switch bank.TypeOf(err) {
		case bank.Internal, bank.OutcomeUnknown:
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

// same compares all journal rows of every account in their order, and all trades.
func (w *world) same() (rows int) {
	w.t.Helper()
	ctx := w.t.Context()
	for id := bank.ID(1); id <= accounts; id++ {
		a, err := w.bank.JournalRows(ctx, id, 0, 100_000)
		var b []bank.JournalRow
		for after := bank.ID(0); err == nil; {
			var page []bank.JournalRow
			if page, err = w.books.JournalRows(ctx, id, after, 1000); err == nil {
				b = append(b, page...)
				if len(page) < 1000 {
					break
				}
				after = page[len(page)-1].JournalID
			}
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if len(a) != len(b) {
			w.t.Fatalf("account %d: Bank has %d rows, BK %d", id, len(a), len(b))
		}
		seen := map[bank.ID]bool{}
		for i := range a {
			a[i].JournalID, b[i].JournalID = 0, 0
			if text(a[i]) != text(b[i]) {
				w.t.Fatalf("account %d, row %d: Bank has\n%s\nBK\n%s", id, i, text(a[i]), text(b[i]))
			}
			if a[i].TradeID == nil || seen[*a[i].TradeID] {
				continue
			}
			seen[*a[i].TradeID] = true
			x, err := w.bank.Trade(ctx, bank.TradeRef{TradeID: *a[i].TradeID})
			y, err2 := w.books.Trade(ctx, bank.TradeRef{TradeID: *a[i].TradeID})
			if err := errors.Join(err, err2); err != nil || text(x) != text(y) {
				w.t.Fatalf("trade: Bank has\n%s\nBK\n%s\n%v", text(x), text(y), err)
			}
		}
		rows += len(a)
	}
	return rows
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// BK books, from several clients at once, with rolls in between and feeds that are stopped and started: afterwards Bank has the same books, row by row.
func TestBankFollowsBK(t *testing.T) {
	t.Parallel()
	w := newWorld(t, books.NewIDs(books.Epoch{First: 1, TradeBase: base, CashBase: base}))
	w.define()
	f, stop := w.run()
	spare, _ := w.run()
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			if err := w.clientOf(t.Context(), fmt.Sprintf("c%d", c), uint64(c), 40); err != nil {
				t.Error(err)
			}
		})
	}
	for _, day := range []bank.Date{20131007, 20131008, 20131010} {
		if err := w.books.Roll(t.Context(), day); err != nil {
			t.Fatal(err)
		}
		stop() // the spare one goes on
		f, stop = w.run()
	}
	clients.Wait()
	w.drained(spare)
	w.drained(f)
	if rows := w.same(); rows < 500 {
		t.Errorf("only %d journal rows were compared", rows)
	}
	date, err := w.bank.BusinessDate(t.Context())
	if err != nil || date != 20131010 {
		t.Errorf("Bank's business date is %d (%v)", date, err)
	}
}

// What Bank refuses holds up its account, and a roll, and nothing else; then it is retried, and skipped by a person.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, books.NewIDs(books.Epoch{First: 1, TradeBase: base, CashBase: base}))
	w.define()
	var refusing atomic.Bool
	refusing.Store(true)
	w.bank.failing(func(r bank.Replay) error {
		if r.Request != nil && r.Request.ClientTradeID == "bad" && refusing.Load() {
			return bank.Errorf(bank.Conflict, "no")
		}
		return nil
	})
	f, _ := w.run()
	ctx := t.Context()
	for _, tr := range []bank.Trade{trade(1, "bad"), trade(1, "behind"), trade(2, "beside")} {
		if _, err := w.books.BookTrades(ctx, []bank.Trade{tr}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.books.Roll(ctx, 20131007); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other account goes on", func() bool {
		_, err := w.bank.Trade(ctx, bank.TradeRef{AccountID: 2, ClientTradeID: "beside"})
		return err == nil
	})
	blocked, err := f.Rows().List(ctx, 0, 10, true)
	if err != nil || len(blocked) != 1 || blocked[0].Keys[0] != 1 {
		t.Fatalf("blocked rows: %+v, %v", blocked, err)
	}
	if _, err := w.bank.Trade(ctx, bank.TradeRef{AccountID: 1, ClientTradeID: "behind"}); bank.TypeOf(err) != bank.TradeNotFound {
		t.Errorf("what is behind a refused booking: %v", err)
	}
	if date, err := w.bank.BusinessDate(ctx); err != nil || date != 0 {
		t.Errorf("the roll did not wait: %d, %v", date, err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := f.Drained(short, w.head()); err == nil {
		t.Error("it says that it is drained")
	}
	refusing.Store(false)
	if err := f.Rows().Retry(ctx, blocked[0].Position); err != nil {
		t.Fatal(err)
	}
	w.drained(f)
	w.same()

	refusing.Store(true)
	if _, err := w.books.BookTrades(ctx, []bank.Trade{trade(3, "bad"), trade(4, "4")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is blocked", func() bool {
		blocked, err = f.Rows().List(ctx, 0, 10, true)
		return err == nil && len(blocked) == 1
	})
	if err := f.Rows().Skip(ctx, blocked[0].Position, "ann", "booked by hand"); err != nil {
		t.Fatal(err)
	}
	w.drained(f)
	left, err := f.Rows().Divergences(ctx, 10)
	if err != nil || len(left) != 1 || left[0].Outcome != backlog.Skipped || left[0].Who != "ann" {
		t.Errorf("what was left out: %+v, %v", left, err)
	}
}

// An entity that Bank has with other content is a divergence, and holds nothing up.
func TestOtherEntity(t *testing.T) {
	t.Parallel()
	w := newWorld(t, books.NewIDs(books.Epoch{First: 1, TradeBase: base, CashBase: base}))
	ctx := t.Context()
	if _, err := w.bank.CreateEntity(ctx, bank.Entity{EntityID: 1, ClientCode: "OTHER", LegalName: "Other"}); err != nil {
		t.Fatal(err)
	}
	w.define()
	f, _ := w.run()
	for range 2 {
		if err := f.Prepare(ctx); err != nil {
			t.Fatal(err)
		}
		w.drained(f)
	}
	if _, err := w.bank.Account(ctx, 1); err != nil {
		t.Errorf("its account: %v", err)
	}
	left, err := f.Rows().Divergences(ctx, 10)
	if err != nil || len(left) != 1 || left[0].Outcome != backlog.Unmappable || left[0].Origin != 1 || !strings.Contains(left[0].Reason, "other content") {
		t.Errorf("what was noted: %+v, %v", left, err)
	}
}

// While Bank is away, or the feed is paused, all waits; what Bank has no notion of is counted; what came from Bank doesn't go back, what a third system has decided meanwhile does.
func TestAwayPausedForeign(t *testing.T) {
	t.Parallel()
	ids := books.NewIDs()
	w := newWorld(t, ids)
	w.define()
	replay := func(id bank.ID, name string) {
		t.Helper()
		if _, err := w.books.ReplayAll(t.Context(), []bank.Replay{{TradeID: id, BookedAt: 1381132800464, Request: ptr(trade(5, name))}}); err != nil {
			t.Fatal(err)
		}
	}
	replay(77, "of Bank's")
	ids.Update([]books.Epoch{{First: w.head() + 1, TradeBase: base, CashBase: base}})
	var away atomic.Bool
	var calls atomic.Int64
	away.Store(true)
	w.bank.failing(func(bank.Replay) error {
		if calls.Add(1); away.Load() {
			return errors.New("connection refused")
		}
		return nil
	})
	f, _ := w.run()
	ctx := t.Context()
	for i := range 20 {
		if _, err := w.books.BookTrades(ctx, []bank.Trade{trade(bank.ID(1+i%3), fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.client.Booking.BookEvent(ctx, connect.NewRequest(&bkv1.BookEventRequest{Key: "interest",
		Event: &bkv1.NewEvent{Kind: "interest.credit", Fields: map[string]string{"account": "cust:1", "currency": "USD", "amount": "1"}}})); err != nil {
		t.Fatal(err)
	}
	replay(78, "of a third system's")
	eventually(t, "it says that Bank is away", func() bool { return f.Worker().Away != "" })
	f.Pause()
	away.Store(false)
	eventually(t, "the worker has ended", func() bool { return !f.Worker().Working })
	before := calls.Load()
	if _, err := w.books.BookTrades(ctx, []bank.Trade{trade(1, "while paused")}); err != nil {
		t.Fatal(err)
	}
	if calls.Load() != before {
		t.Error("Bank was called in the pause")
	}
	f.Resume()
	w.drained(f)
	if _, err := w.bank.Trade(ctx, bank.TradeRef{AccountID: 5, ClientTradeID: "of Bank's"}); bank.TypeOf(err) != bank.TradeNotFound {
		t.Errorf("what came from Bank: %v", err)
	}
	if there, err := w.bank.Trade(ctx, bank.TradeRef{AccountID: 5, ClientTradeID: "of a third system's"}); err != nil || there.TradeID != 78 {
		t.Errorf("what a third system has decided: %+v, %v", there, err)
	}
	left, err := f.Rows().Divergences(ctx, 10)
	if err != nil || len(left) != 1 || left[0].Outcome != backlog.Unmappable {
		t.Errorf("what Bank has no notion of: %+v, %v", left, err)
	}
	eventually(t, "no lag", func() bool { s := f.Stats(); return s.Lag == 0 && s.Head >= w.head() })
	// A new epoch begins behind what is there.
	if err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error { return f.Begin(ctx, tx, 1) }); err != nil {
		t.Fatal(err)
	}
	w.drained(f) // it doesn't go back
}

func ptr[T any](v T) *T { return &v }

// eventually asks until the answer is yes, or fails.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ask() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(10 * time.Millisecond) // the pace of asking
	}
}
