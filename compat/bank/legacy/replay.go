package legacy

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// Replay implements front.Ledger: what another system has decided is done under its ids and times. A trade that it cancelled may be cancelled here already.
func (b *Bank) Replay(ctx context.Context, r bank.Replay) error {
	switch {
	case r.Request != nil:
		return b.replayTrade(ctx, r)
	case r.Cash != nil:
		if err := b.movePast(ctx, "bank.cash_id", r.CashID); err != nil {
			return err
		}
		_, err := b.moveCash(ctx, *r.Cash, r.CashID, r.BookedAt)
		return err
	}
	return b.cancelTrade(ctx, bank.TradeRef{TradeID: r.TradeID}, r.CanceledAt)
}

func (b *Bank) replayTrade(ctx context.Context, r bank.Replay) error {
	if err := b.movePast(ctx, "bank.trade_id", r.TradeID); err != nil {
		return err
	}
	return b.transact(ctx, func(ctx context.Context, conn *pgx.Conn) (*scope, error) {
		s := newScope()
		s.trades[r.TradeID] = true
		return s, planTrades(ctx, conn, s, []bank.Trade{*r.Request})
	}, func(h *held) error {
		if there := h.byID[r.TradeID]; there != nil && (there.AccountID != r.Request.AccountID || there.ClientTradeID != r.Request.ClientTradeID) {
			return bank.Errorf(bank.Conflict, "trade %s is another trade", r.TradeID)
		}
		id, err := h.book(r.Request, r.TradeID, r.BookedAt)
		if err == nil && id != r.TradeID {
			err = bank.Errorf(bank.ClientIDConflict, "client_trade_id %q of account %s is trade %s", r.Request.ClientTradeID, r.Request.AccountID, id)
		}
		return err
	})
}

// smallGap is how many ids a sequence is moved on by taking them.
const smallGap = 1000

// movePast sees to it that a sequence gives no id up to id any more. Nothing of it is undone if the replay fails: ids may be left out.
//
// Taking ids one by one is safe beside others who take some. Setting a sequence is not, since it could go back behind an id that was taken
// meanwhile; so that is done while nobody works.
func (b *Bank) movePast(ctx context.Context, sequence string, id bank.ID) error {
	state := `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ` + sequence
	last, err := one(ctx, b.pool, sequence, nil, pgx.RowTo[bank.ID], state)
	if err != nil || last >= id {
		return err
	}
	if id-last <= smallGap {
		if _, err := b.pool.Exec(ctx, `SELECT nextval($1::regclass) FROM generate_series(1, $2::integer)`, sequence, int64(id-last)); err != nil {
			return fmt.Errorf("move %s past %s: %w", sequence, id, err)
		}
		return nil
	}
	err = pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, dateLock); err != nil {
			return err
		}
		last, err := one(ctx, tx, sequence, nil, pgx.RowTo[bank.ID], state)
		if err != nil || last >= id {
			return err
		}
		_, err = tx.Exec(ctx, `SELECT setval($1::regclass, $2)`, sequence, int64(id))
		return err
	})
	if err != nil {
		return fmt.Errorf("move %s past %s: %w", sequence, id, err)
	}
	return nil
}

// ReplayPlace implements front.Ledger.
func (b *Bank) ReplayPlace(ctx context.Context) (bank.ReplayPlace, error) {
	return one(ctx, b.pool, "how far the ids have come", bank.Errorf(bank.Internal, "the table of what was published is empty"), pgx.RowToStructByPos[bank.ReplayPlace],
		`SELECT coalesce((SELECT max(trade_id) FROM bank.trade), 0), coalesce((SELECT max(cash_id) FROM bank.cash), 0),
			greatest(event_id, (SELECT max(event_id) FROM bank.outbox)), coalesce((SELECT min(event_id) FROM bank.outbox), 0) FROM bank.published`)
}
