package main

import (
	"context"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

func newCutsCommand(a *app) *cobra.Command {
	var server remote
	var out output
	cmd := &cobra.Command{
		Use:   "cuts [DATE]",
		Short: "List the frozen cuts of the days, or the rows of one",
		Long: `Lists the cuts: for each day that has ended, how many holdings there were, and the hash over them. With a DATE it lists the rows of that day's cut:
every holding that was not zero, as known when the day ended. They never change.`,
		Example: `  bk cuts
  bk cuts 2013-10-16 -o csv`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var date int32
			if len(args) > 0 {
				var err error
				if date, err = parseDay(args[0]); err != nil {
					return usageError("DATE: %w", err)
				}
			}
			c, head, err := server.connected(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			if date == 0 {
				return a.cuts(cmd.Context(), c, head, &out)
			}
			return a.cutRows(cmd.Context(), c, head, date, &out)
		},
	}
	server.bind(cmd)
	out.bind(cmd, asTable, asCSV, asJSON)
	return cmd
}

func (a *app) cuts(ctx context.Context, c *client.Client, head string, out *output) error {
	l := list(a.out, out.form, "date", ">rows", "hash", "token", "booked_at")
	err := pages(func(token string) (string, bool, error) {
		req := &bkv1.ListCutsRequest{PageSize: ptr(int32(pageRows)), PageToken: token, AtLeast: head}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListCutsResponse], error) {
			return c.Query.ListCuts(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, cut := range res.Cuts {
			if err := l.add(day(cut.Date), cut.Rows, cut.Hash, cut.Token, cut.BookedAt.AsTime().Format(timeForm)); err != nil {
				return "", false, err
			}
		}
		return res.NextPageToken, true, nil
	})
	if err != nil {
		return err
	}
	return l.end()
}

func (a *app) cutRows(ctx context.Context, c *client.Client, head string, date int32, out *output) error {
	l := list(a.out, out.form, ">account_id", "account", ">instrument_id", "symbol", ">unsettled", ">settled", ">trade_date")
	err := pages(func(token string) (string, bool, error) {
		req := &bkv1.ListCutRowsRequest{PageSize: ptr(int32(pageRows)), PageToken: token, Date: date, AtLeast: head}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListCutRowsResponse], error) {
			return c.Query.ListCutRows(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, r := range res.Rows {
			if err := l.add(r.Account, r.AccountCode, r.Instrument, r.Symbol, r.Unsettled, r.Settled, r.TradeDate); err != nil {
				return "", false, err
			}
		}
		return res.NextPageToken, true, nil
	})
	if err != nil {
		return err
	}
	return l.end()
}
