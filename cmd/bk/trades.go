package main

import (
	"context"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// tradeListing is bk trades.
type tradeListing struct {
	app                        *app
	server                     remote
	output                     output
	state, account, instrument string
	from, to                   dateFlag
	asOf                       asOf
	limit                      int
}

func newTradesCommand(a *app) *cobra.Command {
	t := &tradeListing{app: a}
	cmd := &cobra.Command{
		Use:   "trades",
		Short: "List trades as they stand",
		Long: `Lists trades in the order in which they were booked, each as it stands: new until its trade date, open, settled, canceled. All that was booked
before is in it. JSON has the trades as the API gives them.`,
		Example: `  bk trades --state open --instrument AAPL
  bk trades --account 100018 --as-of 2013-10-10 --known-at 2013-10-16T17:30:00Z -o csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := givenAccount(cmd, t.account); err != nil {
				return err
			}
			return t.run(cmd.Context())
		},
	}
	t.server.bind(cmd)
	t.output.bind(cmd, asTable, asCSV, asJSON)
	cmd.Flags().StringVar(&t.state, "state", "", "only trades that stand there: "+strings.Join(stateNames(), ", "))
	cmd.Flags().StringVar(&t.account, "account", "", "only trades of this account, either side: its id or code")
	cmd.Flags().StringVar(&t.instrument, "instrument", "", "only trades in this instrument: its symbol or an identifier")
	cmd.Flags().Var(&t.from, "from", "only trades of this trade date or a later one")
	cmd.Flags().Var(&t.to, "to", "only trades of this trade date or an earlier one")
	cmd.Flags().IntVar(&t.limit, "limit", 0, "so many at most; 0: all")
	t.asOf.bind(cmd, "")
	return cmd
}

func stateNames() (names []string) {
	for _, s := range ledger.TradeStates() {
		names = append(names, string(s))
	}
	return names
}

func (t *tradeListing) run(ctx context.Context) error {
	account, err := accountRef(t.account)
	if err != nil {
		return err
	}
	state := bkv1.TradeState_value["TRADE_STATE_"+strings.ToUpper(t.state)]
	if t.state != "" && state == 0 {
		return usageError("--state: %q: give one of %s", t.state, strings.Join(stateNames(), ", "))
	}
	if t.limit < 0 {
		return usageError("--limit: %d is below zero", t.limit)
	}
	c, head, err := t.server.connected(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	instrument, err := instrumentRef(ctx, c, t.instrument)
	if err != nil {
		return err
	}
	l := t.list()
	left := t.limit
	err = pages(func(token string) (string, bool, error) {
		size := pageRows
		if t.limit > 0 {
			size = min(size, left)
		}
		req := &bkv1.ListTradesRequest{
			PageSize: ptr(int32(size)), PageToken: token, Account: account, Instrument: instrument, State: bkv1.TradeState(state),
			FromDate: t.from.date, ToDate: t.to.date, AsOf: t.asOf.date.date, KnownAt: t.asOf.knownAt, AtLeast: head,
		}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListTradesResponse], error) {
			return c.Query.ListTrades(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, trade := range res.Trades {
			if err := t.add(l, trade); err != nil {
				return "", false, err
			}
		}
		left -= len(res.Trades)
		return res.NextPageToken, t.limit == 0 || left > 0, nil
	})
	if err != nil {
		return err
	}
	return l.end()
}

func (t *tradeListing) list() *listing {
	if t.output.form == asCSV {
		return list(t.app.out, asCSV, "trade_id", "state", "type", "booked_at", "client_trade_id", "account_id", "target_id", "instrument_id", "symbol",
			"side", "quantity", "price", "currency", "gross", "commission", "sec_fee", "taf_fee", "accrued", "net", "trade_date", "settle_date",
			"corrects", "replaced_by", "opened_by", "settled_by", "canceled_by", "street_settled")
	}
	return list(t.app.out, t.output.form, ">trade_id", "state", "trade_date", "settle_date", "account", "side", ">quantity", "symbol", ">price", ">net", "currency", "client_trade_id", "links")
}

func (t *tradeListing) add(l *listing, r *bkv1.TradeSummary) error {
	if t.output.form == asJSON {
		return l.message(r)
	}
	state, side := enumWord(r.State.String(), "TRADE_STATE_"), enumWord(r.Direction.String(), "DIRECTION_")
	if t.output.form == asCSV {
		return l.add(r.Id, state, enumWord(r.Type.String(), "TRADE_TYPE_"), r.BookedAt.AsTime().Format(timeForm), r.ClientTradeId, r.Account, number(r.Target),
			r.Instrument, r.Symbol, side, r.Quantity, r.Price, r.Currency, r.Gross, r.Commission, r.SecFee, r.TafFee, r.Accrued, r.Net,
			r.TradeDate, r.SettleDate, number(r.Corrects), number(r.ReplacedBy), number(r.OpenedBy), number(r.SettledBy), number(r.CanceledBy), r.StreetSettled)
	}
	account := r.AccountCode
	if r.Target != 0 {
		account += " with " + r.TargetCode
	}
	var links []string
	if r.Corrects != 0 {
		links = append(links, fmt.Sprintf("in place of %d", r.Corrects))
	}
	if r.ReplacedBy != 0 {
		links = append(links, fmt.Sprintf("replaced by %d", r.ReplacedBy))
	}
	return l.add(r.Id, state, day(r.TradeDate), day(r.SettleDate), account, side, r.Quantity, r.Symbol, r.Price, r.Net, r.Currency, r.ClientTradeId, strings.Join(links, ", "))
}
