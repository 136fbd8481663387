package bulk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/migrations/pgtest"
)

// childEnv holds what this test binary loads as a process of its own, to be killed.
const childEnv = "BK_BULK_TEST_CHILD"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		os.Exit(child(text))
	}
	pgtest.Main(m)
}

// job is what a child does.
type job struct {
	DSN, Folder string
	Manifest    bulk.Manifest
}

// child loads everything, until it is done or killed. Its end is its parent's end, too.
func child(text string) int {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that counts
		cancel()
	}()
	if err := loadAll(ctx, bulk.LoaderConfig{DSN: j.DSN, Manifest: j.Manifest}, j.Folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// startChild starts a process that loads, and gives how it ends.
func startChild(t *testing.T, j job) (process *os.Process, exited <-chan error) {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe() // its end is ours
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill() // it may be gone
		<-ended
	})
	return cmd.Process, ended
}

// running is a node in this process.
type running struct {
	*client.Client
	at   node.Addresses
	stop func()
}

// launch starts a node without waiting until it is ready.
func launch(t *testing.T, cfg node.Config) (ready <-chan node.Addresses, stop func()) {
	t.Helper()
	cfg.Listen, cfg.MetricsListen, cfg.ReplicationFactor = "127.0.0.1:0", "127.0.0.1:0", 1
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	addresses, done := make(chan node.Addresses, 1), make(chan error, 1)
	go func() { done <- node.Run(ctx, cfg, func(at node.Addresses) { addresses <- at }) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the node ended with: %v", err)
		}
	}
	t.Cleanup(stop)
	return addresses, stop
}

func startNode(t *testing.T, cfg node.Config) *running {
	t.Helper()
	ready, stop := launch(t, cfg)
	select {
	case at := <-ready:
		c, err := client.New("http://" + at.API)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return &running{c, at, stop}
	case <-time.After(60 * time.Second):
		t.Fatal("the node is not ready after 60 s")
		return nil
	}
}

func (r *running) status(t *testing.T) *bkv1.StatusResponse {
	t.Helper()
	s, err := r.Admin.Status(t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	return s.Msg
}

// verified lets the node prove its books, as bk verify does.
func (r *running) verified(t *testing.T) {
	t.Helper()
	stream, err := r.Admin.Verify(t.Context(), connect.NewRequest(&bkv1.VerifyRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	ok := false
	for stream.Receive() {
		if f := stream.Msg().GetFinding(); f != nil && !f.Ok {
			t.Errorf("%s: %s", f.Check, f.What)
		}
		if s := stream.Msg().GetSummary(); s != nil {
			ok = s.Ok
		}
	}
	if err := stream.Err(); err != nil || !ok {
		t.Errorf("the books do not hold (%v)", err)
	}
}
