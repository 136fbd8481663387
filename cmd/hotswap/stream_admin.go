package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/bankstream"
)

const (
	defaultStreamAdmin = "http://127.0.0.1:8094"
	streamAdminVar     = "HOTSWAP_STREAM"
	streamCall         = time.Minute
)

// streamAdmin is --stream.
type streamAdmin struct{ url string }

func (s *streamAdmin) bind(cmd *cobra.Command) {
	address := os.Getenv(streamAdminVar)
	if address == "" {
		address = defaultStreamAdmin
	}
	cmd.Flags().StringVar(&s.url, "stream", address, "URL of the instance's admin listener; the environment's "+streamAdminVar+" if left out")
}

// call asks the admin listener.
func (s *streamAdmin) call(ctx context.Context, method, path string, in, out any) error {
	return adminCall{who: "the stream", flag: "--stream", url: s.url, timeout: streamCall}.do(ctx, method, path, in, out)
}

func newStreamStatusCommand(a *app) *cobra.Command {
	s := &streamAdmin{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show an instance's partitions: how far they are, what they stand at, what was skipped",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var status bankstream.Status
			if err := s.call(cmd.Context(), http.MethodGet, "/status", nil, &status); err != nil {
				return err
			}
			if asJSON {
				to := json.NewEncoder(a.out)
				to.SetIndent("", "  ")
				return to.Encode(status)
			}
			return a.showStream(status)
		},
	}
	s.bind(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func (a *app) showStream(s bankstream.Status) error {
	why := s.Unready()
	if why == "" {
		why = "ready"
	}
	fmt.Fprintf(a.out, "%s of %s: %s\n", s.Instance, s.Group, why)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PARTITION\tPHASE\tSINCE\tOFFSET\tLAG\tENTRY\tHOLDINGS\tTRADES\tSKIPPED\tERROR")
	for _, p := range s.Partitions {
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", p.Partition, p.Phase, p.Since.Format(time.RFC3339), p.Offset, p.Lag, p.Entry, p.Holdings, p.Trades, p.Skipped, p.Error)
	}
	for _, p := range s.Partitions {
		for _, skip := range p.Skips {
			fmt.Fprintf(w, "skipped %d/%d\tentry %d\tby %s\t%s\t%s\n", p.Partition, skip.Offset, skip.Entry, skip.Who, skip.Why, skip.Error)
		}
	}
	return w.Flush()
}

func newStreamSkipCommand(a *app) *cobra.Command {
	s := &streamAdmin{}
	var who, why string
	cmd := &cobra.Command{
		Use:   "skip PARTITION OFFSET",
		Short: "Leave out the event at which a partition stands: its account's running totals lack it from then on",
		Long: `Leave out the event at which a partition stands since it can't be told, on the instance that has the partition. Exactly that event: its offset must be given, as hotswap stream
status shows it. Who, why and the error are kept for ever, in the state's topic. What the event moved is missing in its account's running totals from then on.`,
		Example: `  hotswap stream skip 3 81204 --who anna --why "CHG-1234"`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			partition, err := strconv.ParseInt(args[0], 10, 32)
			if err != nil || partition < 0 {
				return &usageError{fmt.Errorf("%q is no partition", args[0])}
			}
			offset, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || offset < 0 {
				return &usageError{fmt.Errorf("%q is no offset", args[1])}
			}
			if err := (&facadeAdmin{who: who, why: why}).signed(); err != nil {
				return err
			}
			q := bankstream.SkipRequest{Offset: &offset, Who: who, Why: why}
			if err := s.call(cmd.Context(), http.MethodPost, fmt.Sprintf("/partitions/%d/skip", partition), q, &q); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "offset %d of partition %d is left out\n", offset, partition)
			return nil
		},
	}
	s.bind(cmd)
	cmd.Flags().StringVar(&who, "who", os.Getenv("USER"), "who asks, for the record")
	cmd.Flags().StringVar(&why, "why", "", "why, for the record")
	return cmd
}
