package projections_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/statement"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const shard = 3

const patience = 60 * time.Second

func both() []projections.Projection {
	return []projections.Projection{balances.Projection{}, statement.Projection{}}
}

func newRunner(t testing.TB, pool *pgxpool.Pool, source projections.Source, change func(*projections.Config)) *projections.Runner {
	t.Helper()
	cfg := projections.Config{
		Pool: pool, Source: source, Shard: shard, Projections: both(), Grace: 50 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if change != nil {
		change(&cfg)
	}
	r, err := projections.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start runs a runner until stop is called, or the test ends.
func start(t testing.TB, r *projections.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("the runner does not end")
		}
	}
	t.Cleanup(stop)
	return stop
}

func waitFor(t testing.TB, r *projections.Runner, seq uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, p := range both() {
		if err := r.WaitFor(ctx, p.Name(), seq); err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// verify runs the checkers over the journal.
func verify(t testing.TB, pool *pgxpool.Pool, j *foldtest.Journal) []projections.Result {
	t.Helper()
	var results []projections.Result
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(t.Context(), pool, opts, func(tx pgx.Tx) error {
		v, err := projections.NewVerifier(t.Context(), tx, shard, both())
		if err != nil {
			return err
		}
		for _, e := range j.All() {
			if err := v.Add(t.Context(), e); err != nil {
				return err
			}
		}
		results, err = v.Finish(t.Context())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// verifySound requires that both projections have everything and are right.
func verifySound(t testing.TB, pool *pgxpool.Pool, j *foldtest.Journal) {
	t.Helper()
	results := verify(t, pool, j)
	if len(results) != 2 {
		t.Fatalf("%d projections verified", len(results))
	}
	for _, r := range results {
		if r.Breaches.Count != 0 {
			t.Errorf("%s: %d breaches: %+v", r.Generation.Projection, r.Breaches.Count, r.Breaches.First)
		}
		if r.Generation.Checkpoint.Seq != j.Head().Seq || r.Rows == 0 && j.Head().Seq > 0 {
			t.Errorf("%s: at %d with %d rows, the journal is at %d", r.Generation.Projection, r.Generation.Checkpoint.Seq, r.Rows, j.Head().Seq)
		}
	}
}

// rows gives all rows of the active generations as text, for comparing two databases to the byte.
func rows(t testing.TB, pool *pgxpool.Pool) string {
	t.Helper()
	var all bytes.Buffer
	for _, table := range []string{"balances", "statement", "statement_totals"} {
		name := "statement"
		if table == "balances" {
			name = table
		}
		var generation int64
		if err := pool.QueryRow(t.Context(), `SELECT generation FROM bk_read.projection WHERE name = $1 AND state = 'active'`, name).Scan(&generation); err != nil {
			t.Fatal(err)
		}
		var text string
		err := pool.QueryRow(t.Context(), fmt.Sprintf(`SELECT coalesce(string_agg(x::text, E'\n' ORDER BY x::text), '') FROM bk_read.%s_%d AS x`, table, generation)).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %x\n", table, sha256.Sum256([]byte(text)))
	}
	return all.String()
}

// choppy gives random parts of what is asked for, and fails at times.
type choppy struct {
	*foldtest.Journal
	rng   chan *rand.Rand // capacity 1
	fails bool
}

func newChoppy(j *foldtest.Journal, seed uint64, fails bool) *choppy {
	c := &choppy{Journal: j, rng: make(chan *rand.Rand, 1), fails: fails}
	c.rng <- rand.New(rand.NewPCG(seed, 1))
	return c
}

func (c *choppy) Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	rng := <-c.rng
	part, fail := 1+rng.IntN(1+rng.IntN(limit)), c.fails && rng.IntN(20) == 0
	c.rng <- rng
	if fail {
		return nil, errors.New("the journal can't be read at the moment")
	}
	return c.Journal.Read(ctx, after, part)
}
