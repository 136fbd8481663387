package projections_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/foldtest"
)

// TestP5ServerCrash: Postgres is killed under the runner, which loses the last chunks (they are committed without waiting for the
// disk); the runner goes on by itself and the rows are right, also those of a rebuild that was under way.
func TestP5ServerCrash(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a Postgres of its own")
	}
	server := pgtest.Cluster(t)
	pool := foldtest.Pool(t, server.DSN())
	j := foldtest.NewJournal(shard)
	r := newRunner(t, pool, j, func(c *projections.Config) { c.MaxChunkEntries, c.Log = 100, nil })
	start(t, r)
	all := foldtest.Trades(rand.New(rand.NewPCG(20, 20)), 9000, 100, 3, true)
	next := func(n int) {
		j.Append(all[:n]...)
		all = all[n:]
	}
	next(1000)
	waitFor(t, r, 1000)
	for range 3 {
		rebuilt := make(chan error, 1)
		begun := make(chan struct{}, 1)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		go func() {
			rebuilt <- r.Rebuild(ctx, balances.Name, func(uint64, uint64) {
				select {
				case begun <- struct{}{}:
				default:
				}
			})
		}()
		select {
		case <-begun:
		case err := <-rebuilt:
			t.Fatalf("rebuild: %v", err)
		}
		for range 10 {
			next(200)
			time.Sleep(time.Millisecond) // the moment of the kill is what varies
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := server.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := <-rebuilt; err != nil {
			t.Fatalf("rebuild: %v", err)
		}
	}
	next(len(all))
	waitFor(t, r, 9000)
	verifySound(t, pool, j)
}
