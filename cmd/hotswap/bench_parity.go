package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/parity/pace"
)

func newBenchParityCommand(a *app) *cobra.Command {
	var cfg pace.Config
	var millions []float64
	var check, quiet bool
	var jsonPath string
	cmd := &cobra.Command{
		Use:   "parity",
		Short: "Measure how fast hotswap parity compares, at several sizes, and that it finds faults there",
		Long: `Measure, on this machine, how long hotswap parity takes for generated events that are equal, at several sizes, and then with faults in them. The files go afterwards; 10 million
events a side take about 3 GB. It takes some minutes, most of them for landing; leave the machine alone meanwhile.`,
		Example: "  hotswap bench parity\n  hotswap bench parity --millions 1 --rounds 5 --json parity.json --check",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for _, m := range millions {
				cfg.Events = append(cfg.Events, int64(m*1e6))
			}
			if err := cfg.WithDefaults().Validate(); err != nil {
				return &usageError{flagged(err, map[string]string{"Events": "--millions", "Accounts": "--accounts", "Faults": "--faults", "Rounds": "--rounds"})}
			}
			var file *os.File
			if jsonPath != "" { // before the run: it is too long to be lost to a wrong path
				if file, err = os.Create(jsonPath); err != nil {
					return fmt.Errorf("make the report's file: %w", err)
				}
				defer func() { err = errors.Join(err, file.Close()) }()
			}
			began := time.Now()
			if !quiet {
				cfg.Progress = func(doing string) { fmt.Fprintf(a.err, "%5.0f s  %s\n", time.Since(began).Seconds(), doing) }
			}
			report, err := pace.Run(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if file != nil {
				if err := report.WriteJSON(file); err != nil {
					return fmt.Errorf("write the report: %w", err)
				}
			}
			if err := report.WriteText(a.out); err != nil {
				return err
			}
			if check && !report.Holds() {
				return errReported
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.Float64SliceVar(&millions, "millions", []float64{1, 3, 10}, "sizes: millions of events a side")
	f.IntVar(&cfg.Accounts, "accounts", 5000, "accounts")
	f.IntVar(&cfg.Faults, "faults", 200, "faults that are then put in; -1: none")
	f.IntVar(&cfg.Rounds, "rounds", 3, "comparisons of each; the median counts")
	f.Uint64Var(&cfg.Seed, "seed", 1, "of the events and faults")
	f.StringVar(&cfg.Dir, "dir", "", "folder for the files, on a disk (the system's temporary folder)")
	f.BoolVar(&check, "check", false, "exit with 1 unless all that is promised holds")
	f.BoolVarP(&quiet, "quiet", "q", false, "no progress")
	f.StringVar(&jsonPath, "json", "", "write all figures to this file")
	return cmd
}
