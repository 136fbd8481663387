package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/bench"
)

func newBenchCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the engine on this machine",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBenchAppendCommand(a), newBenchChildCommand(a))
	return cmd
}

func newBenchAppendCommand(a *app) *cobra.Command {
	var cfg bench.Config
	var quick, check, quiet bool
	var outputs benchOutputs
	cmd := &cobra.Command{
		Use:   "append",
		Short: "Compare the append path with raw COPY and with one INSERT a transaction",
		Long: `Compare the append path with raw COPY of the same rows and with one INSERT a transaction.

All ways to append run in turn, several rounds, each on a fresh database of one durable Postgres; figures are medians and ratios of
the same round. Afterwards the engine runs on a schedule (open loop), and at twice what it can do (overload).

It takes some ten minutes with the defaults; leave the machine alone meanwhile. With --quick it takes about two, and is rough.`,
		Example: "  bk bench append --quick\n  bk bench append --overload 60s --json append.json --html append.html",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if quick {
				cfg = quickened(cmd, cfg)
			}
			if err := cfg.WithDefaults().Validate(); err != nil {
				return usageError("%w", err)
			}
			if err := outputs.open(); err != nil {
				return err
			}
			meter := newMeter(a.err, quiet)
			cfg.Progress = func(done, total int, doing string) { meter.show(int64(done), int64(total), doing) }
			report, err := bench.Run(cmd.Context(), cfg)
			meter.clear()
			if err != nil {
				return errors.Join(err, outputs.close())
			}
			if err := errors.Join(report.WriteText(a.out), outputs.write(report)); err != nil {
				return err
			}
			if check && !report.Holds() {
				return errReported
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Postgres, "postgres", "", "DSN of a server to make databases on (default: a durable throw-away server)")
	flags.StringVar(&cfg.Dir, "dir", "", "folder for the throw-away server's data, on a disk (default: the system's temporary folder)")
	flags.IntVar(&cfg.Entries, "entries", 200_000, "entries a run; slow ways get fewer")
	flags.IntVar(&cfg.Rounds, "rounds", 5, "rounds")
	flags.DurationVar(&cfg.OpenLoop, "open-loop", 5*time.Second, "length of each run on a schedule")
	flags.DurationVar(&cfg.Overload, "overload", 15*time.Second, "length of the overload; its memory is sampled after 10 s")
	flags.BoolVar(&quick, "quick", false, "few entries, two rounds: rough figures")
	flags.BoolVar(&check, "check", false, "exit with 1 unless all that BK promises holds")
	flags.BoolVarP(&quiet, "quiet", "q", false, "no progress")
	flags.StringVar(&outputs.json.path, "json", "", "write all figures to this file")
	flags.StringVar(&outputs.svg.path, "svg", "", "draw a plot into this file")
	flags.StringVar(&outputs.html.path, "html", "", "write a page with plot and table to this file")
	return cmd
}

// quickened shortens what was not asked for.
func quickened(cmd *cobra.Command, cfg bench.Config) bench.Config {
	quick := bench.Quick()
	flags := cmd.Flags()
	if !flags.Changed("entries") {
		cfg.Entries = quick.Entries
	}
	if !flags.Changed("rounds") {
		cfg.Rounds = quick.Rounds
	}
	if !flags.Changed("open-loop") {
		cfg.OpenLoop = quick.OpenLoop
	}
	if !flags.Changed("overload") {
		cfg.Overload = quick.Overload
	}
	return cfg
}

// newBenchChildCommand is for the benchmark itself: see bench.Child.
func newBenchChildCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "child",
		Short:  "A part of the benchmark in a process of its own; takes its job on standard input",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return bench.Child(cmd.Context(), a.in, a.out) },
	}
}

// benchOutputs are the files that the report goes to. They are made before the run: it is too long to be lost to a wrong path.
type benchOutputs struct{ json, svg, html benchOutput }

type benchOutput struct {
	path string
	file *os.File
}

func (o *benchOutputs) all() []*benchOutput { return []*benchOutput{&o.json, &o.svg, &o.html} }

func (o *benchOutputs) open() error {
	for _, out := range o.all() {
		if out.path == "" {
			continue
		}
		var err error
		if out.file, err = os.Create(out.path); err != nil {
			return errors.Join(fmt.Errorf("make the report's file: %w", err), o.close())
		}
	}
	return nil
}

func (o *benchOutputs) write(r *bench.Report) error {
	var errs []error
	for _, w := range []struct {
		out   benchOutput
		write func(io.Writer) error
	}{{o.json, r.WriteJSON}, {o.svg, r.WriteSVG}, {o.html, r.WriteHTML}} {
		if w.out.file != nil {
			errs = append(errs, w.write(w.out.file))
		}
	}
	return errors.Join(append(errs, o.close())...)
}

func (o *benchOutputs) close() error {
	var errs []error
	for _, out := range o.all() {
		if out.file != nil {
			errs = append(errs, out.file.Close())
		}
	}
	return errors.Join(errs...)
}
