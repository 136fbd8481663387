package landing

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// ManifestFile is the name of the file that [Export] writes last: where it is, all others are whole.
const ManifestFile = "manifest.json"

// SnowflakeFile is the name of the file with the statements that load the others into Snowflake.
const SnowflakeFile = "load.snowflake.sql"

// Manifest says what was exported.
type Manifest struct {
	ExportedAt time.Time      `json:"exported_at"`
	Files      []ExportedFile `json:"files"`
	Standings  []Standing     `json:"landing"` // how far the landing was
}

// ExportedFile is a Parquet file.
type ExportedFile struct {
	Table string `json:"table"`
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// Export writes all tables to Parquet files in a folder, as they are at one moment, and beside them the statements that load them into Snowflake through a stage, where one is named
// (@parity). The store is a DuckDB. The folder is made if missing; files in it that the export would replace are an error.
func Export(ctx context.Context, store Store, dir, stage string) (m Manifest, err error) {
	d := store.Dialect()
	if d.Name() != dialect.DuckDB().Name() {
		return m, fmt.Errorf("export to %s: only a DuckDB writes files here; %s exports to a stage of its own", dir, d.Name())
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	if old, err := filepath.Glob(filepath.Join(dir, "*.parquet")); err != nil || len(old) > 0 {
		return m, errors.Join(fmt.Errorf("export to %s: there are Parquet files", dir), err)
	}
	conn, err := store.DB().Conn(ctx)
	if err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tx, err := conn.BeginTx(ctx, nil) // one view of all
	if err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it only read
	m.ExportedAt = time.Now().UTC().Truncate(time.Millisecond)
	if m.Standings, err = standings(ctx, tx, d); err != nil {
		return m, err
	}
	for _, t := range dialect.Tables() {
		file, err := exportTable(ctx, tx, d, &t, dir)
		if err != nil {
			return m, fmt.Errorf("export %s: %w", t.Name, err)
		}
		m.Files = append(m.Files, file)
	}
	if stage != "" {
		if err := os.WriteFile(filepath.Join(dir, SnowflakeFile), []byte(snowflakeScript(dir, stage)), 0o600); err != nil {
			return m, fmt.Errorf("export: %w", err)
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ManifestFile), append(text, '\n'), 0o600)
	}
	if err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	return m, nil
}

func exportTable(ctx context.Context, tx *sql.Tx, d dialect.Dialect, t *dialect.Table, dir string) (ExportedFile, error) {
	file := ExportedFile{Table: t.Name, Name: t.Name + ".parquet"}
	path := filepath.Join(dir, file.Name)
	result, err := tx.ExecContext(ctx, d.ExportParquet("SELECT "+d.Columns("", t.Names())+" FROM "+t.Name, path))
	if err == nil {
		file.Rows, err = result.RowsAffected()
	}
	if err != nil {
		return file, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return file, err
	}
	file.Bytes = info.Size()
	return file, nil
}

// snowflakeScript is what loads exported files. Loading it again loads nothing twice: Snowflake knows the files of a table by their names and contents.
func snowflakeScript(dir, stage string) string {
	d := dialect.Snowflake()
	lines := d.CreateTables()
	for _, t := range dialect.Tables() {
		lines = append(lines, d.UploadFile(filepath.Join(dir, t.Name+".parquet"), stage+"/"+t.Name))
	}
	lines = append(lines, "BEGIN")
	for _, t := range dialect.Tables() {
		lines = append(lines, d.ImportParquet(&t, stage+"/"+t.Name))
	}
	return strings.Join(append(lines, "COMMIT"), ";\n\n") + ";\n"
}
