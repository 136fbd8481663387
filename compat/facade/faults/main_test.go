package faults

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/migrations/pgtest"
)

// load of the tests: `make fault-test` asks for more.
var times = flag.Int("times", 1, "how many times as many calls are made in each phase of a test")

// atOnce is how many tests run at once: most of the time they wait for something to time out.
const atOnce = "5"

// A process with one of these in its environment is no test, but a system under test.
const (
	childEnv = "BK_FAULTS_CHILD" // its settings
	readyEnv = "BK_FAULTS_READY" // a file that it makes when it serves
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		if err := serveChild(text, os.Getenv(readyEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	parallel := true
	flag.Visit(func(f *flag.Flag) { parallel = parallel && f.Name != "test.parallel" })
	if parallel {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	pgtest.Main(m)
}

// The systems.
const (
	roleBank   = "bank"
	roleBK     = "bk"
	roleFacade = "facade"
)

// settings say what a system is; they go to a child as JSON.
type settings struct {
	Role     string
	Postgres string
	Listen   string // of the API
	Other    string // of operations, or metrics
	Brokers  []string
	Facade   facade.Config // of the façade, all
}

// run serves until ctx ends.
func (s settings) run(ctx context.Context, log *slog.Logger, ready func()) error {
	switch s.Role {
	case roleBank:
		cfg := legacy.Config{DSN: s.Postgres, Connections: 16, Brokers: s.Brokers, Partitions: 2, Listen: s.Listen, OperationsListen: s.Other, Log: log}
		return legacy.Run(ctx, cfg, func(legacy.Addresses) { ready() })
	case roleBK:
		cfg := node.Config{Postgres: s.Postgres, PoolConnections: 16, Listen: s.Listen, MetricsListen: s.Other, Owner: s.Listen, Log: log}
		return node.Run(ctx, cfg, func(node.Addresses) { ready() })
	case roleFacade:
		cfg := s.Facade
		cfg.Log = log
		return facade.Run(ctx, cfg, func(facade.Addresses) { ready() })
	}
	return fmt.Errorf("there is no system %q", s.Role)
}

func serveChild(text, readyFile string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var notReady error
	err := s.run(ctx, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})), func() {
		notReady = os.WriteFile(readyFile, nil, 0o600)
	})
	return errors.Join(err, notReady)
}
