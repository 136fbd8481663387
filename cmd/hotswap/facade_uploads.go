package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/facade"
)

func newFacadeUploadsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "uploads",
		Short: "Show the files that the façade works off, and give up a row that never goes through",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFacadeUploadsListCommand(a), newFacadeUploadsGiveUpCommand(a))
	return cmd
}

func newFacadeUploadsListCommand(a *app) *cobra.Command {
	f := &facadeAdmin{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the uploads that are not worked off yet, the row that they wait for, and the rows that were given up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all facade.Uploads
			if err := f.call(cmd.Context(), http.MethodGet, "/uploads", switchTime, nil, &all); err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "UPLOAD\tKIND\tNAME\tSTATUS\tDONE\tSKIPPED\tWAITS FOR ROW\tFAILED\tSINCE\tREASON")
			for _, u := range all.Unfinished {
				fmt.Fprintf(w, "%s\t%s\t%q\t%s\t%d\t%d", u.UploadID, u.Kind, u.Name, u.Status, u.Processed, u.Skipped)
				if h := u.Held; h != nil {
					fmt.Fprintf(w, "\t%d\t%d\t%s\t%s: %q", h.Row, h.Attempts, h.Since.Format(time.RFC3339), h.Type, h.Message)
				}
				fmt.Fprintln(w)
			}
			if len(all.GivenUp) > 0 {
				fmt.Fprintln(w, "\nGIVEN UP\tKIND\tNAME\tROW\tAT\tWHO\tWHY\tREASON")
			}
			for _, g := range all.GivenUp {
				fmt.Fprintf(w, "%s\t%s\t%q\t%d\t%s\t%s\t%q\t%s: %q\n", g.UploadID, g.Kind, g.Name, g.Row, g.At.Format(time.RFC3339), g.Who, g.Why, g.Type, g.Message)
			}
			return w.Flush()
		},
	}
	f.bind(cmd, false)
	return cmd
}

func newFacadeUploadsGiveUpCommand(a *app) *cobra.Command {
	f := &facadeAdmin{}
	var force bool
	cmd := &cobra.Command{
		Use:   "give-up UPLOAD ROW",
		Short: "Skip a row that fails again and again, so that its upload and those behind it go on",
		Long: `Skip a row that fails again and again for no fault of its own, so that its upload and those behind it go on. It is counted as skipped, and is among the
upload's errors. It is looked for first: one that is booked is not given up. Where that can't be found out, --force gives it up nevertheless.`,
		Example: `  hotswap facade uploads list
  hotswap facade uploads give-up 6b1f... 1301 --who anna --why "CHG-1301: booked by hand"`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			row, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || row < 1 {
				return &usageError{fmt.Errorf("%q is no row", args[1])}
			}
			if err := f.signed(); err != nil {
				return err
			}
			q := facade.GiveUpRequest{Who: f.who, Why: f.why, Force: force}
			if err := f.call(cmd.Context(), http.MethodPost, fmt.Sprintf("/uploads/%s/rows/%d/give-up", url.PathEscape(args[0]), row), switchTime, q, &struct{}{}); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "row %d is given up\n", row)
			return nil
		},
	}
	f.bind(cmd, true)
	cmd.Flags().BoolVar(&force, "force", false, "also where nobody can tell whether the row is booked")
	return cmd
}
