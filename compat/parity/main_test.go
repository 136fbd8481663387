package parity_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// warehouse lands both sides of some generated events.
func warehouse(t testing.TB, cfg generate.Config) *sql.DB {
	t.Helper()
	store, err := duck.OpenStore(context.Background(), filepath.Join(t.TempDir(), "warehouse.duckdb"))
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	for _, bk := range []bool{false, true} {
		cfg.BK = bk
		_, err := landing.Feed(t.Context(), landing.Config{Store: store}, generate.Records(cfg, false))
		must(t, err)
	}
	return store.DB()
}

// compare runs a comparison without a lag.
func compare(t testing.TB, db *sql.DB, change ...func(*parity.Config)) parity.Report {
	t.Helper()
	cfg := parity.Config{DB: db, Dialect: dialect.DuckDB()}
	for _, c := range change {
		c(&cfg)
	}
	report, err := parity.Run(t.Context(), cfg)
	must(t, err)
	return report
}
