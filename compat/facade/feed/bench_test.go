package feed_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/feed"
	"github.com/bkledger/bk/compat/facade/queue"
	"github.com/bkledger/bk/migrations/pgtest"
)

const (
	benchTrades   = 20_000 // over the queue, in batches
	benchRows     = 3000   // over the feed, one by one
	benchAccounts = 100
	benchCall     = 500 // trades of a call that fills a system
)

// serveBank runs a Bank of its own, over HTTP.
func serveBank(b *testing.B) *bank.Client {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan legacy.Addresses, 1), make(chan error, 1)
	dsn := pgtest.New(b)
	go func() {
		done <- legacy.Run(ctx, legacy.Config{DSN: dsn, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0"}, func(at legacy.Addresses) { ready <- at })
	}()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	at := <-ready
	c, err := bank.NewClient(bank.ClientConfig{API: "http://" + at.API, Operations: "http://" + at.Operations})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

// directory is what opens accounts.
type directory interface {
	CreateEntity(context.Context, bank.Entity) (bool, error)
	CreateAccount(context.Context, bank.NewAccount) (bool, error)
	BookTrades(context.Context, []bank.Trade) ([]bank.Booked, error)
}

// fill opens accounts at a system and books trades there.
func fill(b *testing.B, at directory, trades int) (booked []bank.Booked) {
	b.Helper()
	_, err := at.CreateEntity(b.Context(), bank.Entity{EntityID: 1, ClientCode: "C", LegalName: "L"})
	for id := bank.ID(1); id <= benchAccounts && err == nil; id++ {
		_, err = at.CreateAccount(b.Context(), bank.NewAccount{AccountID: id, EntityID: 1, Name: "A"})
	}
	for n := 0; n < trades && err == nil; n += benchCall {
		call := make([]bank.Trade, 0, benchCall)
		for i := n; i < n+benchCall; i++ {
			call = append(call, numbered(i))
		}
		var got []bank.Booked
		got, err = at.BookTrades(b.Context(), call)
		booked = append(booked, got...)
	}
	if err != nil {
		b.Fatal(err)
	}
	return booked
}

func numbered(i int) bank.Trade { return trade(bank.ID(1+i%benchAccounts), fmt.Sprint(i)) }

// BenchmarkQueue is a catch-up of BK over the queue, in rows of one trade: Bank is asked for the time of each, or events have told it.
func BenchmarkQueue(b *testing.B) {
	for _, told := range []bool{false, true} {
		b.Run(fmt.Sprintf("told=%t", told), func(b *testing.B) {
			for range b.N {
				w, at := newWorld(b, books.NewIDs()), serveBank(b)
				booked := fill(b, at, benchTrades)
				fill(b, w.books, 0)
				var at1 int64
				if told {
					at1 = 1381132800464
				}
				batch := &pgx.Batch{}
				for i, got := range booked {
					row, err := queue.Trades([]bank.Trade{numbered(i)}).Row(1, int64(i), queue.Answer{Trades: []bank.Booked{got}, BookedAt: at1})
					if err != nil {
						b.Fatal(err)
					}
					batch.Queue(`INSERT INTO facade.queue (origin, epoch, kind, keys, size, request, answer) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
						row.Origin, row.Epoch, row.Kind, row.Keys, row.Size, row.Request, row.Answer)
				}
				if err := w.pool.SendBatch(b.Context(), batch).Close(); err != nil {
					b.Fatal(err)
				}
				q, err := queue.Open(b.Context(), queue.Config{Postgres: w.dsn, Replica: "a", Bank: at, BK: w.books})
				if err != nil {
					b.Fatal(err)
				}
				ctx, stop := context.WithCancel(b.Context())
				var running sync.WaitGroup
				began := time.Now()
				running.Go(func() { q.Run(ctx) })
				if err := q.Drained(ctx); err != nil {
					b.Error(err)
				}
				b.ReportMetric(benchTrades/time.Since(began).Seconds(), "rows/s")
				stop()
				running.Wait()
				q.Close()
			}
		})
	}
}

// BenchmarkFeed is a catch-up of Bank over the feed; with 0 lanes it is Bank itself, that as many clients book the same trades at as there are lanes by default.
func BenchmarkFeed(b *testing.B) {
	for _, lanes := range []int{0, 8, 16} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			for range b.N {
				at := serveBank(b)
				if lanes == 0 {
					fill(b, at, 0)
					began := time.Now()
					var next atomic.Int64
					var clients sync.WaitGroup
					for range 8 {
						clients.Go(func() {
							for i := int(next.Add(1)); i <= benchRows; i = int(next.Add(1)) {
								t := numbered(i)
								if err := at.Replay(b.Context(), bank.Replay{TradeID: bank.ID(i), BookedAt: 1381132800464, Request: &t}); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					clients.Wait()
					b.ReportMetric(benchRows/time.Since(began).Seconds(), "rows/s")
					continue
				}
				w := newWorld(b, books.NewIDs(books.Epoch{First: 1, TradeBase: base, CashBase: base}))
				fill(b, w.books, benchRows)
				f, err := feed.New(feed.Config{
					Pool: w.pool, Client: w.client, Books: w.books, Bank: at, LockRead: queue.LockFeed, LockDeliver: queue.LockDelivery, Worker: backlog.Config{Parallel: lanes},
				})
				if err != nil {
					b.Fatal(err)
				}
				ctx, stop := context.WithCancel(b.Context())
				var running sync.WaitGroup
				began := time.Now()
				running.Go(func() { f.Run(ctx) })
				f.Resume()
				if err := f.Drained(ctx, w.head()); err != nil {
					b.Error(err)
				}
				b.ReportMetric(benchRows/time.Since(began).Seconds(), "rows/s")
				stop()
				running.Wait()
			}
		})
	}
}
