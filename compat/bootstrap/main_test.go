package bootstrap_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/bootstrap"
	"github.com/bkledger/bk/compat/contract"
	facadebooks "github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/parity/books"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		os.Exit(child(text))
	}
	pgtest.Main(m)
}

const local = "127.0.0.1:0"

// world is a Bank with history, and empty databases for BK and the façade.
type world struct {
	t      *testing.T
	bank   stage.Bank
	bk     string        // DSN
	facade string        // DSN
	broker string        // "": no Kafka
	bkURL  string        // of the BK that the bootstrapper started last
	wait   time.Duration // how long what differs is compared again
}

func newWorld(t *testing.T, broker string) *world {
	t.Helper()
	w := &world{t: t, bk: pgtest.New(t), facade: pgtest.New(t), broker: broker}
	dsn := pgtest.New(t)
	var brokers []string
	if broker != "" {
		brokers = []string{broker}
	}
	at, stop := stage.Await(t, "Bank", func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{DSN: dsn, Connections: 8, Brokers: brokers, Listen: local, OperationsListen: local, Log: stage.Log(t)}, ready)
	})
	w.bank = stage.Bank{Target: contract.Target{API: "http://" + at.API, Operations: "http://" + at.Operations}, DSN: dsn, Stop: stop}
	if err := migrations.Up(t.Context(), w.bk, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// play has clients trade at Bank for some days.
func (w *world) play(seed uint64, requests int) shadow.Played {
	w.t.Helper()
	played, err := shadow.Play(w.t.Context(), shadow.Traffic{Target: shadow.System{Name: "Bank", API: w.bank.API, Operations: w.bank.Operations}, Seed: seed, Requests: requests, Accounts: 24, Rolls: 6})
	if err != nil || played.Surprised > 0 {
		w.t.Fatal(played, err)
	}
	return played
}

// startBK runs a node on BK's database.
func (w *world) startBK(context.Context) (string, func() error, error) {
	at, stop := stage.Await(w.t, "BK", func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{Postgres: w.bk, Listen: local, MetricsListen: local, PoolConnections: 16, Log: stage.Log(w.t)}, ready)
	})
	w.bkURL = "http://" + at.API
	return w.bkURL, func() error { stop(); return nil }, nil
}

// config is one with small chunks, so that there are many of them.
func (w *world) config() bootstrap.Config {
	cfg := bootstrap.Config{
		Work: filepath.Join(w.t.TempDir(), "work"), BankDB: w.bank.DSN, BKDB: w.bk, FacadeDB: w.facade, Bank: w.bank.API, Operations: w.bank.Operations, StartBK: w.startBK,
		ChunkRows: 300, JournalRows: 700, Latency: time.Minute, Lag: time.Minute, CatchUpFor: 2 * time.Minute, Who: "test", Log: stage.Log(w.t),
		Compare: w.compare,
	}
	if w.broker != "" {
		cfg.Kafka = []string{w.broker}
	}
	return cfg
}

// run runs a bootstrapper.
func (w *world) run(cfg bootstrap.Config) (*bootstrap.Report, error) {
	w.t.Helper()
	b, err := bootstrap.Open(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Close()
	return b.Run(w.t.Context())
}

// compare holds Bank's tables against BK.
func (w *world) compare(ctx context.Context) (c bootstrap.Comparison, err error) {
	warehouse, err := duck.Open(filepath.Join(w.t.TempDir(), "books.duckdb"))
	if err != nil {
		return c, err
	}
	defer warehouse.Close()
	bk, err := client.New(w.bkURL)
	if err != nil {
		return c, err
	}
	defer bk.Close()
	pool, err := pgxpool.New(ctx, w.facade)
	if err != nil {
		return c, err
	}
	defer pool.Close()
	names, err := facadebooks.NewStream(facadebooks.StreamConfig{Client: bk, Pool: pool})
	if err != nil {
		return c, err
	}
	defer names.Close()
	report, err := books.Compare(ctx, books.Config{Warehouse: warehouse, Append: duck.Append, Bank: w.bank.DSN, BK: bk, Names: names, Wait: w.wait, Keep: 10_000})
	return bootstrap.Comparison{Compared: report.Compared, Findings: report.Findings, Rows: report.Differing}, err
}

// same asks Bank and Bank's API on BK for everything.
func (w *world) same(played shadow.Played) {
	w.t.Helper()
	url, stop, err := w.startBK(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer stop() //nolint:errcheck // the stage says what is wrong
	on := stage.StartBooks(w.t, stage.BK{URL: url, DSN: w.bk}, w.facade, nil)
	compared, err := shadow.Compare(w.t.Context(), played.Comparison(shadow.System{Name: "Bank", API: w.bank.API, Operations: w.bank.Operations}, shadow.System{Name: "BK", API: on.API}, 0))
	if err != nil || compared.Differing > 0 {
		w.t.Errorf("Bank's API on BK: %v\n%v", err, compared)
	}
}

// one asks a database for a number.
func one(t *testing.T, dsn, query string) (n int64) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context()))
	if err := db.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(query, err)
	}
	return n
}
