package queue

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/backlog"
)

// errNotThere is why a row is blocked whose trade Bank does not have, although it accepted it.
var errNotThere = errors.New("Bank accepted it and does not have it")

// deliver brings a batch of rows to BK: one row of a kind that goes alone, or replays, all in one atomic call.
func (q *Queue) deliver(ctx context.Context, rows []backlog.Row) ([]backlog.Result, error) {
	if kind := rows[0].Kind; kind != KindTrades && kind != KindCancel && kind != KindCash {
		err := q.define(ctx, rows[0])
		if bank.TypeOf(err) == bank.EntityNotFound {
			if err = q.open(ctx, rows); err == nil {
				err = q.define(ctx, rows[0])
			}
		}
		if err != nil && !final(err) {
			return nil, err
		}
		return []backlog.Result{{Err: err}}, nil
	}
	replays, results, err := q.replays(ctx, rows)
	if err != nil {
		return nil, err
	}
	var all []bank.Replay
	whole := true
	for i := range rows {
		if results[i].Untouched {
			return results, nil
		}
		all = append(all, replays[i]...)
		whole = whole && results[i].Err == nil
	}
	if whole {
		_, err := q.cfg.BK.ReplayAll(ctx, all)
		if bank.TypeOf(err) == bank.UnknownAccount {
			if err := q.open(ctx, rows); err != nil && !final(err) {
				return nil, err
			}
			_, err = q.cfg.BK.ReplayAll(ctx, all)
		}
		if err == nil {
			return results, nil
		}
		if !rejection(err) && bank.TypeOf(err) != bank.Internal {
			return nil, fmt.Errorf("BK: %w", err)
		}
	}
	return q.oneByOne(ctx, rows, replays, results)
}

// oneByOne finds the rows that BK refuses. What shares a key with one of them is not tried. A fault of BK's (internal) is a row's own if others go through;
// if none of a few does, BK is away.
func (q *Queue) oneByOne(ctx context.Context, rows []backlog.Row, replays [][]bank.Replay, results []backlog.Result) ([]backlog.Result, error) {
	faults, through := 0, false
	var fault error
	stuck := map[int64]bool{}
	for i, row := range rows {
		if behind(row, stuck) {
			results[i].Untouched = true
		} else if results[i].Err == nil {
			_, err := q.cfg.BK.ReplayAll(ctx, replays[i])
			switch {
			case err == nil:
				through = true
				continue
			case rejection(err):
				through = true // BK has spoken
			case bank.TypeOf(err) == bank.Internal:
				if faults++; !through && faults == maxFaults {
					return nil, fmt.Errorf("BK: %w", err)
				}
				fault = err
			default:
				return nil, fmt.Errorf("BK: %w", err)
			}
			results[i].Err = err
		}
		for _, key := range row.Keys {
			stuck[key] = true
		}
	}
	if fault != nil && !through { // those behind it were not tried, and tell nothing
		return nil, fmt.Errorf("BK: %w", fault)
	}
	return results, nil
}

// maxFaults is after how many rows that fail with BK's own fault, and none that goes through, BK counts as away.
const maxFaults = 3

func behind(row backlog.Row, stuck map[int64]bool) bool {
	for _, key := range row.Keys {
		if stuck[key] {
			return true
		}
	}
	return false
}

// final reports whether an error of a row is its own, and not the way to BK.
func final(err error) bool { return rejection(err) || errors.Is(err, errUnreadable) }

var errUnreadable = errors.New("nobody can read it")

// define does what is no replay.
func (q *Queue) define(ctx context.Context, row backlog.Row) (err error) {
	switch row.Kind {
	case KindRoll:
		var r roll
		if err := decode(row.Request, &r); err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		date, err := q.cfg.BK.BusinessDate(ctx)
		if err != nil || date >= r.Date {
			return err
		}
		return q.cfg.BK.Roll(ctx, r.Date)
	case KindEntity:
		var e bank.Entity
		if err := decode(row.Request, &e); err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		_, err = q.cfg.BK.CreateEntity(ctx, e)
	case KindDirectory:
		err = q.openAll(ctx)
	case KindAccount:
		var a bank.NewAccount
		if err := decode(row.Request, &a); err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		_, err = q.cfg.BK.CreateAccount(ctx, a)
	default:
		return fmt.Errorf("%w: a row of the kind %q", errUnreadable, row.Kind)
	}
	return err
}

// replays makes what BK is to take over of rows. Times that the rows don't have are Bank's to tell, many at once. A row that can't be made has an error.
func (q *Queue) replays(ctx context.Context, rows []backlog.Row) (replays [][]bank.Replay, results []backlog.Result, err error) {
	replays, results = make([][]bank.Replay, len(rows)), make([]backlog.Result, len(rows))
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(q.cfg.Reads)
	for i, row := range rows {
		var a Answer
		if err := decode(row.Answer, &a); err != nil {
			results[i].Err = fmt.Errorf("%w: %w", errUnreadable, err)
			continue
		}
		switch row.Kind {
		case KindTrades:
			results[i].Err = q.tradeReplays(reading, g, row, a, &replays[i])
		case KindCancel:
			replays[i] = make([]bank.Replay, 1)
			results[i].Err = q.cancelReplay(reading, g, row, a, &replays[i][0])
		case KindCash:
			var c bank.Cash
			if err := decode(row.Request, &c); err != nil {
				results[i].Err = fmt.Errorf("%w: %w", errUnreadable, err)
				continue
			}
			replays[i] = []bank.Replay{{CashID: a.CashID, Cash: &c, BookedAt: a.BookedAt}}
		}
	}
	if err := g.Wait(); err != nil {
		missing := notThere{}
		if !errors.As(err, &missing) {
			return nil, nil, fmt.Errorf("Bank: %w", err)
		}
		for i := range rows { // the others' times were not all read: they come again without this one
			results[i] = backlog.Result{Untouched: true}
			if rows[i].Position == missing.position {
				results[i] = backlog.Result{Err: err}
			}
		}
	}
	return replays, results, nil
}

// notThere says of which row Bank does not have a trade.
type notThere struct{ position int64 }

func (n notThere) Error() string { return fmt.Sprintf("row %d: %v", n.position, errNotThere) }

// tradeReplays makes those of a POST /trades.
func (q *Queue) tradeReplays(ctx context.Context, g *errgroup.Group, row backlog.Row, a Answer, to *[]bank.Replay) error {
	var trades []bank.Trade
	if err := decode(row.Request, &trades); err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if len(a.Trades) != len(trades) {
		return fmt.Errorf("%w: %d ids for %d trades", errUnreadable, len(a.Trades), len(trades))
	}
	*to = make([]bank.Replay, len(trades))
	for i := range trades {
		r := &(*to)[i]
		r.TradeID, r.Request, r.BookedAt = a.Trades[i].TradeID, &trades[i], a.BookedAt
		if r.BookedAt != 0 {
			continue
		}
		g.Go(func() error {
			stored, err := q.stored(ctx, row, bank.TradeRef{TradeID: r.TradeID})
			r.BookedAt = stored.BookedAt
			return err
		})
	}
	return nil
}

// cancelReplay makes that of a DELETE /trades.
func (q *Queue) cancelReplay(ctx context.Context, g *errgroup.Group, row backlog.Row, a Answer, to *bank.Replay) error {
	var c cancel
	if err := decode(row.Request, &c); err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	to.TradeID, to.CanceledAt = c.TradeID, a.CanceledAt
	if to.TradeID != 0 && to.CanceledAt != 0 {
		return nil
	}
	g.Go(func() error {
		stored, err := q.stored(ctx, row, bank.TradeRef(c))
		if err != nil {
			return err
		}
		if stored.CanceledAt == nil {
			return notThere{row.Position}
		}
		to.TradeID, to.CanceledAt = stored.TradeID, *stored.CanceledAt
		return nil
	})
	return nil
}

func (q *Queue) stored(ctx context.Context, row backlog.Row, ref bank.TradeRef) (bank.StoredTrade, error) {
	stored, err := q.cfg.Bank.Trade(ctx, ref)
	if bank.TypeOf(err) == bank.TradeNotFound {
		err = notThere{row.Position}
	}
	return stored, err
}
