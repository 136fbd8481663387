package facade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

const (
	placeEvery = 2 * time.Second
	placeKeep  = time.Hour // longer than any call lasts
	placeTries = 5
)

// leave is the kill switch's part of a step to bank-only. Bank is not asked: it may be what is slow.
//
// What follow takes from its stream begins at a place where Bank had been before the oldest call that is still under way was written down. These calls' intents go:
// their work, should Bank do it, comes over the stream, in Bank's order among what clients do meanwhile without the façade's locks; a row that is queued at the
// end of such a call could come behind what Bank did after it. Rows of calls that had ended by now are in the queue already, before all that follow writes, and
// come over the stream a second time: to BK that is a repeat. Entities and accounts are in no stream, so theirs stay.
//
// Without Kafka intents end as rows, as ever, and no step forward is made: BK lacks what Bank does from here on.
func (s *Service) leave(ctx context.Context, tx pgx.Tx, step mode.Step) error {
	if step.To != mode.BankOnly || s.follow == nil {
		return nil
	}
	last, date := step.From.BankEventID, step.From.BusinessDate
	err := tx.QueryRow(ctx, `SELECT event_id, date FROM facade.bank_place
		WHERE epoch = $1 AND seen_at < coalesce((SELECT min(opened_at) FROM facade.intent), clock_timestamp()) ORDER BY id DESC LIMIT 1`, step.From.Epoch).Scan(&last, &date)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("find how far Bank had come: %w", err)
	}
	if _, err := tx.Exec(ctx, `WITH gone AS (DELETE FROM facade.intent WHERE kind NOT IN ('entity', 'account') RETURNING id)
		DELETE FROM facade.intent_key k USING gone WHERE k.intent = gone.id`); err != nil {
		return fmt.Errorf("leave calls that are under way to follow: %w", err)
	}
	return s.follow.Open(ctx, tx, step.From.Epoch+1, bank.ID(last), bank.Date(date))
}

// places keeps how far Bank has come, every few seconds while BK follows it, for the kill switch.
func (s *Service) places(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(placeEvery):
		}
		if err := s.place(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("how far Bank has come can't be kept; should BK be left behind now, follow begins earlier than it needs", "error", err)
		}
	}
}

func (s *Service) place(ctx context.Context) error {
	state, _ := s.keeper.State()
	if state.Mode != mode.BankPrimary {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*placeEvery)
	defer cancel()
	var fresh bool // by another replica
	if err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM facade.bank_place WHERE epoch = $1 AND seen_at > clock_timestamp() - $2::interval)`,
		state.Epoch.Epoch, placeEvery/2).Scan(&fresh); err != nil || fresh {
		return err
	}
	// Before Bank is asked: what stands before these offsets was done by then.
	asking, asked := context.WithTimeout(ctx, placeEvery/2)
	offsets, notAsked := s.follow.Ends(asking)
	asked()
	last, date, ok, err := s.bankPlace(ctx)
	if err != nil || !ok {
		return err
	}
	var at []byte
	if notAsked == nil {
		if at, err = json.Marshal(offsets); err != nil {
			return fmt.Errorf("encode where Bank's topics end: %w", err)
		}
	}
	if _, err := s.pool.Exec(ctx, `INSERT INTO facade.bank_place (epoch, event_id, date, offsets) SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM facade.mode WHERE epoch > $1)`,
		state.Epoch.Epoch, int64(last), int32(date), at); err != nil {
		return err
	}
	if notAsked != nil {
		return notAsked // what was kept is enough for all but to know what Kafka will have deleted
	}
	_, err = s.pool.Exec(ctx, `DELETE FROM facade.bank_place WHERE seen_at < clock_timestamp() - $1::interval`, placeKeep)
	return err
}

// bankPlace gives how far Bank has come, with the business date there. It is not ok while Bank rolls all the time.
func (s *Service) bankPlace(ctx context.Context) (last bank.ID, date bank.Date, ok bool, err error) {
	for range placeTries {
		before, err := s.bank.BusinessDate(ctx)
		if err != nil {
			return 0, 0, false, fmt.Errorf("Bank: %w", err)
		}
		place, err := s.bank.ReplayPlace(ctx)
		if err != nil {
			return 0, 0, false, fmt.Errorf("Bank: %w", err)
		}
		after, err := s.bank.BusinessDate(ctx)
		if err != nil {
			return 0, 0, false, fmt.Errorf("Bank: %w", err)
		}
		if before == after {
			return place.LastEventID, after, true, nil
		}
	}
	return 0, 0, false, nil
}
