//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const testTimeout = 90 * time.Second

func startTestPostgres(t *testing.T, cfg PostgresConfig) *Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	p, err := StartPostgres(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// query runs one statement on a connection of its own and returns its only value.
func query[T any](t *testing.T, dsn, sql string, args ...any) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var value T
	if err := conn.QueryRow(ctx, sql, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

const countRows = `SELECT count(*) FROM kept`

func makeKept(t *testing.T, dsn string, rows int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, sql := range []string{
		`CREATE TABLE IF NOT EXISTS kept (n bigint)`,
		fmt.Sprintf(`INSERT INTO kept SELECT generate_series(1, %d)`, rows),
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPostgresKeepsDataAcrossStopAndKill(t *testing.T) {
	t.Parallel()
	p := startTestPostgres(t, PostgresConfig{Dir: filepath.Join(t.TempDir(), "made", "if missing"), Durable: true})
	dsn := p.DSN()
	makeKept(t, dsn, 10)
	for _, end := range []struct {
		name string
		end  func() error
	}{{"stop", p.Stop}, {"kill", p.Kill}} {
		done := p.Done()
		if err := end.end(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
		default:
			t.Fatalf("after %s: Done isn't closed", end.name)
		}
		if _, err := pgx.Connect(t.Context(), dsn); err == nil {
			t.Fatalf("after %s: the server still answers", end.name)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatalf("after %s: %v", end.name, err)
		}
		if got := p.DSN(); got != dsn {
			t.Errorf("after %s: DSN %q, was %q", end.name, got, dsn)
		}
		if got := query[int](t, dsn, countRows); got != 10 {
			t.Errorf("after %s: %d rows, want 10", end.name, got)
		}
	}
	if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "already running") {
		t.Errorf("start of a running server: %v", err)
	}
	if got := query[int](t, p.DSN(), countRows); got != 10 {
		t.Errorf("after a refused start: %d rows", got)
	}
}

func TestPostgresIsClosedToOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startTestPostgres(t, PostgresConfig{Dir: dir, Durable: true})
	if got := query[string](t, p.DSN(), `SHOW listen_addresses`); got != "127.0.0.1" {
		t.Errorf("listens on %q", got)
	}
	if got := query[string](t, p.DSN(), `SHOW unix_socket_directories`); got != "" {
		t.Errorf("has a socket in %q", got)
	}
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_wal_size": "4GB"} {
		if got := query[string](t, p.DSN(), `SELECT current_setting($1)`, setting); got != want {
			t.Errorf("%s = %s, want %s", setting, got, want)
		}
	}
	if got := query[string](t, p.DSN(), `SHOW wal_compression`); got == "off" {
		t.Error("wal_compression is off")
	}
	cfg, err := pgx.ParseConfig(p.DSN())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Password = "guess"
	_, err = pgx.ConnectConfig(t.Context(), cfg)
	if pgErr := (*pgconn.PgError)(nil); !errors.As(err, &pgErr) || pgErr.Code != "28P01" {
		t.Errorf("wrong password: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, passwordName))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("password file has mode %v", info.Mode())
	}
}

func TestPostgresFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startTestPostgres(t, PostgresConfig{Dir: dir})
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("second start: %v; want ErrInUse with our pid", err)
	}
	if got := query[int](t, p.DSN(), `SELECT 1`); got != 1 {
		t.Error("the first server doesn't answer any more")
	}
}

func TestPostgresSecondDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startTestPostgres(t, PostgresConfig{Dir: dir, Database: `odd "name"?`})
	if got := query[string](t, p.DSN(), `SELECT current_database()`); got != `odd "name"?` {
		t.Errorf("database %q", got)
	}
	if got := query[string](t, p.DSNFor("postgres"), `SELECT current_user::text`); got != Superuser {
		t.Errorf("user %q", got)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	again := startTestPostgres(t, PostgresConfig{Dir: dir, Database: "second"})
	if got := query[int](t, again.DSN(), `SELECT count(*)::int FROM pg_database WHERE datname IN ('second', 'odd "name"?')`); got != 2 {
		t.Errorf("%d databases, want both", got)
	}
}

func TestPostgresStartErrors(t *testing.T) {
	t.Parallel()
	t.Run("the log's end", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := startTestPostgres(t, PostgresConfig{Dir: dir})
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		conf := filepath.Join(dir, dataName, "postgresql.auto.conf")
		if err := os.WriteFile(conf, []byte("no_such_setting = 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "no_such_setting") {
			t.Errorf("got %v, want the server's complaint", err)
		}
		// The failed start let go of the folder.
		if err := os.WriteFile(conf, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("port taken", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		port := listener.Addr().(*net.TCPAddr).Port
		_, err = StartPostgres(t.Context(), PostgresConfig{Dir: t.TempDir(), Port: port})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d of 127.0.0.1 is taken", port)) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no cluster", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, dataName), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), "no Postgres cluster") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("password lost", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := startTestPostgres(t, PostgresConfig{Dir: dir})
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, passwordName)); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "password is missing") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("time is up", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		dir := t.TempDir()
		if _, err := StartPostgres(ctx, PostgresConfig{Dir: dir}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		// A half cluster is no obstacle.
		p := startTestPostgres(t, PostgresConfig{Dir: dir})
		if got := query[int](t, p.DSN(), `SELECT 1`); got != 1 {
			t.Error("no answer")
		}
	})
}

func TestPostgresConfigReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := StartPostgres(t.Context(), PostgresConfig{Port: 70_000, Database: strings.Repeat("d", 64), MaxConnections: 1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"Dir:", "Port:", "Database:", "MaxConnections:"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s isn't named in %q", field, err)
		}
	}
}

func TestThrowawayIsRemoved(t *testing.T) {
	t.Parallel()
	p, err := StartThrowaway(t.Context(), PostgresConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if got := query[string](t, p.DSN(), `SHOW fsync`); got != "off" {
		t.Errorf("fsync = %s", got)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.home.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestSweepLeavesWhatIsHeldOrYoung(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	long := time.Now().Add(-2 * throwawayMinAge)
	make := func(name string, age time.Time) home {
		h := home{dir: filepath.Join(temp, name)}
		if err := os.Mkdir(h.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		lock, err := h.acquire()
		if err != nil {
			t.Fatal(err)
		}
		lock.Close()
		if err := os.Chtimes(h.dir, age, age); err != nil {
			t.Fatal(err)
		}
		return h
	}
	old, young, held := make("bk-postgres-old", long), make("bk-postgres-young", time.Now()), make("bk-postgres-held", long)
	lock, err := held.acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	sweepThrowaways(temp)
	for h, want := range map[home]bool{old: false, young: true, held: true} {
		if _, err := os.Stat(h.dir); (err == nil) != want {
			t.Errorf("%s: there: %v, want %v", h.dir, err == nil, want)
		}
	}
}
