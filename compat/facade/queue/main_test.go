package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		os.Exit(child(text))
	}
	pgtest.Main(m)
}

// mirror is a second reference Bank in BK's place: it takes what the queue brings and can be compared row by row. Its replays can be made to fail.
type mirror struct {
	*legacy.Bank
	fail   atomic.Pointer[func(bank.Replay) error]
	landed func(bank.Replay) // is told of each that is done; set before any is
	calls  atomic.Int64
}

func (m *mirror) ReplayAll(ctx context.Context, replays []bank.Replay) ([]int64, error) {
	m.calls.Add(1)
	if fail := m.fail.Load(); fail != nil {
		for _, r := range replays {
			if err := (*fail)(r); err != nil {
				return nil, err
			}
		}
	}
	for _, r := range replays {
		if err := m.Replay(context.WithoutCancel(ctx), r); err != nil { // what has come to BK is done, whoever waits for it
			return nil, err
		}
		if m.landed != nil {
			m.landed(r)
		}
	}
	return make([]int64, len(replays)), nil
}

func (m *mirror) failing(f func(bank.Replay) error) { m.fail.Store(&f) }

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

// world is a Bank, what stands for BK, and a façade's database.
type world struct {
	t    testing.TB
	dsn  string
	bank *legacy.Bank
	bk   *mirror
}

const accounts = 6

func openBank(ctx context.Context, dsn string) (*legacy.Bank, error) {
	if err := legacy.Migrate(ctx, dsn, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	return legacy.Open(ctx, legacy.Config{DSN: dsn})
}

func newBank(t testing.TB) *legacy.Bank {
	t.Helper()
	b, err := openBank(t.Context(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dsn: pgtest.New(t), bank: newBank(t), bk: &mirror{Bank: newBank(t)}}
	if err := schema.Up(t.Context(), w.dsn, nil); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*legacy.Bank{w.bank, w.bk.Bank} {
		define(t, b)
	}
	return w
}

func define(t testing.TB, b *legacy.Bank) {
	t.Helper()
	_, err := b.CreateEntity(t.Context(), bank.Entity{EntityID: 1, ClientCode: "C", LegalName: "L"})
	for id := bank.ID(1); id <= accounts; id++ {
		_, more := b.CreateAccount(t.Context(), bank.NewAccount{AccountID: id, EntityID: 1, Name: "A"})
		err = errors.Join(err, more)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) config(name string) Config {
	return Config{
		Postgres: w.dsn, Replica: name, Bank: listing{w.bank}, BK: w.bk, CallTimeout: 2 * time.Second, SettleAfter: 300 * time.Millisecond, Sweep: 50 * time.Millisecond,
		WatchEvery: 50 * time.Millisecond, Worker: backlog.Config{FirstPause: 100 * time.Millisecond}, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	}
}

// open opens a queue; run has it work, too.
func (w *world) open(cfg Config) *Queue {
	w.t.Helper()
	q, err := Open(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(q.Close)
	return q
}

func (w *world) run(cfg Config) (q *Queue, stop func()) {
	q = w.open(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	w.t.Cleanup(stop)
	return q, stop
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

func transfer(from, to bank.ID, client string) bank.Trade {
	t := trade(from, client)
	t.Type, t.TargetAccountID, t.Capacity, t.MIC, t.ExecMPID = bank.TransferTrade, to, "", "", ""
	return t
}

// book is what the façade does with a POST /trades.
func book(ctx context.Context, q *Queue, b *legacy.Bank, trades []bank.Trade, touched ...bank.ID) ([]bank.Booked, error) {
	h, err := q.Begin(ctx, 1, Trades(trades, touched...))
	if err != nil {
		return nil, err
	}
	booked, err := b.BookTrades(ctx, trades)
	switch {
	case err == nil:
		return booked, h.Accepted(ctx, Answer{Trades: booked})
	case rejection(err):
		return nil, errors.Join(err, h.Refused(ctx))
	}
	h.Unknown()
	return nil, err
}

func (w *world) drained(q *Queue) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 60*time.Second)
	defer cancel()
	if err := q.Drained(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// same compares the two books: all journal rows of every account in their order, and all trades.
func (w *world) same() (rows int) {
	w.t.Helper()
	ctx := w.t.Context()
	for id := bank.ID(1); id <= accounts; id++ {
		a, err := w.bank.JournalRows(ctx, id, 0, 100_000)
		b, err2 := w.bk.JournalRows(ctx, id, 0, 100_000)
		if err := errors.Join(err, err2); err != nil {
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
			if a[i].TradeID != nil && !seen[*a[i].TradeID] {
				seen[*a[i].TradeID] = true
				x, err := w.bank.Trade(ctx, bank.TradeRef{TradeID: *a[i].TradeID})
				y, err2 := w.bk.Trade(ctx, bank.TradeRef{TradeID: *a[i].TradeID})
				if err := errors.Join(err, err2); err != nil || text(x) != text(y) {
					w.t.Fatalf("trade: Bank has\n%s\nBK\n%s\n%v", text(x), text(y), err)
				}
			}
		}
		rows += len(a)
	}
	return rows
}

func text(v any) string { return string(mustEncode(v)) }

// eventually asks until the answer is yes, or fails.
func eventually(t testing.TB, what string, ask func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ask() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 15 s", what)
		}
		time.Sleep(10 * time.Millisecond) // the pace of asking
	}
}

func pgtestNew(t testing.TB) string { return pgtest.New(t) }

func facadeDSN(t testing.TB) string {
	t.Helper()
	dsn := pgtest.New(t)
	if err := schema.Up(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	return dsn
}

func amount(text string) bank.Decimal {
	d, err := bank.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}
