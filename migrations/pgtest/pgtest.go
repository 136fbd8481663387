package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/migrations"
	"github.com/bkledger/bk/migrations/embedded"
)

// EnvDSN is the environment variable with the DSN of a server to share.
const EnvDSN = "BK_TEST_POSTGRES"

const (
	// setupTimeout bounds each step on a slow CI machine: starting a server, migrating, cloning.
	setupTimeout = 2 * time.Minute

	// MaxConnections of a throw-away server: many test binaries at once, each with pools.
	MaxConnections = 500
)

// shared is the server of this test binary. It is a global because testing has
// no other place: TestMain and the tests share nothing else.
var shared struct {
	mu       sync.Mutex
	mainRuns bool // Main will stop the server
	started  bool
	err      error
	server   *embedded.Postgres // nil if it comes from the environment
	template *template
}

// Main runs the tests of a package and then stops the server that New may have
// started. Call it, and nothing after it, from TestMain; the exit code needs no
// care.
func Main(m *testing.M) {
	shared.mu.Lock()
	shared.mainRuns = true
	shared.mu.Unlock()
	// Deferred, so that a panic stops it as well. os.Exit inside a test ends the
	// server too, as any end of this process does; only its folder stays a while.
	defer func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		if shared.server == nil {
			return
		}
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
		}
	}()
	m.Run()
}

// New returns the DSN of a fresh, migrated database, dropped when the test ends.
// A failure ends the test.
func New(t testing.TB) string {
	t.Helper()
	template, err := sharedTemplate()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), setupTimeout)
	defer cancel()
	name, dsn, err := template.clone(ctx)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), setupTimeout) // t.Context() has ended
		defer cancel()
		if err := template.drop(ctx, name); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return dsn
}

// Cluster starts a durable Postgres for this test alone, with a migrated
// database behind its DSN(): for tests that Kill it and Start it again. It is
// stopped when the test ends; if the test failed, the end of its log is shown.
func Cluster(t testing.TB) *embedded.Postgres {
	t.Helper()
	dir := t.TempDir() // before our clean-up, so that it is removed after it
	ctx, cancel := context.WithTimeout(t.Context(), setupTimeout)
	defer cancel()
	server, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: dir, Durable: true})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("pgtest: %v", err)
		}
		if t.Failed() {
			t.Logf("pgtest: end of the server's log:\n%s", logTail(server.LogFile()))
		}
	})
	if err := migrations.Up(ctx, server.DSN(), nil); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return server
}

// sharedTemplate starts the server and makes the template, once. An error is
// kept: what failed once would only fail slowly again, test by test.
func sharedTemplate() (*template, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.started {
		shared.started = true
		shared.template, shared.err = startShared()
	}
	return shared.template, shared.err
}

func startShared() (*template, error) {
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	dsn := os.Getenv(EnvDSN)
	if dsn == "" {
		if !shared.mainRuns {
			return nil, errors.New("nobody would stop the server: the package needs `func TestMain(m *testing.M) { pgtest.Main(m) }`")
		}
		server, err := embedded.StartThrowaway(ctx, embedded.PostgresConfig{MaxConnections: MaxConnections})
		if err != nil {
			return nil, err
		}
		shared.server = server
		dsn = server.DSN()
	}
	return makeTemplate(ctx, dsn)
}

func logTail(path string) string {
	const tailBytes = 4 << 10
	content, err := os.ReadFile(path) // bounded by the length of a test
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-tailBytes):])
}
