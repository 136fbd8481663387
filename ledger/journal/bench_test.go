package journal_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// BenchmarkBook books groups of 1000 new trades, a few callers at a time; b.N counts groups. For figures that mean something see
// bk bench append: this one is for profiles.
func BenchmarkBook(b *testing.B) {
	r := startLedger(b, journal.Config{})
	const size = 1000
	var group atomic.Int64
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			g := group.Add(1)
			commands := make([]*ledger.Command, size)
			for i := range commands {
				commands[i] = trade(fmt.Sprintf("%d/%d", g, i), "100")
			}
			for _, o := range r.Book(b.Context(), commands, journal.BookOptions{Wait: true}) {
				if o.Err != nil {
					b.Error(o.Err)
					return
				}
			}
		}
	})
	b.ReportMetric(float64(b.N)*size/b.Elapsed().Seconds(), "entries/s")
}
