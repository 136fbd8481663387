package queue

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/embedded"
)

// quick stands for two systems that answer at once: what is left is the queue's own.
type quick struct{ at atomic.Int64 }

func (q *quick) Trade(context.Context, bank.TradeRef) (bank.StoredTrade, error) {
	return bank.StoredTrade{BookedAt: 1}, nil
}
func (q *quick) MoveCash(context.Context, bank.Cash) (bank.ID, error)         { return 1, nil }
func (q *quick) Roll(context.Context, bank.Date) error                        { return nil }
func (q *quick) BusinessDate(context.Context) (bank.Date, error)              { return 0, nil }
func (q *quick) CreateEntity(context.Context, bank.Entity) (bool, error)      { return true, nil }
func (q *quick) CreateAccount(context.Context, bank.NewAccount) (bool, error) { return true, nil }
func (q *quick) Entity(context.Context, bank.ID) (bank.Entity, error)         { return bank.Entity{}, nil }
func (q *quick) Account(context.Context, bank.ID) (bank.Account, error)       { return bank.Account{}, nil }
func (q *quick) Entities(context.Context, bank.Page) (l bank.List[bank.Entity], err error) {
	return l, nil
}
func (q *quick) Accounts(context.Context, bank.Page) (l bank.List[bank.Account], err error) {
	return l, nil
}
func (q *quick) ReplayAll(_ context.Context, r []bank.Replay) ([]int64, error) {
	q.at.Add(int64(len(r)))
	return make([]int64, len(r)), nil
}

func benchQueue(b *testing.B) (*Queue, *quick) {
	b.Helper()
	server, err := embedded.StartPostgres(b.Context(), embedded.PostgresConfig{Dir: b.TempDir(), Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	if err := schema.Up(b.Context(), server.DSN(), nil); err != nil {
		b.Fatal(err)
	}
	k := &quick{}
	q, err := Open(b.Context(), Config{Postgres: server.DSN(), Replica: "bench", Bank: k, BK: k})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(q.Close)
	return q, k
}

// BenchmarkCall is Begin and Accepted, 32 at once on a thousand accounts, on a durable Postgres.
func BenchmarkCall(b *testing.B) {
	q, _ := benchQueue(b)
	var n atomic.Int64
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			t := trade(bank.ID(1+i%1000), fmt.Sprint(i))
			h, err := q.Begin(b.Context(), 1, Trades([]bank.Trade{t}))
			if err == nil {
				err = h.Accepted(b.Context(), Answer{Trades: []bank.Booked{{ClientTradeID: t.ClientTradeID, TradeID: bank.ID(i)}}})
			}
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkWorker is rows of one trade through the worker.
func BenchmarkWorker(b *testing.B) {
	q, k := benchQueue(b)
	t := trade(1, "x")
	row, err := Trades([]bank.Trade{t}).Row(1, 1, Answer{Trades: []bank.Booked{{ClientTradeID: "x", TradeID: 1}}})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := q.pool.Exec(b.Context(), `INSERT INTO facade.queue (origin, epoch, kind, keys, size, request, answer)
		SELECT 1, 1, 'trades', ARRAY[1 + n % 1000], 1, $2, $3 FROM generate_series(1, $1::int) n`, b.N, row.Request, row.Answer); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	b.ResetTimer()
	go func() {
		defer close(done)
		q.Run(ctx)
	}()
	for k.at.Load() < int64(b.N) {
		time.Sleep(time.Millisecond) // the pace of looking
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	cancel()
	<-done
}
