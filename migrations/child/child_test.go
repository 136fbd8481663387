package child_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/migrations/child"
)

func start(t *testing.T, script string) (*child.Child, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	c, err := child.Start(exec.Command("sh", "-c", script), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return c, log
}

// await waits until the child has said so.
func await(t *testing.T, log, said string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(child.Tail(log, 1000), said); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the child doesn't say %q but %q", said, child.Tail(log, 1000))
		}
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ script, stopped string }{
		{"trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done", ""},
		{"trap 'exit 143' TERM; echo up; while :; do sleep 0.01; done", ""}, // as Java does
		{"echo up; exec sleep 60", ""},
		{"trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done", "exit status 3"},
		{"trap '' TERM; echo up; while :; do sleep 0.01; done", "did not stop within"},
	} {
		c, log := start(t, test.script)
		await(t, log, "up")
		if !c.Running() {
			t.Errorf("%s: it doesn't run", test.script)
		}
		err := c.Stop(500 * time.Millisecond)
		if (err == nil) != (test.stopped == "") || err != nil && !strings.Contains(err.Error(), test.stopped) {
			t.Errorf("%s: Stop gave %v, want %q", test.script, err, test.stopped)
		}
		if c.Running() {
			t.Errorf("%s: it still runs", test.script)
		}
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	c, log := start(t, "echo up; exec sleep 60")
	await(t, log, "up")
	c.Kill()
	c.Kill()
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("a killed child ended with %v", err)
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	if _, err := child.Start(exec.Command("/no/such/program"), filepath.Join(t.TempDir(), "log")); err == nil {
		t.Error("a program that isn't there was started")
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64]string{100: "one\ntwo\nthree\n", 14: "one\ntwo\nthree\n", 12: "two\nthree\n", 7: "three\n"} {
		if got := child.Tail(log, size); got != want {
			t.Errorf("the last %d bytes: %q, want %q", size, got, want)
		}
	}
	if got := child.Tail(log+"x", 10); !strings.Contains(got, "no such file") {
		t.Errorf("a log that isn't there: %q", got)
	}
}
