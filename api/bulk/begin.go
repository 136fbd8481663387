package bulk

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger/journal"
)

// advisoryClass is the first key of the advisory lock that a loader's session holds; the second is the shard. A writer has another.
const advisoryClass = 0x626c // "bl"

// lockTimeout is how long a step waits for locks that others hold, before it fails and can be tried again.
const lockTimeout = "SET LOCAL lock_timeout = '5s'"

// Begin takes the ledger for the load: it raises the epoch, so that no server appends any more, and from then on none will lead until the load is done or aborted. If the same
// load was begun before, it goes on. [ErrNotEmpty], [ErrOtherLoad], [ErrBusy].
func (l *Loader) Begin(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lock != nil {
		return errors.New("bulk: begin: it has begun already")
	}
	if l.cfg.Published != nil {
		published, err := l.cfg.Published(ctx)
		if err != nil {
			return fmt.Errorf("bulk: begin: ask whether the ledger was published: %w", err)
		}
		if published && !l.isDone(ctx) {
			return fmt.Errorf("bulk: begin: %w: events of it are in Kafka", ErrNotEmpty)
		}
	}
	lock, err := lockLoads(ctx, l.cfg.DSN, l.cfg.Manifest.Shard)
	if err != nil {
		return fmt.Errorf("bulk: begin: %w", err)
	}
	if err := pgx.BeginFunc(ctx, lock, func(tx pgx.Tx) error { return l.take(ctx, tx) }); err != nil {
		letGo(lock)
		return fmt.Errorf("bulk: begin: %w", err)
	}
	if !l.done {
		last := l.cfg.Manifest.Summary.Head / segmentEntries
		if _, err := lock.Exec(ctx, `SELECT bk.bulk_segment(n) FROM generate_series(0::bigint, $1::bigint) n`, int64(last)); err != nil {
			letGo(lock)
			return fmt.Errorf("bulk: begin: make partitions: %w", err)
		}
		l.log.Info("bulk load begun: no server leads this ledger until it is done or aborted", "load", l.id, "epoch", l.epoch, "manifest", l.digest.String(),
			"rows", l.cfg.Manifest.Summary.Rows, "chunks", len(l.cfg.Manifest.Chunks), "loaded", len(l.loaded))
	}
	l.lock = lock
	return nil
}

// segmentEntries is what a partition holds; as in migrations.
const segmentEntries = 1 << 23

// lockLoads opens a session that holds the lock on loading a shard, for as long as it lives.
func lockLoads(ctx context.Context, dsn string, shard uint16) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	prepareSession(cfg, shard)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: connect: %w", err)
	}
	locked := false
	if err = takeRole(ctx, conn); err == nil {
		err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, advisoryClass, int32(shard)).Scan(&locked)
	}
	if err == nil && !locked {
		err = fmt.Errorf("%w into shard %d", ErrBusy, shard)
	}
	if err != nil {
		letGo(conn)
		return nil, err
	}
	return conn, nil
}

// isDone reports whether this very load is the journal already, so that it is no wonder if it is published. What can't be found out Begin finds out again.
func (l *Loader) isDone(ctx context.Context) bool {
	var done bool
	err := l.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM bk.bulk_load WHERE shard = $1 AND manifest = $2 AND state = 'done')`,
		int16(l.cfg.Manifest.Shard), l.digest[:]).Scan(&done)
	return err == nil && done
}

// take finds this load or begins it, with the shard's row locked.
func (l *Loader) take(ctx context.Context, tx pgx.Tx) error {
	shard := int16(l.cfg.Manifest.Shard)
	if _, err := tx.Exec(ctx, lockTimeout); err != nil {
		return err
	}
	var manifest []byte
	var state, who string
	find := func() error {
		err := tx.QueryRow(ctx, `SELECT id, epoch, manifest, state, who FROM bk.bulk_load WHERE shard = $1 AND state <> 'aborted'`, shard).
			Scan(&l.id, &l.epoch, &manifest, &state, &who)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	}
	if err := find(); err != nil {
		return fmt.Errorf("look for a load: %w", err)
	}
	if l.done = state == "done" && Hash(manifest) == l.digest; l.done {
		return nil
	}
	if state != "" && state != "done" && Hash(manifest) != l.digest {
		return fmt.Errorf("%w: %s loads the manifest %x, this one is %s", ErrOtherLoad, who, manifest, l.digest)
	}
	epoch, err := journal.Raise(ctx, tx, l.cfg.Manifest.Shard, "bulk load of "+l.cfg.Who, l.cfg.Manifest.Epoch)
	if isState(err, "55P03") { // lock_not_available
		return fmt.Errorf("a writer hangs in a transaction: stop it, or try again: %w", err)
	}
	if err != nil {
		return fmt.Errorf("raise the epoch: %w", err)
	}
	if err := empty(ctx, tx, shard); err != nil { // nothing is appended behind the lock
		return err
	}
	if l.epoch = epoch; state != "" {
		if _, err := tx.Exec(ctx, `UPDATE bk.bulk_load SET epoch = $2, state = 'loading', who = $3, changed_at = now() WHERE id = $1`, l.id, epoch, l.cfg.Who); err != nil {
			return fmt.Errorf("take the load up: %w", err)
		}
		return l.readLoaded(ctx, tx)
	}
	l.loaded = map[int]bool{}
	if _, err := tx.Exec(ctx, `SELECT bk.bulk_discard()`); err != nil { // of a load that was given up by hand
		return fmt.Errorf("clear %s: %w", staging, err)
	}
	err = tx.QueryRow(ctx, `INSERT INTO bk.bulk_load (shard, epoch, manifest, chunks, rows, state, who) VALUES ($1, $2, $3, $4, $5, 'loading', $6) RETURNING id`,
		shard, epoch, l.digest[:], len(l.cfg.Manifest.Chunks), l.cfg.Manifest.Summary.Rows, l.cfg.Who).Scan(&l.id)
	if err != nil {
		return fmt.Errorf("note the load: %w", err)
	}
	return nil
}

// empty refuses a ledger that has, or had, anything in it.
func empty(ctx context.Context, tx pgx.Tx, shard int16) error {
	for _, ask := range []struct{ what, sql string }{
		{"it has entries", `SELECT EXISTS (SELECT FROM bk.journal)`},
		{"its lease says that entries were acknowledged, and they are gone", `SELECT EXISTS (SELECT FROM bk.lease WHERE shard = $1 AND seq > 0)`},
		{"projections were folded from entries that are gone", `SELECT EXISTS (SELECT FROM bk_read.projection WHERE shard = $1 AND seq > 0 AND state <> 'dropped')`},
	} {
		var args []any
		if ask.what != "it has entries" {
			args = append(args, shard)
		}
		var yes bool
		if err := tx.QueryRow(ctx, ask.sql, args...).Scan(&yes); err != nil {
			return fmt.Errorf("see whether the ledger is empty: %w", err)
		}
		if yes {
			return fmt.Errorf("%w: %s", ErrNotEmpty, ask.what)
		}
	}
	return nil
}

// readLoaded finds out which chunks are in.
func (l *Loader) readLoaded(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT number FROM bk.bulk_chunk WHERE load = $1`, l.id)
	if err != nil {
		return fmt.Errorf("read which chunks are in: %w", err)
	}
	numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return fmt.Errorf("read which chunks are in: %w", err)
	}
	l.loaded = make(map[int]bool, len(numbers))
	for _, n := range numbers {
		l.loaded[n] = true
	}
	return nil
}

// Abort gives the load up and drops what it has loaded; the ledger is empty again, and servers may lead it. A load that is done can't be given up. [ErrBusy] while another process
// loads.
func (l *Loader) Abort(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	letGo(l.lock)
	l.lock = nil
	return abort(ctx, l.cfg.DSN, l.cfg.Manifest.Shard, l.cfg.Who, &l.digest)
}

// Abort gives up the load that holds a shard, whichever it is. Without one it drops what may be left of one, and is a success. See [Loader.Abort].
func Abort(ctx context.Context, dsn string, shard uint16, who string) error {
	if who == "" {
		host, _ := os.Hostname()
		who = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	return abort(ctx, dsn, shard, who, nil)
}

func abort(ctx context.Context, dsn string, shard uint16, who string, manifest *Hash) error {
	conn, err := lockLoads(ctx, dsn, shard)
	if err != nil {
		return fmt.Errorf("bulk: abort: %w", err)
	}
	defer letGo(conn)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockTimeout); err != nil {
			return err
		}
		var id int64
		var have []byte
		var state string
		err := tx.QueryRow(ctx, `SELECT id, manifest, state FROM bk.bulk_load WHERE shard = $1 AND state <> 'aborted'`, int16(shard)).Scan(&id, &have, &state)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return fmt.Errorf("look for a load: %w", err)
		case state == "done":
			return fmt.Errorf("%w: the load is done, it is the journal", ErrNotEmpty)
		case manifest != nil && Hash(have) != *manifest:
			return fmt.Errorf("%w: it has the manifest %x, this one is %s", ErrOtherLoad, have, *manifest)
		default:
			// A chunk that is still on its way ends before, or fails behind the fence.
			if _, err := journal.Raise(ctx, tx, shard, "bulk load aborted by "+who, 0); err != nil {
				return fmt.Errorf("raise the epoch: %w", err)
			}
			if _, err := tx.Exec(ctx, `UPDATE bk.bulk_load SET state = 'aborted', who = $2, changed_at = now() WHERE id = $1`, id, who); err != nil {
				return fmt.Errorf("note it: %w", err)
			}
		}
		if _, err := tx.Exec(ctx, `SELECT bk.bulk_discard()`); err != nil {
			return fmt.Errorf("drop what was loaded: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("bulk: abort: %w", err)
	}
	return nil
}
