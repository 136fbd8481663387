package books_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// BenchmarkBook books with many clients at once, each trade in a call of its own and in calls of 100. The ledger, BK, its Postgres and the clients share the
// machine's cores.
func BenchmarkBook(b *testing.B) {
	for _, shape := range []struct{ clients, call int }{{1, 1}, {16, 1}, {64, 1}, {256, 1}, {1, 100}, {8, 100}, {16, 100}} {
		b.Run(fmt.Sprintf("%d clients, calls of %d", shape.clients, shape.call), func(b *testing.B) {
			w := newWorld(b)
			w.book(w.trade(""))
			calls := b.N
			requests := make([][]bank.Trade, calls)
			for c := range requests {
				for n := range shape.call {
					requests[c] = append(requests[c], parse(b, 1_000_000+c*shape.call+n, fmt.Sprintf(`"account_id":%d,"user_data":"x"`, 100018+n%4)))
				}
			}
			b.ResetTimer()
			began := time.Now()
			var next atomic.Int64
			var group sync.WaitGroup
			for range shape.clients {
				group.Go(func() {
					for {
						c := int(next.Add(1)) - 1
						if c >= calls {
							return
						}
						if _, err := w.BookTrades(b.Context(), requests[c]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(calls*shape.call)/time.Since(began).Seconds(), "trades/s")
		})
	}
}

// BenchmarkReplay replays batches as the worker of the queue does.
func BenchmarkReplay(b *testing.B) {
	w := newWorld(b)
	w.book(w.trade(""))
	w.ids.Update(nil)
	const batch = 500
	began := time.Now()
	for c := range b.N {
		var replays []bank.Replay
		for n := range batch {
			id := 1_000_000 + c*batch + n
			trade := parse(b, id, "")
			replays = append(replays, bank.Replay{TradeID: bank.ID(id), BookedAt: 1381132800464, Request: &trade})
		}
		if _, err := w.ReplayAll(b.Context(), replays); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*batch)/time.Since(began).Seconds(), "trades/s")
}
