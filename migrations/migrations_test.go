package migrations

import (
	"context"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/migrations/embedded"
)

// pgtest imports this package, so the server comes from embedded itself.
func startServer(t *testing.T) *embedded.Postgres {
	t.Helper()
	server, err := embedded.StartThrowaway(t.Context(), embedded.PostgresConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func exec(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func migration(up string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + up + "\n")}
}

func TestUpFromManyProcessesAtOnce(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	before, err := Status(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	if len(before) == 0 {
		t.Fatal("no migrations embedded")
	}
	for _, s := range before {
		if !s.Pending() || s.File == "" || s.Version < 1 {
			t.Errorf("before Up: %+v", s)
		}
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := Up(t.Context(), server.DSN(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	after, err := Status(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	if len(after) != len(before) {
		t.Errorf("%d migrations, want %d", len(after), len(before))
	}
	for _, s := range after {
		if s.Pending() {
			t.Errorf("after Up: %+v", s)
		}
	}
}

// TestUpAsOwner: no superuser, just the owner of the database.
func TestUpAsOwner(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	exec(t, server.DSN(),
		`CREATE ROLE owner LOGIN PASSWORD 'owner' NOSUPERUSER CREATEROLE`,
		`CREATE DATABASE owned OWNER owner`)
	dsn := strings.Replace(server.DSNFor("owned"), "postgres:"+passwordOf(t, server)+"@", "owner:owner@", 1)
	// A schema of the role's name comes first on its search_path.
	exec(t, dsn, `CREATE SCHEMA owner`)
	if err := Up(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	states, err := Status(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Pending() {
			t.Errorf("%+v", s)
		}
	}
}

func passwordOf(t *testing.T, server *embedded.Postgres) string {
	t.Helper()
	cfg, err := pgx.ParseConfig(server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Password
}

func TestFailedMigrationLeavesTheOneBefore(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	source := fstest.MapFS{
		"00001_good.sql": migration("CREATE TABLE good (n int);"),
		"00002_bad.sql":  migration("CREATE TABLE half (n int);\nSELECT no_such_function();"),
	}
	err := up(t.Context(), server.DSN(), source, nil)
	if err == nil || !strings.Contains(err.Error(), "00002_bad.sql") || !strings.Contains(err.Error(), `"bk"`) {
		t.Fatalf("got %v, want the file and the database", err)
	}
	if strings.Contains(err.Error(), passwordOf(t, server)) {
		t.Error("the error shows the password")
	}
	states, err := status(t.Context(), server.DSN(), source)
	if err != nil {
		t.Fatal(err)
	}
	if len(states) != 2 || states[0].Pending() || !states[1].Pending() {
		t.Errorf("states %+v", states)
	}
	source["00002_bad.sql"] = migration("CREATE TABLE half (n int);") // so it was rolled back
	if err := up(t.Context(), server.DSN(), source, nil); err != nil {
		t.Fatal(err)
	}

	// A program that is older than the database.
	older := fstest.MapFS{"00001_good.sql": source["00001_good.sql"]}
	if err := up(t.Context(), server.DSN(), older, nil); err != nil {
		t.Errorf("older program: %v", err)
	}
	states, err = status(t.Context(), server.DSN(), older)
	if err != nil {
		t.Fatal(err)
	}
	if len(states) != 2 || states[1].Version != 2 || states[1].File != "" || states[1].Pending() {
		t.Errorf("older program: states %+v", states)
	}
}

func TestUpErrors(t *testing.T) {
	t.Parallel()
	if err := Up(t.Context(), "postgres://%zz", nil); err == nil || !strings.Contains(err.Error(), "dsn") {
		t.Errorf("bad dsn: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Up(ctx, "postgres://u:secret@127.0.0.1:1/none", nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFingerprintIsOfTheFolder(t *testing.T) {
	t.Parallel()
	first, err := Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Fingerprint()
	if err != nil || again != first || len(first) != 64 {
		t.Errorf("%q then %q, %v", first, again, err)
	}
	// go:embed took every SQL file there is.
	onDisk, err := fs.Glob(os.DirFS("sql"), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	embeddedFiles, err := fs.Glob(files, "sql/*.sql")
	if err != nil || len(embeddedFiles) != len(onDisk) {
		t.Errorf("embedded %v, on disk %v, %v", embeddedFiles, onDisk, err)
	}
}
