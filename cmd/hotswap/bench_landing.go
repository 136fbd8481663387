package main

import (
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/parity/landing/rate"
)

func newBenchLandingCommand(a *app) *cobra.Command {
	var cfg rate.Config
	var bench benchRun
	cmd := &cobra.Command{
		Use:   "landing",
		Short: "Measure how many events a second are landed in DuckDB, from memory and through Kafka",
		Long: `Measure, on this machine, how many events a second hotswap warehouse load lands in a DuckDB file: from memory, and through a broker that is started for that. Everything goes
afterwards. It takes about a minute and a half with the defaults; leave the machine alone meanwhile.`,
		Example: "  hotswap bench landing\n  hotswap bench landing --events 3000000 --rounds 1 --json landing.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.WithDefaults().Validate(); err != nil {
				return &usageError{flagged(err, map[string]string{"Events": "--events", "Rounds": "--rounds"})}
			}
			return bench.run(a, func(progress func(string)) (figures, error) {
				cfg.Progress = progress
				return rate.Run(cmd.Context(), cfg)
			})
		},
	}
	f := cmd.Flags()
	f.Int64Var(&cfg.Events, "events", 1_000_000, "events of each round")
	f.IntVar(&cfg.Rounds, "rounds", 3, "rounds, each into a new file")
	f.StringVar(&cfg.Dir, "dir", "", "folder for the files, on a disk (the system's temporary folder)")
	f.StringVar(&cfg.KafkaHome, "kafka-home", "", "folder with Apache Kafka's jars (none: the in-process broker, as a process)")
	f.StringVar(&cfg.Profile, "profile", "", "file for a processor profile of the rounds from memory")
	bench.flags(f)
	return cmd
}
