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
	asOf       asOf
	all        bool
	full       bool // positions only, and so is closed
	closed     bool
}

func newPositionsCommand(a *app) *cobra.Command {
	p := &balanceListing{
		app: a, instrument: bkv1.InstrumentKind_INSTRUMENT_KIND_SECURITY, names: []string{"account_id", "symbol", "trade_date_quantity"},
	}
	cmd := p.command("positions", "List positions: what customers have of securities")
	cmd.Long += `

With --full, positions are listed by the currency that they are traded in, too, long and short apart, with cost, average cost and realised
profit: of customers and, with --all, the firm.`
	cmd.Flags().BoolVar(&p.full, "full", false, "long, short, cost, average cost and realised profit, too")
	cmd.Flags().BoolVar(&p.closed, "closed", false, "with --full: closed positions, too, for what they realised")
	return cmd
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
			if p.asOf.given() && p.account == "" {
				return usageError("--account: needed with --as-of and --known-at")
			}
			if p.closed && !p.full {
				return usageError("--closed: goes with --full")
			}
			return p.run(cmd.Context())
		},
	}
	p.server.bind(cmd)
	p.output.bind(cmd, asTable, asCSV, asJSON)
	cmd.Flags().StringVar(&p.account, "account", "", "only this account: its id or code")
	cmd.Flags().BoolVar(&p.all, "all", false, "all accounts, not only customers'")
	p.asOf.bind(cmd, "; with --account")
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
	if p.full {
		return p.runFull(ctx, c, account, head)
	}
	balances, steady, err := readBalances(ctx, c, &bkv1.ListBalancesRequest{
		PageSize: ptr(int32(pageRows)), Account: account, InstrumentKind: p.instrument,
		CustomersOnly: !p.all && account == nil, NonZero: true, AtLeast: head, AsOf: p.asOf.date.date, KnownAt: p.asOf.knownAt,
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

// runFull lists positions with what they cost and brought.
func (p *balanceListing) runFull(ctx context.Context, c *client.Client, account *bkv1.AccountRef, head string) error {
	l := list(p.app.out, p.output.form, ">account_id", "account", "symbol", "currency", ">trade_date_quantity", ">settled_quantity", ">unsettled_quantity",
		">long", ">short", ">cost", ">average_cost", ">realised")
	err := pages(func(token string) (string, bool, error) {
		req := &bkv1.ListPositionsRequest{
			PageSize: ptr(int32(pageRows)), PageToken: token, Account: account, CustomersOnly: !p.all && account == nil, NonZero: !p.closed,
			AtLeast: head, AsOf: p.asOf.date.date, KnownAt: p.asOf.knownAt,
		}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListPositionsResponse], error) {
			return c.Query.ListPositions(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, r := range res.Positions {
			err := l.add(r.Account, r.AccountCode, r.Symbol, r.Currency, r.TradeDate, r.Settled, r.Unsettled, r.Long, r.Short, r.Cost, r.AverageCost, r.Realised)
			if err != nil {
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
