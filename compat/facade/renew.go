package facade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

const (
	renewRounds = 3
	renewFor    = 15 * time.Second
	renewedFor  = 2 * time.Second // the façade's database may be away: reads go on
	// renewAhead ids are left out behind a replayed one: what is replayed next under one of them needs no new epoch.
	renewAhead = 1000
)

// errPassed is given where a replay comes to BK's books without its ids being seen to: the mode has changed on its way.
var errPassed = errors.New("BK's ids have yet to go on behind it; send it again")

// passed is for the books: whoever calls them holds a ticket, for which a renewal would wait. [Service.renew] has seen to it before.
func passed(context.Context, bank.ID, bank.ID) error { return errPassed }

// replayed reads the body of a POST /replay and gives the ids under which something would be booked; 0 for none. The request gets its body again.
func replayed(r *http.Request) (next *http.Request, trade, cash bank.ID, err error) {
	body, whole, err := readBody(r)
	if err != nil {
		return nil, 0, 0, err
	}
	if !whole { // it is refused
		next := r.WithContext(r.Context())
		next.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
		return next, 0, 0, nil
	}
	next = again(r, r.Context(), body)
	if replay, err := bank.ReadReplay(body); err == nil && (replay.Request != nil || replay.Cash != nil) {
		trade, cash = replay.TradeID, replay.CashID
	}
	return next, trade, cash, nil
}

// renew makes the ids that BK gives go on behind others, on all replicas, if BK could come to them. The caller has no ticket.
func (s *Service) renew(ctx context.Context, trade, cash bank.ID) error {
	for range renewRounds {
		beyond, err := s.ledger.Beyond(ctx, trade, cash)
		if err != nil || !beyond {
			return err
		}
		r := mode.Renewal{Who: "facade", Wait: renewFor}
		if trade != 0 {
			r.TradeID, r.Why = int64(trade)+renewAhead, fmt.Sprintf("trade %s is replayed", trade)
		}
		if cash != 0 {
			r.CashID, r.Why = int64(cash)+renewAhead, fmt.Sprintf("cash movement %s is replayed", cash)
		}
		if err := s.keeper.Renew(ctx, r); err != nil {
			return fmt.Errorf("let ids go on: %w", err)
		}
		if err := s.keeper.Refresh(ctx); err != nil {
			return fmt.Errorf("let ids go on: %w", err)
		}
	}
	return fmt.Errorf("ids do not go on behind trade %s, cash %s", trade, cash)
}

// renewed waits for the end of a renewal that this replica knows of, so that nothing is shown under an id of before that has one of after it. Reads of other
// replicas' work wait for it at most as long as writes.
func (s *Service) renewed(ctx context.Context) {
	var late <-chan time.Time
	for {
		state, changed := s.keeper.State()
		if state.Switching == nil || state.Switching.To != state.Mode {
			return
		}
		if late == nil {
			timer := time.NewTimer(renewedFor)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
			return
		case <-ctx.Done():
			return
		}
	}
}

// sameEpoch notes the epoch whose ids are in use, and gives the question whether it is the latest.
func (s *Service) sameEpoch() func(context.Context, pgx.Tx) error {
	known := s.entered.Load()
	return func(ctx context.Context, tx pgx.Tx) error {
		var now int64
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(epoch), 0) FROM facade.mode`).Scan(&now); err != nil {
			return fmt.Errorf("read the epoch: %w", err)
		}
		if now != known {
			return fmt.Errorf("epoch %d has come, ids are those of %d", now, known)
		}
		return nil
	}
}
