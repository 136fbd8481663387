package bulk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger/journal"
)

// staging is the table that is loaded into.
const staging = "bk.bulk_journal"

// Errors of a load.
var (
	// ErrNotEmpty: the ledger has a history already. Only an empty one that was never published can be loaded.
	ErrNotEmpty = errors.New("bulk: the ledger is not empty")
	// ErrOtherLoad: a load with another manifest holds the ledger. Finish or abort that one.
	ErrOtherLoad = errors.New("bulk: another load holds the ledger")
	// ErrBusy: another process is at this very load.
	ErrBusy = errors.New("bulk: another process loads")
	// ErrFenced: another process has taken the load over, or it was aborted.
	ErrFenced = errors.New("bulk: the load is not this process's any more")
	// ErrNotBegun: Begin comes first.
	ErrNotBegun = errors.New("bulk: the load has not begun")
	// ErrBroken: what was loaded is not what the manifest says. Abort the load.
	ErrBroken = errors.New("bulk: what was loaded is not what the manifest says")
)

// LoaderConfig says what to load, and how. The zero value of a field is its default.
type LoaderConfig struct {
	// DSN names the ledger's Postgres. The login role must be a member of bk_app, as a server's; no other right is needed. Needed.
	DSN string
	// Manifest is what is loaded. Needed.
	Manifest Manifest
	// Copier brings an object into a table. Default: [Stream].
	Copier Copier
	// Who is named in the database, in the logs, and to servers that stand by. Default: host and process id.
	Who string
	// Connections is how many chunks are copied, and later read, at once: 1 to 64. Default 2.
	Connections int
	// Timeout bounds a chunk's transaction. Default 15 min.
	Timeout time.Duration
	// Published reports whether anything of this ledger is in Kafka; nil: nobody is asked.
	Published func(ctx context.Context) (bool, error)
	// Progress, if set, hears how many rows Finish has verified so far, from several goroutines.
	Progress func(done, total uint64)
	// Log: default none.
	Log *slog.Logger
}

// WithDefaults fills in what is left out.
func (c LoaderConfig) WithDefaults() LoaderConfig {
	if c.Copier == nil {
		c.Copier = Stream{}
	}
	if c.Who == "" {
		host, _ := os.Hostname()
		c.Who = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if c.Connections == 0 {
		c.Connections = 2
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Minute
	}
	if c.Progress == nil {
		c.Progress = func(uint64, uint64) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong.
func (c LoaderConfig) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(c.DSN != "", "dsn: needed")
	check(c.Connections >= 1 && c.Connections <= 64, "connections: %d is not between 1 and 64", c.Connections)
	check(c.Timeout >= time.Second, "timeout: %s is below a second", c.Timeout)
	return errors.Join(append(faults, c.Manifest.Validate())...)
}

// Loader brings a journal into an empty ledger. Begin comes first, then Load for each chunk, several at once and in any order, then Finish. It can be killed at any point: another
// one with the same manifest goes on where it was.
type Loader struct {
	cfg    LoaderConfig
	log    *slog.Logger
	pool   *pgxpool.Pool
	digest Hash

	mu     sync.Mutex
	lock   *pgx.Conn // holds the lock on loading this shard; nil before Begin
	id     int64     // of the load
	epoch  int64
	loaded map[int]bool
	done   bool // it is the journal
}

// NewLoader makes a loader. It connects when it has to.
func NewLoader(ctx context.Context, cfg LoaderConfig) (*Loader, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("bulk: loader: %w", err)
	}
	pool, err := pgxpool.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("bulk: postgres: %w", err)
	}
	pool.MaxConns = int32(cfg.Connections) + 1
	prepareSession(pool.ConnConfig, cfg.Manifest.Shard)
	pool.AfterConnect = takeRole
	l := &Loader{cfg: cfg, log: cfg.Log.With("shard", cfg.Manifest.Shard), digest: cfg.Manifest.Digest()}
	if l.pool, err = pgxpool.NewWithConfig(ctx, pool); err != nil {
		return nil, fmt.Errorf("bulk: postgres: %w", err)
	}
	return l, nil
}

// Close gives the connections back. The load stays as it is, for another loader to go on with.
func (l *Loader) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	letGo(l.lock)
	l.lock = nil
	l.pool.Close()
}

func prepareSession(cfg *pgx.ConnConfig, shard uint16) {
	cfg.ConnectTimeout = 10 * time.Second
	for name, value := range map[string]string{
		"application_name":        fmt.Sprintf("bk-bulk/%d", shard),
		"statement_timeout":       "0", // a role's time-out is for queries
		"synchronous_commit":      "on",
		"tcp_keepalives_idle":     "5",
		"tcp_keepalives_count":    "3",
		"client_encoding":         "UTF8",
		"tcp_keepalives_interval": "2",
	} {
		cfg.RuntimeParams[name] = value
	}
}

func takeRole(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "SET ROLE bk_app"); err != nil {
		return fmt.Errorf("postgres: take the role bk_app (is the database migrated, and the login role a member?): %w", err)
	}
	return nil
}

// letGo gives a lock up and closes its session: by the close alone the server holds the lock until it has noticed.
func letGo(lock *pgx.Conn) {
	if lock == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = lock.Exec(ctx, `SELECT pg_advisory_unlock_all()`) // where this fails, so does the session
	_ = lock.Close(ctx)                                      // nothing to do about a connection that does not close
}

// Loaded reports whether a chunk was in when Begin looked, or has been loaded by this loader since.
func (l *Loader) Loaded(number int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done || l.loaded[number]
}

// begun gives the load's number and epoch.
func (l *Loader) begun() (id, epoch int64, done bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lock == nil {
		return 0, 0, false, ErrNotBegun
	}
	return l.id, l.epoch, l.done, nil
}

// Load copies a chunk, in a transaction with the fence and the note that it is in. A chunk that is in already is a success that does nothing. The object's size and
// SHA-256 are the manifest's, whatever it says. [ErrDamaged], [ErrFenced]; after another error the same can be tried again.
func (l *Loader) Load(ctx context.Context, number int, o Object) error {
	id, epoch, done, err := l.begun()
	if err != nil {
		return err
	}
	if number < 1 || number > len(l.cfg.Manifest.Chunks) {
		return fmt.Errorf("bulk: load chunk %d: the manifest has %d", number, len(l.cfg.Manifest.Chunks))
	}
	if done || l.Loaded(number) {
		return nil
	}
	c := l.cfg.Manifest.Chunks[number-1]
	o.SHA256, o.Bytes = c.SHA256, c.Bytes
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	began := time.Now()
	copied := false
	err = pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, journal.Fence(l.cfg.Manifest.Shard, epoch)); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `INSERT INTO bk.bulk_chunk (load, number, first, last, rows, sha256) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (load, number) DO NOTHING`, id, number, int64(c.First), int64(c.Last), c.Rows, c.SHA256[:])
		if err != nil || tag.RowsAffected() == 0 {
			return err // in already, or copied by another call while this one waited for its transaction
		}
		rows, err := l.cfg.Copier.Copy(ctx, tx.Conn(), staging, journal.Columns, o)
		if err == nil && rows != c.Rows {
			err = fmt.Errorf("%w: %s has %d rows instead of %d", ErrDamaged, o.Name, rows, c.Rows)
		}
		copied = true
		return err
	})
	if err != nil {
		return fmt.Errorf("bulk: load chunk %d (entries %d to %d): %w", number, c.First, c.Last, fencedOr(err))
	}
	l.mu.Lock()
	l.loaded[number] = true
	l.mu.Unlock()
	if copied {
		l.log.Debug("loaded a chunk", "chunk", number, "rows", c.Rows, "bytes", c.Bytes, "took", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// fencedOr says what a fence's error means, and leaves others as they are.
func fencedOr(err error) error {
	if journal.Fenced(err) {
		return ErrFenced
	}
	return err
}

func isState(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}
