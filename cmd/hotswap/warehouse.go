package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/parity/landing"
)

func newWarehouseCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "warehouse",
		Short: "Land Bank's and BK's event streams in a warehouse, for hotswap parity and for others",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWarehouseLoadCommand(a), newWarehouseStatusCommand(a), newWarehouseExportCommand(a))
	return cmd
}

// warehouseFlags say which warehouse is meant.
type warehouseFlags struct {
	file    string
	driver  string
	dsnFile string
	wait    time.Duration
}

// bind binds the flags; elsewhere says that it need not be a DuckDB.
func (w *warehouseFlags) bind(cmd *cobra.Command, elsewhere bool) {
	f := cmd.Flags()
	f.StringVar(&w.file, "warehouse", "./warehouse.duckdb", "DuckDB file; made if missing")
	f.DurationVar(&w.wait, "wait", 5*time.Second, "how long to wait for another process that has the file open")
	if elsewhere {
		f.StringVar(&w.driver, "driver", "", "database/sql driver of a Snowflake in place of the file: snowflake, in a hotswap that was built with it (-tags snowflake)")
		f.StringVar(&w.dsnFile, "dsn-file", "", "file with the data source name for --driver")
	}
}

func (w *warehouseFlags) check() []error {
	var errs []error
	if w.wait < 0 || w.wait > time.Hour {
		errs = append(errs, fmt.Errorf("--wait: %s is not between 0 and 1h", w.wait))
	}
	switch {
	case w.driver == "" && w.dsnFile != "":
		errs = append(errs, errors.New("--driver: needed with --dsn-file"))
	case w.driver == "" && w.file == "":
		errs = append(errs, errors.New("--warehouse: is empty"))
	case w.driver != "" && w.dsnFile == "":
		errs = append(errs, errors.New("--dsn-file: needed with --driver"))
	case w.driver != "" && !slices.Contains(sql.Drivers(), w.driver):
		errs = append(errs, fmt.Errorf("--driver: there is no %q in this hotswap, but %s", w.driver, strings.Join(sql.Drivers(), ", ")))
	}
	return errs
}

// open opens the warehouse, with its tables.
func (w *warehouseFlags) open(ctx context.Context) (store landing.Store, end func() error, err error) {
	if w.driver == "" {
		waiting, cancel := context.WithTimeout(ctx, w.wait)
		defer cancel()
		s, err := duck.OpenStore(waiting, w.file)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	dsn, err := os.ReadFile(w.dsnFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read the data source name: %w", err)
	}
	db, err := sql.Open(w.driver, strings.TrimSpace(string(dsn)))
	if err != nil {
		return nil, nil, fmt.Errorf("open the warehouse by %s: %w", w.driver, err)
	}
	s, err := landing.NewSQLStore(ctx, db, dialect.Snowflake())
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return s, db.Close, nil
}
