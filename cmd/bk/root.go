package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// app is what all commands share: where they read and write.
type app struct {
	in       io.Reader
	out, err io.Writer
	running  bool // flags and arguments are fine, the command itself runs: errors are no longer the usage's
}

// Main runs the command line args and gives the exit code. It ends soon after ctx does.
func Main(ctx context.Context, args []string, in io.Reader, out, err io.Writer) int {
	a := &app{in: in, out: out, err: err}
	root := newRootCommand(a)
	root.SetArgs(args)
	return a.exitCode(root.ExecuteContext(ctx))
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "bk",
		Short:         "BK is an event-sourced double-entry booking engine on Postgres and Kafka",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.running = true
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	groups := []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"run", "Run a ledger:", []*cobra.Command{newDemoCommand(a), newDevCommand(a), newServeCommand(a), newMigrateCommand(a)}},
		{"book", "Book:", []*cobra.Command{newBookCommand(a), newCancelCommand(a), newEventCommand(a), newRollCommand(a)}},
		{"read", "Read:", []*cobra.Command{
			newPositionsCommand(a), newBalancesCommand(a), newCashCommand(a), newTradesCommand(a), newStatementCommand(a), newStockRecordCommand(a),
			newCutsCommand(a), newTrialBalanceCommand(a), newEntriesCommand(a), newAccountsCommand(a), newInstrumentsCommand(a),
		}},
		{"prove", "Prove and repair:", []*cobra.Command{newStatusCommand(a), newVerifyCommand(a), newRebuildCommand(a)}},
		{"measure", "Measure:", []*cobra.Command{newBenchCommand(a)}},
	}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	return root
}
