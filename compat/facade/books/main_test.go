package books_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience of tests on a slow machine.
const patience = 60 * time.Second

// server is a BK node in this process.
type server struct {
	api  string
	stop func() // stops it and waits until it has
}

// serve starts a node on a ledger's database; listen may be an address that a node had before.
func serve(t testing.TB, dsn, listen string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan node.Addresses, 1), make(chan error, 1)
	go func() {
		done <- node.Run(ctx, node.Config{
			Postgres: dsn, Listen: listen, MetricsListen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		}, func(at node.Addresses) { ready <- at })
	}()
	s := &server{}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the node ended with: %v", err)
			}
		case <-time.After(patience):
			t.Error("the node does not stop")
		}
	}
	t.Cleanup(s.stop)
	select {
	case at := <-ready:
		s.api = at.API
	case err := <-done:
		stopped = true
		t.Fatalf("the node ended: %v", err)
	case <-time.After(patience):
		t.Fatal("the node is not ready")
	}
	return s
}

// world is a ledger on a node of its own.
type world struct {
	*books.Ledger
	t      testing.TB
	dsn    string // of BK's database
	pool   *pgxpool.Pool
	client *client.Client
	server *server
	ids    *books.IDs
	number int // of trades
}

// newWorld starts with the accounts 100018 to 100021 of entity 1.
func newWorld(t testing.TB) *world {
	t.Helper()
	dsn := pgtest.New(t)
	w := &world{t: t, dsn: dsn, server: serve(t, dsn, "127.0.0.1:0"), ids: books.NewIDs(books.Epoch{First: 1, TradeBase: 1000, CashBase: 2000})}
	own := pgtest.New(t)
	if err := schema.Up(t.Context(), own, nil); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.pool, err = pgxpool.New(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	w.client, w.Ledger = w.replica(books.Config{})
	if _, err := w.CreateEntity(t.Context(), bank.Entity{EntityID: 1, ClientCode: "ONE", LegalName: "One Inc."}); err != nil {
		t.Fatal(err)
	}
	for id := bank.ID(100018); id <= 100021; id++ {
		if created, err := w.CreateAccount(t.Context(), bank.NewAccount{AccountID: id, EntityID: 1, Name: "Ann"}); err != nil || !created {
			t.Fatalf("account %d: %t, %v", id, created, err)
		}
	}
	return w
}

// replica is another ledger on the same.
func (w *world) replica(cfg books.Config) (*client.Client, *books.Ledger) {
	w.t.Helper()
	c, err := client.New("http://" + w.server.api)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	cfg.Client, cfg.Pool, cfg.IDs = c, w.pool, w.ids
	cfg.Log = slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	l, err := books.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(l.Close)
	return c, l
}

// trade reads a trade of account 100018: 100 IBM bought at 10 on 20131007, with what fields say (JSON members) instead.
func (w *world) trade(fields string) bank.Trade {
	w.t.Helper()
	w.number++
	return parse(w.t, w.number, fields)
}

func parse(t testing.TB, number int, fields string) bank.Trade {
	t.Helper()
	standard := []struct{ name, value string }{
		{"type", `"exchange_trade"`}, {"timestamp", `1381132800464`}, {"client_trade_id", fmt.Sprintf(`"T%d"`, number)}, {"date", `20131007`}, {"account_id", `100018`},
		{"quantity", `"100"`}, {"price", `"10"`}, {"instrument", ibm}, {"side", `{"direction":"buy"}`}, {"capacity", `"agency"`}, {"mic", `"XNYS"`},
		{"exec_mpid", `"ABCD"`},
	}
	text := "{" + fields
	for _, f := range standard {
		if !hasMember(fields, f.name) {
			if len(text) > 1 {
				text += ","
			}
			text += `"` + f.name + `":` + f.value
		}
	}
	trade, err := bank.ReadTrade([]byte(text + "}"))
	if err != nil {
		t.Fatalf("%s}: %v", text, err)
	}
	return trade
}

const ibm = `{"identifier":"IBM","identifier_type":"ticker","country":"USA","currency":"USD"}`

// book books trades in one call.
func (w *world) book(trades ...bank.Trade) []bank.ID {
	w.t.Helper()
	booked, err := w.BookTrades(w.t.Context(), trades)
	if err != nil {
		w.t.Fatalf("book: %v", err)
	}
	ids := make([]bank.ID, len(booked))
	for i, b := range booked {
		if ids[i] = b.TradeID; b.ClientTradeID != trades[i].ClientTradeID {
			w.t.Errorf("trade %d is answered as %q", i, b.ClientTradeID)
		}
	}
	return ids
}

func (w *world) stored(id bank.ID) bank.StoredTrade {
	w.t.Helper()
	s, err := w.Trade(w.t.Context(), bank.TradeRef{TradeID: id})
	if err != nil {
		w.t.Fatalf("trade %d: %v", id, err)
	}
	return s
}

func (w *world) roll(to bank.Date) {
	w.t.Helper()
	if err := w.Roll(w.t.Context(), to); err != nil {
		w.t.Fatalf("roll to %d: %v", to, err)
	}
}

// refused checks that an error is of a type.
func refused(t testing.TB, what string, err error, want bank.Type) {
	t.Helper()
	if bank.TypeOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func dec(text string) bank.Decimal {
	d, err := bank.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

func hasMember(fields, name string) bool {
	for i := 0; i+len(name)+3 <= len(fields); i++ {
		if fields[i:i+len(name)+3] == `"`+name+`":` {
			return true
		}
	}
	return false
}
