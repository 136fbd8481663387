package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/bench/tradingday"
	"github.com/bkledger/bk/migrations/pgtest"
)

// startDev starts `bk dev` on free ports and waits until it serves.
func startDev(t *testing.T, dir string) (*program, *client.Client, endpoints) {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	p := startProgram(t, "dev", "--data", dir, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--ready-file", ready, "--log-level", "warn")
	e := p.ready(ready)
	c, err := client.New(e.Connect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return p, c, e
}

// bookSome books commands of a day in order and gives the last token.
func bookSome(ctx context.Context, c *client.Client, day *tradingday.Day, from, to int) (keys []string, err error) {
	var commands []*bkv1.Command
	i := 0
	for cmd := range day.Commands() {
		if i >= from && i < to {
			commands = append(commands, tradingday.Message(cmd))
			keys = append(keys, cmd.Key)
		}
		i++
	}
	answer, err := c.Booking.BookBatch(ctx, connect.NewRequest(&bkv1.BookBatchRequest{Mode: bkv1.BatchMode_BATCH_MODE_ATOMIC, Commands: commands}))
	if err != nil {
		return nil, err
	}
	if len(answer.Msg.Results) != len(commands) {
		return nil, fmt.Errorf("%d results for %d commands", len(answer.Msg.Results), len(commands))
	}
	return keys, nil
}

func mustHave(t *testing.T, c *client.Client, keys []string) {
	t.Helper()
	for _, key := range keys {
		if _, err := c.Query.GetEntry(t.Context(), connect.NewRequest(&bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Key{Key: key}})); err != nil {
			t.Errorf("%s: %s", key, client.Describe(err))
		}
	}
}

// mustHold waits until everything is in Kafka and lets the server prove the books.
func mustHold(t *testing.T, c *client.Client) *proof {
	t.Helper()
	await(t, 30*time.Second, "everything is published", func() bool {
		s, err := c.Admin.Status(t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
		return err == nil && s.Msg.Publisher.GetSequence() > 0 && s.Msg.Publisher.GetLag() == 0
	})
	p, err := prove(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if p.broken != nil {
		t.Error(p.broken)
	}
	return p
}

// `bk dev` is killed with -9 and started again, then stopped in order and started again: everything is there, no child stays.
func TestDevSurvivesAKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	day, err := tradingday.New(tradingday.Config{Trades: 500, Customers: 20})
	if err != nil {
		t.Fatal(err)
	}
	p, c, e := startDev(t, dir)
	if err := define(t.Context(), c, day); err != nil {
		t.Fatal(err)
	}
	booked, err := bookSome(t.Context(), c, day, 0, 200)
	if err != nil {
		t.Fatal(err)
	}
	child := postmaster(t, dir)
	if child == 0 || !lives(child) {
		t.Fatalf("Postgres (%d) doesn't run", child)
	}
	p.end(syscall.SIGKILL)
	await(t, 20*time.Second, "the orphaned Postgres is gone", func() bool { return !lives(child) })

	p, c, again := startDev(t, dir)
	if again.Postgres != e.Postgres || again.Kafka != e.Kafka {
		t.Errorf("other addresses: %+v, before %+v", again, e)
	}
	mustHave(t, c, booked)
	more, err := bookSome(t.Context(), c, day, 200, 400)
	if err != nil {
		t.Fatal(err)
	}
	if repeat, err := bookSome(t.Context(), c, day, 0, 200); err != nil || len(repeat) != 200 {
		t.Errorf("the same again: %v", err)
	}
	if held := mustHold(t, c); held.events < 400 {
		t.Errorf("%d events in Kafka", held.events)
	}

	// Its folder is taken.
	second := startProgram(t, "dev", "--data", dir, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
	select {
	case <-second.done:
		if second.ProcessState.ExitCode() != exitFailed {
			t.Errorf("a second bk dev on the folder ended with %d", second.ProcessState.ExitCode())
		}
	case <-time.After(20 * time.Second):
		t.Error("a second bk dev on the folder runs")
	}

	child = postmaster(t, dir)
	if code := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("SIGTERM: exit %d", code)
	}
	if lives(child) {
		t.Error("Postgres outlives an orderly end")
	}
	_, c, _ = startDev(t, dir)
	mustHave(t, c, append(booked, more...))
	mustHold(t, c)
}

// The broker's files are damaged in both ways that the start can find, and in one that only the publisher can: published anew each time.
func TestDevPublishesAnew(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	day, err := tradingday.New(tradingday.Config{Trades: 500, Customers: 20})
	if err != nil {
		t.Fatal(err)
	}
	p, c, e := startDev(t, dir)
	if err := define(t.Context(), c, day); err != nil {
		t.Fatal(err)
	}
	if _, err := bookSome(t.Context(), c, day, 0, 300); err != nil {
		t.Fatal(err)
	}
	events := mustHold(t, c).events
	p.end(syscall.SIGKILL)

	// The tail of a partition is gone, as after a power cut: the journal tells.
	segments := segmentsOf(t, dir)
	if err := os.Truncate(segments[0], 0); err != nil {
		t.Fatal(err)
	}
	p, c, again := startDev(t, dir) // at once, while the orphaned Postgres still shuts down
	if again.Postgres != e.Postgres || again.Kafka != e.Kafka {
		t.Errorf("other addresses: %+v, before %+v", again, e)
	}
	if n := mustHold(t, c).events; n != events {
		t.Errorf("%d events after the first repair, not %d", n, events)
	}
	p.end(syscall.SIGKILL)

	// A byte in the middle is another: the broker can't be started on that.
	segment := segmentsOf(t, dir)[0]
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/3] ^= 0xff
	if err := os.WriteFile(segment, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, c, _ = startDev(t, dir)
	if n := mustHold(t, c).events; n != events {
		t.Errorf("%d events after the second repair, not %d", n, events)
	}
	aside, err := filepath.Glob(filepath.Join(dir, "kafka.torn-*"))
	if err != nil || len(aside) != 1 {
		t.Errorf("moved aside: %v %v", aside, err)
	}
}

// segmentsOf gives the files with events, the largest partition's first.
func segmentsOf(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	var largest int64
	err := filepath.WalkDir(filepath.Join(dir, "kafka"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "bk.events.v1") || !strings.HasSuffix(path, ".dat") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Size() > largest {
			largest = info.Size()
			found = append([]string{path}, found...)
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("no files with events: %v", err)
	}
	return found
}

// Postgres dies by itself: dev starts it again, and books go on.
func TestDevRestartsPostgres(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	_, c, _ := startDev(t, dir)
	day, err := tradingday.New(tradingday.Config{Trades: 100, Customers: 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := define(t.Context(), c, day); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(postmaster(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, 60*time.Second, "bookings go on", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := bookSome(ctx, c, day, 0, 50)
		return err == nil
	})
	mustHold(t, c)
}

func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ledger")
	code, stdout, stderr := bk(t.Context(), "demo", "--exit", "--trades", "2000", "--data", dir, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{"trades/s", "p99 of a batch", "Trial balance", "journal.chain", "projection.balances", "stream", "holds"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output has no %q", want)
		}
	}
	if strings.Contains(stdout, "BROKEN") {
		t.Error("something is broken")
	}
	for line := range strings.Lines(stdout) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 && !strings.Contains(line, dir) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	// The folder is no fresh one any more.
	if code, _, stderr := bk(t.Context(), "demo", "--exit", "--data", dir); code != exitUsage || !strings.Contains(stderr, "not empty") {
		t.Errorf("a demo on a ledger: exit %d, %s", code, stderr)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	code, stdout, stderr := bk(t.Context(), "migrate", "status", "--postgres", dsn)
	if code != exitOK || !strings.Contains(stdout, "00001_journal.sql") || strings.Contains(stdout, "pending") {
		t.Errorf("status: exit %d, %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := bk(t.Context(), "migrate", "up", "--postgres", dsn); code != exitOK || !strings.Contains(stdout, "up to date") {
		t.Errorf("up: exit %d, %s%s", code, stdout, stderr)
	}
	if code, _, stderr := bk(t.Context(), "migrate", "up", "--postgres", "postgres://127.0.0.1:1/x?connect_timeout=1"); code != exitFailed || stderr == "" {
		t.Errorf("up without a database: exit %d, %s", code, stderr)
	}
	if code, _, stderr := bk(t.Context(), "migrate", "up"); code != exitUsage || !strings.Contains(stderr, "--postgres") {
		t.Errorf("up without a DSN: exit %d, %s", code, stderr)
	}
}
