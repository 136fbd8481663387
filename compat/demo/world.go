package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	bkclient "github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/bankstream/owner"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/migrations"
	"github.com/bkledger/bk/migrations/embedded"
)

const (
	local      = "127.0.0.1:0"
	partitions = 4
	// The façade's database is beside BK's: both are there when Bank is gone.
	facadeDatabase = "facade"
	frontDatabase  = "front" // of the façade before BK is there
)

// world is all that runs. Bank has a Postgres of its own, which goes away with it.
type world struct {
	dir    string
	log    *slog.Logger
	failed func(error) // a part has ended by itself

	bankPostgres, bkPostgres *embedded.Postgres
	kafka                    *embedded.Kafka
	bankPart, bkPart         *part
	facadePart, streamPart   *part
	ownerPart, frontPart     *part

	bank       *bank.Client // Bank itself, its operations included
	bankAPI    string
	bankOps    string
	bk         *bkclient.Client // nil while BK is not there
	bkURL      string
	facade     string // URL of the façade's API
	operations string
	admin      string
	pool       *pgxpool.Pool // the façade's database
	names      *books.Stream
	stream     *bankstream.Service
	store      *duck.Store // the warehouse
	after      bank.ID     // Bank's last event before BK's books, where these were opened with balances; else 0
}

func (w *world) brokers() []string { return []string{w.kafka.Addr()} }

func (w *world) facadeDSN() string { return w.bkPostgres.DSNFor(facadeDatabase) }

// startBank starts both Postgres, Kafka, and Bank.
func (w *world) startBank(ctx context.Context) (err error) {
	starting, ctx2 := errgroup.WithContext(ctx)
	starting.Go(func() (err error) {
		w.bankPostgres, err = w.postgres(ctx2, "bank")
		return err
	})
	starting.Go(func() (err error) {
		if w.bkPostgres, err = w.postgres(ctx2, "bk"); err != nil {
			return err
		}
		if err := createDatabases(ctx2, w.bkPostgres.DSN(), facadeDatabase, frontDatabase); err != nil {
			return err
		}
		return migrations.Up(ctx2, w.bkPostgres.DSN(), w.log)
	})
	starting.Go(func() (err error) {
		w.kafka, err = embedded.StartKafka(ctx2, embedded.KafkaConfig{Dir: filepath.Join(w.dir, "kafka"), Log: w.log})
		return err
	})
	if err := starting.Wait(); err != nil {
		return err
	}
	at, p, err := launch(ctx, "Bank", w.failed, func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{
			DSN: w.bankPostgres.DSN(), Brokers: w.brokers(), Partitions: partitions, Listen: local, OperationsListen: local, Log: w.log.With("system", "bank"),
		}, ready)
	})
	w.bankPart = p
	if err != nil {
		return err
	}
	w.bankAPI, w.bankOps = "http://"+at.API, "http://"+at.Operations
	w.bank, err = bank.NewClient(bank.ClientConfig{API: w.bankAPI, Operations: w.bankOps})
	return err
}

func (w *world) postgres(ctx context.Context, name string) (*embedded.Postgres, error) {
	return embedded.StartPostgres(ctx, embedded.PostgresConfig{
		Dir: filepath.Join(w.dir, name), Database: name, MaxConnections: 200, Durable: true, Log: w.log.With("postgres", name),
	})
}

func createDatabases(ctx context.Context, dsn string, names ...string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("make databases: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing hangs on it
	for _, name := range names {
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
			return fmt.Errorf("make the database %s: %w", name, err)
		}
	}
	return nil
}

// startFront starts the façade as it stands before Bank while nobody has heard of BK: it passes all on.
func (w *world) startFront(ctx context.Context) error {
	at, p, err := launch(ctx, "the first façade", w.failed, func(ctx context.Context, ready func(facade.Addresses)) error {
		return facade.Run(ctx, facade.Config{
			Bank: w.bankAPI, BankOperations: w.bankOps, Postgres: w.bkPostgres.DSNFor(frontDatabase), Mode: mode.BankOnly, Listen: local, OperationsListen: local, AdminListen: local,
			Replica: "front", Log: w.log.With("system", "front"),
		}, ready)
	})
	w.frontPart = p
	w.at(at)
	return err
}

// startFacade starts the façade that knows BK, on the database that the bootstrapper has filled: it follows Bank from there. BK is there.
func (w *world) startFacade(ctx context.Context) error {
	at, p, err := launch(ctx, "the façade", w.failed, func(ctx context.Context, ready func(facade.Addresses)) error {
		return facade.Run(ctx, facade.Config{
			Bank: w.bankAPI, BankOperations: w.bankOps, BK: w.bkURL, Brokers: w.brokers(), Stream: true, Postgres: w.facadeDSN(), Mode: mode.BankOnly,
			Listen: local, OperationsListen: local, AdminListen: local, Replica: "demo", Log: w.log.With("system", "facade"),
		}, ready)
	})
	w.facadePart = p
	if err != nil {
		return err
	}
	w.at(at)
	return nil
}

// at says where clients and operators find the façade.
func (w *world) at(a facade.Addresses) {
	w.facade, w.operations, w.admin = "http://"+a.API, "http://"+a.Operations, "http://"+a.Admin
}

// startBK starts BK on what was loaded.
func (w *world) startBK(ctx context.Context) error {
	at, p, err := launch(ctx, "BK", w.failed, func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{
			Postgres: w.bkPostgres.DSN(), Brokers: w.brokers(), Partitions: partitions, Listen: local, MetricsListen: local, Version: "demo", Log: w.log.With("system", "bk"),
		}, ready)
	})
	w.bkPart = p
	if err != nil {
		return err
	}
	w.bkURL = "http://" + at.API
	w.bk, err = bkclient.New(w.bkURL)
	return err
}

// startStream starts the stream that makes Bank's events of BK's.
func (w *world) startStream(ctx context.Context) (err error) {
	if w.pool, err = pgxpool.New(ctx, w.facadeDSN()); err != nil {
		return fmt.Errorf("the façade's database: %w", err)
	}
	if w.names, err = books.NewStream(books.StreamConfig{Client: w.bk, Pool: w.pool, Log: w.log}); err != nil {
		return err
	}
	own, err := owner.New(owner.Config{Pool: w.pool, Bank: w.bank, BK: owner.BK(w.bk), Brokers: w.brokers(), Group: bankstream.DefaultGroup, Log: w.log.With("system", "owner")})
	if err != nil {
		return err
	}
	if w.stream, err = bankstream.New(bankstream.Config{
		Translator: rehydrate.New(w.names), Owner: own, Brokers: w.brokers(), Instance: "demo", Partitions: partitions, Log: w.log.With("system", "stream"),
	}); err != nil {
		return err
	}
	w.ownerPart = run("the relay's reconciler", w.failed, own.Run)
	w.streamPart = run("the stream", w.failed, w.stream.Run)
	return nil
}

// stopBank ends Bank and its Postgres.
func (w *world) stopBank() error {
	err := w.bankPart.stop()
	if w.bankPostgres != nil {
		err = errors.Join(err, w.bankPostgres.Stop())
	}
	return err
}

// stop ends everything, those who call others first.
func (w *world) stop() error {
	var errs []error
	errs = append(errs, w.frontPart.stop(), w.facadePart.stop(), w.streamPart.stop(), w.ownerPart.stop())
	if w.names != nil {
		w.names.Close()
	}
	if w.bk != nil {
		w.bk.Close()
	}
	if w.pool != nil {
		w.pool.Close()
	}
	errs = append(errs, w.bkPart.stop())
	if w.bank != nil {
		w.bank.Close()
	}
	errs = append(errs, w.stopBank())
	if w.store != nil {
		errs = append(errs, w.store.Close())
	}
	if w.kafka != nil {
		errs = append(errs, w.kafka.Stop())
	}
	if w.bkPostgres != nil {
		errs = append(errs, w.bkPostgres.Stop())
	}
	return errors.Join(errs...)
}
