package bootstrap

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
)

// bookHeld books rows that were fixed after the load, through the engine, under their ids and times: as the façade does what Bank has done.
func (b *Bootstrap) bookHeld(ctx context.Context, fixed []Held, r Retried) (Retried, error) {
	m, err := b.manifest(ctx)
	if err != nil {
		return r, err
	}
	s, err := b.start(ctx)
	if err != nil {
		return r, err
	}
	defer func() {
		if err := s.stop(); err != nil {
			b.log.Warn("a system that ran for the bootstrapper ended badly", "error", err)
		}
	}()
	if in, _, err := modeNow(ctx, s.facade); err != nil || in.Primary() == mode.BK {
		return r, errors.Join(err, errors.New("BK is the primary: what Bank had is booked by its users now, not under Bank's ids"))
	}
	ledger, err := books.New(books.Config{Client: s.bk, Pool: s.facade, IDs: books.NewIDs(), Log: b.log})
	if err != nil {
		return r, err
	}
	defer ledger.Close()
	for _, h := range fixed {
		work, err := b.replays(ctx, m, h)
		if err == nil {
			_, err = ledger.ReplayAll(ctx, work)
		}
		if refused := (*books.ReplayError)(nil); err != nil && !errors.As(err, &refused) && !errors.Is(err, errNotReplayed) {
			return r, fmt.Errorf("book %s: %w", h.ID(), err)
		}
		if err != nil {
			h.Reason = err.Error()
			r.Held = append(r.Held, h)
			continue
		}
		if err := b.store.Note(ctx, bookedKey(h), struct {
			ID string    `json:"id"`
			At time.Time `json:"at"`
		}{h.ID(), time.Now().UTC()}); err != nil {
			return r, err
		}
		r.Booked++
	}
	return r, nil
}

// errNotReplayed: a row of this kind has no work of its own.
var errNotReplayed = errors.New("only trades and cash movements can be booked after the load: correct it by a posting in BK")

// replays gives what a row stands for.
func (b *Bootstrap) replays(ctx context.Context, m Manifest, h Held) ([]bank.Replay, error) {
	if h.Table != source.Trades && h.Table != source.CashMovements {
		return nil, errNotReplayed
	}
	row, err := b.row(ctx, m, h)
	if err != nil {
		return nil, err
	}
	if c, ok := row.(*source.Cash); ok {
		move := &bank.Cash{ClientID: c.ClientID, AccountID: c.AccountID, Currency: c.Currency, Amount: c.Amount, Kind: c.Kind}
		if c.TargetAccountID != nil {
			move.TargetAccountID = *c.TargetAccountID
		}
		return []bank.Replay{{CashID: c.CashID, Cash: move, BookedAt: c.BookedAt}}, nil
	}
	t := row.(*source.Trade)
	var request bank.Trade
	if err := json.NewDecoder(bytes.NewReader([]byte(t.Request))).Decode(&request); err != nil {
		return nil, fmt.Errorf("%w: its request: %w", errNotReplayed, err)
	}
	work := []bank.Replay{{TradeID: t.TradeID, BookedAt: t.BookedAt, Request: &request}}
	if t.CanceledAt != nil {
		work = append(work, bank.Replay{TradeID: t.TradeID, CanceledAt: *t.CanceledAt})
	}
	return work, nil
}

// row reads a row that was extracted, with what was decided about it.
func (b *Bootstrap) row(ctx context.Context, m Manifest, h Held) (source.Row, error) {
	patch := func(key string) map[string]string {
		if key == h.Key {
			return h.Patch.Set
		}
		return nil
	}
	for _, p := range m.Extracted {
		if p.Range.Table != h.Table {
			continue
		}
		in, err := b.store.Open(ctx, p.Object)
		if err != nil {
			return nil, err
		}
		found, err := find(source.NewReader(h.Table, in, patch), h.Key)
		in.Close()
		if found != nil || err != nil {
			return found, err
		}
	}
	return nil, fmt.Errorf("%s: %w", h.ID(), ErrNotHeld)
}
