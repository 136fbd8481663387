package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bkledger/bk/compat/bootstrap"
	"github.com/bkledger/bk/compat/demo"
)

// demoFlags is what `hotswap demo` is told.
type demoFlags struct {
	cfg      demo.Config
	exit     bool
	fast     bool
	jsonPath string
}

func newDemoCommand(a *app) *cobra.Command {
	d := &demoFlags{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Replace Bank by BK while clients trade, all embedded, and watch it",
		Long: `Replace Bank by BK while clients trade, with a Postgres and a Kafka of its own, and watch it here and in a browser: Bank with a history, clients of its API that
never stop, BK brought up to date, shadow mode, the proof that both say the same, BK first, a rehearsed step back, BK alone, and Bank switched off. It takes about two minutes.

Then the clients go on until Ctrl-C; --exit ends instead. Reports are kept in --dir, everything else goes away with it.

Exit code 0: all stages were made, no client got an answer that Bank alone would not have given, and nothing differs.`,
		Example: `  hotswap demo
  hotswap demo --exit --json demo.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context(), a) },
	}
	f := cmd.Flags()
	f.BoolVar(&d.exit, "exit", false, "end when all is shown, instead of going on")
	f.BoolVar(&d.fast, "fast", false, "fewer trades and shorter stages, for tests")
	f.StringVar(&d.jsonPath, "json", "", "write the summary to this file")
	f.StringVar(&d.cfg.Dir, "dir", "./hotswap-demo", "folder of the reports; made if missing")
	f.StringVar(&d.cfg.Listen, "listen", "127.0.0.1:0", "address of the live page, on this machine; port 0 takes a free one")
	f.StringVar(&d.cfg.Mode, "mode", bootstrap.Full, "what becomes of Bank's past: full or opening, as in hotswap bootstrap")
	f.Uint64Var(&d.cfg.Seed, "seed", 1, "what the clients draw")
	return cmd
}

// demoNames are the flags that set the fields of the configuration.
var demoNames = map[string]string{"Dir": "--dir", "Listen": "--listen", "Mode": "--mode"}

// errNotReplaced ends with exit code 1 where the summary has said it all.
var errNotReplaced = errors.New("the swap did not hold")

func (d *demoFlags) run(ctx context.Context, a *app) error {
	d.cfg.Stay, d.cfg.Out, d.cfg.Terminal = !d.exit, a.out, onTerminal(a.out)
	if d.fast {
		d.cfg = d.cfg.Fast()
	}
	if err := flagged(d.cfg.WithDefaults().Validate(), demoNames); err != nil {
		return &usageError{err}
	}
	if d.jsonPath != "" { // before the run: it is too long to be lost to a wrong path
		file, err := os.OpenFile(d.jsonPath, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("make the summary's file: %w", err)
		}
		if err := file.Close(); err != nil {
			return fmt.Errorf("make the summary's file: %w", err)
		}
		d.cfg.Summarised = func(s demo.Summary) error { return s.Write(d.jsonPath) }
	}
	secondSignalKills(ctx)
	s, err := demo.Run(ctx, d.cfg)
	if err != nil {
		return err
	}
	if !s.Holds() {
		return fmt.Errorf("%w: %s", errNotReplaced, strings.Join(s.Reasons, "; "))
	}
	return nil
}

// onTerminal tells whether somebody watches what is written.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
