package books

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

const (
	pageRows = 1000 // rows that are asked for at a time
	atHead   = "head"
)

// bkSide reads BK.
type bkSide struct {
	client   *client.Client
	names    Names
	w        *warehouse
	patience time.Duration
	parallel int
	journal  *reader
}

func newBKSide(c Config, w *warehouse) *bkSide {
	b := &bkSide{client: c.BK, names: c.Names, w: w, patience: c.Patience, parallel: c.Parallel}
	b.journal = &reader{
		bk: b, accounts: map[bank.ID]bool{}, names: map[int64]string{}, codes: map[int64]string{}, booked: map[int64]bool{}, days: map[int32]struct{}{}, dates: map[bank.ID]int32{},
	}
	return b
}

// ask calls BK, again where it can't answer at the moment.
func ask[Req, Res any](ctx context.Context, b *bkSide, call func(context.Context, *connect.Request[Req]) (*connect.Response[Res], error), question *Req) (*Res, error) {
	const first, longest = 20 * time.Millisecond, time.Second
	deadline := time.Now().Add(b.patience)
	for pause := first; ; pause = min(2*pause, longest) {
		answer, err := call(ctx, connect.NewRequest(question))
		if err == nil {
			return answer.Msg, nil
		}
		if !client.Retryable(err) || ctx.Err() != nil || time.Now().Add(pause).After(deadline) {
			return nil, fmt.Errorf("ask BK: %s: %w", client.Describe(err), err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// head gives BK's place now.
func (b *bkSide) head(ctx context.Context) (token string, sequence int64, err error) {
	answer, err := ask(ctx, b, b.client.Query.GetBusinessDate, &bkv1.GetBusinessDateRequest{AtLeast: atHead})
	if err != nil {
		return "", 0, fmt.Errorf("how far BK has come: %w", err)
	}
	sequence, err = place(answer.Token)
	return answer.Token, sequence, err
}

// place reads a token of BK's, shard:sequence.
func place(token string) (int64, error) {
	_, digits, ok := strings.Cut(token, ":")
	sequence, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("BK gave %q, which is no place in its journal", token)
	}
	return sequence, nil
}

// load lands what BK has, as known at its journal's head: the journal behind what is landed, and of some accounts, or of all where they are nil, the projections.
func (b *bkSide) load(ctx context.Context, accounts []int64) (landed int64, err error) {
	token, sequence, err := b.head(ctx)
	if err != nil {
		return 0, err
	}
	b.journal.token = token
	if landed, err = b.journal.read(ctx, sequence); err != nil {
		return landed, err
	}
	date, err := b.names.Date(ctx, sequence)
	if err != nil {
		return landed, err
	}
	l := &loading{bkSide: b, sinks: map[string]*sink{}}
	if err := l.add(ctx, dateTable, sideBK, int32(date)); err != nil {
		return landed, err
	}
	if err := l.cuts(ctx); err != nil {
		return landed, fmt.Errorf("BK's cuts: %w", err)
	}
	if accounts == nil {
		err = l.account(ctx, nil)
	} else {
		err = l.each(ctx, accounts)
	}
	if err == nil && b.journal.opening > 0 {
		err = l.archived(ctx, accounts)
	}
	for _, s := range l.sinks {
		if err == nil {
			err = s.flush(ctx)
		}
		landed += s.landed
	}
	return landed, err
}

// loading lands projections, from several goroutines.
type loading struct {
	*bkSide
	mu    sync.Mutex
	sinks map[string]*sink
}

func (l *loading) add(ctx context.Context, name string, row ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sinks[name] == nil {
		for _, t := range tables() {
			if t.Name == name {
				l.sinks[name] = l.w.into(t)
			}
		}
	}
	return l.sinks[name].add(ctx, row...)
}

func (l *loading) each(ctx context.Context, accounts []int64) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(l.parallel)
	for _, id := range accounts {
		if !l.journal.accounts[bank.ID(id)] {
			continue
		}
		group.Go(func() error { return l.account(ctx, bankmap.AccountRef(bank.ID(id))) })
	}
	return group.Wait()
}

// account lands an account's trades, positions and cash; those of all accounts where it is nil.
func (l *loading) account(ctx context.Context, of *bkv1.AccountRef) error {
	for what, land := range map[string]func(context.Context, *bkv1.AccountRef) error{"trades": l.trades, "positions": l.positions, "cash": l.cash} {
		if err := land(ctx, of); err != nil {
			return fmt.Errorf("BK's %s: %w", what, err)
		}
	}
	return nil
}

func (l *loading) trades(ctx context.Context, of *bkv1.AccountRef) error {
	size := int32(pageRows)
	question := &bkv1.ListTradesRequest{Account: of, KnownAt: l.journal.token, PageSize: &size}
	for {
		answer, err := ask(ctx, l.bkSide, l.client.Query.ListTrades, question)
		if err != nil {
			return err
		}
		for _, t := range answer.Trades {
			if of != nil && t.Account != of.Id || !l.journal.accounts[bank.ID(t.Account)] {
				continue // the other account of it; or none of Bank's
			}
			symbol, _, err := l.journal.symbol(t.Instrument)
			if err != nil {
				return err
			}
			var target any
			if t.Target != 0 {
				target = t.Target
			}
			direction := bank.Buy
			if t.Direction == bkv1.Direction_DIRECTION_SELL {
				direction = bank.Sell
			}
			err = l.add(ctx, summaryTable, t.Id, bankmap.State(t.State), t.Account, target, t.TradeDate, t.SettleDate, symbol, t.Currency, direction,
				t.Quantity, t.Price, orZero(t.Commission), orZero(t.Accrued), orZero(t.Gross), orZero(t.SecFee), orZero(t.TafFee), orZero(t.Net), t.CanceledBy, t.ReplacedBy, t.Corrects)
			if err != nil {
				return err
			}
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return nil
		}
	}
}

// archived lands trades that are over, as they stand.
func (l *loading) archived(ctx context.Context, accounts []int64) error {
	err := l.names.ArchivedTrades(ctx, accounts, func(t *bank.StoredTrade) error {
		accrued := "0"
		if t.Interest != nil {
			accrued = t.Interest.Accrued.String()
		}
		var canceled any
		if t.CanceledAt != nil {
			canceled = *t.CanceledAt
		}
		link := func(id *bank.ID) any {
			if id == nil {
				return nil
			}
			return int64(*id)
		}
		return l.add(ctx, tradeTable, sideBK, int64(t.TradeID), nil, t.State, int64(t.AccountID), orNull(t.TargetAccountID), int32(t.Date), int32(t.SettleDate), t.Instrument.Identifier,
			t.Settlement.Currency, t.Side.Direction, t.Quantity.String(), t.Price.String(), t.Fees.Commission.String(), accrued, t.GrossAmount.String(), t.SECFee.String(), t.TAFFee.String(),
			t.NetAmount.String(), t.BookedAt, canceled, link(t.ReplacedBy), link(t.Replaces), string(t.Trade.AppendJSON(nil)))
	})
	if err != nil {
		return fmt.Errorf("archived trades: %w", err)
	}
	return nil
}

// positions of one account are as known at the place; those of all may be of a little later, where somebody writes.
func (l *loading) positions(ctx context.Context, of *bkv1.AccountRef) error {
	size := int32(pageRows)
	question := &bkv1.ListBalancesRequest{Account: of, InstrumentKind: bkv1.InstrumentKind_INSTRUMENT_KIND_SECURITY, NonZero: true, PageSize: &size}
	if of == nil {
		question.CustomersOnly, question.AtLeast = true, l.journal.token
	} else {
		question.KnownAt = l.journal.token
	}
	for {
		answer, err := ask(ctx, l.bkSide, l.client.Query.ListBalances, question)
		if err != nil {
			return err
		}
		for _, row := range answer.Balances {
			if !l.journal.accounts[bank.ID(row.Account)] {
				continue
			}
			symbol, _, err := l.journal.symbol(row.Instrument)
			if err != nil {
				continue // defined behind the place
			}
			if err := l.add(ctx, positionTable, sideBK, row.Account, symbol, row.TradeDate, row.Settled); err != nil {
				return err
			}
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return nil
		}
	}
}

func (l *loading) cash(ctx context.Context, of *bkv1.AccountRef) error {
	size := int32(pageRows)
	question := &bkv1.ListCashRequest{Account: of, CustomersOnly: of == nil, NonZero: true, PageSize: &size, AtLeast: l.journal.token}
	for {
		answer, err := ask(ctx, l.bkSide, l.client.Query.ListCash, question)
		if err != nil {
			return err
		}
		for _, row := range answer.Cash {
			if !l.journal.accounts[bank.ID(row.Account)] {
				continue
			}
			if err := l.add(ctx, balanceTable, sideBK, row.Account, row.Currency, orZero(row.Settled), orZero(row.Debits), orZero(row.Credits), orZero(row.TradeDate)); err != nil {
				return err
			}
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return nil
		}
	}
}

// cuts lands those of days that have ended since the last time: they never change.
func (l *loading) cuts(ctx context.Context) error {
	size := int32(pageRows)
	question := &bkv1.ListCutsRequest{PageSize: &size, AtLeast: l.journal.token}
	for {
		answer, err := ask(ctx, l.bkSide, l.client.Query.ListCuts, question)
		if err != nil {
			return err
		}
		for _, day := range answer.Cuts {
			end, err := place(day.Token)
			if err != nil {
				return err
			}
			if _, done := l.journal.days[day.Date]; done || end > l.journal.place {
				continue
			}
			if err := l.cut(ctx, day.Date); err != nil {
				return fmt.Errorf("of %d: %w", day.Date, err)
			}
			if err := l.add(ctx, dayTable, day.Date, end); err != nil {
				return err
			}
			l.journal.days[day.Date] = struct{}{}
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return nil
		}
	}
}

func (l *loading) cut(ctx context.Context, date int32) error {
	size := int32(pageRows)
	question := &bkv1.ListCutRowsRequest{Date: date, PageSize: &size, AtLeast: l.journal.token}
	for {
		answer, err := ask(ctx, l.bkSide, l.client.Query.ListCutRows, question)
		if err != nil {
			return err
		}
		for _, row := range answer.Rows {
			if !l.journal.accounts[bank.ID(row.Account)] {
				continue
			}
			symbol, currency, err := l.journal.symbol(row.Instrument)
			if err != nil {
				return err
			}
			if err := l.add(ctx, cutTable, date, row.Account, symbol, currency, orZero(row.TradeDate), orZero(row.Settled)); err != nil {
				return err
			}
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return nil
		}
	}
}

// orZero gives a decimal of BK, in which "" is zero.
func orZero(decimal string) string {
	if decimal == "" {
		return "0"
	}
	return decimal
}
