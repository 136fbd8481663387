package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/bootstrap"
)

func (r *bootstrapRun) newStatusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "How far a bootstrap is: rows, chunks, rate, rules, quarantine",
		Args:  cobra.NoArgs,
		RunE:  r.with(a, true, func(ctx context.Context, b *bootstrap.Bootstrap) error { return r.tellStatus(ctx, a, b) }),
	}
}

// with opens the work store for a command. look: it calls no database.
func (r *bootstrapRun) with(a *app, look bool, do func(context.Context, *bootstrap.Bootstrap) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) (err error) {
		r.cfg.Look = look
		b, err := r.open(cmd.Context(), a)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		return do(cmd.Context(), b)
	}
}

func (r *bootstrapRun) tellStatus(ctx context.Context, a *app, b *bootstrap.Bootstrap) error {
	s, err := b.Status(ctx)
	if err != nil {
		return err
	}
	if err := r.writeJSON(s); err != nil {
		return err
	}
	if s.Plan == nil {
		fmt.Fprintln(a.out, "nothing was begun there")
		return nil
	}
	fmt.Fprintf(a.out, "mode %s, rules version %s, begun %s by %s\n", s.Plan.Mode, s.Plan.Rules, s.Plan.CreatedAt.Format(time.RFC3339), s.Plan.Who)
	if s.Place != nil {
		fmt.Fprintf(a.out, "%s; Bank's writes were held for %.1f ms\n", s.Place, s.Place.HeldMS)
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PHASE\tCHUNKS\tROWS\tENDED")
	for _, p := range s.Phases {
		fmt.Fprintf(t, "%s\t%d of %d\t%d\t%t\n", p.Phase, p.Done, p.Chunks, p.Rows, p.Ended)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if n := s.Now; n != nil && !n.Ended {
		fmt.Fprintf(a.out, "now: %s, %d of %d, %.0f rows/s, %s left; %s\n", n.Phase, n.Done, n.Total, n.Rate, n.Left.Round(time.Second), n.About)
	}
	for _, rule := range slices.Sorted(maps.Keys(s.Rules)) {
		fmt.Fprintf(a.out, "%10d  %s (%s)\n", s.Rules[rule], rule, rule.Effect())
	}
	for _, rule := range slices.Sorted(maps.Keys(s.Quarantine)) {
		fmt.Fprintf(a.out, "%10d  in quarantine: %s\n", s.Quarantine[rule], rule)
	}
	return nil
}

func (r *bootstrapRun) newAbortCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "abort",
		Short: "Take away what a load that has not ended has brought into both databases",
		Args:  cobra.NoArgs,
		RunE:  r.with(a, false, func(ctx context.Context, b *bootstrap.Bootstrap) error { return b.Abort(ctx) }),
	}
}

func (r *bootstrapRun) newQuarantineCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "quarantine", Short: "Rows that are not in BK as they were in Bank", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	rows := false
	list := &cobra.Command{
		Use:   "list",
		Short: "List them, with rule and reason",
		Args:  cobra.NoArgs,
		RunE: r.with(a, true, func(ctx context.Context, b *bootstrap.Bootstrap) error {
			held, err := b.Quarantine(ctx)
			if err != nil {
				return err
			}
			if err := r.writeJSON(held); err != nil {
				return err
			}
			t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tRULE\tFIXED\tREASON")
			for _, h := range held {
				fixed := ""
				if h.Booked {
					fixed = "booked"
				} else if h.Patch != nil {
					fixed = h.Patch.Who
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", h.ID(), h.Rule, fixed, h.Reason)
				if rows {
					fmt.Fprintf(t, "\t\t\t%s\n", h.Row)
				}
			}
			return t.Flush()
		}),
	}
	list.Flags().BoolVar(&rows, "rows", false, "with the rows")
	cmd.AddCommand(list, r.newFixCommand(a), r.newRetryCommand(a))
	return cmd
}

func (r *bootstrapRun) newFixCommand(a *app) *cobra.Command {
	var set []string
	var who, why string
	cmd := &cobra.Command{
		Use:     "fix ID",
		Short:   "Say what columns of a row should have been; retry does it",
		Example: `  hotswap bootstrap quarantine fix trade:812 --set state=open --set settle_date=20131010 --who anna --why CHG-1301 --work day1`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		values := map[string]string{}
		for _, one := range set {
			field, value, ok := strings.Cut(one, "=")
			if !ok {
				return &usageError{fmt.Errorf("--set: %q is not COLUMN=VALUE", one)}
			}
			values[field] = value
		}
		return r.with(a, true, func(ctx context.Context, b *bootstrap.Bootstrap) error { return b.Fix(ctx, args[0], values, who, why) })(cmd, nil)
	}
	f := cmd.Flags()
	f.StringArrayVar(&set, "set", nil, `COLUMN=VALUE of Bank's table, as Postgres spells it, \N for null; may be repeated`)
	f.StringVar(&who, "who", "", "who decided; needed")
	f.StringVar(&why, "why", "", "why; needed")
	return cmd
}

func (r *bootstrapRun) newRetryCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "retry",
		Short: "Try those again that were fixed: before the load by staging anew, after it through the engine",
		Args:  cobra.NoArgs,
		RunE: r.with(a, false, func(ctx context.Context, b *bootstrap.Bootstrap) error {
			done, err := b.Retry(ctx)
			if err != nil {
				return err
			}
			if err := r.writeJSON(done); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%d tried, %d booked, %d still in quarantine\n", done.Tried, done.Booked, len(done.Held))
			for _, h := range done.Held {
				fmt.Fprintf(a.out, "  %s  %s: %s\n", h.ID(), h.Rule, h.Reason)
			}
			return nil
		}),
	}
}
