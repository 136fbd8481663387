package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// steadyReads is how often a read of many pages is begun anew to get all of them at one place of the journal.
const steadyReads = 3

// balanceListing is bk positions or bk balances: the same read, of securities or of currencies.
type balanceListing struct {
	app        *app
	instrument bkv1.InstrumentKind
	names      []string // of the CSV's columns
	server     remote
	output     output
	account    string
	all        bool
}

func newPositionsCommand(a *app) *cobra.Command {
	p := &balanceListing{
		app: a, instrument: bkv1.InstrumentKind_INSTRUMENT_KIND_SECURITY, names: []string{"account_id", "symbol", "trade_date_quantity"},
	}
	return p.command("positions", "List positions: what customers have of securities")
}

func newBalancesCommand(a *app) *cobra.Command {
	p := &balanceListing{
		app: a, instrument: bkv1.InstrumentKind_INSTRUMENT_KIND_CURRENCY, names: []string{"account_id", "currency", "trade_date_amount"},
	}
	return p.command("balances", "List balances: what customers have of currencies")
}

func (p *balanceListing) command(use, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `, by account and ` + p.names[1] + `. Zeros are left out. All that was booked before is in it.

CSV has the columns ` + strings.Join(p.names, ",") + `; tables and JSON show the settled and unsettled parts too.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := givenAccount(cmd, p.account); err != nil {
				return err
			}
			return p.run(cmd.Context())
		},
	}
	p.server.bind(cmd)
	p.output.bind(cmd, asTable, asCSV, asJSON)
	cmd.Flags().StringVar(&p.account, "account", "", "only this account: its id or code")
	cmd.Flags().BoolVar(&p.all, "all", false, "all accounts, not only customers'")
	return cmd
}

func (p *balanceListing) run(ctx context.Context) error {
	account, err := accountRef(p.account)
	if err != nil {
		return err
	}
	c, head, err := p.server.connected(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	balances, steady, err := readBalances(ctx, c, &bkv1.ListBalancesRequest{
		PageSize: ptr(int32(pageRows)), Account: account, InstrumentKind: p.instrument,
		CustomersOnly: !p.all && account == nil, NonZero: true, AtLeast: head,
	})
	if err != nil {
		return err
	}
	if !steady {
		fmt.Fprintln(p.app.err, "bk: the ledger went on while this was read: not all rows are as of the same moment")
	}
	slices.SortFunc(balances, func(x, y *bkv1.Balance) int {
		return cmp.Or(cmp.Compare(x.Account, y.Account), cmp.Compare(x.Symbol, y.Symbol), cmp.Compare(x.Instrument, y.Instrument))
	})
	return p.print(balances)
}

func (p *balanceListing) print(balances []*bkv1.Balance) error {
	if p.output.form == asCSV {
		l := list(p.app.out, asCSV, p.names...)
		for _, b := range balances {
			if b.TradeDate == "0" {
				continue
			}
			if err := l.add(b.Account, b.Symbol, b.TradeDate); err != nil {
				return err
			}
		}
		return l.end()
	}
	unit := strings.TrimPrefix(p.names[2], "trade_date_")
	l := list(p.app.out, p.output.form, ">"+p.names[0], "account", p.names[1], ">"+p.names[2], ">settled_"+unit, ">unsettled_"+unit)
	for _, b := range balances {
		if err := l.add(b.Account, b.AccountCode, b.Symbol, b.TradeDate, b.Settled, b.Unsettled); err != nil {
			return err
		}
	}
	return l.end()
}

// readBalances reads all pages; steady says that they are of one place in the journal.
func readBalances(ctx context.Context, c *client.Client, req *bkv1.ListBalancesRequest) (all []*bkv1.Balance, steady bool, err error) {
	for range steadyReads {
		var first string
		all, steady = all[:0], true
		err = pages(func(token string) (string, bool, error) {
			req.PageToken = token
			res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListBalancesResponse], error) {
				return c.Query.ListBalances(ctx, connect.NewRequest(req))
			})
			if err != nil {
				return "", false, err
			}
			all = append(all, res.Balances...)
			if first == "" {
				first = res.Token
			}
			steady = steady && res.Token == first
			return res.NextPageToken, true, nil
		})
		if err != nil || steady {
			break
		}
	}
	return all, steady, err
}
