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
	// renewedFor bounds the question whether a renewal has been made: the façade's database may be away, and reads go on.
	renewedFor = 250 * time.Millisecond
	// renewAhead ids are left out behind a replayed one: what is replayed next under one of them needs no new epoch.
	renewAhead = 1000
)

// errPassed is given where a replay comes to BK's books without its ids being seen to: the mode has changed on its way.
var errPassed = errors.New("BK's ids have yet to go on behind it; send it again")

// passed is for the books: whoever calls them holds a ticket, for which a renewal would wait. [Service.renew] has seen to it before.
func passed(context.Context, bank.ID, bank.ID) error { return errPassed }

// replayed reads the body of a POST /replay and gives the ids under which something would be booked; 0 for none. The request gets its body again.
func replayed(r *http.Request) (next *http.Request, trade, cash bank.ID) {
	if r.ContentLength > maxBody { // it is refused
		return r, 0, 0
	}
	body, whole, err := readBody(r)
	if err != nil { // whoever is asked says so
		return r, 0, 0
	}
	if !whole { // it is refused
		next := r.WithContext(r.Context())
		next.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
		return next, 0, 0
	}
	next = again(r, r.Context(), body)
	if replay, err := bank.ReadReplay(body); err == nil && (replay.Request != nil || replay.Cash != nil) {
		trade, cash = replay.TradeID, replay.CashID
	}
	return next, trade, cash
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

// renewing reports whether this replica knows of a renewal that is not over.
func (s *Service) renewing() bool {
	state, _ := s.keeper.State()
	return state.Switching != nil && state.Switching.To == state.Mode
}

// fromBooks serves a read from BK's books. It does not wait for a renewal. But what is booked behind one has ids that this replica may not have heard of: so while it
// knows of a renewal under way, an answer is given only if none was made by then, or if it was made with the new ids.
func (s *side) fromBooks(w http.ResponseWriter, r *http.Request) {
	if !s.service.renewing() {
		s.bk.ServeHTTP(w, r)
		return
	}
	known := s.service.entered.Load()
	answer := newRecord()
	s.bk.ServeHTTP(answer, r)
	if s.service.later(r.Context(), known) {
		answer = newRecord()
		s.bk.ServeHTTP(answer, r)
	}
	answer.send(w)
}

// later reports whether the ids of a later epoch than known are in use. If there is one, they are taken into use. Where the façade's database does not answer, nobody can
// say; then others book nothing under new ids before they have given this replica the time of a hold to hear of it.
func (s *Service) later(ctx context.Context, known int64) bool {
	if s.entered.Load() == known {
		asking, cancel := context.WithTimeout(ctx, renewedFor)
		defer cancel()
		var now int64
		if err := s.pool.QueryRow(asking, latestEpoch).Scan(&now); err != nil || now == known {
			return false
		}
		if err := s.keeper.Refresh(asking); err != nil {
			return false
		}
	}
	return s.entered.Load() != known
}

const latestEpoch = `SELECT coalesce(max(epoch), 0) FROM facade.mode`

// sameEpoch notes the epoch whose ids are in use, and gives the question whether it is the latest.
func (s *Service) sameEpoch() func(context.Context, pgx.Tx) error {
	known := s.entered.Load()
	return func(ctx context.Context, tx pgx.Tx) error {
		var now int64
		if err := tx.QueryRow(ctx, latestEpoch).Scan(&now); err != nil {
			return fmt.Errorf("read the epoch: %w", err)
		}
		if now != known {
			return fmt.Errorf("epoch %d has come, ids are those of %d", now, known)
		}
		return nil
	}
}
