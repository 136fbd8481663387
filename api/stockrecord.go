package api

import (
	"context"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/stockrecord"
)

// GetStockRecord gives the balances of one security, by account.
func (s query) GetStockRecord(ctx context.Context, req *connect.Request[bkv1.GetStockRecordRequest]) (*connect.Response[bkv1.GetStockRecordResponse], error) {
	m := req.Msg
	list := listOf("stock record", m.Instrument.String())
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	q := stockrecord.Query{NonZero: true, After: from.a, Limit: pageSize(m.PageSize)}
	if q.AtLeast, err = s.reach(ctx, m.AtLeast); err != nil {
		return nil, err
	}
	security, err := s.security(m.Instrument)
	if err != nil {
		return nil, err
	}
	q.Instrument = security.ID
	if err := s.projected(ctx, balances.Name, q.AtLeast); err != nil {
		return nil, err
	}
	page, err := s.read.stockRecords.Record(ctx, q)
	if err != nil {
		return nil, err
	}
	res := &bkv1.GetStockRecordResponse{Token: page.At.String()}
	if page.More {
		res.NextPageToken = pageToken(list, page.Next, 0)
	}
	for _, row := range page.Rows {
		res.Rows = append(res.Rows, &bkv1.StockRecordRow{
			Account: row.Account, AccountCode: s.codeOf(row.Account), AccountKind: wire.AccountKind(s.kindOf(row.Account)),
			Unsettled: row.Unsettled.String(), Settled: row.Settled.String(), TradeDate: row.TradeDate().String(),
		})
	}
	return connect.NewResponse(res), nil
}

// security finds the security that a request names; none is the zero instrument.
func (s *Server) security(id *bkv1.Identifier) (ledger.Instrument, error) {
	in, err := s.instrument("instrument", id)
	if err == nil && in.Kind == ledger.KindCurrency {
		err = ledger.Reject(ledger.ReasonInvalid, "instrument", "%s is a currency: it has no stock record", in.Symbol)
	}
	return in, err
}

// ListStockRecords sums the balances up by security. Currencies, which the projection sums up too, are the trial balance's.
func (s query) ListStockRecords(ctx context.Context, req *connect.Request[bkv1.ListStockRecordsRequest]) (*connect.Response[bkv1.ListStockRecordsResponse], error) {
	m := req.Msg
	list := listOf("stock records", m.Instrument.String())
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	q := stockrecord.TotalsQuery{Limit: pageSize(m.PageSize)}
	if q.AtLeast, err = s.reach(ctx, m.AtLeast); err != nil {
		return nil, err
	}
	security, err := s.security(m.Instrument)
	if err != nil {
		return nil, err
	}
	q.Instrument = security.ID
	if err := s.projected(ctx, balances.Name, q.AtLeast); err != nil {
		return nil, err
	}
	res := &bkv1.ListStockRecordsResponse{}
	next, more, err := collect(q.Limit, from.a,
		func(after int64) ([]stockrecord.Line, int64, bool, error) {
			q.After = after
			page, err := s.read.stockRecords.Totals(ctx, q)
			if res.Token == "" {
				res.Token = page.At.String()
			}
			return page.Lines, page.Next, page.More, err
		},
		func(line stockrecord.Line) int64 { return line.Instrument },
		func(line stockrecord.Line) bool {
			in, _ := s.cfg.Journal.Directory().InstrumentByID(line.Instrument)
			taken := in.Kind == ledger.KindSecurity
			if taken {
				res.Totals = append(res.Totals, stockTotal(in, line))
			}
			return taken
		})
	if err != nil {
		return nil, err
	}
	if more {
		res.NextPageToken = pageToken(list, next, 0)
	}
	return connect.NewResponse(res), nil
}

func stockTotal(in ledger.Instrument, l stockrecord.Line) *bkv1.StockRecordTotal {
	out := &bkv1.StockRecordTotal{
		Instrument: in.ID, Symbol: in.Symbol, Long: l.Long().String(), Short: l.Short().String(),
		Located: l.Located().String(), Difference: l.Difference().String(),
	}
	for _, k := range l.Kinds {
		if k.Accounts > 0 {
			out.Kinds = append(out.Kinds, &bkv1.StockRecordKind{
				AccountKind: wire.AccountKind(k.Kind), Accounts: k.Accounts, Long: k.Long.String(), Short: k.Short.String(),
			})
		}
	}
	return out
}
