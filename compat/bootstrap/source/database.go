package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// dateLock is the advisory lock that Bank's rolls take exclusively and all its other work shared ("bankdate" in ASCII): whoever holds it sees none of Bank's work under way. It is
// part of Bank's database as its tables are.
const dateLock int64 = 0x62616e6b64617465

var (
	// ErrBusy says that no snapshot can be taken at the moment: later it can.
	ErrBusy = errors.New("Bank is in the middle of something")
	// ErrGone says that the snapshot has died with its session: what was read of it can't be completed.
	ErrGone = errors.New("the snapshot is gone")
)

// Exporter writes what a query gives into an object without its way through here, as Aurora can. The rows it says it wrote.
type Exporter func(ctx context.Context, conn *pgx.Conn, query, key string) (rows int64, err error)

// DatabaseConfig says where Bank's database is, and how it is read.
type DatabaseConfig struct {
	DSN         string        // needed; a role that may read is enough
	Connections int           // that read chunks at once; 2
	Barrier     time.Duration // how long the barrier waits for what is under way, while Bank's writes wait behind it; 2 s
	Log         *slog.Logger  // default: none
}

// WithDefaults fills in what is left out.
func (c DatabaseConfig) WithDefaults() DatabaseConfig {
	if c.Connections == 0 {
		c.Connections = 2
	}
	if c.Barrier == 0 {
		c.Barrier = 2 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong.
func (c DatabaseConfig) Validate() error {
	var wrong []error
	if c.DSN == "" {
		wrong = append(wrong, errors.New("DSN: needed: Bank's database"))
	} else if _, err := pgxpool.ParseConfig(c.DSN); err != nil {
		wrong = append(wrong, errors.New("DSN: cannot be read as a Postgres URL or list of settings"))
	}
	if c.Connections < 1 || c.Connections > 32 {
		wrong = append(wrong, fmt.Errorf("Connections: %d is not between 1 and 32", c.Connections))
	}
	if c.Barrier < 10*time.Millisecond || c.Barrier > time.Minute {
		wrong = append(wrong, fmt.Errorf("Barrier: %s is not between 10ms and 1m", c.Barrier))
	}
	return errors.Join(wrong...)
}

// Database is a snapshot of Bank's database, as long as its session lives. Its methods may be called from several goroutines.
type Database struct {
	cfg      DatabaseConfig
	place    Place
	snapshot string
	session  *pgx.Conn // exports the snapshot
	pool     *pgxpool.Pool
}

func sessionOf(conn *pgx.ConnConfig) {
	for name, value := range map[string]string{
		"application_name": "hotswap-bootstrap", "search_path": "pg_catalog", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "timezone": "UTC",
		"datestyle": "ISO", "client_encoding": "UTF8", "extra_float_digits": "1",
	} {
		conn.RuntimeParams[name] = value
	}
}

// Snapshot takes a snapshot and its place, together, under one brief write barrier. [ErrBusy] if what is under way doesn't end in time, if a roll was interrupted, or if uploads are
// being worked off.
func Snapshot(ctx context.Context, cfg DatabaseConfig) (*Database, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("snapshot: configuration: %w", err)
	}
	pc, err := pgxpool.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, errors.New("snapshot: DSN: cannot be read")
	}
	sessionOf(pc.ConnConfig)
	pc.MaxConns = int32(cfg.Connections) + 1
	d := &Database{cfg: cfg}
	if d.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return nil, fmt.Errorf("snapshot: connect to Bank's database: %w", err)
	}
	if d.session, err = pgx.ConnectConfig(ctx, pc.ConnConfig.Copy()); err != nil {
		d.pool.Close()
		return nil, fmt.Errorf("snapshot: connect to Bank's database: %w", err)
	}
	if err := d.take(ctx); err != nil {
		d.Close()
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return d, nil
}

// take holds Bank's writes, takes the snapshot, and lets them go on. Another session holds the lock, so that it is free as soon as the snapshot is there.
func (d *Database) take(ctx context.Context) error {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to Bank's database: %w", err)
	}
	defer conn.Release()
	// All that needs no lock is done before it.
	if _, err := d.session.Exec(ctx, `SELECT 1 FROM bank.business_date`); err != nil {
		return fmt.Errorf("read Bank's tables: %w", err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("hold Bank's writes: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it ends the barrier, or has
	if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, d.cfg.Barrier.Milliseconds())); err != nil {
		return fmt.Errorf("hold Bank's writes: %w", err)
	}
	asked := time.Now() // from now on new work waits behind us
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, dateLock); err != nil {
		return fmt.Errorf("%w: what is under way did not end within %s: %w", ErrBusy, d.cfg.Barrier, err)
	}
	batch := &pgx.Batch{}
	batch.Queue(`BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY`)
	var rollingTo, uploads, published int64
	batch.Queue(`SELECT pg_export_snapshot(), clock_timestamp(), b.date, b.rolling_to, p.event_id, greatest(p.event_id, (SELECT max(event_id) FROM bank.outbox)),
			(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM bank.trade_id), (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM bank.cash_id),
			(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM bank.journal_id), (SELECT count(*) FROM bank.upload WHERE status IN ('pending', 'running'))
		FROM bank.business_date AS b, bank.published AS p`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&d.snapshot, &d.place.TakenAt, &d.place.BusinessDate, &rollingTo, &published, &d.place.EventID, &d.place.LastTradeID, &d.place.LastCashID, &d.place.LastJournalID, &uploads)
	})
	err = d.session.SendBatch(ctx, batch).Close()
	ended := tx.Rollback(context.WithoutCancel(ctx))
	d.place.HeldMS = float64(time.Since(asked).Microseconds()) / 1000
	d.place.Source = "database"
	if err := errors.Join(err, ended); err != nil {
		return fmt.Errorf("take the snapshot: %w", err)
	}
	if rollingTo != 0 {
		return fmt.Errorf("%w: a roll to %d was interrupted; Bank finishes it when it starts", ErrBusy, rollingTo)
	}
	if uploads != 0 {
		return fmt.Errorf("%w: %d uploads are not worked off", ErrBusy, uploads)
	}
	d.cfg.Log.Info("snapshot of Bank taken", "event", d.place.EventID, "date", int32(d.place.BusinessDate), "held_ms", d.place.HeldMS)
	return nil
}

// Place gives where the snapshot was taken.
func (d *Database) Place() Place { return d.place }

// Alive tells whether the snapshot still is: an error is [ErrGone].
func (d *Database) Alive(ctx context.Context) error {
	conn, err := d.reader(ctx)
	if err != nil {
		return err
	}
	conn.end(ctx)
	return nil
}

// reading is a connection in a transaction on the snapshot.
type reading struct{ *pgxpool.Conn }

func (r reading) end(ctx context.Context) {
	if _, err := r.Exec(context.WithoutCancel(ctx), `ROLLBACK`); err != nil {
		r.Conn.Conn().Close(context.WithoutCancel(ctx)) //nolint:errcheck // it is given up
	}
	r.Release()
}

var snapshotName = regexp.MustCompile(`^[0-9A-F-]+$`)

func (d *Database) reader(ctx context.Context) (reading, error) {
	if !snapshotName.MatchString(d.snapshot) {
		return reading{}, fmt.Errorf("%w: Postgres named it %q", ErrGone, d.snapshot)
	}
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return reading{}, fmt.Errorf("connect to Bank's database: %w", err)
	}
	if _, err = conn.Exec(ctx, `BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY`); err == nil {
		_, err = conn.Exec(ctx, `SET TRANSACTION SNAPSHOT '`+d.snapshot+`'`)
	}
	if err != nil {
		reading{conn}.end(ctx)
		if ctx.Err() != nil {
			return reading{}, ctx.Err()
		}
		return reading{}, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return reading{conn}, nil
}

// Read writes the rows of a range as CSV, in the order of the table's key.
func (d *Database) Read(ctx context.Context, r Range, to io.Writer) (rows int64, err error) {
	conn, err := d.reader(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.end(ctx)
	tag, err := conn.Conn.Conn().PgConn().CopyTo(ctx, to, "COPY ("+r.query()+") TO STDOUT (FORMAT csv)")
	if err != nil {
		return 0, fmt.Errorf("read Bank's %s: %w", r, err)
	}
	return tag.RowsAffected(), nil
}

// Export has the database write them, as CSV as Read does.
func (d *Database) Export(ctx context.Context, r Range, key string, export Exporter) (rows int64, err error) {
	conn, err := d.reader(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.end(ctx)
	if rows, err = export(ctx, conn.Conn.Conn(), r.query(), key); err != nil {
		return 0, fmt.Errorf("export Bank's %s: %w", r, err)
	}
	return rows, nil
}

// Ranges gives the next chunks of a table: of about size rows each. pause is called between two looks.
func (d *Database) Ranges(ctx context.Context, t Table, size int64, pause func(context.Context) error) ([]Range, error) {
	conn, err := d.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.end(ctx)
	if shapes[t].by == "" {
		return d.pages(ctx, conn, t, size)
	}
	by := shapes[t].by
	var from *int64
	if err := conn.QueryRow(ctx, fmt.Sprintf(`SELECT min(%s) FROM bank.%s`, by, t)).Scan(&from); err != nil {
		return nil, fmt.Errorf("share out Bank's table %s: %w", t, err)
	}
	if from == nil {
		return nil, nil
	}
	ranges := []Range{{Table: t, From: *from}}
	for {
		last := &ranges[len(ranges)-1]
		var next int64
		err := conn.QueryRow(ctx, fmt.Sprintf(`SELECT %s FROM bank.%s WHERE %s > $1 ORDER BY %s OFFSET $2 LIMIT 1`, by, t, by, by), last.From, size-1).Scan(&next)
		if errors.Is(err, pgx.ErrNoRows) {
			return ranges, nil
		}
		if err != nil {
			return nil, fmt.Errorf("share out Bank's table %s: %w", t, err)
		}
		last.Below = next
		ranges = append(ranges, Range{Table: t, From: next})
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// pages shares out a table by its pages: there is no index by which it could be, and no row of a snapshot moves.
func (d *Database) pages(ctx context.Context, conn reading, t Table, size int64) ([]Range, error) {
	var pages, rows float64
	err := conn.QueryRow(ctx, `SELECT pg_relation_size(c.oid) / current_setting('block_size')::int, CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples / c.relpages ELSE 60 END
		FROM pg_class AS c WHERE c.oid = $1::regclass`, "bank."+string(t)).Scan(&pages, &rows)
	if err != nil {
		return nil, fmt.Errorf("share out Bank's table %s: %w", t, err)
	}
	if pages == 0 {
		return nil, nil
	}
	step := max(1, int64(float64(size)/rows))
	var ranges []Range
	for from := int64(0); from < int64(pages); from += step {
		ranges = append(ranges, Range{Table: t, From: from, Below: from + step, Pages: true})
	}
	ranges[len(ranges)-1].Below = 0
	return ranges, nil
}

// Close gives the snapshot up.
func (d *Database) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	d.session.Close(ctx) //nolint:errcheck // the server ends it anyway
	d.pool.Close()
}
