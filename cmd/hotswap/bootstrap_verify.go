package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/compat/bootstrap"
	facadebooks "github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/parity/books"
	"github.com/bkledger/bk/compat/parity/duck"
)

// compareTables compares Bank's tables with BK, in a warehouse in a temporary folder.
func (r *bootstrapRun) compareTables(ctx context.Context) (c bootstrap.Comparison, err error) {
	const (
		lag  = 10 * time.Second // in which a system may come up
		kept = 100_000          // differences: those of what is in quarantine are among them
	)
	if r.cfg.BankDB == "" {
		return c, nil // it was read through its API: the trial balance is all there is
	}
	dir, err := os.MkdirTemp("", "hotswap-bootstrap-")
	if err != nil {
		return c, fmt.Errorf("a folder for the warehouse: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	warehouse, err := duck.Open(filepath.Join(dir, "books.duckdb"))
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, warehouse.Close()) }()
	bk, err := client.New(r.bkURL)
	if err != nil {
		return c, err
	}
	defer bk.Close()
	pool, err := pgxpool.New(ctx, r.cfg.FacadeDB)
	if err != nil {
		return c, errors.New("the façade's database: the DSN can't be read")
	}
	defer pool.Close()
	names, err := facadebooks.NewStream(facadebooks.StreamConfig{Client: bk, Pool: pool, Log: r.cfg.Log})
	if err != nil {
		return c, err
	}
	defer names.Close()
	report, err := books.Compare(ctx, books.Config{Warehouse: warehouse, Append: duck.Append, Bank: r.cfg.BankDB, BK: bk, Names: names, Wait: lag, Keep: kept, Log: r.cfg.Log})
	if err != nil {
		return c, fmt.Errorf("compare Bank's tables with BK: %w", err)
	}
	return bootstrap.Comparison{Compared: report.Compared, Findings: report.Findings, Rows: report.Differing}, nil
}
