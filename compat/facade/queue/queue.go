package queue

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/idle"
)

const (
	retryFirst = 50 * time.Millisecond // between tries of what needs the façade's database
	retryLast  = 2 * time.Second
	statsEvery = time.Second
	drainPoll  = 10 * time.Millisecond

	// A call whose context ends while it waits for accounts is taken out of Postgres' own queue by a cancel; without an answer to that for so long the
	// connection is cut.
	cancelDelay = time.Second
)

// Queue is what Bank has done and BK has still to do. It is safe for concurrent use; each replica has one.
type Queue struct {
	cfg    Config
	calls  *pgxpool.Pool // one connection for each call between Begin and its outcome
	pool   *pgxpool.Pool // for all else
	store  *backlog.Store
	worker *backlog.Worker
	turns  *turns
	rolls  rolls
	stats  atomic.Pointer[backlog.Stats]

	run     string       // names this run in intents
	number  atomic.Int64 // of the last call
	waiting atomic.Int64 // calls in Begin

	ctx   context.Context
	stop  context.CancelFunc
	tasks sync.WaitGroup
}

// Open connects. The tables must be there.
func Open(ctx context.Context, cfg Config) (*Queue, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the queue: %w", err)
	}
	run := make([]byte, 8)
	if _, err := rand.Read(run); err != nil {
		return nil, fmt.Errorf("the queue: name the run: %w", err)
	}
	q := &Queue{cfg: cfg, turns: newTurns(), run: hex.EncodeToString(run)}
	var err error
	if q.calls, err = connect(ctx, cfg.Postgres, cfg.Calls, "hotswap-calls", func(ctx context.Context, conn *pgx.Conn) error {
		for name, sql := range prepared {
			if _, err := conn.Prepare(ctx, name, sql); err != nil {
				return fmt.Errorf("prepare %s: %w", name, err)
			}
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("the queue: %w", err)
	}
	if q.pool, err = connect(ctx, cfg.Postgres, cfg.Connections, "hotswap-queue", nil); err != nil {
		q.calls.Close()
		return nil, fmt.Errorf("the queue: %w", err)
	}
	q.store = backlog.NewStore(q.pool, "facade.queue")
	working := cfg.Worker
	working.Lock, working.Deliver = LockWorker, q.deliver
	working.Alone = func(kind string) bool { return kind != KindTrades && kind != KindCancel && kind != KindCash }
	if q.worker, err = backlog.NewWorker(q.store, working); err != nil {
		q.calls.Close()
		q.pool.Close()
		return nil, fmt.Errorf("the queue: %w", err)
	}
	q.stats.Store(&backlog.Stats{LeftOut: map[string]int{}})
	q.ctx, q.stop = context.WithCancel(context.Background())
	return q, nil
}

func connect(ctx context.Context, dsn string, connections int, name string, prepare func(context.Context, *pgx.Conn) error) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("Postgres: %w", err)
	}
	cfg.MaxConns = int32(connections)
	cfg.AfterConnect = prepare
	cfg.ConnConfig.RuntimeParams["application_name"] = name
	cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed" // each statement sees what was committed before it had its locks
	cfg.ConnConfig.RuntimeParams["client_connection_check_interval"] = "1s"          // whoever waits for a lock is noticed when he dies
	cfg.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelDelay}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return pool, nil
}

// Close waits for calls under way and connections to end. Intents that are being resolved stay for others.
func (q *Queue) Close() {
	q.stop()
	q.tasks.Wait()
	q.calls.Close()
	q.pool.Close()
}

// background runs what outlives its call.
func (q *Queue) background(do func(ctx context.Context)) {
	q.tasks.Go(func() { do(q.ctx) })
}

// Run resolves what dead calls left, watches the limit and, on one of all replicas, brings the queue to BK, until ctx ends.
func (q *Queue) Run(ctx context.Context) {
	var running sync.WaitGroup
	every := func(pause time.Duration, what string, do func(context.Context) error) {
		running.Go(func() {
			for idle.For(ctx, pause) {
				if err := do(ctx); err != nil && ctx.Err() == nil {
					q.cfg.Log.Warn("the queue: "+what+" failed, it is tried again", "error", err)
				}
			}
		})
	}
	every(q.cfg.Sweep, "resolving dead calls", q.sweep)
	every(q.cfg.WatchEvery, "watching calls that were given up", q.watch)
	every(statsEvery, "counting", q.count)
	if q.cfg.BK != nil {
		running.Go(func() { q.worker.Run(ctx) })
	}
	running.Wait()
}

func (q *Queue) count(ctx context.Context) error {
	stats, err := q.store.Stats(ctx, q.cfg.Limit)
	if err != nil {
		return err
	}
	q.stats.Store(&stats)
	if stats.Waiting >= q.cfg.Limit {
		q.cfg.Full(stats.Waiting)
	}
	return nil
}

// Stats gives how the queue stood a second ago, at most. Waiting is counted up to the limit.
func (q *Queue) Stats() backlog.Stats { return *q.stats.Load() }

// Worker gives what this replica's worker is doing.
func (q *Queue) Worker() backlog.State { return q.worker.State() }

// Rows is the queue itself: to list, retry and skip rows.
func (q *Queue) Rows() *backlog.Store { return q.store }

// Wake tells the worker that somebody else has put rows into the queue.
func (q *Queue) Wake() { q.worker.Wake() }

// Drained waits until no call is open and nothing waits in the queue. An error says what is left when ctx ended.
func (q *Queue) Drained(ctx context.Context) error {
	var intents, rows, blocked bool
	for {
		err := q.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM facade.intent), EXISTS (SELECT FROM facade.queue WHERE done_at IS NULL),
			EXISTS (SELECT FROM facade.queue WHERE done_at IS NULL AND attempts > 0)`).Scan(&intents, &rows, &blocked)
		if err == nil && !intents && !rows {
			return nil
		}
		if !idle.For(ctx, drainPoll) {
			left := fmt.Errorf("the queue is not drained (open calls: %t, rows: %t, blocked ones: %t): %w", intents, rows, blocked, context.Cause(ctx))
			if state := q.worker.State(); state.Away != "" {
				left = fmt.Errorf("%w; BK is away: %s", left, state.Away)
			}
			return errors.Join(left, ignoreEnd(ctx, err))
		}
	}
}

// ignoreEnd leaves out an error that only says that ctx has ended.
func ignoreEnd(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) || pgconn.Timeout(err) {
		return nil
	}
	return err
}

// Unread notes that Bank took a write that the façade can't read. It is blocked from the first try, until somebody has seen to it and skips it; nothing waits for
// it but its like.
func (q *Queue) Unread(ctx context.Context, epoch int64, what string, body []byte) error {
	request, err := json.Marshal(struct {
		What string `json:"what"`
		Body string `json:"body"`
	}{what, string(body)})
	if err != nil {
		return fmt.Errorf("encode what can't be read: %w", err)
	}
	_, err = q.pool.Exec(ctx, `INSERT INTO facade.queue (origin, epoch, kind, keys, size, request) VALUES (0, $1, $2, $3, 1, $4)`, epoch, KindUnread, []int64{unread}, request)
	if err != nil {
		return fmt.Errorf("note a write that can't be read: %w", err)
	}
	q.worker.Wake()
	return nil
}
