package pgtest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/migrations"
	"github.com/bkledger/bk/migrations/embedded"
)

func TestMain(m *testing.M) { Main(m) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func exists(t *testing.T, dsn, database string) bool {
	t.Helper()
	var there bool
	err := connect(t, dsn).QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, database).Scan(&there)
	if err != nil {
		t.Fatal(err)
	}
	return there
}

func TestNewInParallel(t *testing.T) {
	const clones = 16
	var mu sync.Mutex
	seen := map[string]bool{}
	t.Run("clones", func(t *testing.T) {
		for i := range clones {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				dsn := New(t)
				conn := connect(t, dsn)
				// Only in this clone: the same statement fails where it ran before.
				if _, err := conn.Exec(t.Context(), `CREATE TABLE public.mine AS SELECT $1::int AS n`, i); err != nil {
					t.Fatal(err)
				}
				var database string
				if err := conn.QueryRow(t.Context(), `SELECT current_database()`).Scan(&database); err != nil {
					t.Fatal(err)
				}
				states, err := migrations.Status(t.Context(), dsn)
				if err != nil {
					t.Fatal(err)
				}
				if len(states) == 0 {
					t.Error("no migrations")
				}
				for _, s := range states {
					if s.Pending() {
						t.Errorf("%s is pending", s.File)
					}
				}
				mu.Lock()
				seen[database] = true
				mu.Unlock()
			})
		}
	})
	if len(seen) != clones {
		t.Errorf("%d databases, want %d", len(seen), clones)
	}
	template, err := sharedTemplate()
	if err != nil {
		t.Fatal(err)
	}
	for database := range seen {
		if exists(t, template.adminDSN, database) {
			t.Errorf("%s wasn't dropped", database)
		}
	}
}

func TestNewDropsWithConnectionsLeft(t *testing.T) {
	var left *pgx.Conn
	t.Run("leaves one", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), New(t))
		if err != nil {
			t.Fatal(err)
		}
		left = conn
	})
	if err := left.Ping(t.Context()); err == nil {
		t.Error("the connection left by the test still works")
	}
	left.Close(t.Context())
}

// TestTemplateIsMadeOnce lets many makers race on a server without a template,
// after one was killed half way.
func TestTemplateIsMadeOnce(t *testing.T) {
	t.Parallel()
	server, err := embedded.StartThrowaway(t.Context(), embedded.PostgresConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	fingerprint, err := migrations.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	name := "bk_template_" + fingerprint[:16]
	if _, err := connect(t, server.DSN()).Exec(t.Context(), `CREATE DATABASE `+quote(name+"_new")); err != nil {
		t.Fatal(err)
	}
	const makers = 8
	var wg sync.WaitGroup
	for range makers {
		wg.Go(func() {
			template, err := makeTemplate(t.Context(), server.DSN())
			if err != nil {
				t.Error(err)
				return
			}
			if _, _, err := template.clone(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if !exists(t, server.DSN(), name) || exists(t, server.DSN(), name+"_new") {
		t.Error("not exactly the finished template is there")
	}
	var clones int
	if err := connect(t, server.DSN()).QueryRow(t.Context(), `SELECT count(*) FROM pg_database WHERE datname LIKE 'bk\_test\_%'`).Scan(&clones); err != nil {
		t.Fatal(err)
	}
	if clones != makers {
		t.Errorf("%d clones, want %d", clones, makers)
	}
	if dsn, err := withDatabase(server.DSN(), name); err != nil {
		t.Error(err)
	} else if conn, err := pgx.Connect(t.Context(), dsn); err == nil {
		conn.Close(t.Context())
		t.Error("the template takes connections")
	}
}

func TestClusterSurvivesKill(t *testing.T) {
	t.Parallel()
	server := Cluster(t)
	conn := connect(t, server.DSN())
	var fsync string
	if err := conn.QueryRow(t.Context(), `SHOW fsync`).Scan(&fsync); err != nil || fsync != "on" {
		t.Errorf("fsync = %q, %v", fsync, err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the killed server answers")
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	states, err := migrations.Status(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Pending() {
			t.Errorf("%s is pending", s.File)
		}
	}
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ dsn, want string }{
		{"postgres://u:p@127.0.0.1:1/a?sslmode=disable", "postgres://u:p@127.0.0.1:1/new?sslmode=disable"},
		{"postgresql://h/a?dbname=b", "postgresql://h/new"},
		{"postgres://h", "postgres://h/new"},
		{"host=h dbname=a", "host=h dbname=a dbname=new"},
	} {
		got, err := withDatabase(c.dsn, "new")
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.dsn, got, err, c.want)
			continue
		}
		cfg, err := pgx.ParseConfig(got)
		if err != nil || cfg.Database != "new" {
			t.Errorf("%s: %v, want database new", got, err)
		}
	}
	if _, err := withDatabase("postgres://u:secret@h:x y/", "new"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("bad URL: %v; want an error without the password", err)
	}
}

// TestWith builds the command and looks at what a command under it sees.
func TestWith(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	program := t.TempDir() + "/with"
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./with").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(ctx, program, "--", "sh", "-c", `echo "$`+EnvDSN+`"; exit 7`).Output()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 7 {
		t.Errorf("exit: %v, want code 7", err)
	}
	dsn := strings.TrimSpace(string(out))
	if !strings.HasPrefix(dsn, "postgres://") {
		t.Fatalf("%s = %q", EnvDSN, dsn)
	}
	if conn, err := pgx.Connect(ctx, dsn); err == nil {
		conn.Close(ctx)
		t.Error("the server still runs")
	}
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"success":    {[]string{"true"}, 0},
		"signal":     {[]string{"--", "sh", "-c", "kill -TERM $$"}, 128 + 15},
		"no program": {[]string{"/no/such/program"}, 127},
		"usage":      {nil, 2},
	} {
		cmd := exec.CommandContext(ctx, program, c.args...)
		if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != c.code {
			t.Errorf("%s: %v, want code %d", name, err, c.code)
		}
	}
}
