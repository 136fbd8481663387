package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/cutover"
)

// cutoverSigned is --log, --who and --why of what is asked of a run.
type cutoverSigned struct{ dir, who, why string }

func (s *cutoverSigned) bind(cmd *cobra.Command, why bool) {
	cmd.Flags().StringVar(&s.dir, "log", "", "folder of the run's log; needed")
	cmd.Flags().StringVar(&s.who, "who", os.Getenv("USER"), "who asks, for the record")
	if why {
		cmd.Flags().StringVar(&s.why, "why", "", "why, for the record")
	}
}

func (s *cutoverSigned) check(why bool) error {
	var errs []error
	if s.dir == "" {
		errs = append(errs, errors.New("--log: needed"))
	}
	if s.who == "" {
		errs = append(errs, errors.New("--who: needed"))
	}
	if why && s.why == "" {
		errs = append(errs, errors.New("--why: needed"))
	}
	if err := errors.Join(errs...); err != nil {
		return &usageError{err}
	}
	return nil
}

func newCutoverApproveCommand(a *app) *cobra.Command {
	s := &cutoverSigned{}
	cmd := &cobra.Command{
		Use:     "approve STEP WORD",
		Short:   "Answer a step that a run asks about, from elsewhere than its terminal",
		Example: `  hotswap cutover approve go SHADOW --log cutover-1 --who anna`,
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := s.check(false); err != nil {
				return err
			}
			if err := cutover.Answer(s.dir, args[0], args[1], s.who); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s is answered\n", args[0])
			return nil
		},
	}
	s.bind(cmd, false)
	return cmd
}

func newCutoverCancelCommand(a *app) *cobra.Command {
	s := &cutoverSigned{}
	cmd := &cobra.Command{
		Use:   "cancel",
		Short: "Have a run go back; behind the point of no return it stops where it is",
		Long: `Have a run go back, as soon as the step that it does has ended; in waits and approvals at once. Behind the point of no return nothing goes back: the run stops where it is, and goes on
when it is begun again. A run whose runner was killed goes back when it is begun again.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := s.check(true); err != nil {
				return err
			}
			if err := cutover.Cancel(s.dir, s.who, s.why); err != nil {
				return err
			}
			fmt.Fprintln(a.out, "the run is told")
			return nil
		},
	}
	s.bind(cmd, true)
	return cmd
}

func newCutoverSettleCommand(a *app) *cobra.Command {
	s := &cutoverSigned{}
	cmd := &cobra.Command{
		Use:   "settle STEP done|again|failed",
		Short: "Say how a step ended that a killed runner had begun; the run takes it when it is begun again",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := s.check(true); err != nil {
				return err
			}
			if err := cutover.Settle(s.dir, args[0], args[1], s.who, s.why); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s: %s; begin the run again\n", args[0], args[1])
			return nil
		},
	}
	s.bind(cmd, true)
	return cmd
}

func newCutoverVerifyCommand(a *app) *cobra.Command {
	var dir, head string
	cmd := &cobra.Command{
		Use:   "verify-log",
		Short: "Check that a log is as it was written; exit code 1 if it is not",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return &usageError{errors.New("--log: needed")}
			}
			v, err := cutover.Verify(dir, head)
			if err != nil {
				return err
			}
			text, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				return fmt.Errorf("encode what was found: %w", err)
			}
			fmt.Fprintln(a.out, string(text))
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "log", "", "folder of the log; needed")
	cmd.Flags().StringVar(&head, "head", "", "a hash that a runner or a report told: the log must have that record")
	return cmd
}

func newCutoverReportCommand(a *app) *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Make the HTML report of a log, and of nothing else",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return &usageError{errors.New("--log: needed")}
			}
			if out == "" {
				return cutover.WriteReport(a.out, dir)
			}
			return writeCutoverReport(dir, out)
		},
	}
	cmd.Flags().StringVar(&dir, "log", "", "folder of the log; needed")
	cmd.Flags().StringVar(&out, "out", "", "file that it goes to (standard output)")
	return cmd
}

func newCutoverRunbooksCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "runbooks [NAME]",
		Short: "List the runbooks that come with the program, or print one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := fmt.Fprintln(a.out, strings.Join(cutover.Shipped(), "\n"))
				return err
			}
			text, err := cutover.ShippedText(args[0])
			if err != nil {
				return &usageError{err}
			}
			_, err = a.out.Write(text)
			return err
		},
	}
}
