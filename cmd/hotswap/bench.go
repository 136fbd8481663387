package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/rates"
)

// errReported ends with exit code 1 where all has been said.
var errReported = errors.New("something that is promised does not hold")

func newBenchCommand(a *app) *cobra.Command {
	var cfg rates.Config
	var bench benchRun
	var quick bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what the façade costs before Bank, and what BK gives in Bank's place",
		Long: `Measure, on this machine and in one run, what a façade in bank-only adds to a call of Bank, how many trades a second one in bk-only takes beside Bank, and Bank itself beside
pgbench. Everything is started for that: a durable Postgres, hotswap bank, bk serve, two façades; and goes afterwards.

It takes some three minutes with the defaults; leave the machine alone meanwhile. With --quick it takes about one, and is rough.`,
		Example: "  hotswap bench --quick\n  hotswap bench --rounds 9 --json rates.json --check",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if quick {
				cfg = quickened(cmd, cfg)
			}
			if err := cfg.WithDefaults().Validate(); err != nil {
				return &usageError{err}
			}
			return bench.run(a, func(progress func(string)) (figures, error) {
				cfg.Progress = progress
				return rates.Run(cmd.Context(), cfg)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.BK, "bk", "", "the program bk (beside this one)")
	f.StringVar(&cfg.Dir, "dir", "", "folder for the throw-away Postgres, on a disk (the system's temporary folder)")
	f.IntVar(&cfg.Clients, "clients", 64, "clients that book singles at once, and pgbench's")
	f.IntVar(&cfg.CallClients, "call-clients", 16, "clients that book calls of 100 at once")
	f.IntVar(&cfg.Pairs, "pairs", 2000, "pairs of calls, direct and through the façade")
	f.DurationVar(&cfg.Phase, "phase", 5*time.Second, "how long each side books in each round")
	f.IntVar(&cfg.Rounds, "rounds", 5, "rounds")
	f.StringVar(&cfg.Profile, "profile", "", "folder for processor profiles of the first round")
	f.BoolVar(&quick, "quick", false, "few pairs, short phases, three rounds: rough figures")
	bench.flags(f)
	bench.checkFlag(f)
	cmd.AddCommand(newBenchLandingCommand(a), newBenchParityCommand(a))
	return cmd
}

// quickened shortens what was not asked for.
func quickened(cmd *cobra.Command, cfg rates.Config) rates.Config {
	quick := rates.Quick()
	flags := cmd.Flags()
	if !flags.Changed("pairs") {
		cfg.Pairs = quick.Pairs
	}
	if !flags.Changed("rounds") {
		cfg.Rounds = quick.Rounds
	}
	if !flags.Changed("phase") {
		cfg.Phase = quick.Phase
	}
	return cfg
}
