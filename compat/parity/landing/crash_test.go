package landing_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
	"github.com/bkledger/bk/migrations/child"
)

// childEnv makes the test binary a loader: "WAREHOUSE|BROKER|PREFIX|WHERE IT DIES|AT WHICH TRANSACTION".
const childEnv = "BK_LANDING_CHILD"

// Where a child kills itself.
const (
	diesBefore = "before" // a transaction
	diesInside = "inside" // rows are inserted, offsets are written, nothing is committed
	diesBehind = "behind" // committed, nobody knows
	diesNot    = "not"
)

func TestMain(m *testing.M) {
	if arg := os.Getenv(childEnv); arg != "" {
		if err := landAsChild(strings.Split(arg, "|")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// mortal is a store that kills its process.
type mortal struct {
	*duck.Store
	where string
	left  int
}

func (m *mortal) Write(ctx context.Context, chunks []landing.Chunk, statements []landing.Statement) error {
	if m.left--; m.left > 0 || m.where == diesNot {
		return m.Store.Write(ctx, chunks, statements)
	}
	switch m.where {
	case diesBefore:
		die()
	case diesInside:
		// The last statement takes for ever; the one before it says, through a file, that it has begun.
		begun := os.Getenv(childEnv+"_BEGUN") + fmt.Sprint(os.Getpid())
		statements = append(statements, landing.Statement{SQL: "COPY (SELECT 1) TO " + dialect.DuckDB().Literal(begun), Rows: -1},
			landing.Statement{SQL: "SELECT COUNT(*) FROM range(1000000) a, range(1000000) b WHERE hash(a.range, b.range) = 1", Rows: -1})
		go func() {
			for {
				if _, err := os.Stat(begun); err == nil {
					die()
				}
				time.Sleep(time.Millisecond)
			}
		}()
	}
	err := m.Store.Write(ctx, chunks, statements)
	die()
	return err
}

func die() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }

func landAsChild(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	store, err := duck.OpenStore(ctx, args[0])
	if err != nil {
		return err
	}
	m := &mortal{Store: store, where: args[3]}
	if _, err := fmt.Sscan(args[4], &m.left); err != nil {
		return err
	}
	l, err := landing.New(landing.Config{
		Store: m, Brokers: []string{args[1]}, Topics: named(args[2], landing.AllTopics()), BatchRows: 300, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	if _, err := l.Run(ctx); err != nil {
		return err
	}
	return store.Close()
}

// TestKilled kills loaders before, inside and behind transactions, each a batch or two after the last one: all is landed once in the end.
func TestKilled(t *testing.T) {
	t.Parallel()
	w, prefix := newWorld(t), own(t)
	topics := named(prefix, landing.AllTopics())
	w.topics(generate.Partitions, names(topics)...)
	cfg := small(7, 3000)
	w.produce(kafka(prefix, generate.Records(cfg, true))...)
	cfg.BK = true
	w.produce(kafka(prefix, generate.Records(cfg, true))...)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "warehouse.duckdb")
	log := filepath.Join(dir, "log")
	run := func(where string, transactions int) *child.Child {
		t.Helper()
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%s|%s|%d", childEnv, path, w.broker, prefix, where, transactions), childEnv+"_BEGUN="+filepath.Join(dir, "begun"))
		c, err := child.Start(cmd, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Kill)
		select {
		case <-c.Gone():
		case <-time.After(2 * time.Minute):
			t.Fatalf("the loader does not end:\n%s", child.Tail(log, 4000))
		}
		return c
	}
	for round, where := range []string{diesBefore, diesInside, diesBehind, diesInside, diesBefore, diesInside, diesBehind} {
		c := run(where, 1+round%3)
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("round %d: a loader that dies %s a transaction: %v\n%s", round, where, err, child.Tail(log, 4000))
		}
	}
	if err := run(diesNot, 0).Err(); err != nil {
		t.Fatalf("%v\n%s", err, child.Tail(log, 4000))
	}
	store, err := duck.OpenStore(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	whole(t, store, 6000)
	if n := number(t, store, `SELECT COUNT(*) FROM trade_events a FULL JOIN trade_events b ON a.content_hash = b.content_hash AND b.side = 'bk' WHERE a.side = 'bank' AND b.content_hash IS NULL`); n != 0 {
		t.Errorf("%d of Bank's events are not BK's", n)
	}
}
