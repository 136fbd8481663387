package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bkledger/bk/compat/cutover"
)

// The exit codes of a cutover that went another way than forward; see docs/cutover.md.
const (
	exitWentBack = 3 // it failed, and went back
	exitStopped  = 4 // somebody has to mend something, or to say how a step ended
)

// cutoverFlags is what `hotswap cutover` is told.
type cutoverFlags struct {
	dir, arm, who, report string
	dry                   bool
	set, answers          map[string]string
	log                   logFlags
	in                    io.Reader // for tests; else the terminal
}

func newCutoverCommand(a *app) *cobra.Command {
	c := &cutoverFlags{}
	cmd := &cobra.Command{
		Use:   "cutover RUNBOOK",
		Short: "Run a release script: steps with gates, a dry run, a way back, and the evidence",
		Long: `Run a runbook, a YAML file or one of those that come with the program (hotswap cutover runbooks), step by step, with gates before each. What was measured, asked, done and answered
is in the log of --log DIR, record by record, each with the hash of the one before.

First a dry run: the same but for effects. It gives a token, and with that a live run is begun: --arm TOKEN. When a gate or a step fails, or somebody cancels (hotswap cutover cancel, or Ctrl-C), the way
back is gone, up to the point of no return, which is passed by typing its name. The same command, begun again, goes on where a killed one stopped.

Exit code 1: nothing was done, or a dry run failed; 3: it failed, and has gone back; 4: it has stopped, somebody has to see to it.`,
		Example: `  hotswap cutover stage-1-shadow --log cutover-1 --dry-run
  hotswap cutover stage-1-shadow --log cutover-1 --arm 3f2a-81c0-99be --report cutover-1.html
  hotswap cutover my.yaml --log cutover-1 --set soak=1h --dry-run --answer go=SHADOW --answer keep=KEEP`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), a, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&c.dir, "log", "", "folder of the log; needed")
	f.BoolVar(&c.dry, "dry-run", false, "do everything but what has effects")
	f.StringVar(&c.arm, "arm", "", "token of a dry run of the same runbook: begin a live run")
	f.StringVar(&c.who, "who", os.Getenv("USER"), "who runs it, for the record")
	f.StringToStringVar(&c.set, "set", nil, "a variable of the runbook: name=value")
	f.StringToStringVar(&c.answers, "answer", nil, "with --dry-run: the word for a step that asks, step=word")
	f.StringVar(&c.report, "report", "", "write the HTML report to this file in the end, however it ends")
	c.log.bind(cmd)
	cmd.AddCommand(newCutoverApproveCommand(a), newCutoverCancelCommand(a), newCutoverSettleCommand(a), newCutoverVerifyCommand(a), newCutoverReportCommand(a), newCutoverRunbooksCommand(a))
	return cmd
}

// runbook reads a file, or one of those that come with the program.
func (c *cutoverFlags) runbook(name string) (*cutover.Runbook, error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(name, "./") {
		text, err := cutover.ShippedText(name)
		if err != nil {
			return nil, err
		}
		return cutover.Parse(text, c.set, os.LookupEnv)
	}
	return cutover.Load(name, c.set, os.LookupEnv)
}

func (c *cutoverFlags) run(ctx context.Context, a *app, name string) error {
	var errs []error
	if c.dir == "" {
		errs = append(errs, errors.New("--log: needed"))
	}
	if c.who == "" {
		errs = append(errs, errors.New("--who: needed"))
	}
	if c.dry && c.arm != "" {
		errs = append(errs, errors.New("--arm: a dry run needs no token"))
	}
	if !c.dry && len(c.answers) > 0 {
		errs = append(errs, errors.New("--answer: goes with --dry-run; a live run is answered by people"))
	}
	if err := errors.Join(errs...); err != nil {
		return &usageError{err}
	}
	log, err := c.log.logger(a.err)
	if err != nil {
		return err
	}
	book, err := c.runbook(name)
	if err != nil {
		return &usageError{err}
	}
	if c.in == nil && term.IsTerminal(int(os.Stdin.Fd())) {
		c.in = os.Stdin
	}
	secondSignalKills(ctx)
	result, err := cutover.Run(ctx, cutover.Config{
		Runbook: book, Dir: c.dir, Dry: c.dry, Arm: c.arm, Who: c.who, Answers: c.answers, In: c.in, Out: a.out, Log: log,
	})
	if result.Head != "" {
		fmt.Fprintf(a.out, "log     %s\nhead    %s\n", c.dir, result.Head)
	}
	if result.Token != "" {
		fmt.Fprintf(a.out, "token   %s\n", result.Token)
	}
	if c.report != "" && result.Head != "" {
		if fault := writeCutoverReport(c.dir, c.report); fault != nil {
			err = errors.Join(err, fault)
		}
	}
	switch {
	case errors.Is(err, cutover.ErrWentBack):
		return &codedError{err, exitWentBack}
	case errors.Is(err, cutover.ErrStopped), errors.Is(err, cutover.ErrQuestion):
		return &codedError{err, exitStopped}
	}
	return err
}

// writeCutoverReport writes the report beside its place, then puts it there.
func writeCutoverReport(dir, path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".cutover-*.html")
	if err != nil {
		return fmt.Errorf("make the report's file: %w", err)
	}
	if err := errors.Join(cutover.WriteReport(file, dir), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the report: %w", err), os.Remove(file.Name()))
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("write the report %s: %w", path, err)
	}
	return nil
}
