package books

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/books/script"
)

// replayWork is a call of ReplayAll.
type replayWork struct {
	b        *Ledger
	replays  []bank.Replay
	places   map[bank.ID]int // of trades that the call books, by Bank's id
	commands []*bkv1.Command
	receipts []*bkv1.Receipt
}

// prepare makes the commands.
func (w *replayWork) prepare(ctx context.Context) error {
	var trades []bank.Trade
	for i, r := range w.replays {
		if r.Request != nil {
			if earlier, again := w.places[r.TradeID]; again && !w.replays[earlier].Request.Same(r.Request) {
				return &ReplayError{i, bank.Errorf(bank.Conflict, "trade_id: %d stands twice in the call", r.TradeID)}
			}
			w.places[r.TradeID] = i
			trades = append(trades, *r.Request)
		}
	}
	if err := w.checkIDs(ctx); err != nil {
		return err
	}
	booking, err := w.b.prepare(ctx, trades)
	if err != nil {
		return err
	}
	w.commands = make([]*bkv1.Command, len(w.replays))
	for i, r := range w.replays {
		switch {
		case r.Request != nil:
			w.commands[i], booking = booking[0], booking[1:]
			if err := w.replacing(ctx, i); err != nil {
				return err
			}
			script.Decided(w.commands[i], r.TradeID, r.BookedAt)
		case r.Cash != nil:
			if err := w.b.symbols.ensureCurrency(ctx, r.Cash.Currency); err != nil {
				return err
			}
			w.commands[i] = script.Cash(r.Cash, r.CashID, r.BookedAt)
		default:
			if w.commands[i], err = w.cancel(ctx, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkIDs refuses ids that other trades have.
func (w *replayWork) checkIDs(ctx context.Context) error {
	ids := make([]int64, 0, len(w.places))
	for id := range w.places {
		ids = append(ids, int64(id))
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := w.b.pool.Query(ctx, `SELECT bank_id, bk_id FROM facade.books_id WHERE kind = 'trade' AND bank_id = ANY ($1)`, ids)
	if err != nil {
		return fmt.Errorf("find ids: %w", err)
	}
	taken := map[bank.ID]int64{}
	var id, bk int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &bk}, func() error { taken[bank.ID(id)] = bk; return nil }); err != nil {
		return fmt.Errorf("find ids: %w", err)
	}
	for id, i := range w.places {
		candidates := w.b.cfg.IDs.entries(id)
		if bk, ok := taken[id]; ok {
			candidates = append(candidates, bk)
		}
		for _, bk := range candidates {
			there, err := w.b.booking(ctx, bk)
			if err != nil {
				return err
			}
			request := w.replays[i].Request
			if there != nil && there.id == id && (there.trade.AccountID != request.AccountID || there.trade.ClientTradeID != request.ClientTradeID) {
				return &ReplayError{i, bank.Errorf(bank.Conflict, "trade_id: %d is another trade", id)}
			}
		}
	}
	return nil
}

// replacing sees to a trade that replaces one by Bank's id which is booked earlier in this call.
func (w *replayWork) replacing(ctx context.Context, i int) error {
	t := w.replays[i].Request
	id, err := bank.ParseID(t.CancelTradeID)
	if err != nil || w.commands[i].Replaces == nil { // an archived one
		return nil
	}
	place, ok := w.places[id]
	if !ok || place >= i || w.replays[place].Request.AccountID != t.AccountID {
		return nil
	}
	for _, earlier := range w.replays[:i] { // a client's id comes first
		if r := earlier.Request; r != nil && r.AccountID == t.AccountID && r.ClientTradeID == t.CancelTradeID {
			return nil
		}
	}
	there, err := w.b.whole(ctx, bank.TradeRef{AccountID: t.AccountID, ClientTradeID: t.CancelTradeID})
	if err != nil || there != nil {
		return err
	}
	w.commands[i].Replaces.Trade, w.commands[i].Replaces.Key = 0, w.commands[place].Key
	return nil
}

// cancel makes the command of a cancel.
func (w *replayWork) cancel(ctx context.Context, i int) (*bkv1.Command, error) {
	r := w.replays[i]
	if place, ok := w.places[r.TradeID]; ok && place < i {
		return script.Cancel(r.TradeID, w.commands[place].Key, r.CanceledAt), nil
	}
	there, err := w.b.byBankID(ctx, r.TradeID)
	if err != nil {
		return nil, err
	}
	if there == nil {
		return nil, &ReplayError{i, bank.TradeRef{TradeID: r.TradeID}.NotFound()}
	}
	// By key, so that the command is the same wherever it stands.
	return script.Cancel(r.TradeID, bankmap.TradeKey(there.trade.AccountID, there.trade.ClientTradeID), r.CanceledAt), nil
}

// book books all or none. What BK calls a conflict, or cancelled already, may be the same to Bank.
func (w *replayWork) book(ctx context.Context) error {
	w.receipts = make([]*bkv1.Receipt, len(w.commands))
	open := make([]int, len(w.commands))
	for i := range open {
		open[i] = i
	}
	for len(open) > 0 {
		rest := make([]*bkv1.Command, len(open))
		for n, i := range open {
			rest[n] = w.commands[i]
		}
		outcomes := w.b.send(ctx, bkv1.BatchMode_BATCH_MODE_ATOMIC, rest, time.Now())
		failure, err := outcomes[0].failure, outcomes[0].err
		if err != nil {
			return err
		}
		if failure == nil {
			for n, i := range open {
				w.receipts[i] = outcomes[n].receipt
			}
			break
		}
		n := min(failure.Index, len(open)-1)
		i := open[n]
		if w.receipts[i], err = w.done(ctx, i, *failure); err != nil {
			return err
		}
		open = append(open[:n:n], open[n+1:]...)
	}
	return w.checkRepeats(ctx)
}

// checkRepeats refuses what was booked before under another id.
func (w *replayWork) checkRepeats(ctx context.Context) error {
	for i, r := range w.replays {
		if !w.receipts[i].Repeat {
			continue
		}
		if r.Cash != nil {
			id, err := w.b.cashID(ctx, w.receipts[i])
			if err != nil {
				return err
			}
			if id != r.CashID {
				return &ReplayError{i, bank.Errorf(bank.Conflict, "cash.client_id: %q was booked under another cash_id", r.Cash.ClientID)}
			}
			continue
		}
		if r.Request == nil {
			continue
		}
		there, err := w.b.booking(ctx, w.receipts[i].TradeId)
		if err != nil {
			return err
		}
		if there == nil || there.id != r.TradeID {
			return &ReplayError{i, bank.Errorf(bank.ClientIDConflict, "request.client_trade_id: %q was booked to account %d under another trade_id",
				r.Request.ClientTradeID, r.Request.AccountID)}
		}
	}
	return nil
}

// done gives the receipt of what was done before, where BK refuses to do it again because it can't see that it is the same.
func (w *replayWork) done(ctx context.Context, i int, failure bankmap.Failure) (*bkv1.Receipt, error) {
	r := w.replays[i]
	refused := &ReplayError{Index: i}
	switch {
	case r.Cash != nil:
		refused.Err = refusedCash(r.Cash, failure)
		return nil, refused
	case r.Request != nil:
		if failure.Reason == bankmap.ReasonKeyConflict {
			there, err := w.b.storedTrade(ctx, bank.TradeRef{AccountID: r.Request.AccountID, ClientTradeID: r.Request.ClientTradeID})
			if err != nil {
				return nil, err
			}
			if there != nil && there.Trade.Same(r.Request) {
				return &bkv1.Receipt{EntryId: there.bk, TradeId: there.bk, Repeat: true}, nil
			}
		}
		if told := w.b.replacesSettled(ctx, []bank.Trade{*r.Request}, 0, failure); told != nil {
			refused.Err = told
			return nil, refused
		}
		if told := failure.OfTrade(i, r.Request); told != nil {
			refused.Err = told
			return nil, refused
		}
	default:
		ref := bank.TradeRef{TradeID: r.TradeID}
		if failure.Reason == bankmap.ReasonTradeCanceled {
			there, err := w.b.whole(ctx, ref)
			if err != nil {
				return nil, err
			}
			for _, e := range there.GetEntries() {
				if bankmap.Cancels(e) && bankmap.Moment(e) == r.CanceledAt {
					return &bkv1.Receipt{EntryId: e.Id, TradeId: there.Trade.Id, Repeat: true}, nil
				}
			}
		}
		if told := failure.OfCancel(ref); told != nil {
			refused.Err = told
			return nil, refused
		}
	}
	refused.Err = bank.Errorf(bank.Conflict, "BK refuses it: %s: %s (%s)", failure.Field, failure.Message, failure.Reason)
	return nil, refused
}

// keepIDs keeps which of BK's ids belongs to which of Bank's.
func (w *replayWork) keepIDs(ctx context.Context) error {
	var kinds []string
	var ids, bks []int64
	for i, r := range w.replays {
		switch {
		case r.Request != nil:
			kinds, ids = append(kinds, "trade"), append(ids, int64(r.TradeID))
		case r.Cash != nil:
			kinds, ids = append(kinds, "cash"), append(ids, int64(r.CashID))
		default:
			continue
		}
		bks = append(bks, w.receipts[i].EntryId)
	}
	if len(ids) == 0 {
		return nil
	}
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO facade.books_id (kind, bank_id, bk_id)
		SELECT k, b, e FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS g (k, b, e) ON CONFLICT DO NOTHING`, kinds, ids, bks)
	w.queueStrays(b)
	if err := w.b.pool.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("keep %d ids: %w", len(ids), err)
	}
	return nil
}
