package node_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/migrations/pgtest"
)

// childEnv holds the configuration of a node that this test binary runs as a process of its own, to be killed or frozen.
const childEnv = "BK_NODE_TEST_CHILD"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		os.Exit(serveAsChild(text))
	}
	pgtest.Main(m)
}

// serveAsChild serves until its standard input ends, which it does with the test's process, whatever way that ends.
func serveAsChild(text string) int {
	var cfg node.Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that counts
		cancel()
	}()
	err := node.Run(ctx, cfg, func(at node.Addresses) {
		if err := json.NewEncoder(os.Stdout).Encode(at); err != nil {
			cancel()
		}
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// startProcess runs a node in a process of its own and waits until it is ready.
func startProcess(t *testing.T, cfg node.Config) (*os.Process, *caller) {
	t.Helper()
	text, err := json.Marshal(cfg)
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
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill() // it may be gone, that is the point of some tests
		_ = cmd.Wait()
	})
	line := make(chan []byte, 1)
	go func() {
		s := bufio.NewScanner(stdout)
		s.Scan()
		line <- s.Bytes()
	}()
	var at node.Addresses
	select {
	case b := <-line:
		if err := json.Unmarshal(b, &at); err != nil {
			t.Fatalf("the process said %q: %v", b, err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the process is not ready after 30 s")
	}
	return cmd.Process, newCaller(t, at)
}
