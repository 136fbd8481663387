package api

import (
	"context"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/statement"
)

// ListBalances filters what the projection gives by account and instrument; it looks at a bounded number of its pages.
func (s query) ListBalances(ctx context.Context, req *connect.Request[bkv1.ListBalancesRequest]) (*connect.Response[bkv1.ListBalancesResponse], error) {
	m := req.Msg
	list := listOf("balances", m.Account.GetId(), m.Account.GetCode(), m.InstrumentKind, m.CustomersOnly, m.NonZero)
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	kind, rej := wire.InstrumentKindFrom("instrument_kind", m.InstrumentKind)
	if rej != nil {
		return nil, rej
	}
	atLeast, err := s.reach(ctx, m.AtLeast)
	if err == nil {
		err = s.projected(ctx, balances.Name, atLeast)
	}
	if err != nil {
		return nil, err
	}
	size := pageSize(m.PageSize)
	q := balances.Query{NonZero: m.NonZero, After: projections.Key{Account: from.a, Instrument: from.b}, Limit: size, AtLeast: atLeast}
	if m.Account != nil {
		account, err := s.account(wire.AccountRefFrom(m.Account))
		if err != nil {
			return nil, err
		}
		q.Account = account.ID
	}
	res := &bkv1.ListBalancesResponse{}
	for pages, more := 0, true; more; pages++ {
		if pages == scanPages || len(res.Balances) == size {
			res.NextPageToken = pageToken(list, q.After.Account, q.After.Instrument)
			break
		}
		page, err := s.cfg.Balances.Balances(ctx, q)
		if err != nil {
			return nil, err
		}
		if pages == 0 {
			res.Token = page.At.String()
		}
		q.After, more = page.Next, page.More
		for _, row := range page.Rows {
			if len(res.Balances) == size {
				more = true // this row is for the next page
				break
			}
			if b := s.balance(row, kind, m.CustomersOnly); b != nil {
				res.Balances = append(res.Balances, b)
			}
			if len(res.Balances) == size {
				more = more || row.Key != page.Next
				q.After = row.Key
			}
		}
	}
	return connect.NewResponse(res), nil
}

// balance converts a row, or gives nil for one that the filters leave out.
func (s query) balance(row balances.Row, kind ledger.InstrumentKind, customersOnly bool) *bkv1.Balance {
	account, _ := s.cfg.Journal.Directory().Account(ledger.AccountRef{ID: row.Account})
	instrument, _ := s.cfg.Journal.Directory().InstrumentByID(row.Instrument)
	if customersOnly && account.Kind != ledger.KindCustomer || kind != "" && instrument.Kind != kind {
		return nil
	}
	return &bkv1.Balance{
		Account: row.Account, AccountCode: account.Code,
		Instrument: row.Instrument, Symbol: instrument.Symbol, InstrumentKind: wire.InstrumentKind(instrument.Kind),
		Unsettled: row.Unsettled.String(), Settled: row.Settled.String(), TradeDate: row.TradeDate().String(),
	}
}

// TrialBalance sums everything up for each page: what it costs is the reading of all balances, once a page.
func (s query) TrialBalance(ctx context.Context, req *connect.Request[bkv1.TrialBalanceRequest]) (*connect.Response[bkv1.TrialBalanceResponse], error) {
	list := listOf("trial balance")
	from, err := pageFrom(list, req.Msg.PageToken)
	if err != nil {
		return nil, err
	}
	atLeast, err := s.reach(ctx, req.Msg.AtLeast)
	if err == nil {
		err = s.projected(ctx, balances.Name, atLeast)
	}
	if err != nil {
		return nil, err
	}
	trial, err := s.cfg.Balances.TrialBalance(ctx, atLeast, func(id int64) string {
		account, _ := s.cfg.Journal.Directory().Account(ledger.AccountRef{ID: id})
		return string(account.Kind)
	})
	if err != nil {
		return nil, err
	}
	res := &bkv1.TrialBalanceResponse{Token: trial.At.String()}
	size := pageSize(req.Msg.PageSize)
	lines := trial.Lines
	for len(lines) > 0 {
		n := 1
		for n < len(lines) && lines[n].Instrument == lines[0].Instrument {
			n++
		}
		if lines[0].Instrument > from.a {
			if len(res.Rows) == size {
				res.NextPageToken = pageToken(list, res.Rows[size-1].Instrument, 0)
				break
			}
			res.Rows = append(res.Rows, s.trialRow(lines[:n]))
		}
		lines = lines[n:]
	}
	return connect.NewResponse(res), nil
}

// trialRow sums up the lines of one instrument.
func (s query) trialRow(lines []balances.TrialLine) *bkv1.TrialBalanceRow {
	instrument, _ := s.cfg.Journal.Directory().InstrumentByID(lines[0].Instrument)
	row := &bkv1.TrialBalanceRow{
		Instrument: lines[0].Instrument, Symbol: instrument.Symbol, InstrumentKind: wire.InstrumentKind(instrument.Kind),
	}
	var positive, negative ledger.Amount
	for _, l := range lines {
		positive, negative = positive.Add(l.Positive), negative.Add(l.Negative)
		row.Balances += l.Accounts
		row.Kinds = append(row.Kinds, &bkv1.TrialBalanceKind{
			AccountKind: wire.AccountKind(ledger.AccountKind(l.Class)), Balances: l.Accounts,
			Positive: l.Positive.String(), Negative: l.Negative.String(),
		})
	}
	row.Positive, row.Negative, row.Difference = positive.String(), negative.String(), positive.Add(negative).String()
	return row
}

func (s query) GetStatement(ctx context.Context, req *connect.Request[bkv1.GetStatementRequest]) (*connect.Response[bkv1.GetStatementResponse], error) {
	m := req.Msg
	list := listOf("statement", m.Account.GetId(), m.Account.GetCode(), m.Instrument.String(), m.FromDate, m.ToDate)
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	q := statement.Query{
		After: statement.Place{Seq: uint64(from.a), Posting: int(from.b)}, Limit: pageSize(m.PageSize),
		From: ledger.Date(m.FromDate), To: ledger.Date(m.ToDate),
	}
	for _, d := range []struct {
		field string
		date  ledger.Date
	}{{"from_date", q.From}, {"to_date", q.To}} {
		if d.date != 0 && !d.date.Valid() {
			return nil, ledger.Reject(ledger.ReasonInvalid, d.field, "%d is no day", int32(d.date))
		}
	}
	if q.AtLeast, err = s.reach(ctx, m.AtLeast); err != nil {
		return nil, err
	}
	account, err := s.account(wire.AccountRefFrom(m.Account))
	if err != nil {
		return nil, err
	}
	q.Account = account.ID
	if m.Instrument != nil {
		identifier, rej := wire.IdentifierFrom("instrument", m.Instrument)
		if rej != nil {
			return nil, rej
		}
		instrument, ok := s.cfg.Journal.Directory().Instrument(identifier)
		if !ok {
			return nil, ledger.Reject(ledger.ReasonUnknownInstrument, "instrument", "there is no instrument %s", identifier)
		}
		q.Instrument = instrument.ID
	}
	if err := s.projected(ctx, statement.Name, q.AtLeast); err != nil {
		return nil, err
	}
	page, err := s.cfg.Statements.Statement(ctx, q)
	if err != nil {
		return nil, err
	}
	res := &bkv1.GetStatementResponse{Token: page.At.String()}
	if page.More {
		res.NextPageToken = pageToken(list, int64(page.Next.Seq), int64(page.Next.Posting))
	}
	for _, l := range page.Lines {
		res.Lines = append(res.Lines, s.statementLine(l))
	}
	return connect.NewResponse(res), nil
}

func (s query) statementLine(l statement.Line) *bkv1.StatementLine {
	instrument, _ := s.cfg.Journal.Directory().InstrumentByID(l.Instrument)
	return &bkv1.StatementLine{
		EntryId: int64(l.Entry.ID), Sequence: int64(l.Entry.ID.Seq()), BookedAt: timestamppb.New(l.Entry.BookedAt),
		Kind: string(l.Entry.Kind), TradeId: int64(l.Entry.Links.Trade),
		TradeDate: int32(l.Entry.TradeDate), EffectiveDate: int32(l.Entry.EffectiveDate),
		Instrument: l.Instrument, Symbol: instrument.Symbol, Bucket: wire.Bucket(l.Bucket), Quantity: l.Quantity.String(),
		Balance: l.Running().String(), TradeDateBalance: l.Balance.TradeDate().String(),
	}
}
