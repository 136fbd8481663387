package main

import (
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/parity/pace"
)

func newBenchParityCommand(a *app) *cobra.Command {
	var cfg pace.Config
	var millions []float64
	var bench benchRun
	cmd := &cobra.Command{
		Use:   "parity",
		Short: "Measure how fast hotswap parity compares, at several sizes, and that it finds faults there",
		Long: `Measure, on this machine, how long hotswap parity takes for generated events that are equal, at several sizes, and then with faults in them. The files go afterwards; 10 million
events a side take about 3 GB. It takes some minutes, most of them for landing; leave the machine alone meanwhile.`,
		Example: "  hotswap bench parity\n  hotswap bench parity --millions 1 --rounds 5 --json parity.json --check",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, m := range millions {
				cfg.Events = append(cfg.Events, int64(m*1e6))
			}
			if err := cfg.WithDefaults().Validate(); err != nil {
				return &usageError{flagged(err, map[string]string{"Events": "--millions", "Accounts": "--accounts", "Faults": "--faults", "Rounds": "--rounds"})}
			}
			return bench.run(a, func(progress func(string)) (figures, error) {
				cfg.Progress = progress
				report, err := pace.Run(cmd.Context(), cfg)
				return &report, err
			})
		},
	}
	f := cmd.Flags()
	f.Float64SliceVar(&millions, "millions", []float64{1, 3, 10}, "sizes: millions of events a side")
	f.IntVar(&cfg.Accounts, "accounts", 5000, "accounts")
	f.IntVar(&cfg.Faults, "faults", 200, "faults that are then put in; -1: none")
	f.IntVar(&cfg.Rounds, "rounds", 3, "comparisons of each; the median counts")
	f.Uint64Var(&cfg.Seed, "seed", 1, "of the events and faults")
	f.StringVar(&cfg.Dir, "dir", "", "folder for the files, on a disk (the system's temporary folder)")
	bench.flags(f)
	bench.checkFlag(f)
	return cmd
}
