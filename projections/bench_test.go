package projections_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/statement"
)

// BenchmarkRunner folds and stores trades of five postings between 1000 customers in 3 securities, from memory. One operation is one
// entry.
func BenchmarkRunner(b *testing.B) {
	const entries = 200_000
	j := foldtest.NewJournal(shard)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(1, 1)), entries, 1000, 3, false)...)
	for name, set := range map[string][]projections.Projection{
		"balances": {balances.Projection{}}, "statement": {statement.Projection{}}, "both": both(),
	} {
		for _, chunk := range []int{512, 8192, 32768} {
			b.Run(fmt.Sprintf("%s/chunk=%d", name, chunk), func(b *testing.B) {
				for done := 0; done < b.N; {
					b.StopTimer()
					n := min(entries, b.N-done)
					source := &until{Journal: j, end: uint64(n)}
					r := newRunner(b, foldtest.Pool(b, pgtest.New(b)), source, func(c *projections.Config) {
						c.Projections, c.MaxChunkEntries = set, chunk
					})
					b.StartTimer()
					stop := start(b, r)
					for _, p := range set {
						if err := r.WaitFor(b.Context(), p.Name(), uint64(n)); err != nil {
							b.Fatal(err)
						}
					}
					b.StopTimer()
					stop()
					b.StartTimer()
					done += n
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			})
		}
	}
}

// until is the beginning of a journal.
type until struct {
	*foldtest.Journal
	end uint64
}

func (u *until) Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	return u.Journal.Read(ctx, after, int(min(uint64(limit), u.end-after)))
}

func (u *until) Wait(ctx context.Context, after uint64) error {
	if after < u.end {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}
