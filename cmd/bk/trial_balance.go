package main

import (
	"context"
	"fmt"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

func newTrialBalanceCommand(a *app) *cobra.Command {
	var server remote
	var out output
	cmd := &cobra.Command{
		Use:   "trial-balance",
		Short: "Sum up all balances of each instrument: they come to zero",
		Long: `Sums up all balances of each instrument, of all accounts and both buckets. Every row must come to zero; ends with 1 if one does
not.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.trialBalance(cmd.Context(), &server, &out) },
	}
	server.bind(cmd)
	out.bind(cmd, asTable, asCSV, asJSON)
	return cmd
}

func (a *app) trialBalance(ctx context.Context, server *remote, out *output) error {
	c, head, err := server.connected(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	l := list(a.out, out.form, ">instrument", "symbol", "kind", ">balances", ">positive", ">negative", ">difference")
	var broken []string
	err = pages(func(token string) (string, bool, error) {
		req := &bkv1.TrialBalanceRequest{PageSize: ptr(int32(pageRows)), PageToken: token, AtLeast: head}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.TrialBalanceResponse], error) {
			return c.Query.TrialBalance(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, r := range res.Rows {
			if r.Difference != "0" {
				broken = append(broken, r.Symbol)
			}
			kind := enumWord(r.InstrumentKind.String(), "INSTRUMENT_KIND_")
			if err := l.add(r.Instrument, r.Symbol, kind, r.Balances, r.Positive, r.Negative, r.Difference); err != nil {
				return "", false, err
			}
		}
		return res.NextPageToken, true, nil
	})
	if err != nil {
		return err
	}
	if err := l.end(); err != nil {
		return err
	}
	if broken != nil {
		return fmt.Errorf("the books are broken: these do not come to zero: %v", broken)
	}
	return nil
}
