package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/idle"
)

// The statements of a call. Those that end it are prepared under these names, as they go with what unlocks in one round trip.
const (
	lockAllSQL    = `SELECT pg_advisory_lock($1)`
	lockSharedSQL = `SELECT pg_advisory_lock_shared($1)`
	lockKeysSQL   = `SELECT count(pg_advisory_lock(l)) FROM unnest($1::bigint[]) AS l`
	// enterSQL does not wait for a roll, nor get before one that waits: it gives -1 then, and takes nothing.
	enterSQL  = `SELECT CASE WHEN pg_try_advisory_lock_shared($1) THEN (SELECT count(pg_advisory_lock(l)) FROM unnest($2::bigint[]) AS l) ELSE -1 END`
	unlockSQL = `SELECT pg_advisory_unlock_all()`

	fenceSQL = `SELECT pg_advisory_xact_lock_shared($1)`

	// What it finds of earlier intents is as of before its own.
	openSQL = `WITH opened AS (
			INSERT INTO facade.intent (epoch, kind, keys, size, request, replica, opened_at, until, call)
			SELECT $1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp() + $7::interval, $8 WHERE NOT EXISTS (SELECT FROM facade.mode WHERE epoch > $1)
			RETURNING id, keys
		), keyed AS (
			INSERT INTO facade.intent_key (key, intent) SELECT key, id FROM opened, unnest(opened.keys) AS key
		)
		SELECT id, `

	// By key for calls; all for a roll, which nobody is beside.
	earlierSQL = `ARRAY(SELECT DISTINCT intent FROM facade.intent_key WHERE key = ANY($3) OR key = 0 ORDER BY intent) FROM opened`
	allSQL     = `ARRAY(SELECT DISTINCT intent FROM facade.intent_key ORDER BY intent) FROM opened`

	gone = `WITH gone AS (DELETE FROM facade.intent WHERE id = $1 RETURNING *),
		keyed AS (DELETE FROM facade.intent_key k USING gone WHERE k.key = ANY(gone.keys) AND k.intent = gone.id) `

	// None of them waits until it is on disk: if a crash of Postgres takes it back, the intent is there again and is resolved; and a later call on the same keys
	// can't be there without it, as its own intent is written behind it, and does wait.
	lazily    = `set_config('synchronous_commit', 'off', true)`
	acceptSQL = gone + `INSERT INTO facade.queue (origin, epoch, kind, keys, size, request, answer)
		SELECT id, epoch, kind, keys, size, request, $2 FROM gone RETURNING ` + lazily
	refuseSQL = gone + `SELECT ` + lazily + ` FROM gone`
	giveUpSQL = gone + `INSERT INTO facade.intent_given_up (id, epoch, kind, keys, size, request)
		SELECT id, epoch, kind, keys, size, request FROM gone ON CONFLICT DO NOTHING RETURNING ` + lazily
)

// Errors of [Queue.Begin]: Bank must not be asked.
var (
	// ErrEpoch: the epoch is over.
	ErrEpoch = errors.New("the epoch is over")
	// ErrFull: too many calls wait, for a roll as a rule.
	ErrFull = errors.New("too many calls wait")
	// ErrOpen: Bank did not say what became of earlier calls on the accounts.
	ErrOpen = errors.New("it is not known what became of earlier calls")
)

// untilMargin is for the time between the intent's writing and the beginning of the call.
const untilMargin = time.Second

// prepared are the statements that every connection for calls has under their names.
var prepared = map[string]string{"queue_accept": acceptSQL, "queue_refuse": refuseSQL, "queue_give_up": giveUpSQL, "queue_unlock": unlockSQL}

// outcome is what became of a call. The zero value is that Bank did nothing.
type outcome struct {
	accepted bool
	answer   json.RawMessage
	watch    bool // refused only because Bank knew nothing of it for long enough
}

func (o outcome) statement() (name string, args [][]byte) {
	switch {
	case o.accepted:
		return "queue_accept", [][]byte{o.answer}
	case o.watch:
		return "queue_give_up", nil
	}
	return "queue_refuse", nil
}

// Held is a call that has its accounts to itself, from before Bank is asked until its outcome is known. One of Accepted, Refused and Unknown ends it.
type Held struct {
	q        *Queue
	conn     *pgxpool.Conn
	id       int64
	call     Call
	locks    []int64 // of which it has the turn
	deadline time.Time
	ended    bool
}

// Begin waits until no other call, on any replica, touches the same accounts, writes down what Bank will be asked for, and makes sure that earlier calls on
// these accounts that nobody looks after any more are resolved. An error, or the end of ctx: nothing is written down, Bank must not be asked; it may be one of [ErrEpoch],
// [ErrFull], [ErrOpen] and, where the wait was too long, context.DeadlineExceeded.
func (q *Queue) Begin(ctx context.Context, epoch int64, call Call) (*Held, error) {
	if err := call.validate(); err != nil {
		return nil, err
	}
	request, err := json.Marshal(call.request)
	if err != nil {
		return nil, fmt.Errorf("encode a call of kind %s: %w", call.kind, err)
	}
	if n := q.waiting.Add(1); n > int64(q.cfg.MaxWaiting) {
		q.waiting.Add(-1)
		return nil, fmt.Errorf("begin a call of kind %s: %w: %d calls wait already", call.kind, ErrFull, q.cfg.MaxWaiting)
	}
	defer q.waiting.Add(-1)
	waiting, cancel := context.WithTimeoutCause(ctx, q.cfg.WaitFor, fmt.Errorf("the wait of %s is over: %w", q.cfg.WaitFor, context.DeadlineExceeded))
	defer cancel()
	h := &Held{q: q, call: call, locks: locksOf(call.keys)}
	if err := q.turns.take(waiting, h.locks); err != nil {
		return nil, fmt.Errorf("begin a call of kind %s: %w", call.kind, err)
	}
	earlier, err := h.connect(waiting, epoch, request)
	if err != nil {
		q.turns.give(h.locks)
		return nil, fmt.Errorf("begin a call of kind %s: %w", call.kind, err)
	}
	if len(earlier) > 0 {
		_, err := q.resolveChain(waiting, h.conn.Conn(), earlier, true)
		if err == nil { // it took its time
			_, err = h.conn.Exec(ctx, `UPDATE facade.intent SET until = clock_timestamp() + $2::interval WHERE id = $1`, h.id, q.cfg.timeout(call.kind)+untilMargin)
		}
		if err != nil {
			_ = h.end(ctx, outcome{}) // tried again by itself
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				err = fmt.Errorf("%w: %w", ErrOpen, err)
			}
			return nil, fmt.Errorf("begin a call of kind %s: earlier ones on its accounts: %w", call.kind, err)
		}
	}
	h.deadline = time.Now().Add(q.cfg.timeout(call.kind))
	return h, nil
}

// connect takes a connection and writes the intent on it. While a roll is under way it has none.
func (h *Held) connect(ctx context.Context, epoch int64, request []byte) (earlier []int64, err error) {
	q := h.q
	for {
		if h.call.kind != KindRoll {
			if err := q.rolls.wait(ctx); err != nil {
				return nil, err
			}
		}
		if h.conn, err = q.calls.Acquire(ctx); err != nil {
			return nil, fmt.Errorf("wait for one of %d connections: %w", q.cfg.Calls, err)
		}
		name := fmt.Sprintf("%s-%d", q.run, q.number.Add(1))
		earlier, err = h.open(ctx, epoch, request, name)
		if err == nil {
			return earlier, nil
		}
		if errors.Is(err, errRolling) {
			h.conn.Release()
			q.scout()
			continue
		}
		if pid, lost := h.conn.Conn().PgConn().PID(), time.Now(); mayBeWritten(err) {
			q.background(func(ctx context.Context) {
				q.withdraw(ctx, name, h.call.keys, pid, lost, q.cfg.timeout(h.call.kind)+untilMargin+q.cfg.SettleAfter)
			})
		}
		drop(h.conn) // with whatever locks it has
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return nil, err
	}
}

// open takes the locks, and then writes the intent. It gives the intents that it found on its keys. It is not one round trip: Postgres would go on with the intent of
// a process that was killed while it waited for the locks, and its accounts would have to wait for a call that never was.
func (h *Held) open(ctx context.Context, epoch int64, request []byte, name string) (earlier []int64, err error) {
	if err := enter(ctx, h.conn, h.call.keys); err != nil {
		return nil, err
	}
	find := earlierSQL
	if h.call.kind == KindRoll {
		find = allSQL
	}
	// One transaction and one round trip: the second statement sees whatever epoch was entered before the fence was passed, and none is entered until it has committed.
	b := &pgx.Batch{}
	b.Queue(fenceSQL, LockEpoch)
	b.Queue(openSQL+find, epoch, h.call.kind, h.call.keys, h.call.size, request, h.q.cfg.Replica, h.q.cfg.timeout(h.call.kind)+untilMargin, name)
	results := h.conn.SendBatch(ctx, b)
	_, err = results.Exec()
	if err == nil {
		err = results.QueryRow().Scan(&h.id, &earlier)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrEpoch
	}
	if err = errors.Join(err, results.Close()); err != nil {
		return nil, fmt.Errorf("write the intent: %w", err)
	}
	return earlier, nil
}

// enter takes the locks of keys. It does not wait for a roll ([errRolling]); one waits for all.
func enter(ctx context.Context, conn *pgxpool.Conn, keys []int64) error {
	if slices.Contains(keys, backlog.All) {
		return lock(ctx, conn, keys)
	}
	var taken int64
	if err := conn.QueryRow(ctx, enterSQL, lockRoll, locksOf(keys)).Scan(&taken); err != nil {
		return fmt.Errorf("wait for the accounts: %w: %w", errLocks, err)
	}
	if taken < 0 {
		return errRolling
	}
	return nil
}

// errLocks is part of the error of a call that came to its end before it wrote anything.
var errLocks = errors.New("nothing was written")

// lock takes the locks of keys, in the order in which all do.
func lock(ctx context.Context, conn *pgxpool.Conn, keys []int64) error {
	b := &pgx.Batch{}
	if slices.Contains(keys, backlog.All) {
		b.Queue(lockAllSQL, lockRoll)
	} else {
		b.Queue(lockSharedSQL, lockRoll)
		b.Queue(lockKeysSQL, locksOf(keys))
	}
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("wait for the accounts: %w: %w", errLocks, err)
	}
	return nil
}

// Deadline is when the call to Bank must have ended, whatever its outcome.
func (h *Held) Deadline() time.Time { return h.deadline }

// ID is the intent's.
func (h *Held) ID() int64 { return h.id }

// Accepted says that Bank has done it: it is put into the queue, behind all that its accounts have there, and others may go on. ctx may have ended. An error
// says that the façade's database could not be told; the queue goes on trying, and resolves the intent if the process dies: the client may
// have Bank's answer.
func (h *Held) Accepted(ctx context.Context, answer Answer) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode the answer to a call of kind %s: %w", h.call.kind, err)
	}
	err = h.end(ctx, outcome{accepted: true, answer: text})
	h.q.worker.Wake()
	return err
}

// Refused says that Bank has done nothing. As with [Held.Accepted].
func (h *Held) Refused(ctx context.Context) error { return h.end(ctx, outcome{}) }

// Unknown says that Bank's answer did not come, or was outcome_unknown. The accounts stay held while Bank is asked.
func (h *Held) Unknown() {
	if h.ended {
		return
	}
	h.q.background(func(ctx context.Context) {
		o, err := h.q.learn(ctx, &intent{ID: h.id, Kind: h.call.kind, Request: mustEncode(h.call.request)}, time.Now().Add(h.q.cfg.SettleAfter), nil)
		if err != nil { // the queue is being closed: the intent stays, for others
			h.ended = true
			drop(h.conn)
			h.q.turns.give(h.locks)
			return
		}
		_ = h.end(ctx, o) // tried again by itself
		h.q.worker.Wake()
	})
}

// mustEncode encodes what was encoded before.
func mustEncode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic("queue: " + err.Error())
	}
	return text
}

// end writes the outcome and gives the accounts free, in this order, in one round trip.
func (h *Held) end(ctx context.Context, o outcome) error {
	if h.ended {
		return nil
	}
	h.ended = true
	defer h.q.turns.give(h.locks) // if the end fails, the locks order what follows
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.q.cfg.SettleAfter)
	defer cancel()
	err := finish(ending, h.conn.Conn().PgConn(), h.id, o)
	if err == nil {
		h.conn.Release()
		return nil
	}
	drop(h.conn)
	h.q.background(func(ctx context.Context) { h.q.endLater(ctx, h.id, h.call.keys, o) })
	return fmt.Errorf("write the outcome of intent %d: %w", h.id, err)
}

// finish commits the outcome before it unlocks: whoever gets the locks must see it.
func finish(ctx context.Context, conn *pgconn.PgConn, id int64, o outcome) (err error) {
	statement, args := o.statement()
	p := conn.StartPipeline(ctx)
	p.SendQueryPrepared(statement, append([][]byte{strconv.AppendInt(nil, id, 10)}, args...), nil, nil)
	p.SendPipelineSync()
	p.SendQueryPrepared("queue_unlock", nil, nil, nil)
	p.SendPipelineSync()
	err = p.Flush()
	for range 4 {
		if err != nil {
			break
		}
		var result any
		if result, err = p.GetResults(); err == nil {
			if rows, ok := result.(*pgconn.ResultReader); ok {
				_, err = rows.Close()
			}
		}
	}
	return errors.Join(err, p.Close())
}

// endLater writes an outcome on another connection, when there is one again. Somebody else may have resolved the intent by then.
func (q *Queue) endLater(ctx context.Context, id int64, keys []int64, o outcome) {
	for pause := retryFirst; ; pause = min(2*pause, retryLast) {
		conn, err := q.calls.Acquire(ctx)
		if err == nil {
			if err = lock(ctx, conn, keys); err == nil {
				if err = finish(ctx, conn.Conn().PgConn(), id, o); err == nil {
					conn.Release()
					q.worker.Wake()
					return
				}
			}
			drop(conn)
		}
		q.cfg.Log.Warn("can't write the outcome of a call, trying again", "intent", id, "error", err)
		if !idle.For(ctx, pause) {
			return
		}
	}
}

// drop ends a connection and its session, with its locks.
func drop(conn *pgxpool.Conn) {
	closing, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Conn().Close(closing) // broken or not, it is of no more use
	conn.Release()
}
