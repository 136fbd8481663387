package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

func newFacadeFollowCommand(a *app) *cobra.Command {
	f := &facadeAdmin{}
	var after, date int64
	cmd := &cobra.Command{
		Use:   "follow",
		Short: "Go on following Bank behind events that Kafka has deleted",
		Long: `Go on following Bank behind events that Kafka has deleted before BK had them, or that a topic made anew does not have.

BK must have been brought up to date by other means, up to an event of Bank's: last_event_id of Bank's GET /replay, taken when that was read. What Bank did
behind it is followed, as far as Kafka has it.`,
		Example: `  hotswap facade follow --after 81204 --date 20131007 --who anna --why "loaded from the backup of 7 October"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var errs []error
			if !cmd.Flags().Changed("after") || after < 0 {
				errs = append(errs, errors.New("--after: needed: the last of Bank's events that BK has"))
			}
			if date != 0 && !bank.Date(date).Real() {
				errs = append(errs, fmt.Errorf("--date: %d is no day such as 20131007", date))
			}
			if err := errors.Join(append(errs, f.signed())...); err != nil {
				return &usageError{err}
			}
			q := facade.FollowRequest{After: bank.ID(after), Date: bank.Date(date), Who: f.who, Why: f.why}
			if err := f.call(cmd.Context(), http.MethodPost, "/follow", switchTime, q, &struct{}{}); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "Bank is followed from event %d on\n", after)
			return nil
		},
	}
	f.bind(cmd, true)
	cmd.Flags().Int64Var(&after, "after", 0, "the last of Bank's events that BK has")
	cmd.Flags().Int64Var(&date, "date", 0, "Bank's business date at that event (0: none was set)")
	return cmd
}

// leftBehind reads --leave-behind: ENTRIES, or ENTRIES@SEQUENCE.
func leftBehind(text string) (*mode.Left, error) {
	if text == "" {
		return nil, nil
	}
	entries, through, placed := strings.Cut(text, "@")
	var left mode.Left
	var err, err2 error
	left.Entries, err = strconv.ParseInt(entries, 10, 64)
	if placed {
		left.Through, err2 = strconv.ParseInt(through, 10, 64)
	}
	if err != nil || err2 != nil || left.Entries < 0 || left.Through < 0 || placed && left.Through == 0 {
		return nil, fmt.Errorf("--leave-behind: %q is no number of entries as hotswap facade mode shows it, such as 812@20391", text)
	}
	return &left, nil
}
