package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes; see doc.go.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// app is what all commands share: where they write.
type app struct {
	out, err io.Writer
	running  bool // flags and arguments are fine, the command itself runs: errors are no longer the usage's
}

// Main runs the command line args and gives the exit code. It ends soon after ctx does.
func Main(ctx context.Context, args []string, out, err io.Writer) int {
	a := &app{out: out, err: err}
	root := newRootCommand(a)
	root.SetArgs(args)
	ran, fault := root.ExecuteContextC(ctx)
	return a.exitCode(ran.CommandPath(), fault)
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "hotswap",
		Short:         "hotswap puts BK in the place of Bank, under Bank's clients, step by step",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.running = true
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.AddCommand(
		newBankCommand(a),
		newFacadeCommand(a),
		newStreamCommand(a),
		newCompareCommand(a),
		newBenchCommand(a),
		newWarehouseCommand(a),
		newParityCommand(a),
		newBootstrapCommand(a),
		newDemoCommand(a),
		newCutoverCommand(a),
	)
	return root
}

// usageError says that the command line is wrong: exit code 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// codedError ends with an exit code of its own.
type codedError struct {
	err  error
	code int
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// exitCode prints err of a command, if any, and gives the code to end with.
func (a *app) exitCode(command string, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(a.err, "hotswap: %v\n", err)
	if usage := (*usageError)(nil); errors.As(err, &usage) || !a.running {
		fmt.Fprintf(a.err, "hotswap: see %s --help\n", command)
		return exitUsage
	}
	if coded := (*codedError)(nil); errors.As(err, &coded) {
		return coded.code
	}
	return exitFailed
}

// secondSignalKills gives the signals their usual effect once the first has begun an orderly end.
func secondSignalKills(ctx context.Context) {
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })
}
