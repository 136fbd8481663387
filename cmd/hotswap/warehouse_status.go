package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/parity/landing"
)

func newWarehouseStatusCommand(a *app) *cobra.Command {
	w := &warehouseFlags{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show how far each partition has been landed",
		Example: "  hotswap warehouse status\n  hotswap warehouse status --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := errors.Join(w.check()...); err != nil {
				return &usageError{err}
			}
			store, end, err := w.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, end()) }()
			all, err := landing.Standings(cmd.Context(), store)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(a.out)
				encoder.SetIndent("", "  ")
				return encoder.Encode(all)
			}
			table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "SIDE\tTOPIC\tPARTITION\tLANDED TO\tEND\tEVENTS\tREJECTS\tSKIPPED\tLAST EVENT\tALL WAS HERE AT")
			for _, s := range all {
				caughtUp := "never"
				if !s.CaughtUpAt.IsZero() {
					caughtUp = s.CaughtUpAt.Format(time.RFC3339)
				}
				fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", s.Side, s.Topic, s.Partition, s.Next, s.End, s.Events, s.Rejects, s.Skipped, s.LastEventID, caughtUp)
			}
			return table.Flush()
		},
	}
	w.bind(cmd, true)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func newWarehouseExportCommand(a *app) *cobra.Command {
	w := &warehouseFlags{}
	var stage string
	cmd := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write all tables to Parquet files, as they are at one moment",
		Long: `Write all tables to Parquet files in a folder, as they are at one moment, and manifest.json last.

With --stage there is a script beside them, load.snowflake.sql, that puts the files into that stage of a Snowflake and loads them, in a transaction; a second run loads nothing
twice. It is the way to land much there: INSERTs by its driver are for following.`,
		Example: "  hotswap warehouse export ./parquet\n  hotswap warehouse export ./parquet --stage @parity && snowsql -f ./parquet/load.snowflake.sql",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			errs := w.check()
			if stage != "" && stage[0] != '@' {
				errs = append(errs, fmt.Errorf("--stage: %q is no name of a stage such as @parity", stage))
			}
			if err := errors.Join(errs...); err != nil {
				return &usageError{err}
			}
			store, end, err := w.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, end()) }()
			m, err := landing.Export(cmd.Context(), store, args[0], stage)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
			fmt.Fprintln(table, "FILE\tROWS\tBYTES\t")
			for _, f := range m.Files {
				fmt.Fprintf(table, "%s\t%d\t%d\t\n", f.Name, f.Rows, f.Bytes)
			}
			return table.Flush()
		},
	}
	w.bind(cmd, false)
	cmd.Flags().StringVar(&stage, "stage", "", "stage of a Snowflake that the files are loaded through, such as @parity")
	return cmd
}
