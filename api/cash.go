package api

import (
	"context"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/cash"
)

// ListCash filters what the projection gives by kind of account.
func (s query) ListCash(ctx context.Context, req *connect.Request[bkv1.ListCashRequest]) (*connect.Response[bkv1.ListCashResponse], error) {
	m := req.Msg
	list := listOf("cash", m.Account.GetId(), m.Account.GetCode(), m.CustomersOnly, m.NonZero)
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	q := cash.Query{NonZero: m.NonZero, Limit: pageSize(m.PageSize)}
	if q.AtLeast, err = s.reach(ctx, m.AtLeast); err != nil {
		return nil, err
	}
	if q.Account, err = s.party(m.Account); err != nil {
		return nil, err
	}
	if err := s.projected(ctx, cash.Name, q.AtLeast); err != nil {
		return nil, err
	}
	res := &bkv1.ListCashResponse{}
	next, more, err := collect(q.Limit, projections.Key{Account: from.a, Instrument: from.b},
		func(after projections.Key) ([]cash.Row, projections.Key, bool, error) {
			q.After = after
			page, err := s.read.cash.Cash(ctx, q)
			if res.Token == "" {
				res.Token = page.At.String()
			}
			return page.Rows, page.Next, page.More, err
		},
		func(row cash.Row) projections.Key { return row.Key },
		func(row cash.Row) bool {
			taken := !m.CustomersOnly || s.kindOf(row.Account) == ledger.KindCustomer
			if taken {
				res.Cash = append(res.Cash, s.cash(row))
			}
			return taken
		})
	if err != nil {
		return nil, err
	}
	if more {
		res.NextPageToken = pageToken(list, next.Account, next.Instrument)
	}
	return connect.NewResponse(res), nil
}

func (s query) cash(r cash.Row) *bkv1.Cash {
	out := &bkv1.Cash{
		Account: r.Account, AccountCode: s.codeOf(r.Account), Instrument: r.Instrument, Currency: s.symbolOf(r.Instrument),
		Settled: r.Settled.String(), Unsettled: r.Unsettled.String(), TradeDate: r.TradeDate().String(),
		Debits: r.Debits.String(), Credits: r.Credits.String(),
	}
	for _, d := range r.Dates {
		out.Dates = append(out.Dates, &bkv1.CashDate{SettleDate: int32(d.SettleDate), Debits: d.Debits.String(), Credits: d.Credits.String()})
	}
	return out
}
