package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed sql/*.sql
var files embed.FS

const (
	// versionTable carries its schema, so that neither a role's search_path nor
	// a schema of the role's own name can hide it.
	versionTable = "public.goose_db_version"

	// The lock is tried once a second, for five minutes: longer than any
	// migration should take, shorter than a deployment's patience.
	lockPeriodSeconds = 1
	lockAttempts      = 300
)

// State is one migration as a database has it.
type State struct {
	Version   int64     // the number in front of the file's name
	File      string    // base name of the SQL file; empty if this program doesn't know the version
	AppliedAt time.Time // UTC; zero while pending
}

// Pending reports whether the migration is still to be applied.
func (s State) Pending() bool { return s.AppliedAt.IsZero() }

// Up applies every pending migration to the database of dsn, in order, and
// returns when all are in. It is safe to call from several processes at once
// and does nothing when nothing is pending. A nil log is silent.
//
// On an error the migrations before the failing one stay applied.
func Up(ctx context.Context, dsn string, log *slog.Logger) error {
	source, err := sources()
	if err != nil {
		return err
	}
	return up(ctx, dsn, source, log)
}

// Status lists the migrations that this program knows and those the database
// has, ordered by version. It only reads: it takes no lock, and on a database
// that was never migrated everything is pending.
func Status(ctx context.Context, dsn string) ([]State, error) {
	source, err := sources()
	if err != nil {
		return nil, err
	}
	return status(ctx, dsn, source)
}

// Fingerprint is the SHA-256, in hex, of all migrations' names and contents.
// Two programs with the same fingerprint make the same schema.
func Fingerprint() (string, error) {
	source, err := sources()
	if err != nil {
		return "", err
	}
	names, err := fs.Glob(source, "*.sql") // sorted
	if err != nil {
		return "", fmt.Errorf("list migrations: %w", err)
	}
	sum := sha256.New()
	for _, name := range names {
		content, err := fs.ReadFile(source, name)
		if err != nil {
			return "", fmt.Errorf("read migration %s: %w", name, err)
		}
		// Lengths go in too, or a byte could wander from a name to a content.
		fmt.Fprintf(sum, "%d:%s%d:", len(name), name, len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func sources() (fs.FS, error) {
	source, err := fs.Sub(files, "sql")
	if err != nil {
		return nil, fmt.Errorf("open embedded migrations: %w", err)
	}
	return source, nil
}

func up(ctx context.Context, dsn string, source fs.FS, log *slog.Logger) (err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	db, where, err := open(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate %s: %w", where, err)
		}
	}()

	provider, err := newProvider(db, source)
	if err != nil {
		return err
	}
	results, err := provider.Up(ctx)
	if partial := (*goose.PartialError)(nil); errors.As(err, &partial) {
		results = partial.Applied
		err = fmt.Errorf("%s: %w", path.Base(partial.Failed.Source.Path), partial.Err) // goose's text has no name
	}
	for _, r := range results {
		log.Info("migration applied", "file", path.Base(r.Source.Path), "version", r.Source.Version, "took", r.Duration)
	}
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read version: %w", err)
	}
	if current > target {
		log.Warn("database is ahead of this program", "database_version", current, "program_version", target)
	}
	return nil
}

func status(ctx context.Context, dsn string, source fs.FS) (_ []State, err error) {
	db, where, err := open(dsn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	defer func() {
		if err != nil {
			err = fmt.Errorf("migration status of %s: %w", where, err)
		}
	}()

	provider, err := newProvider(db, source)
	if err != nil {
		return nil, err
	}
	byVersion := map[int64]State{}
	for _, s := range provider.ListSources() {
		byVersion[s.Version] = State{Version: s.Version, File: path.Base(s.Path)}
	}
	// goose's own Status would take the lock and make the version table.
	applied, err := listApplied(ctx, db)
	if err != nil {
		return nil, err
	}
	for version, at := range applied {
		s := byVersion[version]
		s.Version, s.AppliedAt = version, at
		byVersion[version] = s
	}
	states := make([]State, 0, len(byVersion))
	for _, version := range slices.Sorted(maps.Keys(byVersion)) {
		states = append(states, byVersion[version])
	}
	return states, nil
}

func listApplied(ctx context.Context, db *sql.DB) (map[int64]time.Time, error) {
	var exists bool
	if err := db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, versionTable).Scan(&exists); err != nil {
		return nil, fmt.Errorf("look for %s: %w", versionTable, err)
	}
	if !exists {
		return nil, nil
	}
	rows, err := db.QueryContext(ctx, `SELECT version_id, max(tstamp) FROM `+versionTable+`
		WHERE version_id > 0 AND is_applied GROUP BY version_id`)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", versionTable, err)
	}
	defer rows.Close()
	applied := map[int64]time.Time{}
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return nil, fmt.Errorf("read %s: %w", versionTable, err)
		}
		applied[version] = at.UTC()
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", versionTable, err)
	}
	return applied, nil
}

// open makes a pool for dsn and a name of its database for errors, without the
// password. It doesn't connect.
func open(dsn string) (db *sql.DB, where string, err error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, "", fmt.Errorf("migrations: dsn: %w", err)
	}
	where = fmt.Sprintf("database %q on %s:%d", cfg.Database, cfg.Host, cfg.Port)
	for name, value := range map[string]string{
		"application_name":  "bk-migrate",
		"search_path":       "public", // unqualified names in the files mean the same under every role
		"timezone":          "UTC",    // goose's time stamps have no zone
		"statement_timeout": "0",      // a role's time-out is for queries; an index build takes what it takes
	} {
		cfg.RuntimeParams[name] = value
	}
	return stdlib.OpenDB(*cfg), where, nil
}

func newProvider(db *sql.DB, source fs.FS) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriodSeconds, lockAttempts))
	if err != nil {
		return nil, fmt.Errorf("make migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, source,
		goose.WithTableName(versionTable),
		goose.WithSessionLocker(locker),
		// Go migrations that some imported package registers are not ours.
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)), // Up logs the results itself
	)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}
