package legacy

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// BookTrades implements front.Ledger.
func (b *Bank) BookTrades(ctx context.Context, trades []bank.Trade) ([]bank.Booked, error) {
	var booked []bank.Booked
	err := b.transact(ctx, func(ctx context.Context, conn *pgx.Conn) (*scope, error) {
		s := newScope()
		s.newIDs = len(trades)
		return s, planTrades(ctx, conn, s, trades)
	}, func(h *held) error {
		booked = make([]bank.Booked, 0, len(trades)) // anew in each attempt
		for i := range trades {
			id, err := h.book(&trades[i], 0, 0)
			if err != nil {
				return err
			}
			booked = append(booked, bank.Booked{ClientTradeID: trades[i].ClientTradeID, TradeID: id})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b.metrics.trades.Add(float64(len(booked)))
	return booked, nil
}

// planTrades adds what the trades need, and what those that they replace need: these must be looked for first. What a trade needs never changes, so
// that reading it without a lock is fine; its state is read again under the locks.
func planTrades(ctx context.Context, conn *pgx.Conn, s *scope, trades []bank.Trade) error {
	batch := &pgx.Batch{}
	touch := func(found pgx.Rows) error {
		replaced, err := pgx.CollectRows(found, scanTrade)
		for _, t := range replaced {
			s.touch(&t.Trade)
		}
		return err
	}
	for i := range trades {
		t := &trades[i]
		s.touch(t)
		s.clients[clientKey{t.AccountID, t.ClientTradeID}] = true
		if t.CancelTradeID == "" || strings.Contains(t.CancelTradeID, "\x00") {
			continue
		}
		s.clients[clientKey{t.AccountID, t.CancelTradeID}] = true
		batch.Queue(sqlTrade+` WHERE account_id = $1 AND client_trade_id = $2`, int64(t.AccountID), t.CancelTradeID).Query(touch)
		if id, err := bank.ParseID(t.CancelTradeID); err == nil {
			s.trades[id] = true
			batch.Queue(sqlTrade+` WHERE trade_id = $1 AND account_id = $2`, int64(id), int64(t.AccountID)).Query(touch)
		}
	}
	if batch.Len() == 0 {
		return nil
	}
	return conn.SendBatch(ctx, batch).Close()
}

// book books one trade, under a new id and now, or as given.
func (h *held) book(t *bank.Trade, id bank.ID, at int64) (bank.ID, error) {
	key := clientKey{t.AccountID, t.ClientTradeID}
	if first := h.byClient[key]; first != nil {
		if !first.Same(t) {
			return 0, bank.OtherTrade(t)
		}
		return first.TradeID, nil
	}
	if !h.accounts[t.AccountID] {
		return 0, bank.NoAccount(t.AccountID)
	}
	if isPair(t) && !h.accounts[t.TargetAccountID] {
		return 0, bank.NoAccount(t.TargetAccountID)
	}
	old, err := h.replaced(t)
	if err != nil {
		return 0, err
	}
	if id == 0 {
		id, h.ids = h.ids[0], h.ids[1:]
	}
	if at == 0 {
		at = h.now
	}
	entered := &trade{StoredTrade: bank.StoredTrade{TradeID: id, Trade: *t, BookedAt: at}}
	amounts(&entered.StoredTrade)
	if old != nil {
		entered.Replaces = new(old.TradeID)
		if old.State == bank.StateCanceled { // only linked
			old.ReplacedBy = &id
			h.to.updateTrade(old)
		} else if err := h.cancel(old, at, id); err != nil {
			return 0, err
		}
	}
	if err := h.enter(entered); err != nil {
		return 0, err
	}
	h.byClient[key], h.byID[id] = entered, entered
	return id, nil
}

// replaced finds the trade in whose place t is to stand, nil if t names none.
func (h *held) replaced(t *bank.Trade) (*trade, error) {
	if t.CancelTradeID == "" {
		return nil, nil
	}
	old := h.byClient[clientKey{t.AccountID, t.CancelTradeID}]
	if old == nil {
		if id, err := bank.ParseID(t.CancelTradeID); err == nil {
			if old = h.byID[id]; old != nil && old.AccountID != t.AccountID {
				old = nil
			}
		}
	}
	if old == nil {
		return nil, bank.NoReplaced(t)
	}
	if old.State == bank.StateSettled {
		return nil, bank.SettledReplaced(t)
	}
	return old, nil
}

// CancelTrade implements front.Ledger.
func (b *Bank) CancelTrade(ctx context.Context, ref bank.TradeRef) error {
	return b.cancelTrade(ctx, ref, 0)
}

// cancelTrade cancels now, or, if at is given, then; what another system has already decided may be there.
func (b *Bank) cancelTrade(ctx context.Context, ref bank.TradeRef, at int64) error {
	var id bank.ID
	return b.transact(ctx, func(ctx context.Context, conn *pgx.Conn) (*scope, error) {
		t, err := findTrade(ctx, conn, ref)
		if err != nil {
			return nil, err
		}
		s := newScope()
		s.touch(&t.Trade)
		id = t.TradeID
		s.trades[id] = true
		return s, nil
	}, func(h *held) error {
		t := h.byID[id]
		switch {
		case t == nil:
			return errAgain
		case t.State == bank.StateCanceled && at != 0:
			return nil
		case t.State == bank.StateCanceled:
			return ref.Canceled()
		case t.State == bank.StateSettled:
			return ref.Settled()
		}
		if at == 0 {
			return h.cancel(t, h.now, 0)
		}
		return h.cancel(t, at, 0)
	})
}
