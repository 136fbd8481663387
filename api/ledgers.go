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
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/statement"
)

// ListBalances filters what the projection gives by account and instrument.
func (s query) ListBalances(ctx context.Context, req *connect.Request[bkv1.ListBalancesRequest]) (*connect.Response[bkv1.ListBalancesResponse], error) {
	m := req.Msg
	list := listOf("balances", m.Account.GetId(), m.Account.GetCode(), m.InstrumentKind, m.CustomersOnly, m.NonZero, m.AsOf, m.KnownAt)
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	kind, rej := wire.InstrumentKindFrom("instrument_kind", m.InstrumentKind)
	if rej != nil {
		return nil, rej
	}
	atLeast, err := s.reach(ctx, m.AtLeast)
	if err != nil {
		return nil, err
	}
	at, err := s.moment(ctx, m.AsOf, m.KnownAt, from.known)
	if err != nil {
		return nil, err
	}
	account, err := s.party(m.Account)
	if err != nil {
		return nil, err
	}
	size := pageSize(m.PageSize)
	res := &bkv1.ListBalancesResponse{}
	take := func(row balances.Row) bool {
		b := s.balance(row.Key, row.Holding, kind, m.CustomersOnly)
		if b != nil {
			res.Balances = append(res.Balances, b)
		}
		return b != nil
	}
	q := balances.Query{Account: account, NonZero: m.NonZero, Limit: size, AtLeast: atLeast}
	read := s.balancesNow
	if at.given() {
		read = s.balancesAt(at)
	}
	next, more, err := collect(size, projections.Key{Account: from.a, Instrument: from.b},
		func(after projections.Key) ([]balances.Row, projections.Key, bool, error) {
			q.After = after
			page, err := read(ctx, q)
			if res.Token == "" {
				res.Token = page.At.String()
			}
			return page.Rows, page.Next, page.More, err
		}, func(row balances.Row) projections.Key { return row.Key }, take)
	if err != nil {
		return nil, err
	}
	if more {
		res.NextPageToken = place{list: list, a: next.Account, b: next.Instrument, known: at.known}.token()
	}
	return connect.NewResponse(res), nil
}

// balancesNow reads all balances as they are.
func (s query) balancesNow(ctx context.Context, q balances.Query) (balances.Page, error) {
	if err := s.projected(ctx, balances.Name, q.AtLeast); err != nil {
		return balances.Page{}, err
	}
	return s.read.balances.Balances(ctx, q)
}

// balancesAt reads an account's balances as of a moment: all of them for each page, since they are sums over the account's movements.
func (s query) balancesAt(at moment) func(context.Context, balances.Query) (balances.Page, error) {
	return func(ctx context.Context, q balances.Query) (page balances.Page, err error) {
		if err := s.projected(ctx, daily.Name, max(q.AtLeast, at.known)); err != nil {
			return page, err
		}
		rows, token, err := s.read.daily.Balances(ctx, daily.Query{Account: q.Account, AsOf: at.asOf, KnownAt: at.known, AtLeast: q.AtLeast})
		if err != nil {
			return page, err
		}
		page = balances.Page{At: token, Next: q.After}
		for _, row := range rows {
			if row.Key.Compare(q.After) <= 0 {
				continue
			}
			if page.More = len(page.Rows) == q.Limit; page.More {
				break
			}
			page.Rows, page.Next = append(page.Rows, balances.Row(row)), row.Key
		}
		return page, nil
	}
}

// balance converts a row, or gives nil for one that the filters leave out.
func (s query) balance(key projections.Key, h projections.Holding, kind ledger.InstrumentKind, customersOnly bool) *bkv1.Balance {
	account, _ := s.cfg.Journal.Directory().Account(ledger.AccountRef{ID: key.Account})
	instrument, _ := s.cfg.Journal.Directory().InstrumentByID(key.Instrument)
	if customersOnly && account.Kind != ledger.KindCustomer || kind != "" && instrument.Kind != kind {
		return nil
	}
	return &bkv1.Balance{
		Account: key.Account, AccountCode: account.Code,
		Instrument: key.Instrument, Symbol: instrument.Symbol, InstrumentKind: wire.InstrumentKind(instrument.Kind),
		Unsettled: h.Unsettled.String(), Settled: h.Settled.String(), TradeDate: h.TradeDate().String(),
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
	trial, err := s.read.balances.TrialBalance(ctx, atLeast, func(id int64) string {
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
	list := listOf("statement", m.Account.GetId(), m.Account.GetCode(), m.Instrument.String(), m.FromDate, m.ToDate, m.AsOf, m.KnownAt, m.Entries)
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
		if rej := realDay(d.field, d.date); rej != nil {
			return nil, rej
		}
	}
	if q.Entries, err = s.chosen(m); err != nil {
		return nil, err
	}
	if q.AtLeast, err = s.reach(ctx, m.AtLeast); err != nil {
		return nil, err
	}
	account, err := s.account(wire.AccountRefFrom(m.Account))
	if err != nil {
		return nil, err
	}
	instrument, err := s.instrument("instrument", m.Instrument)
	if err != nil {
		return nil, err
	}
	q.Account, q.Instrument = account.ID, instrument.ID
	at, err := s.moment(ctx, m.AsOf, m.KnownAt, from.known)
	if err != nil {
		return nil, err
	}
	q.AsOf, q.KnownAt = at.asOf, at.known
	if err := s.projected(ctx, statement.Name, max(q.AtLeast, q.KnownAt)); err != nil {
		return nil, err
	}
	page, err := s.read.statements.Statement(ctx, q)
	if err != nil {
		return nil, err
	}
	res := &bkv1.GetStatementResponse{Token: page.At.String()}
	if page.More {
		res.NextPageToken = place{list: list, a: int64(page.Next.Seq), b: int64(page.Next.Posting), known: at.known}.token()
	}
	for _, l := range page.Lines {
		res.Lines = append(res.Lines, s.statementLine(l))
	}
	return connect.NewResponse(res), nil
}

// chosen gives the sequence numbers of the entries that a statement is asked for; none is all.
func (s query) chosen(m *bkv1.GetStatementRequest) ([]uint64, error) {
	if len(m.Entries) == 0 {
		return nil, nil
	}
	if m.FromDate != 0 || m.ToDate != 0 || m.AsOf != 0 {
		return nil, ledger.Reject(ledger.ReasonInvalid, "entries", "not with from_date, to_date or as_of")
	}
	here := s.cfg.Journal.Head().Shard
	seqs := make([]uint64, len(m.Entries))
	for i, n := range m.Entries {
		id := ledger.ID(n)
		if id.Shard() != here {
			return nil, ledger.Reject(ledger.ReasonInvalid, indexed("entries", i), "is of shard %d, this server has shard %d", id.Shard(), here)
		}
		if i > 0 && n <= m.Entries[i-1] {
			return nil, ledger.Reject(ledger.ReasonInvalid, indexed("entries", i), "%d does not come after %d: they are to ascend", n, m.Entries[i-1])
		}
		seqs[i] = id.Seq()
	}
	return seqs, nil
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
