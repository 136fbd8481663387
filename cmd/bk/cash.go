package main

import (
	"context"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// cashListing is bk cash.
type cashListing struct {
	app     *app
	server  remote
	output  output
	account string
	all     bool
}

func newCashCommand(a *app) *cobra.Command {
	l := &cashListing{app: a}
	cmd := &cobra.Command{
		Use:   "cash",
		Short: "List cash: traded and settled, and what open trades bring and take by settlement date",
		Long: `Lists what customers have of currencies, on trade date and settled, and what their open trades take (debits) and bring (credits) by settlement date:
a row for each settlement date, one without a date where nothing is open. Zeros are left out. All that was booked before is in it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := givenAccount(cmd, l.account); err != nil {
				return err
			}
			return l.run(cmd.Context())
		},
	}
	l.server.bind(cmd)
	l.output.bind(cmd, asTable, asCSV, asJSON)
	cmd.Flags().StringVar(&l.account, "account", "", "only this account: its id or code")
	cmd.Flags().BoolVar(&l.all, "all", false, "the firm's accounts, too")
	return cmd
}

func (l *cashListing) run(ctx context.Context) error {
	account, err := accountRef(l.account)
	if err != nil {
		return err
	}
	c, head, err := l.server.connected(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	rows := list(l.app.out, l.output.form, ">account_id", "account", "currency", ">trade_date_amount", ">settled_amount", ">unsettled_amount",
		"settle_date", ">debits", ">credits")
	err = pages(func(token string) (string, bool, error) {
		req := &bkv1.ListCashRequest{
			PageSize: ptr(int32(pageRows)), PageToken: token, Account: account, CustomersOnly: !l.all && account == nil, NonZero: true, AtLeast: head,
		}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListCashResponse], error) {
			return c.Query.ListCash(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, cash := range res.Cash {
			if err := l.add(rows, cash); err != nil {
				return "", false, err
			}
		}
		return res.NextPageToken, true, nil
	})
	if err != nil {
		return err
	}
	return rows.end()
}

func (l *cashListing) add(rows *listing, c *bkv1.Cash) error {
	if l.output.form == asJSON {
		return rows.message(c)
	}
	dates := c.Dates
	if len(dates) == 0 {
		dates = []*bkv1.CashDate{{Debits: "0", Credits: "0"}}
	}
	for _, d := range dates {
		if err := rows.add(c.Account, c.AccountCode, c.Currency, c.TradeDate, c.Settled, c.Unsettled, day(d.SettleDate), d.Debits, d.Credits); err != nil {
			return err
		}
	}
	return nil
}
