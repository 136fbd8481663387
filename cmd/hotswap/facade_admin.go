package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/mode"
)

const (
	defaultAdmin = "http://127.0.0.1:8092"
	adminVar     = "HOTSWAP_FACADE"
	switchTime   = time.Minute // that an attempt may take, beyond --wait
)

// facadeAdmin is --facade, and who asks.
type facadeAdmin struct{ url, who, why string }

func (f *facadeAdmin) bind(cmd *cobra.Command, signs bool) {
	address := os.Getenv(adminVar)
	if address == "" {
		address = defaultAdmin
	}
	cmd.Flags().StringVar(&f.url, "facade", address, "URL of the admin listener of any replica; the environment's "+adminVar+" if left out")
	if signs {
		cmd.Flags().StringVar(&f.who, "who", os.Getenv("USER"), "who asks, for the record")
		cmd.Flags().StringVar(&f.why, "why", "", "why, for the record")
	}
}

// signed says what is missing for the record.
func (f *facadeAdmin) signed() error {
	var errs []error
	if f.who == "" {
		errs = append(errs, errors.New("--who: needed"))
	}
	if f.why == "" {
		errs = append(errs, errors.New("--why: needed"))
	}
	if err := errors.Join(errs...); err != nil {
		return &usageError{err}
	}
	return nil
}

// call asks the admin listener.
func (f *facadeAdmin) call(ctx context.Context, method, path string, timeout time.Duration, in, out any) error {
	return adminCall{who: "the façade", flag: "--facade", url: f.url, timeout: timeout}.do(ctx, method, path, in, out)
}

func newFacadeModeCommand(a *app) *cobra.Command {
	f := &facadeAdmin{}
	var kill, final bool
	var leave string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "mode [MODE]",
		Short: "Show the façade's mode, or switch it on all replicas",
		Long: `Show the façade's mode, or switch it on all replicas at once.

A switch goes one step along bank-only, bank-primary-bk-secondary, bk-primary-bank-secondary, bk-only. Writes wait for it, for less than a second; if it
can't be made in that time the old mode goes on, and it is tried again until --wait is over. --kill leaves the secondary at once.

--final declares bk-only final: there is no way back after it. Bank gets all that it lacks first, for which it is called; while it can't, because Bank is away or has
rejected something, it is refused once --wait is over. --leave-behind goes without Bank: it names what Bank will never get, as hotswap facade mode shows it, and any
other number is refused.`,
		Example: `  hotswap facade mode
  hotswap facade mode bk-primary-bank-secondary --who anna --why "CHG-1234, step 2"
  hotswap facade mode --kill --who anna --why "BK answers slowly"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to := ""
			if len(args) == 1 {
				to = args[0]
				if _, err := mode.Parse(to); err != nil {
					return &usageError{err}
				}
			}
			if chosen := len(args); chosen > 1 || kill && chosen > 0 || final && chosen > 0 || kill && final {
				return &usageError{errors.New("MODE, --kill and --final exclude each other: name one of them")}
			}
			left, err := leftBehind(leave)
			if err == nil && left != nil && !final {
				err = errors.New("--leave-behind: it goes with --final")
			}
			if err != nil {
				return &usageError{err}
			}
			const longest = 10 * time.Minute
			if err := within("--wait", wait, 0, longest); err != nil {
				return &usageError{err}
			}
			var state facade.InForce
			if to == "" && !kill && !final {
				if err := f.call(cmd.Context(), http.MethodGet, "/mode", switchTime, nil, &state); err != nil {
					return err
				}
				a.showMode(state)
				return nil
			}
			if err := f.signed(); err != nil {
				return err
			}
			q := facade.SwitchRequest{To: to, Kill: kill, Final: final, LeaveBehind: left, Who: f.who, Why: f.why, WaitMS: wait.Milliseconds()}
			if err := f.call(cmd.Context(), http.MethodPost, "/mode", wait+switchTime, q, &state); err != nil {
				return err
			}
			a.showMode(state)
			return nil
		},
	}
	f.bind(cmd, true)
	cmd.Flags().BoolVar(&kill, "kill", false, "leave the secondary at once, the primary goes on alone")
	cmd.Flags().BoolVar(&final, "final", false, "declare bk-only final")
	cmd.Flags().StringVar(&leave, "leave-behind", "", "with --final: go without Bank, and name what it will never get, as the mode shows it (812@20391)")
	cmd.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long it is tried again if it can't be made")
	return cmd
}

func (a *app) showMode(s facade.InForce) {
	fmt.Fprintf(a.out, "%s\n  epoch     %d\n  since     %s\n  who       %s\n  why       %s\n", s.Mode, s.Epoch.Epoch, s.Since.Format(time.RFC3339), s.Who, s.Why)
	if s.HeldMS > 0 {
		fmt.Fprintf(a.out, "  held      %.0f ms\n", s.HeldMS)
	}
	if s.Final {
		fmt.Fprintln(a.out, "  final     no way back")
	}
	if s.LeftBehind > 0 {
		fmt.Fprintf(a.out, "  left      %d entries that Bank never got\n", s.LeftBehind)
	}
	if left := s.BankLacks; left != nil && left.Entries > 0 {
		fmt.Fprintf(a.out, "  lacks     %d entries up to %d, at Bank (--leave-behind %d@%d, where it is never to get them)\n", left.Entries, left.Through, left.Entries, left.Through)
	}
	fmt.Fprintf(a.out, "  sampling  %g\n", s.Sampling)
}

func newFacadeSampleCommand(a *app) *cobra.Command {
	f := &facadeAdmin{}
	cmd := &cobra.Command{
		Use:     "sample RATE",
		Short:   "Set the share of reads that is asked of both systems and compared",
		Example: `  hotswap facade sample 0.05 --who anna --why "CHG-1234"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rate, err := strconv.ParseFloat(args[0], 64)
			if err != nil || !(rate >= 0 && rate <= 1) {
				return &usageError{fmt.Errorf("%q is not between 0 and 1", args[0])}
			}
			if err := f.signed(); err != nil {
				return err
			}
			q := facade.SampleRequest{Rate: rate, Who: f.who, Why: f.why}
			if err := f.call(cmd.Context(), http.MethodPost, "/sampling", switchTime, q, &q); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%g of reads are compared\n", q.Rate)
			return nil
		},
	}
	f.bind(cmd, true)
	return cmd
}

func newFacadeQueueCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Show what waits for the secondary, and see to what it rejected",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFacadeQueueListCommand(a), newFacadeQueueRetryCommand(a), newFacadeQueueSkipCommand(a))
	return cmd
}

// backlogPath is the path of the one of the two that is meant.
func backlogPath(toBank bool) string {
	if toBank {
		return "/feed"
	}
	return "/queue"
}

const toBankUsage = "what waits for Bank, not what waits for BK"

func newFacadeQueueListCommand(a *app) *cobra.Command {
	f := &facadeAdmin{}
	var blocked, toBank, leftOut bool
	var after int64
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List up to 1000 rows that wait, or the latest that were left out",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var rows []backlog.Row
			path := fmt.Sprintf("%s?after=%d&blocked=%t", backlogPath(toBank), after, blocked)
			if leftOut && (blocked || after != 0) {
				return &usageError{errors.New("--left-out: goes without --blocked and --after")}
			}
			if leftOut {
				path = backlogPath(toBank) + "?left_out=true"
			}
			if err := f.call(cmd.Context(), http.MethodGet, path, switchTime, nil, &rows); err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			if leftOut {
				fmt.Fprintln(w, "POSITION\tKIND\tACCOUNTS\tQUEUED\tOUTCOME\tWHO\tREASON")
				for _, r := range rows {
					fmt.Fprintf(w, "%d\t%s\t%v\t%s\t%s\t%s\t%s\n", r.Position, r.Kind, r.Keys, r.QueuedAt.Format(time.RFC3339), r.Outcome, r.Who, r.Reason)
				}
				return w.Flush()
			}
			fmt.Fprintln(w, "POSITION\tKIND\tACCOUNTS\tQUEUED\tREJECTED\tREASON")
			for _, r := range rows {
				fmt.Fprintf(w, "%d\t%s\t%v\t%s\t%d\t%s\n", r.Position, r.Kind, r.Keys, r.QueuedAt.Format(time.RFC3339), r.Attempts, r.Reason)
			}
			return w.Flush()
		},
	}
	f.bind(cmd, false)
	cmd.Flags().BoolVar(&blocked, "blocked", false, "only those that were rejected")
	cmd.Flags().BoolVar(&toBank, "to-bank", false, toBankUsage)
	cmd.Flags().BoolVar(&leftOut, "left-out", false, "those that the other system will never have: skipped, or of no kind that it knows")
	cmd.Flags().Int64Var(&after, "after", 0, "only behind this position")
	return cmd
}

func position(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, &usageError{fmt.Errorf("%q is no position", text)}
	}
	return n, nil
}

func newFacadeQueueRetryCommand(a *app) *cobra.Command {
	f := &facadeAdmin{}
	var toBank bool
	cmd := &cobra.Command{
		Use:   "retry POSITION",
		Short: "Try a row that was rejected again at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := position(args[0])
			if err != nil {
				return err
			}
			if err := f.call(cmd.Context(), http.MethodPost, fmt.Sprintf("%s/%d/retry", backlogPath(toBank), n), switchTime, nil, &struct{}{}); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "row %d is tried again\n", n)
			return nil
		},
	}
	f.bind(cmd, false)
	cmd.Flags().BoolVar(&toBank, "to-bank", false, toBankUsage)
	return cmd
}

func newFacadeQueueSkipCommand(a *app) *cobra.Command {
	f := &facadeAdmin{}
	var toBank bool
	cmd := &cobra.Command{
		Use:   "skip POSITION",
		Short: "Leave a row that was rejected out for good: the systems differ by it from then on",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := position(args[0])
			if err != nil {
				return err
			}
			if err := f.signed(); err != nil {
				return err
			}
			q := facade.SkipRequest{Who: f.who, Why: f.why}
			if err := f.call(cmd.Context(), http.MethodPost, fmt.Sprintf("%s/%d/skip", backlogPath(toBank), n), switchTime, q, &struct{}{}); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "row %d is left out\n", n)
			return nil
		},
	}
	f.bind(cmd, true)
	cmd.Flags().BoolVar(&toBank, "to-bank", false, toBankUsage)
	return cmd
}
