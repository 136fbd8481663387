package facade

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
)

// readyFor is how long it is waited at least until a step can be made; longer if it is to be tried for longer.
const readyFor = 5 * time.Second

var errNoBK = errors.New("no BK is configured")

// Ready implements mode.Steps: everything that can be found out while writes go on.
func (s *Service) Ready(ctx context.Context, step mode.Step) error {
	from, to := step.From.Mode, step.To
	if to == mode.BankOnly && from == "" || step.Renews() {
		return nil
	}
	if s.ledger == nil && to != mode.BankOnly {
		return errNoBK
	}
	if from != "" && !step.Final {
		if err := s.uploads.ended(ctx); err != nil {
			return err
		}
	}
	if to != mode.BankOnly {
		if _, err := s.ledger.BusinessDate(ctx); err != nil {
			return fmt.Errorf("BK: %w", err)
		}
	}
	if err := s.readyRelay(ctx, step); err != nil {
		return err
	}
	until := time.Now().Add(readyFor)
	if step.Until.After(until) {
		until = step.Until
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	switch {
	case step.Final:
		return s.readyFinal(ctx, step)
	case to == mode.BKOnly && from == mode.BKPrimary:
		return s.notBlocked(ctx) // in bk-only nobody would bring it
	case to == mode.BankPrimary && (from == mode.BankOnly || from == ""):
		if st := s.queue.Stats(); from != "" && st.Waiting >= s.cfg.QueueLimit {
			return fmt.Errorf("the queue is full (%d rows): BK would be left behind again", st.Waiting)
		}
		return s.equal(ctx, step)
	case to == mode.BKPrimary && from == mode.BankPrimary:
		return s.near(ctx, "the queue", s.queueLeft)
	case to == mode.BankPrimary && from == mode.BKPrimary:
		if err := s.feed.Prepare(ctx); err != nil {
			return err
		}
		return s.near(ctx, "the feed", s.feedLeft)
	}
	return nil
}

// equal gives an error unless BK has, or will have from the queue, all that Bank has.
func (s *Service) equal(ctx context.Context, step mode.Step) error {
	place, err := s.bank.ReplayPlace(ctx)
	if err != nil {
		return fmt.Errorf("Bank: %w", err)
	}
	fresh := step.From.Mode == ""
	if s.follow != nil && !fresh {
		return s.follow.Caught(ctx, place.LastEventID)
	}
	var known bank.ID
	if fresh {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			known, _, err = bootstrapped(ctx, tx)
			return err
		})
		if err != nil {
			return err
		}
	} else {
		if step.From.Killed {
			return errors.New("BK was left behind by the kill switch, and what Bank did since is not known without its stream: give the façade Kafka, or bring BK up to date")
		}
		known = bank.ID(step.From.BankEventID)
	}
	if place.LastEventID != known {
		return fmt.Errorf("Bank is at event %d, BK is known to equal it at %d only: give the façade Kafka, or bring BK up to date", place.LastEventID, known)
	}
	return nil // accounts that BK lacks are brought by the queue
}

// Drain implements mode.Steps: writes are held.
func (s *Service) Drain(ctx context.Context, step mode.Step) error {
	if err := s.drain(ctx, step); err != nil {
		return err
	}
	return s.holdRelay(ctx, step)
}

func (s *Service) drain(ctx context.Context, step mode.Step) error {
	from, to := step.From.Mode, step.To
	switch {
	case step.Final:
		return s.drainFinal(ctx, step)
	case from == mode.BankOnly && to == mode.BankPrimary:
		if err := s.uploads.ended(ctx); err != nil { // taken since Ready: Bank books its rows without the façade
			return err
		}
		return s.equal(ctx, step)
	case from == mode.BankPrimary && to == mode.BankOnly:
		return s.resolved(ctx)
	case from == mode.BankPrimary && to == mode.BKPrimary:
		return s.queue.Drained(ctx)
	case from == mode.BKPrimary && to == mode.BankPrimary:
		head, err := s.head(ctx)
		if err != nil {
			return err
		}
		return s.feed.Drained(ctx, head)
	}
	return nil
}

// resolved waits until no call is open. One that Bank has done and whose answer was lost would get its row behind what follow writes for the same accounts. What is
// queued may wait.
func (s *Service) resolved(ctx context.Context) error {
	open := 0 // as last known: the last look may have been cut off by the end of the time
	for {
		var now int
		err := s.pool.QueryRow(ctx, `SELECT count(*) FROM facade.intent`).Scan(&now)
		if err == nil {
			if open = now; open == 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			if open == 0 {
				return fmt.Errorf("look for calls whose outcome is not known: %w", err)
			}
			return fmt.Errorf("the outcome of %d calls is not known yet", open)
		case <-time.After(nearPoll):
		}
	}
}

// head gives the last sequence of BK's journal, which is the last entry's id.
func (s *Service) head(ctx context.Context) (int64, error) {
	status, err := s.client.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		return 0, fmt.Errorf("BK: %w", err)
	}
	if status.Msg.Shard != 0 {
		return 0, fmt.Errorf("BK serves shard %d; the façade's ids need shard 0", status.Msg.Shard)
	}
	place, err := s.ledger.ReplayPlace(ctx)
	if err != nil {
		return 0, fmt.Errorf("BK: %w", err)
	}
	return int64(place.LastEventID), nil
}

// Enter implements mode.Steps: it finds out how ids go on. Bank's and BK's journals stand still, unless it is the kill switch.
func (s *Service) Enter(ctx context.Context, tx pgx.Tx, step mode.Step) (b mode.Bases, err error) {
	b = step.From.Bases
	from, to := step.From.Mode, step.To
	if step.Killed {
		return b, s.leave(ctx, tx, step)
	}
	if from == "" {
		event, date, err := bootstrapped(ctx, tx)
		if err != nil {
			return b, err
		}
		b.BankEventID, b.BusinessDate = int64(event), int64(date)
	}
	var theirs bank.ReplayPlace
	if from.Primary() == mode.Bank || to.Primary() == mode.Bank || from == "" {
		theirs, err = s.bank.ReplayPlace(ctx)
		var date bank.Date
		if err == nil {
			date, err = s.bank.BusinessDate(ctx)
		}
		if err != nil && from != "" {
			return b, fmt.Errorf("Bank: %w", err)
		}
		if from != "" || to != mode.BankOnly { // what Bank had done before the first start, BK does not have, unless it was loaded with it
			b.BankEventID, b.BusinessDate = int64(theirs.LastEventID), int64(date)
		}
	}
	if s.follow != nil {
		if err := s.window(ctx, tx, step, b); err != nil {
			return b, err
		}
	}
	if to == mode.BankPrimary && (from == mode.BankOnly || from == "") {
		if err := s.queue.Directory(ctx, tx, step.From.Epoch+1); err != nil {
			return b, err
		}
	}
	if s.ledger == nil || from.Primary() == to.Primary() && from != "" && !step.Renews() || to == mode.BankOnly {
		return b, nil
	}
	head, err := s.head(ctx)
	if err != nil {
		return b, err
	}
	b.FirstSequence = head + 1
	if err := s.handOver(ctx, step, &b, head); err != nil {
		return b, err
	}
	if to.Primary() != mode.BK {
		return b, nil
	}
	ours, err := s.ledger.ReplayPlace(ctx)
	if err != nil {
		return b, fmt.Errorf("BK: %w", err)
	}
	b.TradeID = max(int64(theirs.LastTradeID), int64(ours.LastTradeID), step.TradeID, s.cfg.FirstTradeID-1, 0) - head
	b.CashID = max(int64(theirs.LastCashID), int64(ours.LastCashID), step.CashID, 0) - head
	if step.Renews() {
		return b, nil
	}
	return b, s.feed.Begin(ctx, tx, head)
}

// window says which of Bank's events are to be followed: those of bank-only. b is of now.
func (s *Service) window(ctx context.Context, tx pgx.Tx, step mode.Step, b mode.Bases) error {
	last, date := bank.ID(b.BankEventID), bank.Date(b.BusinessDate)
	switch {
	case step.From.Mode == mode.BankOnly:
		return s.follow.Close(ctx, tx, last)
	case step.To != mode.BankOnly:
		return nil
	}
	return s.follow.Open(ctx, tx, step.From.Epoch+1, last, date)
}

// enter tells the books which of BK's entries have ids of their own, and the feed whether it may call Bank. Writes of the new epoch come after it.
func (s *Service) enter(history []mode.Epoch) {
	now := history[len(history)-1]
	if s.ids != nil {
		s.ids.Update(books.Minted(history))
		s.ledger.Forget()
	}
	s.entered.Store(now.Epoch) // from here on ids are right in it
	s.feeding.Lock()
	defer s.feeding.Unlock()
	s.latest = now
	s.letFeed()
	if s.health != nil {
		s.health.suspect()
	}
}
