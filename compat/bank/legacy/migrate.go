package legacy

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"path"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed sql/*.sql
var files embed.FS

// Migrate brings the schema of Bank's database up to date. Several processes may do so at once.
func Migrate(ctx context.Context, dsn string, log *slog.Logger) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("migrate Bank's database: dsn: %w", err)
	}
	source, err := fs.Sub(files, "sql")
	if err != nil {
		return fmt.Errorf("migrate Bank's database: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // tried each second for five minutes
	if err != nil {
		return fmt.Errorf("migrate Bank's database: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, source, goose.WithTableName("public.bank_goose_db_version"), goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("migrate Bank's database: %w", err)
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		log.Info("migration applied to Bank's database", "file", path.Base(r.Source.Path), "took", r.Duration)
	}
	if err != nil {
		return fmt.Errorf("migrate Bank's database: %w", err)
	}
	return nil
}
