package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bkledger/bk/compat/facade/idle"
)

// errWithdrawn says that the intent has gone while its outcome was asked for: whoever wrote it has taken it back.
var errWithdrawn = errors.New("the intent was withdrawn")

const (
	// The session of a call whose answer was lost: the one that had this number before then. It is ended, as it may not know yet that nobody listens.
	endSessionSQL = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = $1 AND backend_start < clock_timestamp() - $2::interval AND datname = current_database()`

	withdrawSQL = `WITH gone AS (DELETE FROM facade.intent i USING facade.intent_key k WHERE k.key = ANY($2) AND i.id = k.intent AND i.call = $1 RETURNING i.id, i.keys)
		DELETE FROM facade.intent_key k USING gone WHERE k.key = ANY(gone.keys) AND k.intent = gone.id`
)

// mayBeWritten reports whether an intent may be there although its writing failed: the database has not said no.
func mayBeWritten(err error) bool {
	var said *pgconn.PgError
	return err != nil && !errors.Is(err, ErrEpoch) && !errors.Is(err, errLocks) && (!errors.As(err, &said) || said.Code == "57P01" || said.Code == "57014")
}

// withdraw takes back an intent of which it is not known whether it was written: Bank is not asked for the call, so nobody has to wait for it. pid is the session that
// was to write it, lost is when that was lost. Should it not succeed in time, the intent is resolved as any that nobody looks after.
func (q *Queue) withdraw(ctx context.Context, name string, keys []int64, pid uint32, lost time.Time, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for pause := retryFirst; ; pause = min(2*pause, retryLast) {
		over, err := q.tryWithdraw(ctx, name, keys, pid, time.Since(lost))
		if over {
			return
		}
		if err != nil && ctx.Err() == nil {
			q.cfg.Log.Warn("can't take back what was to be written down, trying again", "call", name, "error", err)
		}
		if !idle.For(ctx, pause) {
			return
		}
	}
}

// tryWithdraw reports whether it is known that the intent is not there, and will not be.
func (q *Queue) tryWithdraw(ctx context.Context, name string, keys []int64, pid uint32, ago time.Duration) (over bool, err error) {
	var sessions int
	if err := q.pool.QueryRow(ctx, endSessionSQL, int64(pid), ago).Scan(&sessions); err != nil {
		return false, fmt.Errorf("end the session that was to write it: %w", err)
	}
	// What is there now may go, whether the session has ended or not. If it has, nothing comes behind.
	tag, err := q.pool.Exec(ctx, withdrawSQL, name, keys)
	if err != nil {
		return false, fmt.Errorf("delete it: %w", err)
	}
	return sessions == 0 || tag.RowsAffected() > 0, nil
}
