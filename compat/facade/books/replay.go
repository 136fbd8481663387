package books

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

// ReplayError says which of several replays was refused.
type ReplayError struct {
	Index int // from 0
	Err   error
}

func (e *ReplayError) Error() string { return fmt.Sprintf("replay %d: %v", e.Index, e.Err) }

// Unwrap gives what is wrong with it, a *[bank.Error].
func (e *ReplayError) Unwrap() error { return e.Err }

// Replay does what another system has done, see [front.Ledger]. What BK books by itself afterwards has ids behind those.
func (b *Ledger) Replay(ctx context.Context, r bank.Replay) error {
	if r.Request != nil || r.Cash != nil { // a cancel brings no id
		if err := b.pass(ctx, r.TradeID, r.CashID); err != nil {
			return b.internal(ctx, "let ids go on behind a replayed one; nothing was booked", err)
		}
	}
	_, err := b.ReplayAll(ctx, []bank.Replay{r})
	if refused, ok := err.(*ReplayError); ok {
		return refused.Err
	}
	return err
}

// ReplayAll does what Bank has done, all or none of up to 1000 replays, in order, each seeing those before it, and gives BK's ids of the entries. Doing them again
// gives the same; what is archived has no entry, and the id 0. Which of BK's ids belongs to which of Bank's is kept when it returns. What BK refuses is a [*ReplayError]; outcome_unknown and
// internal are for another try.
func (b *Ledger) ReplayAll(ctx context.Context, replays []bank.Replay) (ids []int64, err error) {
	if len(replays) == 0 {
		return nil, nil
	}
	done, err := b.archivedReplays(ctx, replays)
	if err != nil {
		return nil, b.refusedOr(ctx, err)
	}
	if len(done) > 0 {
		return b.replayRest(ctx, replays, done)
	}
	w := &replayWork{b: b, replays: replays, places: map[bank.ID]int{}}
	if err := w.prepare(ctx); err != nil {
		return nil, b.refusedOr(ctx, err)
	}
	if err := w.book(ctx); err != nil {
		return nil, b.refusedOr(ctx, err)
	}
	if err := w.keepIDs(ctx); err != nil {
		b.cfg.Log.WarnContext(ctx, "ids of replayed work can't be kept", "error", err)
		return nil, unknown() // it stands; the next try keeps them
	}
	ids = make([]int64, len(replays))
	for i, r := range w.receipts {
		ids[i] = r.EntryId
	}
	return ids, nil
}

func (b *Ledger) refusedOr(ctx context.Context, err error) error {
	if refused, ok := err.(*ReplayError); ok {
		return refused
	}
	return b.internal(ctx, "replay", err)
}

// pass makes sure that BK doesn't come to the given ids, 0 for none, while it gives ids itself.
func (b *Ledger) pass(ctx context.Context, trade, cash bank.ID) error {
	if !b.cfg.IDs.minting() {
		return nil
	}
	beyond, err := b.Beyond(ctx, trade, cash)
	if err != nil || !beyond {
		return err
	}
	if b.cfg.Pass != nil {
		return b.cfg.Pass(ctx, trade, cash)
	}
	b.minting.Lock() // nothing is booked meanwhile, so the head stands still
	defer b.minting.Unlock()
	head, err := b.head(ctx)
	if err != nil {
		return err
	}
	b.cfg.IDs.pass(head, trade, cash)
	return nil
}

// Beyond reports whether BK could come to one of the given ids itself, 0 for none: then they must be passed before anything is booked under them.
func (b *Ledger) Beyond(ctx context.Context, trade, cash bank.ID) (bool, error) {
	place, err := b.replayPlace(ctx)
	return err == nil && (trade > place.LastTradeID || cash > place.LastCashID), err
}

// head gives the id of the last entry of BK's journal.
func (b *Ledger) head(ctx context.Context) (int64, error) {
	status, err := read(ctx, b, func(ctx context.Context, q *connect.Request[bkv1.StatusRequest]) (*connect.Response[bkv1.StatusResponse], error) {
		return b.cfg.Client.Admin.Status(ctx, q)
	}, &bkv1.StatusRequest{})
	if err != nil {
		return 0, err
	}
	sequence, err := sequenceOf(status.Head)
	return int64(status.Shard)<<48 | sequence, err
}

// ReplayPlace says how far the ids have come, at most, see [front.Ledger]: the events of BK are the entries of its journal.
func (b *Ledger) ReplayPlace(ctx context.Context) (bank.ReplayPlace, error) {
	place, err := b.replayPlace(ctx)
	if err != nil {
		return place, b.internal(ctx, "read how far the ids have come", err)
	}
	return place, nil
}

func (b *Ledger) replayPlace(ctx context.Context) (place bank.ReplayPlace, err error) {
	head, err := b.head(ctx)
	if err != nil {
		return place, err
	}
	place.LastEventID = bank.ID(head & (1<<48 - 1)) // the sequence
	place.LastTradeID, place.LastCashID = b.cfg.IDs.last(head)
	var trade, cash int64
	err = b.pool.QueryRow(ctx, `SELECT coalesce((SELECT max(bank_id) FROM facade.books_id WHERE kind = 'trade'), 0),
		coalesce((SELECT max(bank_id) FROM facade.books_id WHERE kind = 'cash'), 0)`).Scan(&trade, &cash)
	if err != nil {
		return place, fmt.Errorf("find the last ids: %w", err)
	}
	archivedTrade, archivedCash, err := b.archive.Last(ctx)
	if err != nil {
		return place, err
	}
	place.LastTradeID, place.LastCashID = max(place.LastTradeID, bank.ID(trade), archivedTrade), max(place.LastCashID, bank.ID(cash), archivedCash)
	return place, nil
}
