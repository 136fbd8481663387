package books

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/bankmap"
)

// pageKey is a place in a list.
type pageKey struct {
	account bank.ID // 0: the accounts themselves
	date    bank.Date
	state   string
	after   bank.ID
}

// AccountTrades gives a page of an account's trades, see [front.Ledger].
func (b *Ledger) AccountTrades(ctx context.Context, account bank.ID, filter front.TradeFilter, after bank.ID, limit int) ([]bank.AccountTrade, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return nil, err
	}
	if filter.Date == 0 {
		var err error
		if filter.Date, err = b.BusinessDate(ctx); err != nil || filter.Date == 0 {
			return nil, err
		}
	}
	trades, err := b.accountTrades(ctx, account, filter, after, limit)
	if err == nil {
		trades, err = b.withArchived(ctx, trades, account, filter, after, limit)
	}
	if err != nil {
		return nil, b.internal(ctx, "read an account's trades", err)
	}
	return trades, nil
}

func (b *Ledger) accountTrades(ctx context.Context, account bank.ID, filter front.TradeFilter, after bank.ID, limit int) ([]bank.AccountTrade, error) {
	strays, err := b.straysOf(ctx, account, filter.Date)
	if err != nil {
		return nil, err
	}
	since := b.places.now()
	place := pageKey{account, filter.Date, filter.State, after}
	size := int32(max(1, min(pageRows, 2*limit)))
	question := &bkv1.ListTradesRequest{
		Account: bankmap.AccountRef(account), FromDate: int32(filter.Date), ToDate: int32(filter.Date), States: bankmap.States(filter.State),
		PageSize: &size, AtLeast: atHead,
	}
	if after != 0 {
		question.PageToken, _ = b.places.get(place) // without it, from the first one on
	}
	begin := question.PageToken
	rows, err := b.inOrder(ctx, question, strays, after, limit)
	if err == nil && len(strays) > 0 {
		rows, err = b.withStrays(ctx, rows, strays, question.States, after, limit, begin)
	}
	if err != nil {
		return nil, err
	}
	found, booked := make([]*bkv1.TradeSummary, len(rows)), make([]*booking, len(rows))
	for i, row := range rows {
		found[i], booked[i] = row.summary, row.booked
		if place.after = row.booked.id; i >= limit-2 { // the next page goes on behind one of the last two, and reads BK's page again
			b.places.put(since, place, row.token)
		}
	}
	return b.withRunning(ctx, account, found, booked)
}

// inOrder reads trades behind after, limit of them at most, from the page on that the question names. Their ids ascend as BK's do: strays are left out.
func (b *Ledger) inOrder(ctx context.Context, question *bkv1.ListTradesRequest, strays []stray, after bank.ID, limit int) (rows []listed, err error) {
	left := make(map[int64]bool, len(strays))
	for _, s := range strays {
		left[s.bk] = true
	}
	for {
		answer, err := read(ctx, b, b.cfg.Client.Query.ListTrades, question)
		if err != nil {
			return nil, err
		}
		bookings, err := b.bookingsOf(ctx, answer.Trades)
		if err != nil {
			return nil, err
		}
		for i, t := range answer.Trades {
			if bookings[i] == nil || bookings[i].id <= after || left[t.Id] {
				continue
			}
			if rows = append(rows, listed{t, bookings[i], question.PageToken}); len(rows) == limit {
				return rows, nil
			}
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return rows, nil
		}
	}
}

// bookingsOf gives the bookings of trades, several at once.
func (b *Ledger) bookingsOf(ctx context.Context, trades []*bkv1.TradeSummary) ([]*booking, error) {
	ids := make([]int64, len(trades))
	for i, t := range trades {
		ids[i] = t.Id
	}
	return b.manyBookings(ctx, ids)
}

func (b *Ledger) manyBookings(ctx context.Context, ids []int64) ([]*booking, error) {
	found := make([]*booking, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookUps)
	for i, id := range ids {
		var known bool
		if found[i], known = b.bookings.get(id); known || id == 0 {
			continue
		}
		group.Go(func() (err error) {
			found[i], err = b.booking(ctx, id)
			return err
		})
	}
	return found, group.Wait()
}

// AccountTrade gives a trade as one of its accounts sees it, see [front.Ledger].
func (b *Ledger) AccountTrade(ctx context.Context, account, trade bank.ID) (bank.AccountTrade, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return bank.AccountTrade{}, err
	}
	ref := bank.TradeRef{TradeID: trade}
	answer, err := b.whole(ctx, ref)
	var booked *booking
	if err == nil && answer != nil {
		booked, err = b.bookingOf(ctx, answer.Entries[0])
	}
	if err != nil {
		return bank.AccountTrade{}, b.internal(ctx, "read a trade", err)
	}
	if answer == nil {
		return b.archivedAccountTrade(ctx, account, trade)
	}
	if booked == nil || booked.trade.AccountID != account && answer.Trade.Trade.Target.GetId() != int64(account) {
		return bank.AccountTrade{}, bank.NoTradeOf(account, trade)
	}
	found, err := b.withRunning(ctx, account, []*bkv1.TradeSummary{summaryOf(answer)}, []*booking{booked})
	if err != nil {
		return bank.AccountTrade{}, b.internal(ctx, "read a running position", err)
	}
	return found[0], nil
}

// runningKey names an account's position right after an entry, in the security of the trade that the entry opened.
type runningKey struct {
	account bank.ID
	entry   int64
}

// withRunning adds the positions right after the trades opened.
func (b *Ledger) withRunning(ctx context.Context, account bank.ID, trades []*bkv1.TradeSummary, booked []*booking) ([]bank.AccountTrade, error) {
	positions := make(map[int64]bank.Decimal, len(trades))
	if err := b.archivedRunning(ctx, account, trades, booked, positions); err != nil {
		return nil, err
	}
	var missing []int64
	for _, t := range trades {
		if _, archived := positions[t.OpenedBy]; archived {
			continue
		}
		if position, ok := b.running.get(runningKey{account, t.OpenedBy}); ok {
			positions[t.OpenedBy] = position
		} else if t.OpenedBy != 0 {
			missing = append(missing, t.OpenedBy)
		}
	}
	if err := b.readRunning(ctx, account, missing, positions); err != nil {
		return nil, err
	}
	out := make([]bank.AccountTrade, len(trades))
	for i, t := range trades {
		var running *bank.Decimal
		if t.OpenedBy != 0 {
			position, ok := positions[t.OpenedBy]
			if !ok {
				return nil, fmt.Errorf("BK has no posting of entry %d on account %d", t.OpenedBy, account)
			}
			running = &position
		}
		out[i] = bankmap.AccountTrade(booked[i].id, account, &booked[i].trade, running)
	}
	return out, nil
}

// readRunning reads positions right after entries that opened trades.
func (b *Ledger) readRunning(ctx context.Context, account bank.ID, entries []int64, to map[int64]bank.Decimal) error {
	since := b.running.now()
	slices.Sort(entries)
	entries = slices.Compact(entries)
	for len(entries) > 0 {
		n := min(len(entries), pageRows)
		size := int32(pageRows)
		question := &bkv1.GetStatementRequest{
			Account: bankmap.AccountRef(account), Entries: entries[:n], PageSize: &size, AtLeast: atHead,
		}
		for {
			answer, err := read(ctx, b, b.cfg.Client.Query.GetStatement, question)
			if err != nil {
				return err
			}
			for _, line := range answer.Lines {
				symbol, _, err := b.symbols.name(ctx, line.Instrument)
				if err != nil {
					return err
				}
				if symbol == "" {
					continue // the trade's cash
				}
				if to[line.EntryId], err = bankmap.Decimal(line.TradeDateBalance); err != nil {
					return fmt.Errorf("the running position after entry %d: %w", line.EntryId, err)
				}
				b.running.put(since, runningKey{account, line.EntryId}, to[line.EntryId])
			}
			if question.PageToken = answer.NextPageToken; question.PageToken == "" {
				break
			}
		}
		entries = entries[n:]
	}
	return nil
}
