package main

import (
	"context"
	"fmt"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

func newStockRecordCommand(a *app) *cobra.Command {
	var server remote
	var out output
	cmd := &cobra.Command{
		Use:   "stock-record [SYMBOL]",
		Short: "Show who has each security, and where it is",
		Long: `Sums up each security: what owners have long and short, against what is at locations and due from or to the street. They are always equal; ends
with 1 if they are not. With a SYMBOL (or an identifier as bk instruments shows it) it lists everybody's part of that security.`,
		Example: `  bk stock-record
  bk stock-record AAPL`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, head, err := server.connected(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			if len(args) == 0 {
				return a.stockRecords(cmd.Context(), c, head, &out)
			}
			return a.stockRecord(cmd.Context(), c, head, args[0], &out)
		},
	}
	server.bind(cmd)
	out.bind(cmd, asTable, asCSV, asJSON)
	return cmd
}

// stockRecords lists the sums.
func (a *app) stockRecords(ctx context.Context, c *client.Client, head string, out *output) error {
	l := list(a.out, out.form, ">instrument", "symbol", ">long", ">short", ">located", ">difference")
	var broken []string
	err := pages(func(token string) (string, bool, error) {
		req := &bkv1.ListStockRecordsRequest{PageSize: ptr(int32(pageRows)), PageToken: token, AtLeast: head}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListStockRecordsResponse], error) {
			return c.Query.ListStockRecords(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, t := range res.Totals {
			if t.Difference != "0" {
				broken = append(broken, t.Symbol)
			}
			if err := l.add(t.Instrument, t.Symbol, t.Long, t.Short, t.Located, t.Difference); err != nil {
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
		return fmt.Errorf("the books are broken: owners and locations differ: %v", broken)
	}
	return nil
}

// stockRecord lists one security's record.
func (a *app) stockRecord(ctx context.Context, c *client.Client, head, symbol string, out *output) error {
	if symbol == "" {
		return usageError("SYMBOL: is empty")
	}
	instrument, err := instrumentRef(ctx, c, symbol)
	if err != nil {
		return err
	}
	l := list(a.out, out.form, ">account_id", "account", "kind", ">trade_date_quantity", ">settled_quantity", ">unsettled_quantity")
	err = pages(func(token string) (string, bool, error) {
		req := &bkv1.GetStockRecordRequest{PageSize: ptr(int32(pageRows)), PageToken: token, Instrument: instrument, AtLeast: head}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.GetStockRecordResponse], error) {
			return c.Query.GetStockRecord(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, r := range res.Rows {
			kind := enumWord(r.AccountKind.String(), "ACCOUNT_KIND_")
			if err := l.add(r.Account, r.AccountCode, kind, r.TradeDate, r.Settled, r.Unsettled); err != nil {
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
