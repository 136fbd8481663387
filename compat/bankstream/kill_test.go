package bankstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/migrations/child"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// childEnv tells this test binary to be an instance that is going to be killed.
const childEnv = "BK_STREAM_TEST_CHILD"

// childConfig is what an instance in a process of its own is told.
type childConfig struct {
	Broker, Events, Group, State, Shadow, Instance string
	KillKey                                        int16 // it kills itself right after it has sent its KillAt'th request of this key; 0 for none
	KillAt                                         int64
	Stop                                           bool   // instead it stops itself, as SIGSTOP does, until somebody lets it go on
	PID                                            string // file for its process' number
	MaxRecords                                     int
}

// killer ends the process, as kill -9 does, or stops it.
type killer struct {
	key    int16
	left   atomic.Int64
	signal syscall.Signal
}

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (k *killer) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if err == nil && key == k.key && k.left.Add(-1) == 0 { // of all threads: nothing goes on behind it
		_ = syscall.Kill(os.Getpid(), k.signal)
	}
}

func streamChild(text string) int {
	var c childConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	cfg := bankstream.Config{
		Translator: &teller{}, Brokers: []string{c.Broker}, Events: c.Events, Group: c.Group, State: c.State, Shadow: c.Shadow, Instance: c.Instance,
		SessionTimeout: 6 * time.Second, TransactionTimeout: 10 * time.Second, MaxRecords: c.MaxRecords, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if c.KillAt > 0 {
		k := &killer{key: c.KillKey, signal: syscall.SIGKILL}
		if c.Stop {
			k.signal = syscall.SIGSTOP
		}
		k.left.Store(c.KillAt)
		cfg.Options = []kgo.Opt{kgo.WithHooks(k)}
	}
	if c.PID != "" {
		if err := os.WriteFile(c.PID, strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := bankstream.New(cfg)
	if err == nil {
		err = s.Run(ctx)
	}
	switch {
	case errors.Is(err, bankstream.ErrFenced):
		return fencedCode
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// fencedCode is what an instance exits with whose place was taken.
const fencedCode = 3

func (w *world) child(instance string) childConfig {
	return childConfig{Broker: w.broker, Events: w.events(), Group: w.name, State: w.name + ".state", Shadow: w.name + ".", Instance: instance, MaxRecords: 1000}
}

// spawn starts an instance in a process of its own.
func (w *world) spawn(c childConfig) *child.Child {
	w.t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	log := filepath.Join(w.t.TempDir(), "log")
	one, err := child.Start(cmd, log)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		one.Kill()
		if w.t.Failed() {
			w.t.Logf("%s said:\n%s", c.Instance, child.Tail(log, 4<<10))
		}
	})
	return one
}

// TestKilled: killed right after a request that matters was sent, at a first or a later one of its kind, and started again under its name, or another one under another.
func TestKilled(t *testing.T) {
	t.Parallel()
	const produce, fetch, endTransaction, commitOffsets = 0, 1, 26, 28
	for _, c := range []struct {
		name string
		key  int16
		at   int64
	}{
		{"first produce", produce, 1}, {"later produce", produce, 17}, {"fetch", fetch, 3}, {"offsets", commitOffsets, 1}, {"later offsets", commitOffsets, 5},
		{"commit", endTransaction, 1}, {"later commit", endTransaction, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, kafkatest.New(t).Addr())
			w.topic(partitions)
			w.book(1500)
			told := w.child("a")
			told.KillKey, told.KillAt, told.MaxRecords = c.key, c.at, 100
			gone := w.spawn(told)
			select {
			case <-gone.Gone():
			case <-time.After(patience):
				t.Fatal("it was not killed: there was no such request")
			}
			name := "a" // takes its place at once, and ends its transaction
			if c.at%2 == 0 {
				name = "b" // waits for the group to forget it, and for its transaction's end
			}
			r := w.start(w.config(name, &teller{}))
			w.caughtUp(r)
			w.same(w.published(w.shadows()...), w.expected(nil, nil))
		})
	}
}
