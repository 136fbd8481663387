package api

import (
	"context"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/trades"
)

// ListTrades hands all filters on to the projection.
func (s query) ListTrades(ctx context.Context, req *connect.Request[bkv1.ListTradesRequest]) (*connect.Response[bkv1.ListTradesResponse], error) {
	m := req.Msg
	list := listOf("trades", m.Account.GetId(), m.Account.GetCode(), m.Instrument.String(), m.State, m.States, m.FromDate, m.ToDate, m.AsOf, m.KnownAt)
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	q := trades.Query{From: ledger.Date(m.FromDate), To: ledger.Date(m.ToDate), After: ledger.ID(from.a), Limit: pageSize(m.PageSize)}
	if rej := realDay("from_date", q.From); rej != nil {
		return nil, rej
	}
	if rej := realDay("to_date", q.To); rej != nil {
		return nil, rej
	}
	if q.From != 0 && q.To != 0 && q.From > q.To {
		return nil, ledger.Reject(ledger.ReasonInvalid, "from_date", "%s is after to_date, %s", q.From, q.To)
	}
	if q.States, err = tradeStates(m); err != nil {
		return nil, err
	}
	if q.AtLeast, err = s.reach(ctx, m.AtLeast); err != nil {
		return nil, err
	}
	at, err := s.moment(ctx, m.AsOf, m.KnownAt, from.known)
	if err != nil {
		return nil, err
	}
	q.AsOf, q.KnownAt = at.asOf, at.known
	if q.Account, err = s.party(m.Account); err != nil {
		return nil, err
	}
	instrument, err := s.instrument("instrument", m.Instrument)
	if err != nil {
		return nil, err
	}
	q.Instrument = instrument.ID
	if err := s.projected(ctx, trades.Name, max(q.AtLeast, q.KnownAt)); err != nil {
		return nil, err
	}
	page, err := s.read.trades.Trades(ctx, q)
	if err != nil {
		return nil, err
	}
	res := &bkv1.ListTradesResponse{Token: page.At.String()}
	if page.More {
		res.NextPageToken = place{list: list, a: int64(page.Next), known: at.known}.token()
	}
	for _, row := range page.Rows {
		res.Trades = append(res.Trades, s.tradeSummary(row))
	}
	return connect.NewResponse(res), nil
}

// tradeStates gives the states that the request wants; none is all.
func tradeStates(m *bkv1.ListTradesRequest) (states []ledger.TradeState, err error) {
	if m.State != bkv1.TradeState_TRADE_STATE_UNSPECIFIED {
		state, rej := wire.TradeStateFrom("state", m.State)
		if rej != nil {
			return nil, rej
		}
		states = append(states, state)
	}
	for i, s := range m.States {
		state, rej := wire.TradeStateFrom(indexed("states", i), s)
		if rej != nil {
			return nil, rej
		}
		states = append(states, state)
	}
	return states, nil
}

func (s query) tradeSummary(r trades.Row) *bkv1.TradeSummary {
	return &bkv1.TradeSummary{
		Id: int64(r.Trade), State: wire.TradeState(r.State), Type: wire.TradeType(r.Kind), BookedAt: timestamppb.New(r.BookedAt), ClientTradeId: r.ClientTradeID,
		Account: r.Account, AccountCode: s.codeOf(r.Account), Target: r.Target, TargetCode: s.codeOf(r.Target),
		Instrument: r.Instrument, Symbol: s.symbolOf(r.Instrument), Direction: wire.Direction(r.Direction),
		Quantity: r.Quantity.String(), Price: r.Price.String(), Currency: r.Currency, Gross: r.Gross.String(), Commission: r.Commission.String(),
		SecFee: r.SECFee.String(), TafFee: r.TAFFee.String(), Accrued: r.Accrued.String(), Net: r.Net.String(),
		TradeDate: int32(r.TradeDate), SettleDate: int32(r.SettleDate), Corrects: int64(r.Corrects), ReplacedBy: int64(r.ReplacedBy),
		OpenedBy: int64(r.Opened), SettledBy: int64(r.Settled), CanceledBy: int64(r.Canceled), StreetSettled: r.Street,
	}
}
