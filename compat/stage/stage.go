package stage

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

// Bank is a running reference Bank.
type Bank struct {
	contract.Target
	DSN  string // of its database
	Stop func() // ends it before the test does
}

// StartBank starts the reference Bank on a database of its own.
func StartBank(t testing.TB, keys ...string) Bank {
	t.Helper()
	dsn := pgtest.New(t)
	at, stop := Await(t, "Bank", func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{DSN: dsn, Connections: 8, Keys: keys, Listen: local, OperationsListen: local, Log: Log(t)}, ready)
	})
	return Bank{contract.Target{API: "http://" + at.API, Operations: "http://" + at.Operations}, dsn, stop}
}

// BK is a running node of BK.
type BK struct {
	URL  string
	DSN  string // of its database
	Stop func() // ends it before the test does
}

// StartBK starts a node of BK on a database of its own.
func StartBK(t testing.TB) BK {
	t.Helper()
	dsn := pgtest.New(t)
	at, stop := Await(t, "BK", func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{Postgres: dsn, Listen: local, MetricsListen: local, PoolConnections: 16, Log: Log(t)}, ready)
	})
	return BK{"http://" + at.API, dsn, stop}
}

// StartBooks serves Bank's API on BK. dsn is of the façade's database, "" for one of its own; epochs are those in which BK books first.
func StartBooks(t testing.TB, bk BK, dsn string, epochs []books.Epoch, keys ...string) contract.Target {
	t.Helper()
	if dsn == "" {
		dsn = pgtest.New(t)
	}
	if err := schema.Up(t.Context(), dsn, Log(t)); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	to, err := client.New(bk.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(to.Close)
	ledger, err := books.New(books.Config{Client: to, Pool: pool, IDs: books.NewIDs(epochs...), Log: Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ledger.Close)
	uploads, err := upload.New(upload.Config{Pool: pool, Schema: "facade", Log: Log(t), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := upload.NewWorker(uploads, ledger, upload.WorkerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	background(t, worker.Run)
	handler, err := front.New(front.Config{Ledger: ledger, Uploads: uploads, Keys: keys, Log: Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	return contract.Target{API: serve(t, handler.API()), Operations: serve(t, handler.Operations())}
}

// Facade is a running façade.
type Facade struct {
	contract.Target
	Admin string // URL of its own listener
	DSN   string // of its database
	Stop  func() // ends it before the test does
	key   string
}

// StartFacade starts a replica of the façade; the listeners, a missing Postgres, Replica and Log are filled in.
func StartFacade(t testing.TB, cfg facade.Config) Facade {
	t.Helper()
	cfg.Listen, cfg.OperationsListen, cfg.AdminListen = local, local, local
	if cfg.Postgres == "" {
		cfg.Postgres = pgtest.New(t)
	}
	if cfg.Connections == 0 {
		cfg.Connections = 8 // a server that the tests share has so many only
	}
	if cfg.Replica == "" {
		cfg.Replica = t.Name()
	}
	if cfg.Log == nil {
		cfg.Log = Log(t)
	}
	at, stop := Await(t, "the façade", func(ctx context.Context, ready func(facade.Addresses)) error { return facade.Run(ctx, cfg, ready) })
	f := Facade{contract.Target{API: "http://" + at.API, Operations: "http://" + at.Operations}, "http://" + at.Admin, cfg.Postgres, stop, ""}
	if len(cfg.Keys) > 0 {
		f.key = cfg.Keys[0]
	}
	return f
}

// Set is a façade with a Bank and a BK of its own behind it.
type Set struct {
	Facade
	Bank Bank
	BK   BK
}

// StartSet starts a façade in a mode, all empty.
func StartSet(t testing.TB, in mode.Mode, keys ...string) Set {
	t.Helper()
	s := Set{Bank: StartBank(t, keys...), BK: StartBK(t)}
	s.Facade = StartFacade(t, facade.Config{Bank: s.Bank.API, BankOperations: s.Bank.Operations, BK: s.BK.URL, Mode: in, Keys: keys})
	return s
}
