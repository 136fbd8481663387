package api

import (
	"context"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/positions"
)

// ListPositions filters what the projection gives by kind of account.
func (s query) ListPositions(ctx context.Context, req *connect.Request[bkv1.ListPositionsRequest]) (*connect.Response[bkv1.ListPositionsResponse], error) {
	m := req.Msg
	list := listOf("positions", m.Account.GetId(), m.Account.GetCode(), m.Instrument.String(), m.CustomersOnly, m.NonZero, m.AsOf, m.KnownAt)
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	q := positions.Query{NonZero: m.NonZero, Limit: pageSize(m.PageSize)}
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
	if err := s.projected(ctx, positions.Name, max(q.AtLeast, q.KnownAt)); err != nil {
		return nil, err
	}
	res := &bkv1.ListPositionsResponse{}
	next, more, err := collect(q.Limit, positions.Key{Account: from.a, Instrument: from.b, Currency: from.text},
		func(after positions.Key) ([]positions.Row, positions.Key, bool, error) {
			q.After = after
			page, err := s.read.positions.Positions(ctx, q)
			if res.Token == "" {
				res.Token = page.At.String()
			}
			return page.Rows, page.Next, page.More, err
		},
		func(row positions.Row) positions.Key { return row.Key },
		func(row positions.Row) bool {
			taken := !m.CustomersOnly || s.kindOf(row.Account) == ledger.KindCustomer
			if taken {
				res.Positions = append(res.Positions, s.position(row))
			}
			return taken
		})
	if err != nil {
		return nil, err
	}
	if more {
		res.NextPageToken = place{list: list, a: next.Account, b: next.Instrument, text: next.Currency, known: at.known}.token()
	}
	return connect.NewResponse(res), nil
}

func (s query) position(r positions.Row) *bkv1.Position {
	return &bkv1.Position{
		Account: r.Account, AccountCode: s.codeOf(r.Account), Instrument: r.Instrument, Symbol: s.symbolOf(r.Instrument), Currency: r.Currency,
		Unsettled: r.Unsettled.String(), Settled: r.Settled.String(), TradeDate: r.TradeDate().String(),
		Long: r.Long().String(), Short: r.Short().String(),
		Cost: r.Cost.String(), AverageCost: r.AverageCost().String(), Realised: r.Realised.String(),
	}
}
