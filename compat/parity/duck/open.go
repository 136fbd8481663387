package duck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// ErrLocked says that another process has the warehouse open.
var ErrLocked = errors.New("another process has the warehouse open")

// lockPoll is how often a warehouse that is open elsewhere is tried again.
const lockPoll = 100 * time.Millisecond

// settings hold for every connection: nothing is fetched from the network, no extension, either.
var settings = []string{
	"SET autoinstall_known_extensions = false",
	"SET autoload_known_extensions = false",
}

// globals are settings of the database: rows come in no order that anything hangs on; a checkpoint's work is worth more than 16 MB of log. Each way to pack a column is tried on all of it
// before one is chosen, so those that cost more than they spare are left out: those of texts besides a dictionary (a sixth of the landing's time for a tenth of the file), and runs of equal
// values (another sixth, for 7 %: bit packing has blocks of one value, too). Packing nothing would be no faster than that, with four times the file.
var globals = []string{
	"SET GLOBAL disabled_compression_methods = 'fsst,zstd,dict_fsst,rle'",
	"SET GLOBAL preserve_insertion_order = false",
	"SET GLOBAL checkpoint_threshold = '1GB'",
}

// Open opens the warehouse in a file, which is made with all tables if it is not there. The file is this process's until the last of what it opened is closed:
// another process gets [ErrLocked]. Within the process it may be opened many times.
func Open(path string) (*sql.DB, error) {
	return open(context.Background(), path)
}

// OpenWait is Open, but waits for another process to close the file, until ctx ends.
func OpenWait(ctx context.Context, path string) (*sql.DB, error) {
	for {
		db, err := Open(path)
		if !errors.Is(err, ErrLocked) {
			return db, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(lockPoll):
		}
	}
}

func open(ctx context.Context, path string) (*sql.DB, error) {
	name, err := dsn(path)
	if err != nil {
		return nil, err
	}
	connector, err := duckdb.NewConnector(name, func(conn driver.ExecerContext) error {
		for _, statement := range settings {
			if _, err := conn.ExecContext(context.Background(), statement, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		if strings.Contains(err.Error(), "Could not set lock") {
			err = fmt.Errorf("%w (%w)", ErrLocked, err)
		}
		return nil, fmt.Errorf("open the warehouse %s: %w", path, err)
	}
	db := sql.OpenDB(connector)
	for _, statement := range append(globals[:len(globals):len(globals)], dialect.DuckDB().CreateTables()...) {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("prepare the warehouse %s: %w", path, err), db.Close())
		}
	}
	return db, nil
}

// dsn gives the driver's name of a file: what stands behind a question mark would be settings.
func dsn(path string) (string, error) {
	if path == "" || strings.ContainsAny(path, "?%:") {
		return "", fmt.Errorf("open the warehouse %q: a path without ?, %% and : is needed", path)
	}
	return filepath.Abs(path)
}

// native opens the database once more, for what the driver has no interface for. It is the same database: both come from the driver's cache.
func native(path string) (db mapping.Database, conn mapping.Connection, err error) {
	name, err := dsn(path)
	if err != nil {
		return db, conn, err
	}
	var config mapping.Config
	if mapping.CreateConfig(&config) == mapping.StateError {
		return db, conn, fmt.Errorf("open the warehouse %s: no configuration", path)
	}
	defer mapping.DestroyConfig(&config)
	if mapping.SetConfig(config, "duckdb_api", "go") == mapping.StateError { // as the driver has it, or it were another database
		return db, conn, fmt.Errorf("open the warehouse %s: no configuration", path)
	}
	var fault string
	if mapping.GetOrCreateFromCache(duckdb.GetInstanceCache(), name, &db, config, &fault) == mapping.StateError {
		mapping.Close(&db)
		return db, conn, fmt.Errorf("open the warehouse %s: %s", path, fault)
	}
	if mapping.Connect(db, &conn) == mapping.StateError {
		mapping.Close(&db)
		return db, conn, fmt.Errorf("connect to the warehouse %s", path)
	}
	return db, conn, nil
}
