package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"github.com/bkledger/bk/ledger"
)

// appRole is the role that all sessions take; see migrations.
const appRole = "bk_app"

// Journal is this process's handle on one shard. It leads (appends) or stands by, and reads in both.
type Journal struct {
	cfg       Config
	log       *slog.Logger
	pool      *pgxpool.Pool
	store     *store
	directory *ledger.Directory
	defined   atomic.Uint64 // the directory holds all definitions up to here
	tail      *tail
	filter    atomic.Pointer[keyFilter]
	current   atomic.Pointer[term]
	inFlight  *semaphore.Weighted
	gate      *semaphore.Weighted // each booking holds one until it is in the queue, a roll all
	metrics   *metrics

	unresolved      []*batch // of a term that is over; Run's alone
	unresolvedEpoch int64
	unresolvedSince time.Time
}

// Open connects to the database, which must be migrated, and reads the directory. Call Run to take part, and Close at the end.
func Open(ctx context.Context, cfg Config) (*Journal, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	j := &Journal{
		cfg: cfg, log: cfg.Log.With("shard", cfg.Shard), directory: ledger.NewDirectory(), tail: newTail(),
		inFlight: semaphore.NewWeighted(int64(cfg.MaxInFlight)), gate: semaphore.NewWeighted(gateUnits), metrics: newMetrics(cfg.Metrics),
	}
	pool, err := pgxpool.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	pool.MaxConns = int32(cfg.PoolConnections)
	pool.ConnConfig.RuntimeParams["application_name"] = j.sessionName("bk-reader")
	pool.ConnConfig.ConnectTimeout = 10 * time.Second
	pool.AfterConnect = takeRole
	if j.pool, err = pgxpool.NewWithConfig(ctx, pool); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	j.store = &store{pool: j.pool, shard: int16(cfg.Shard)}
	head, hash, err := j.store.head(ctx)
	if err == nil {
		err = j.follow(ctx, head, hash)
	}
	if err != nil {
		j.pool.Close()
		return nil, err
	}
	return j, nil
}

// Close gives the connections back. Run must have returned.
func (j *Journal) Close() { j.pool.Close() }

// Pool gives the connections for reading; their sessions have the application's role.
func (j *Journal) Pool() *pgxpool.Pool { return j.pool }

// Directory holds all accounts and instruments up to the head.
func (j *Journal) Directory() *ledger.Directory { return j.directory }

// Leading reports whether this process appends now.
func (j *Journal) Leading() bool { return j.current.Load() != nil }

// Epoch is the number of the term that this process leads, 0 if it stands by.
func (j *Journal) Epoch() int64 {
	if t := j.current.Load(); t != nil {
		return t.epoch
	}
	return 0
}

// Run leads or stands by until ctx ends; then everything accepted is booked and answered before it returns. The one error that it
// gives up on is ErrTailCut: nothing may be appended to a journal that lost acknowledged entries.
func (j *Journal) Run(ctx context.Context) error {
	defer j.giveUpUnresolved()
	var lock *pgx.Conn
	defer func() { closeIf(lock) }()
	said := ""
	for ctx.Err() == nil {
		if len(j.unresolved) > 0 && time.Since(j.unresolvedSince) > 2*j.cfg.AppendTimeout {
			j.giveUpUnresolved()
		}
		t, s, err := j.standBy(ctx, &lock)
		switch {
		case errors.Is(err, ErrTailCut), errors.Is(err, ErrGap):
			return err
		case err != nil && ctx.Err() == nil:
			if err.Error() != said {
				j.log.Error("can't lead or follow; trying again", "error", err)
				said = err.Error()
			}
			closeIf(lock)
			lock = nil
		case t != nil:
			said = ""
			j.log.Info("leading", "epoch", t.epoch, "head", s.next-1)
			err := t.lead(ctx, s)
			j.endTerm(t, err)
			closeIf(lock)
			lock = nil
		case said == "" && err == nil:
			j.log.Info("standing by: another process is the writer")
			said = "standing by"
		}
		select {
		case <-time.After(standbyPoll):
		case <-ctx.Done():
		}
	}
	return nil
}

// standBy looks once whether to lead, and follows the journal if not.
func (j *Journal) standBy(ctx context.Context, lock **pgx.Conn) (*term, *sequencer, error) {
	if *lock == nil {
		conn, err := j.connect(ctx, "bk-standby")
		if err != nil {
			return nil, nil, err
		}
		*lock = conn
	}
	t, s, err := j.tryLead(ctx, *lock)
	if err != nil {
		return nil, nil, err
	}
	if t == nil {
		head, hash, err := j.store.head(ctx)
		if err != nil {
			return nil, nil, err
		}
		if err := j.follow(ctx, head, hash); err != nil {
			return nil, nil, err
		}
	}
	if err := j.settleUnresolved(ctx); err != nil {
		if t != nil {
			t.stopLoading()
		}
		return nil, nil, err
	}
	return t, s, nil
}

// follow moves this process's view of the journal to head.
func (j *Journal) follow(ctx context.Context, head uint64, hash [32]byte) error {
	if head > j.defined.Load() {
		last, err := j.store.definitions(ctx, j.directory, j.defined.Load(), head)
		if err != nil {
			j.defined.Store(last)
			return err
		}
		j.defined.Store(head)
	}
	j.tail.seek(head, hash)
	j.metrics.head.Set(float64(head))
	return nil
}

// endTerm takes over what a term left unanswered.
func (j *Journal) endTerm(t *term, err error) {
	if err != nil {
		j.log.Warn("the term is over", "epoch", t.epoch, "error", err)
	} else {
		j.log.Info("the term is over", "epoch", t.epoch)
		ctx, cancel := context.WithTimeout(context.Background(), j.cfg.Lease)
		defer cancel()
		if err := t.beat(ctx); err != nil {
			j.log.Warn("could not write the last place to the lease", "error", err)
		}
	}
	j.unresolved = append(j.unresolved, t.open...)
	j.unresolvedEpoch, j.unresolvedSince = t.epoch, time.Now()
}

// settleUnresolved answers the callers of appends whose commit got no answer, once a later epoch has ended their transactions.
func (j *Journal) settleUnresolved(ctx context.Context) error {
	if len(j.unresolved) == 0 {
		return nil
	}
	var epoch int64
	err := j.pool.QueryRow(ctx, `SELECT epoch FROM bk.shard WHERE shard = $1`, int16(j.cfg.Shard)).Scan(&epoch)
	if err != nil {
		return fmt.Errorf("journal: read the epoch: %w", err)
	}
	if epoch <= j.unresolvedEpoch {
		return nil
	}
	for len(j.unresolved) > 0 {
		if err := j.resolve(ctx, j.unresolved[0]); err != nil {
			return err
		}
		j.unresolved = j.unresolved[1:]
	}
	return nil
}

// giveUpUnresolved tells callers that nobody knows; the same command again will.
func (j *Journal) giveUpUnresolved() {
	for _, b := range j.unresolved {
		for _, p := range b.groups {
			p.abandon(ErrOutcomeUnknown)
		}
	}
	j.unresolved = nil
}

// connect opens a connection of its own, with time-outs that end a session whose process is gone or hangs.
func (j *Journal) connect(ctx context.Context, purpose string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(j.cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	cfg.ConnectTimeout = 10 * time.Second
	cfg.RuntimeParams["application_name"] = j.sessionName(purpose)
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = fmt.Sprint(j.cfg.AppendTimeout.Milliseconds())
	cfg.RuntimeParams["statement_timeout"] = fmt.Sprint(j.cfg.AppendTimeout.Milliseconds())
	cfg.RuntimeParams["tcp_keepalives_idle"] = "5"
	cfg.RuntimeParams["tcp_keepalives_interval"] = "2"
	cfg.RuntimeParams["tcp_keepalives_count"] = "3"
	cfg.RuntimeParams["synchronous_commit"] = "on" // promise P3, whatever the server's default is
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: connect: %w", err)
	}
	if err := takeRole(ctx, conn); err != nil {
		closeNow(conn)
		return nil, err
	}
	return conn, nil
}

func (j *Journal) sessionName(purpose string) string {
	return fmt.Sprintf("%s/%d", purpose, j.cfg.Shard)
}

// takeRole gives up the login role's rights for the application's.
func takeRole(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "SET ROLE "+appRole); err != nil {
		return fmt.Errorf("postgres: take the role %s (is the database migrated, and the login role a member?): %w", appRole, err)
	}
	return nil
}

func closeIf(conn *pgx.Conn) {
	if conn != nil {
		closeNow(conn)
	}
}
