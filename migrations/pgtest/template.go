package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/migrations"
)

// templateLock is the advisory lock under which a server's templates are made:
// "bktest" in ASCII.
const templateLock int64 = 0x626b74657374

// template is a migrated database that is cloned for tests.
type template struct {
	adminDSN string // of a role that may create databases
	name     string
}

// makeTemplate makes the template of these migrations on the server of adminDSN,
// unless it is there.
func makeTemplate(ctx context.Context, adminDSN string) (*template, error) {
	fingerprint, err := migrations.Fingerprint()
	if err != nil {
		return nil, err
	}
	tp := &template{adminDSN: adminDSN, name: "bk_template_" + fingerprint[:16]}
	err = tp.withAdmin(ctx, func(conn *pgx.Conn) error {
		// Held by the session: it goes with the connection, and with a killed process.
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, templateLock); err != nil {
			return fmt.Errorf("lock: %w", err)
		}
		var exists bool
		err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, tp.name).Scan(&exists)
		if err != nil || exists {
			return err
		}
		return tp.build(ctx, conn)
	})
	if err != nil {
		return nil, fmt.Errorf("make template database %s: %w", tp.name, err)
	}
	return tp, nil
}

func (tp *template) build(ctx context.Context, conn *pgx.Conn) error {
	unfinished := tp.name + "_new"
	dsn, err := withDatabase(tp.adminDSN, unfinished)
	if err != nil {
		return err
	}
	if err := execAll(ctx, conn,
		"DROP DATABASE IF EXISTS "+quote(unfinished)+" WITH (FORCE)",
		// template0: template1 may have anything in it on a server that isn't ours.
		"CREATE DATABASE "+quote(unfinished)+" TEMPLATE template0",
	); err != nil {
		return err
	}
	if err := migrations.Up(ctx, dsn, nil); err != nil {
		return err
	}
	return execAll(ctx, conn,
		"ALTER DATABASE "+quote(unfinished)+" WITH ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+unfinished+"' AND backend_type = 'client backend'",
		"ALTER DATABASE "+quote(unfinished)+" RENAME TO "+quote(tp.name), // waits for them, up to five seconds
	)
}

// clone makes a database from the template.
func (tp *template) clone(ctx context.Context) (name, dsn string, err error) {
	var random [8]byte
	rand.Read(random[:]) // never fails, see its documentation
	name = "bk_test_" + hex.EncodeToString(random[:])
	if dsn, err = withDatabase(tp.adminDSN, name); err != nil {
		return "", "", err
	}
	err = tp.withAdmin(ctx, func(conn *pgx.Conn) error {
		return execAll(ctx, conn, "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(tp.name))
	})
	if err != nil {
		return "", "", fmt.Errorf("clone %s: %w", tp.name, err)
	}
	return name, dsn, nil
}

// drop drops a clone, if it is still there: a test may have dropped it.
func (tp *template) drop(ctx context.Context, name string) error {
	err := tp.withAdmin(ctx, func(conn *pgx.Conn) error {
		return execAll(ctx, conn, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
	})
	if err != nil {
		return fmt.Errorf("drop %s: %w", name, err)
	}
	return nil
}

// withAdmin runs do on a connection of its own: tests that run at the same time
// don't wait for each other's.
func (tp *template) withAdmin(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, tp.adminDSN)
	if err != nil {
		return fmt.Errorf("connect to the test server: %w", err)
	}
	return errors.Join(do(conn), conn.Close(context.WithoutCancel(ctx)))
}

func execAll(ctx context.Context, conn *pgx.Conn, statements ...string) error {
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// withDatabase is dsn with another database: a URL, or pairs of key=value, where
// the last of a key counts.
func withDatabase(dsn, database string) (string, error) {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return dsn + " dbname=" + database, nil
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("%s is no URL", EnvDSN) // url's error would show the password
	}
	u.Path = "/" + database
	query := u.Query()
	query.Del("dbname")
	query.Del("database")
	u.RawQuery = query.Encode()
	return u.String(), nil
}
