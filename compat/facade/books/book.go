package books

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/books/archive"
)

// lookUps is how many questions one call asks BK at once.
const lookUps = 16

// BookTrades books trades, see [front.Ledger].
func (b *Ledger) BookTrades(ctx context.Context, trades []bank.Trade) ([]bank.Booked, error) {
	b.minting.RLock()
	defer b.minting.RUnlock()
	if !b.cfg.IDs.minting() {
		return nil, bank.Errorf(bank.Internal, "BK books nothing first at the moment; nothing was booked")
	}
	commands, err := b.prepare(ctx, trades)
	if err != nil {
		return nil, b.internal(ctx, "prepare trades; nothing was booked", err)
	}
	archived, err := b.archivedOf(ctx, trades)
	if err != nil {
		return nil, b.internal(ctx, "look for trades in the archive; nothing was booked", err)
	}
	receipts, err := b.bookAll(ctx, trades, commands, archived)
	if err != nil {
		return nil, err
	}
	booked := make([]bank.Booked, len(trades))
	for i, r := range receipts {
		if over := archived[i]; over != nil {
			booked[i] = bank.Booked{ClientTradeID: trades[i].ClientTradeID, TradeID: over.ID}
			continue
		}
		id, err := b.tradeID(ctx, r)
		if err != nil { // the booking stands
			b.cfg.Log.ErrorContext(ctx, "a trade's id can't be found", "entry", r.TradeId, "error", err)
			return nil, unknown()
		}
		booked[i] = bank.Booked{ClientTradeID: trades[i].ClientTradeID, TradeID: id}
	}
	return booked, nil
}

// tradeID gives Bank's id of the trade of a receipt.
func (b *Ledger) tradeID(ctx context.Context, r *bkv1.Receipt) (bank.ID, error) {
	if !r.Repeat {
		if id, ok := b.cfg.IDs.trade(r.TradeId); ok {
			return id, nil
		}
	}
	booked, err := b.booking(ctx, r.TradeId)
	if err != nil {
		return 0, err
	}
	if booked == nil {
		return 0, fmt.Errorf("entry %d books no trade of Bank's", r.TradeId)
	}
	return booked.id, nil
}

// bookAll books all or none. BK decides element by element as the contract has it: conflict, unknown account, replaced trade. Only what it calls a conflict may
// be none to Bank, since two commands may differ where the requests don't.
// Elements that are archived are not booked: BK is to refuse those that conflict, at their place among the others.
func (b *Ledger) bookAll(ctx context.Context, trades []bank.Trade, commands []*bkv1.Command, archived map[int]*archive.Trade) ([]*bkv1.Receipt, error) {
	receipts := make([]*bkv1.Receipt, len(trades))
	var open []int
	for i := range trades {
		over := archived[i]
		if over != nil && over.Content == archive.HashTrade(&trades[i]) {
			continue
		}
		if over != nil {
			commands[i].Replaces = &bkv1.Replaces{Key: bankmap.TradeKey(trades[i].AccountID, ""), UnlessSettled: true} // no client's id is empty
		}
		open = append(open, i)
	}
	same := map[int]int{} // elements that are the same as an earlier one of the call, though their commands differ
	for len(open) > 0 {
		rest := make([]*bkv1.Command, len(open))
		for n, i := range open {
			rest[n] = commands[i]
		}
		var outcomes []outcome
		if len(rest) == 1 {
			outcomes = []outcome{b.one(ctx, rest[0])}
		} else {
			outcomes = b.send(ctx, bkv1.BatchMode_BATCH_MODE_ATOMIC, rest, time.Now())
		}
		failure, err := outcomes[0].failure, outcomes[0].err
		if err != nil {
			return nil, err
		}
		if failure == nil {
			for n, i := range open {
				receipts[i] = outcomes[n].receipt
			}
			break
		}
		i := open[min(failure.Index, len(open)-1)]
		if len(rest) == 1 {
			i = open[0]
		}
		if archived[i] != nil {
			return nil, bank.OtherTrade(&trades[i])
		}
		known, err := b.conflicts(ctx, trades, open, i, *failure, receipts, same)
		if err != nil {
			return nil, err
		}
		open = known
	}
	for i, j := range same {
		receipts[i] = receipts[j]
	}
	return receipts, nil
}

// conflicts decides a failure of element i. If it is a conflict to BK alone, it gives what is still to be booked, without what is there already.
func (b *Ledger) conflicts(
	ctx context.Context, trades []bank.Trade, open []int, i int, failure bankmap.Failure, receipts []*bkv1.Receipt, same map[int]int,
) (rest []int, err error) {
	if failure.Reason != bankmap.ReasonKeyConflict {
		if err := b.replacesSettled(ctx, trades, i, failure); err != nil {
			return nil, err
		}
		if told := failure.OfTrade(i, &trades[i]); told != nil {
			return nil, told
		}
		b.cfg.Log.ErrorContext(ctx, "BK refused a trade for a reason of its own", "reason", failure.Reason, "field", failure.Field, "message", failure.Message)
		return nil, bank.Errorf(bank.Internal, "BK refused trades[%d].%s: %s; nothing was booked", i, failure.Field, failure.Message)
	}
	stored, err := b.stored(ctx, trades, open)
	if err != nil {
		return nil, b.internal(ctx, "compare trades with what is booked; nothing was booked", err)
	}
	first := map[string]int{}
	for _, n := range open {
		key := bankmap.TradeKey(trades[n].AccountID, trades[n].ClientTradeID)
		earlier, again := first[key]
		there := stored[n]
		switch {
		case there != nil && there.Trade.Same(&trades[n]):
			receipts[n] = &bkv1.Receipt{TradeId: there.bk, Repeat: true}
		case there == nil && again && trades[earlier].Same(&trades[n]):
			same[n] = earlier
		case n == i:
			if told := failure.OfTrade(i, &trades[i]); told != nil {
				return nil, told
			}
			return nil, bank.Errorf(bank.Internal, "BK refused trades[%d]: %s; nothing was booked", i, failure.Message)
		default:
			rest = append(rest, n)
		}
		if !again {
			first[key] = n
		}
	}
	return rest, nil
}

// storedTrade is a trade as it stands, with BK's id of it.
type storedTrade struct {
	bank.StoredTrade
	bk int64
}

// stored gives what is booked under the names of the elements of a call, nil where nothing is.
func (b *Ledger) stored(ctx context.Context, trades []bank.Trade, elements []int) (map[int]*storedTrade, error) {
	found := make([]*storedTrade, len(elements))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookUps)
	for n, i := range elements {
		group.Go(func() (err error) {
			found[n], err = b.storedTrade(ctx, bank.TradeRef{AccountID: trades[i].AccountID, ClientTradeID: trades[i].ClientTradeID})
			return err
		})
	}
	err := group.Wait()
	all := make(map[int]*storedTrade, len(elements))
	for n, i := range elements {
		if found[n] != nil {
			all[i] = found[n]
		}
	}
	return all, err
}
