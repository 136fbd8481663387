package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/migrations/embedded"
)

// ownParts are the Postgres and the Kafka that a server runs for itself, in one folder:
//
//	postgres/  kafka/   their data
//	kafka.port          the broker's port, to have the same the next time
//	dsn                 of the database, while Postgres runs; for its owner alone, since it has the password
//
// Postgres ends with this process, whichever way that ends; Kafka is in it. Not for production.
type ownParts struct {
	dir string
	log *slog.Logger

	postgres *embedded.Postgres
	kafka    *embedded.Kafka
	watcher  sync.WaitGroup
	unwatch  context.CancelFunc
}

const restartPause = time.Second // before a Postgres that ended by itself is started again

// startPostgres starts the server and keeps it up until stop. It gives the database's DSN.
func (o *ownParts) startPostgres(ctx context.Context, database string) (dsn string, err error) {
	dir := filepath.Join(o.dir, "postgres")
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	o.log.Info("starting Postgres", "dir", dir)
	o.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: dir, Database: database, Durable: true, MaxConnections: 200, Log: o.log})
	if err != nil {
		return "", o.explain(err)
	}
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	o.unwatch = unwatch
	o.watcher.Go(func() { o.keepPostgres(watching) })
	if err := writeDSN(o.dsnFile(), o.postgres.DSN()); err != nil {
		return "", err
	}
	return o.postgres.DSN(), nil
}

func (o *ownParts) dsnFile() string { return filepath.Join(o.dir, "dsn") }

func writeDSN(path, dsn string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // whoever may read it
		return fmt.Errorf("say where Postgres is: %w", err)
	}
	if err := os.WriteFile(path, []byte(dsn+"\n"), 0o600); err != nil {
		return fmt.Errorf("say where Postgres is: %w", err)
	}
	return nil
}

// databaseName names a database for people, without a password: by the file with its DSN, or by host and name.
func databaseName(dsn, file string) string {
	if file != "" {
		return "its own, DSN in " + file
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "(a DSN that can't be read)"
	}
	return fmt.Sprintf("%s on %s:%d", config.Database, config.Host, config.Port)
}

func (o *ownParts) keepPostgres(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.postgres.Done():
		}
		o.log.Error("Postgres ended, starting it again", "log", o.postgres.LogFile())
		if err := o.postgres.Start(ctx); err != nil && ctx.Err() == nil {
			o.log.Error("Postgres does not start, trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartPause):
		}
	}
}

// startKafka starts the broker, on the port of the last time if that is free. It gives its address.
func (o *ownParts) startKafka(ctx context.Context) (address string, err error) {
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	cfg := embedded.KafkaConfig{Dir: filepath.Join(o.dir, "kafka"), Port: o.kafkaPort(), Log: o.log}
	o.kafka, err = embedded.StartKafka(ctx, cfg)
	switch {
	case errors.Is(err, embedded.ErrKafkaTorn):
		return "", fmt.Errorf("%w\nwhat was published is not kept elsewhere: move %s away to begin a new, empty stream", err, cfg.Dir)
	case err != nil:
		return "", o.explain(err)
	}
	if _, port, err := net.SplitHostPort(o.kafka.Addr()); err == nil {
		if err := os.WriteFile(o.portFile(), []byte(port), 0o644); err != nil {
			o.log.Warn("can't remember Kafka's port", "error", err)
		}
	}
	return o.kafka.Addr(), nil
}

func (o *ownParts) portFile() string { return filepath.Join(o.dir, "kafka.port") }

// Free ports are looked for below the range that systems take ports of outgoing connections from: a client that comes back in a loop while the
// broker is down could otherwise be given its very port.
const lowestPort, highestPort = 15_000, 31_999

// kafkaPort gives the port of the last time if it is free, else another that is; 0 if it finds none.
func (o *ownParts) kafkaPort() int {
	if text, err := os.ReadFile(o.portFile()); err == nil {
		if port, err := strconv.Atoi(string(text)); err == nil && isFree(port) {
			return port
		}
	}
	for range 100 {
		if port := lowestPort + rand.IntN(highestPort-lowestPort+1); isFree(port) {
			return port
		}
	}
	return 0
}

func isFree(port int) bool {
	if port < 1 || port > 65535 {
		return false
	}
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// stop ends what was started.
func (o *ownParts) stop() error {
	var errs []error
	if o.unwatch != nil {
		o.unwatch()
		o.watcher.Wait() // before Postgres is stopped
	}
	if o.kafka != nil {
		if err := o.kafka.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("stop Kafka: %w", err))
		}
	}
	if o.postgres != nil {
		if err := os.Remove(o.dsnFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("stop Postgres: %w", err))
		}
		if err := o.postgres.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("stop Postgres: %w", err))
		}
	}
	return errors.Join(errs...)
}

// explain says what to do about the errors that a user can do something about.
func (o *ownParts) explain(err error) error {
	switch {
	case errors.Is(err, embedded.ErrInUse), errors.Is(err, embedded.ErrKafkaBusy):
		return fmt.Errorf("the data folder %s is in use by another server: %w", o.dir, err)
	case errors.Is(err, embedded.ErrNoPostgres):
		return fmt.Errorf("%w\ninstall PostgreSQL 15 or later (apt-get install postgresql, brew install postgresql), or name one elsewhere with --db", err)
	}
	return err
}
