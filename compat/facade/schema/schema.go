package schema

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"path"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

const (
	versionTable = "public.facade_goose_version"

	// The lock is tried once a second, for a minute.
	lockPeriodSeconds = 1
	lockAttempts      = 60
)

// Up applies every pending migration to the database of dsn, in order. log may be nil.
func Up(ctx context.Context, dsn string, log *slog.Logger) (err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("façade's database: dsn: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate the façade's database %q on %s:%d: %w", cfg.Database, cfg.Host, cfg.Port, err)
		}
	}()
	for name, value := range map[string]string{
		"application_name": "hotswap-migrate", "search_path": "public", "timezone": "UTC", "statement_timeout": "0",
	} {
		cfg.RuntimeParams[name] = value
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriodSeconds, lockAttempts))
	if err != nil {
		return fmt.Errorf("make the lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("read the files: %w", err)
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		log.Info("migration applied", "file", path.Base(r.Source.Path), "took", r.Duration)
	}
	return err
}
