package facade

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience of tests on a slow machine.
const patience = 60 * time.Second

func logTo(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// background runs a service until the test ends, or until it is stopped.
func background[A any](t testing.TB, run func(ctx context.Context, ready func(A)) error) (at A, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan A, 1), make(chan error, 1)
	go func() { done <- run(ctx, func(a A) { ready <- a }) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("ended with: %v", err)
			}
		case <-time.After(patience):
			t.Error("does not stop")
		}
	})
	select {
	case at = <-ready:
	case err := <-done:
		t.Fatalf("did not start: %v", err)
	case <-time.After(patience):
		t.Fatal("is not ready")
	}
	t.Cleanup(stop)
	return at, stop
}

func startBank(t testing.TB) legacy.Addresses {
	t.Helper()
	dsn := pgtest.New(t)
	at, _ := background(t, func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{DSN: dsn, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", Log: logTo(t)}, ready)
	})
	return at
}

func startBK(t testing.TB) string {
	t.Helper()
	dsn := pgtest.New(t)
	at, _ := background(t, func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{Postgres: dsn, Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", Log: logTo(t)}, ready)
	})
	return "http://" + at.API
}

// config is a façade's with a database of its own.
func config(t testing.TB, b legacy.Addresses, bk string) Config {
	t.Helper()
	return Config{
		Bank: "http://" + b.API, BankOperations: "http://" + b.Operations, BK: bk, Postgres: pgtest.New(t), Replica: "r", Log: logTo(t), Hold: 5 * time.Second,
		Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Mode: mode.BankOnly,
	}
}

func startFacade(t testing.TB, cfg Config) (at Addresses, stop func()) {
	t.Helper()
	return background(t, func(ctx context.Context, ready func(Addresses)) error { return Run(ctx, cfg, ready) })
}

func clientOf(t testing.TB, api, operations string) *bank.Client {
	t.Helper()
	c, err := bank.NewClient(bank.ClientConfig{API: "http://" + api, Operations: "http://" + operations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// lossy is a way to Bank that can lose the answers to writes, and what is asked about trades.
type lossy struct {
	url  string
	lose atomic.Bool // no answer to a write
	half atomic.Bool // an answer to a write breaks off in its body
	mute atomic.Bool // no answer about trades
}

func newLossy(t testing.TB, address string) *lossy {
	t.Helper()
	l := &lossy{}
	through := newProxy(&url.URL{Scheme: "http", Host: address}, newTransport(), logTo(t))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.lose.Load() && writes(r) {
			through.ServeHTTP(newRecord(), r)
			panic(http.ErrAbortHandler)
		}
		if l.half.Load() && writes(r) {
			answer := newRecord()
			through.ServeHTTP(answer, r)
			answer.header.Set("Content-Length", strconv.Itoa(answer.body.Len()))
			answer.body.Truncate(answer.body.Len() / 2)
			answer.send(w)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		if l.mute.Load() && !writes(r) && strings.Contains(r.URL.Path, "/trades") {
			panic(http.ErrAbortHandler)
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}
