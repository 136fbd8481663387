package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/cmd/readyfile"
	"github.com/bkledger/bk/migrations/embedded"
)

// stack is a node with an embedded Postgres and Kafka, in one folder:
//
//	postgres/  kafka/   their data; the truth is in postgres/
//	kafka.torn-TIME/    files of the broker that could not be read, moved aside
//	ports.json          the ports of both, to have the same ones the next time
type stack struct {
	dir       string
	node      node.Config
	readyFile string
	log       *slog.Logger
}

const (
	restartPause = time.Second // before a Postgres that ended by itself is started again
	portsFile    = "ports.json"
)

// run serves until ctx ends. Postgres ends with this process, whichever way that ends; Kafka is in it.
func (s *stack) run(ctx context.Context, ready func(endpoints)) (err error) {
	defer func() {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // told to end before the start was complete
		}
	}()
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if s.readyFile != "" { // a killed one's: nobody may take it for ours
		if err := readyfile.Remove(s.readyFile); err != nil {
			return err
		}
	}
	ports := s.loadPorts()
	s.log.Info("starting Postgres", "dir", filepath.Join(s.dir, "postgres"))
	postgres, err := s.startPostgres(ctx, ports.Postgres)
	if err != nil {
		return s.explain(err)
	}
	defer func() {
		if stopErr := postgres.Stop(); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("stop Postgres: %w", stopErr))
		}
	}()
	kafka, err := s.startKafka(ctx, freeOr(ports.Kafka))
	if err != nil {
		return s.explain(err)
	}
	defer func() {
		if stopErr := kafka.Stop(); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("stop Kafka: %w", stopErr))
		}
		s.log.Info("embedded Kafka stopped")
	}()
	s.savePorts(ports, postgres.DSN(), kafka.Addr())

	watching, stopWatching := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { s.keepPostgres(watching, postgres) })
	defer watcher.Wait() // before Postgres is stopped
	defer stopWatching()

	cfg := s.node
	cfg.Postgres, cfg.Brokers = postgres.DSN(), []string{kafka.Addr()}
	cfg.Migrate, cfg.Republish, cfg.Version, cfg.Log = true, true, version(), s.log
	cfg.StandbyAfter = time.Minute // nobody else has the folder
	if cfg.Listen == "" {
		cfg.Listen = freeAddress(node.DefaultListen)
	}
	if cfg.MetricsListen == "" {
		cfg.MetricsListen = freeAddress(node.DefaultMetricsListen)
	}
	return serveNode(ctx, cfg, s.log, s.readyFile, kafka.Addr(), ready)
}

// startPostgres starts the server on the port of the last time, or on another if somebody else has that. (A server that a killed bk left
// has it still, and is ended by the start; so it can't be looked at before.)
func (s *stack) startPostgres(ctx context.Context, port int) (*embedded.Postgres, error) {
	cfg := embedded.PostgresConfig{Dir: filepath.Join(s.dir, "postgres"), Port: port, Durable: true, Log: s.log}
	postgres, err := embedded.StartPostgres(ctx, cfg)
	if err == nil || port == 0 || freeOr(port) != 0 || errors.Is(err, embedded.ErrInUse) {
		return postgres, err
	}
	s.log.Warn("the port of the last time is taken, taking another", "port", port)
	cfg.Port = 0
	return embedded.StartPostgres(ctx, cfg)
}

// startKafka starts the broker. Files that a kill or a power cut tore are moved aside: the journal has everything that was in them, and the
// publisher makes the stream anew on the empty broker.
func (s *stack) startKafka(ctx context.Context, port int) (*embedded.Kafka, error) {
	cfg := embedded.KafkaConfig{Dir: filepath.Join(s.dir, "kafka"), Port: port, Log: s.log}
	kafka, err := embedded.StartKafka(ctx, cfg)
	if !errors.Is(err, embedded.ErrKafkaTorn) {
		return kafka, err
	}
	moved, moveErr := embedded.MoveKafkaAside(cfg.Dir)
	if moveErr != nil {
		return nil, errors.Join(err, moveErr)
	}
	s.log.Warn("the embedded Kafka's files are torn and were moved aside; everything is published anew from the journal", "error", err, "moved_to", moved)
	return embedded.StartKafka(ctx, cfg)
}

// keepPostgres starts a Postgres that ended by itself again, until ctx ends. The node connects again by itself.
func (s *stack) keepPostgres(ctx context.Context, postgres *embedded.Postgres) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-postgres.Done():
		}
		s.log.Error("Postgres ended, starting it again", "log", postgres.LogFile())
		if err := postgres.Start(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("Postgres does not start, trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartPause):
		}
	}
}

// explain says what to do about the errors that a user can do something about.
func (s *stack) explain(err error) error {
	switch {
	case errors.Is(err, embedded.ErrInUse), errors.Is(err, embedded.ErrKafkaBusy):
		return fmt.Errorf("the data folder %s is in use by another bk: %w", s.dir, err)
	case errors.Is(err, embedded.ErrNoPostgres):
		return fmt.Errorf("%w\ninstall PostgreSQL 15 or later (apt-get install postgresql, brew install postgresql), or use bk serve with one elsewhere", err)
	}
	return err
}

// ports are those of the last run.
type ports struct {
	Postgres int `json:"postgres"`
	Kafka    int `json:"kafka"`
}

// loadPorts gives zeros where nothing useful is remembered.
func (s *stack) loadPorts() ports {
	var p ports
	content, err := os.ReadFile(filepath.Join(s.dir, portsFile))
	if err != nil || json.Unmarshal(content, &p) != nil || !validPort(p.Postgres) || !validPort(p.Kafka) {
		return ports{}
	}
	return p
}

// savePorts remembers the ports; without it they only change.
func (s *stack) savePorts(was ports, dsn, kafka string) {
	now := ports{Postgres: portOf(dsn), Kafka: portOf("kafka://" + kafka)}
	if now == was {
		return
	}
	content, err := json.Marshal(now)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, portsFile), append(content, '\n'), 0o644)
	}
	if err != nil {
		s.log.Warn("can't remember the ports", "error", err)
	}
}

// portOf gives a URL's port, 0 if it has none.
func portOf(address string) int {
	u, err := url.Parse(address)
	if err != nil {
		return 0
	}
	port, _ := strconv.Atoi(u.Port()) // empty: 0
	return port
}

func validPort(port int) bool { return port >= 0 && port <= 65535 }

// freeOr gives the port if it is free, else 0.
func freeOr(port int) int {
	if port == 0 {
		return 0
	}
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0
	}
	l.Close()
	return port
}
