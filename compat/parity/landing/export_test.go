package landing_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
)

// TestExport: what was exported and loaded again is what was landed.
func TestExport(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	if _, err := landing.Feed(t.Context(), landing.Config{Store: store}, generate.Records(small(9, 2500), true)); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "it's out")
	m, err := landing.Export(t.Context(), store, dir, "@parity")
	if err != nil {
		t.Fatal(err)
	}
	var read landing.Manifest
	text, err := os.ReadFile(filepath.Join(dir, landing.ManifestFile))
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil || len(read.Files) != len(dialect.Tables()) || len(read.Standings) != len(m.Standings) || len(m.Standings) < 10 {
		t.Fatalf("%v: %s", err, text)
	}
	other := openStore(t)
	for _, file := range read.Files {
		path := filepath.Join(dir, file.Name)
		if info, err := os.Stat(path); err != nil || info.Size() != file.Bytes {
			t.Errorf("%s: %v", file.Name, err)
		}
		table := dialect.Lookup(file.Table)
		if _, err := other.DB().Exec(dialect.DuckDB().ImportParquet(table, path)); err != nil {
			t.Fatal(err)
		}
		query := "SELECT COALESCE(SUM(hash(x)::HUGEINT) % 1000000007, 0)::BIGINT FROM " + table.Name + " x"
		if rows := number(t, other, "SELECT COUNT(*) FROM "+table.Name); rows != file.Rows || number(t, store, query) != number(t, other, query) {
			t.Errorf("%s: %d rows, exported %d, or other ones", table.Name, rows, file.Rows)
		}
	}
	whole(t, other, 2500)
	script, err := os.ReadFile(filepath.Join(dir, landing.SnowflakeFile))
	if err != nil || strings.Count(string(script), "COPY INTO ") != len(read.Files) || strings.Count(string(script), "PUT ") != len(read.Files) {
		t.Errorf("%v: %s", err, script)
	}
	if _, err := landing.Export(t.Context(), store, dir, ""); err == nil || !strings.Contains(err.Error(), "there are Parquet files") {
		t.Errorf("exported again: %v", err)
	}
}
