package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	facadebooks "github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/parity/books"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
)

// booksFlags say where the books themselves are, which are compared with the events if all are given.
type booksFlags struct {
	bank, bk, db string
	wait         time.Duration
}

func (b *booksFlags) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&b.bank, "bank-db", "", "DSN of Bank's database, only read: compare its tables with BK's projections, too; needs --bk and --db")
	f.StringVar(&b.bk, "bk", "", "URL of BK, with --bank-db")
	f.StringVar(&b.db, "db", "", "DSN of the façade's database, which has the ids of both, only read; with --bank-db")
	f.DurationVar(&b.wait, "books-wait", 10*time.Second, "with --bank-db: how long accounts that differ are looked at again, as one system may lag; 0s: not at all")
}

// asked tells whether the books are to be compared.
func (b *booksFlags) asked() bool { return b.bank != "" }

// check gives what is wrong with the flags.
func (b *booksFlags) check() (wrong []error) {
	if !b.asked() {
		if b.bk != "" || b.db != "" {
			wrong = append(wrong, errors.New("--bank-db: needed with --bk and --db"))
		}
		return wrong
	}
	if _, err := pgxpool.ParseConfig(b.bank); err != nil {
		wrong = append(wrong, fmt.Errorf("--bank-db: %w", err))
	}
	if b.db == "" {
		wrong = append(wrong, errors.New("--db: needed with --bank-db"))
	} else if _, err := pgxpool.ParseConfig(b.db); err != nil {
		wrong = append(wrong, fmt.Errorf("--db: %w", err))
	}
	if b.bk == "" {
		wrong = append(wrong, errors.New("--bk: needed with --bank-db"))
	} else if _, err := client.New(b.bk); err != nil {
		wrong = append(wrong, fmt.Errorf("--bk: %w", err))
	}
	if err := within("--books-wait", b.wait, 0, time.Hour); err != nil {
		wrong = append(wrong, err)
	}
	return wrong
}

// compare compares the books in a warehouse, tells of it, and gives what parity's report takes: causes, and how many pairs were compared.
func (b *booksFlags) compare(ctx context.Context, warehouse *sql.DB, d dialect.Dialect, out io.Writer, log *slog.Logger) ([]causes.Finding, int64, error) {
	bk, err := client.New(b.bk)
	if err != nil {
		return nil, 0, err
	}
	defer bk.Close()
	config, err := pgxpool.ParseConfig(b.db)
	if err != nil {
		return nil, 0, fmt.Errorf("the façade's database: %w", err)
	}
	config.ConnConfig.RuntimeParams["application_name"] = "hotswap-parity"
	config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, 0, fmt.Errorf("the façade's database: %w", err)
	}
	defer pool.Close()
	names, err := facadebooks.NewStream(facadebooks.StreamConfig{Client: bk, Pool: pool, Log: log})
	if err != nil {
		return nil, 0, err
	}
	defer names.Close()
	cfg := books.Config{Warehouse: warehouse, Dialect: d, Bank: b.bank, BK: bk, Names: names, Wait: b.wait, Keep: 10_000, Log: log}
	if d == dialect.DuckDB() {
		cfg.Append = duck.Append
	}
	report, err := books.Compare(ctx, cfg)
	if err != nil {
		return nil, 0, err
	}
	if _, err := fmt.Fprintln(out, report); err != nil {
		return nil, 0, err
	}
	found, err := report.ForParity()
	return found, report.Pairs(), err
}
