package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/bench/tradingday"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

// `bk serve` from a configuration file: there when the ready file is, gone in order with SIGTERM, and the file with it.
func TestServe(t *testing.T) {
	t.Parallel()
	dsn, broker := pgtest.New(t), kafkatest.New(t)
	config := writeConfig(t, "postgres: "+dsn+"\nkafka:\n  brokers: ["+broker.Addr()+"]\n  replication-factor: 1\nlisten: 127.0.0.1:0\nmetrics-listen: 127.0.0.1:0\n")
	ready := filepath.Join(t.TempDir(), "ready.json")
	if err := os.WriteFile(ready, []byte(`{"connect": "http://127.0.0.1:1"}`), 0o600); err != nil { // of a killed one
		t.Fatal(err)
	}
	p := startProgram(t, "serve", "--config", config, "--ready-file", ready)
	await(t, 30*time.Second, "the old ready file is gone", func() bool {
		content, err := os.ReadFile(ready)
		return errors.Is(err, fs.ErrNotExist) || err == nil && len(content) > 60
	})
	e := p.ready(ready)
	if e.Postgres != dsn || e.Kafka != broker.Addr() {
		t.Errorf("the ready file says %+v", e)
	}
	c, err := client.New(e.Connect)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	day, err := tradingday.New(tradingday.Config{Trades: 100, Customers: 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := define(t.Context(), c, day); err != nil {
		t.Fatal(err)
	}
	if _, err := bookSome(t.Context(), c, day, 0, 50); err != nil {
		t.Fatal(err)
	}
	mustHold(t, c)
	if code := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("SIGTERM: exit %d", code)
	}
	if _, err := os.Stat(ready); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ready file outlives the server: %v", err)
	}
}
