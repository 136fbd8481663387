// Command with runs a command with a throw-away Postgres that its tests share:
//
//	go run ./migrations/pgtest/with -- go test ./...
//
// It starts the server, puts its DSN into BK_TEST_POSTGRES for the command, and
// stops it when the command ends, when it is told to end, or when it is killed.
// It exits with the command's code (which `go run` in turn shows as 1).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/bkledger/bk/migrations/embedded"
	"github.com/bkledger/bk/migrations/pgtest"
)

const (
	exitUsage      = 2
	exitNotRun     = 127 // as a shell says it
	exitSignalBase = 128
	graceTimeout   = 10 * time.Second // from asking the command to end to killing it
	parentInterval = 500 * time.Millisecond
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: with [--] COMMAND [ARGUMENT...]")
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code, err := run(endWithParent(ctx), args)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "with:", err)
	}
	os.Exit(code)
}

// run is the program, for a ctx that ends when it should.
func run(ctx context.Context, args []string) (code int, err error) {
	server, err := embedded.StartThrowaway(ctx, embedded.PostgresConfig{MaxConnections: pgtest.MaxConnections})
	if err != nil {
		return exitNotRun, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()

	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), pgtest.EnvDSN+"="+server.DSN())
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = graceTimeout
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return exitSignalBase + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	if err != nil && cmd.ProcessState == nil {
		return exitNotRun, fmt.Errorf("run %s: %w", args[0], err)
	}
	if err != nil {
		return 1, fmt.Errorf("run %s: %w", args[0], err)
	}
	return 0, nil
}

// endWithParent ends the context when our parent is gone: `go run` that is
// killed doesn't pass that on.
func endWithParent(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(parentInterval)
		defer tick.Stop()
		for range tick.C {
			if os.Getppid() != parent {
				cancel()
				return
			}
		}
	}()
	return ctx
}
