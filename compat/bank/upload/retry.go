package upload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// givenUp is the error of a row that was given up.
type givenUp struct {
	who, why string
	force    bool
	told     *bank.Error // what the upload's errors say of it
}

func (g *givenUp) Error() string { return g.told.Error() }

// insist calls until the answer is the row's own, or the row is given up. look tells whether the row is done, whatever was answered.
func (j *job) insist(ctx context.Context, call func() error, look func() (done bool, err error)) (retried bool, err error) {
	pause := j.worker.config.RetryMin
	for {
		err := call()
		if err == nil || bank.TypeOf(err).Refuses() {
			return retried, err
		}
		if ctx.Err() != nil {
			return retried, ctx.Err()
		}
		retried = true
		j.worker.log.WarnContext(ctx, "a row of an upload is tried again", "name", j.name, "row", j.row(), "pause", pause, "error", err)
		if bank.TypeOf(err) != bank.Internal { // it may be at work still
			j.settledAt = time.Now().Add(j.worker.config.Settle)
		}
		if err := j.hold(ctx, err); err != nil {
			return retried, errors.Join(errStopped, err)
		}
		if decided, err := j.wait(ctx, pause, err, look); decided || err != nil {
			return retried, err
		}
		pause = min(2*pause, j.worker.config.RetryMax)
	}
}

var errStopped = errors.New("progress cannot be saved")

// row is the number of the one that is worked off.
func (j *job) row() int64 { return j.processed + j.skipped + 1 }

// hold notes for people that a row has failed; progress is saved before, so that all is true.
func (j *job) hold(ctx context.Context, failure error) error {
	if j.rows > 0 {
		if err := j.save(ctx, bank.UploadRunning); err != nil {
			return err
		}
	}
	told := toldOf(failure)
	if _, err := j.conn.Exec(ctx, j.worker.store.sql.held.hold, j.seq, j.row(), string(told.Type), told.Message); err != nil {
		return fmt.Errorf("note the failure of row %d: %w", j.row(), err)
	}
	j.held = j.row()
	return nil
}

// toldOf makes of a failure what people are told.
func toldOf(failure error) *bank.Error {
	told := new(bank.Error)
	if errors.As(failure, &told) {
		return told
	}
	return bank.Errorf(bank.Internal, "%v", failure)
}

// wait lets a pause go by. Is the row to be given up meanwhile, that is decided, once nothing can be at work on it any more: decided with a nil error, it is booked; with a
// *[givenUp], it is given up.
func (j *job) wait(ctx context.Context, pause time.Duration, failure error, look func() (bool, error)) (decided bool, err error) {
	sql := &j.worker.store.sql.held
	until := time.Now().Add(pause)
	for {
		g := givenUp{}
		var attempts int64
		err := j.conn.QueryRow(ctx, sql.asked, j.seq, j.row()).Scan(&g.who, &g.why, &g.force, &attempts)
		asked := err == nil
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return false, errors.Join(errStopped, fmt.Errorf("look whether row %d is given up: %w", j.row(), err))
		}
		end := until
		if asked && j.settledAt.After(end) {
			end = j.settledAt
		}
		if asked && !time.Now().Before(j.settledAt) {
			done, err := look()
			if done && err == nil {
				return true, nil
			}
			if err == nil || g.force {
				told := toldOf(failure)
				g.told = bank.Errorf(told.Type, "given up by %s: %s; it failed %d times, at last with: %s", g.who, g.why, attempts, told.Message)
				j.worker.log.WarnContext(ctx, "a row of an upload is given up", "name", j.name, "row", j.row(), "who", g.who, "why", g.why, "force", g.force, "failure", failure)
				return true, &g
			}
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			reason := fmt.Sprintf("whether it is booked can't be told: %v; force it if you know", err)
			if _, err := j.conn.Exec(ctx, sql.refuse, j.seq, j.row(), reason); err != nil {
				return false, errors.Join(errStopped, fmt.Errorf("refuse to give up row %d: %w", j.row(), err))
			}
		}
		left := time.Until(end)
		if left <= 0 {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(min(left, j.worker.config.Poll)):
		}
	}
}
