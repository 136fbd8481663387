package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/facade/sample"
)

func newFacadeDivergencesCommand(a *app) *cobra.Command {
	f := &facadeAdmin{}
	var filter sample.Filter
	var kind string
	var explained bool
	cmd := &cobra.Command{
		Use:   "divergences [ID]",
		Short: "List where the secondary answered a compared read otherwise than the primary, the latest first; or show one in full",
		Long: `List where the secondary answered a compared read otherwise than the primary, the latest first; or show one in full.

Rows that were skipped, by which the systems differ too, are listed by hotswap facade queue list --left-out.`,
		Example: `  hotswap facade divergences
  hotswap facade divergences 1301
  hotswap facade divergences --route '/accounts/{account_id}/positions' --kind value --limit 20`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if _, err := strconv.ParseInt(args[0], 10, 64); err != nil {
					return &usageError{fmt.Errorf("%q is no id of a divergence", args[0])}
				}
				var one sample.Divergence
				if err := f.call(cmd.Context(), http.MethodGet, "/divergences/"+args[0], switchTime, nil, &one); err != nil {
					return err
				}
				encoder := json.NewEncoder(a.out)
				encoder.SetEscapeHTML(false)
				encoder.SetIndent("", "  ")
				return encoder.Encode(one)
			}
			query := url.Values{"limit": {strconv.Itoa(filter.Limit)}, "unexplained": {strconv.FormatBool(!explained)}}
			for name, text := range map[string]string{"route": filter.Route, "kind": kind} {
				if text != "" {
					query.Set(name, text)
				}
			}
			if filter.Before > 0 {
				query.Set("before", strconv.FormatInt(filter.Before, 10))
			}
			var rows []sample.Divergence
			if err := f.call(cmd.Context(), http.MethodGet, "/divergences?"+query.Encode(), switchTime, nil, &rows); err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tSEEN\tMODE\tREQUEST\tKIND\tPATH\tPRIMARY\tSECONDARY\tRULE")
			for _, d := range rows {
				rule := d.ExplainedBy
				if d.ExpiredRule != "" {
					rule = d.ExpiredRule + " (expired)"
				}
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.SeenAt.Format(time.RFC3339), d.Mode, d.Request, d.Kind, d.Path, d.Primary, d.Secondary, rule)
			}
			return w.Flush()
		},
	}
	f.bind(cmd, false)
	cmd.Flags().IntVar(&filter.Limit, "limit", 100, "how many, at most 1000")
	cmd.Flags().Int64Var(&filter.Before, "before", 0, "only those with a smaller id")
	cmd.Flags().StringVar(&filter.Route, "route", "", "only those of this route, as the contract writes it")
	cmd.Flags().StringVar(&kind, "kind", "", "only those of this kind: value, missing_row, ...")
	cmd.Flags().BoolVar(&explained, "explained", false, "those that a rule explains as well")
	return cmd
}
