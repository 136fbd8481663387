package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bkledger/bk/migrations/pgtest"
)

// asProgramEnv makes this test binary the program bk, to be run as a process of its own, killed and started again.
const asProgramEnv = "BK_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgramEnv) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	pgtest.Main(m)
}

// bk runs a command in this process and gives its exit code and what it wrote.
func bk(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Main(ctx, args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// program is bk as a process of its own.
type program struct {
	*exec.Cmd
	t    *testing.T
	done chan struct{} // closed when it has ended
}

func startProgram(t *testing.T, args ...string) *program {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), asProgramEnv+"=1")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{cmd, t, make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		// In order, so that its Postgres is gone too before its folder is. Signals fail if it has ended, which is fine.
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-p.done:
		case <-time.After(60 * time.Second):
			t.Error("bk is still running 60 s after the interrupt")
			_ = cmd.Process.Kill()
			<-p.done
		}
	})
	return p
}

// end sends a signal and waits.
func (p *program) end(sig os.Signal) (exitCode int) {
	p.t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(60 * time.Second):
		p.t.Fatalf("still running 60 s after %s", sig)
	}
	return p.ProcessState.ExitCode()
}

// ready waits for the ready file.
func (p *program) ready(path string) (e endpoints) {
	p.t.Helper()
	await(p.t, 90*time.Second, "the ready file", func() bool {
		select {
		case <-p.done:
			p.t.Fatalf("bk ended with %d", p.ProcessState.ExitCode())
		default:
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if err := json.Unmarshal(content, &e); err != nil {
			p.t.Fatalf("the ready file is %q: %v", content, err) // it is renamed in place: never a part of it
		}
		return true
	})
	return e
}

// await asks until the answer is yes, or fails.
func await(t *testing.T, within time.Duration, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !ask(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, within)
		}
		time.Sleep(20 * time.Millisecond) // the pace of asking
	}
}

// postmaster is the process of the Postgres that serves a data folder, 0 if there is none.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("postmaster.pid begins with %q", line)
	}
	return pid
}

// lives reports whether a process is there and no zombie.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !errors.Is(err, fs.ErrNotExist)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}
