package bankstream_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

var trades = flag.Int("trades", 50_000, "trades of BenchmarkStream")

const (
	rateAccounts = 200
	rateCall     = 500 // trades
	rateClients  = 4
	rateEvents   = "bk.events.v1"
)

// publishing is a BK that publishes.
type publishing struct {
	*client.Client
	stop func()
}

func startBK(b *testing.B, dsn, broker string) publishing {
	b.Helper()
	at, stop := stage.Await(b, "BK", func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{Postgres: dsn, Brokers: []string{broker}, Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", PoolConnections: 16, Log: stage.Log(b)}, ready)
	})
	c, err := client.New("http://" + at.API)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return publishing{c, stop}
}

// published waits until BK has published all of its journal, and gives its last entry.
func (p publishing) published(b *testing.B) (head int64) {
	b.Helper()
	until(b, "BK to publish all", func() bool {
		status, err := p.Admin.Status(b.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
		if err != nil {
			return false
		}
		at, err := ledger.ParseToken(status.Msg.Head)
		head = int64(at.Seq)
		return err == nil && status.Msg.GetPublisher().GetSequence() == head
	})
	return head
}

// BenchmarkStream measures in one run: BK under load, booking and publishing trades and rolling them until they have settled; BK publishing all of its journal anew, as fast as it can; and
// the stream telling all of that from the beginning, with the real translator and nothing in its caches.
func BenchmarkStream(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(300)) // as both programs do
	first, second := kafkatest.Own(b).Addr(), kafkatest.Own(b).Addr()
	dsn, db := pgtest.New(b), pgtest.New(b)
	if err := schema.Up(b.Context(), db, nil); err != nil {
		b.Fatal(err)
	}
	pool, err := pgxpool.New(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	_, err = pool.Exec(b.Context(), `INSERT INTO facade.mode (epoch, mode, who, why, first_sequence, trade_id_base, cash_id_base) VALUES (1, $1, 'test', 'test', 1, 1000, 2000)`, mode.BKPrimary)
	if err != nil {
		b.Fatal(err)
	}
	history, err := mode.History(b.Context(), pool)
	if err != nil {
		b.Fatal(err)
	}
	ids := books.NewIDs()
	ids.Update(books.Minted(history))
	bk := startBK(b, dsn, first)
	in, err := books.New(books.Config{Client: bk.Client, Pool: pool, IDs: ids, Log: stage.Log(b)})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := in.CreateEntity(b.Context(), bank.Entity{EntityID: 1, ClientCode: "ONE", LegalName: "One Inc."}); err != nil {
		b.Fatal(err)
	}
	for id := range bank.ID(rateAccounts) {
		if _, err := in.CreateAccount(b.Context(), bank.NewAccount{AccountID: 100_001 + id, EntityID: 1, Name: "Ann"}); err != nil {
			b.Fatal(err)
		}
	}
	if err := in.Roll(b.Context(), 20131007); err != nil {
		b.Fatal(err)
	}
	before := bk.published(b)

	began := time.Now()
	var booking sync.WaitGroup
	for c := range rateClients {
		booking.Go(func() {
			for n := c * rateCall; n < *trades; n += rateClients * rateCall {
				if _, err := in.BookTrades(b.Context(), rateTrades(b, n, min(rateCall, *trades-n))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	booking.Wait()
	if err := in.Roll(b.Context(), 20131015); err != nil {
		b.Fatal(err)
	}
	head := bk.published(b)
	b.ReportMetric(float64(head-before)/time.Since(began).Seconds(), "load-entries/s")
	in.Close()
	bk.stop()

	bk = startBK(b, dsn, second)
	used := cpu(b)
	began = time.Now()
	if at := bk.published(b); at != head {
		b.Fatalf("BK's journal ends at %d and not at %d", at, head)
	}
	published, publishing := time.Since(began), cpu(b)-used
	b.ReportMetric(float64(head)/published.Seconds(), "publish-entries/s")

	lookup, err := books.NewStream(books.StreamConfig{Client: bk.Client, Pool: pool, Log: stage.Log(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(lookup.Close)
	s, err := bankstream.New(bankstream.Config{Translator: rehydrate.New(lookup), Brokers: []string{second}, Instance: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	used, began = cpu(b), time.Now()
	go func() { done <- s.Run(ctx) }()
	events := awaitTold(b, s, second)
	told, telling := time.Since(began), cpu(b)-used
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(head)/told.Seconds(), "stream-entries/s")
	b.ReportMetric(float64(events)/told.Seconds(), "stream-events/s")
	b.ReportMetric(published.Seconds()/told.Seconds(), "stream/publish")
	b.ReportMetric(publishing.Seconds()*1e6/float64(head), "publish-cpu-us/entry") // others may be on the machine
	b.ReportMetric(telling.Seconds()*1e6/float64(head), "stream-cpu-us/entry")
	b.Logf("%d entries; published again in %s, told in %s", head, published, told)
}

// cpu is the processor time that this process has used, BK's included and the broker's not.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// awaitTold waits until an instance has told all of BK's topic, and gives how many events that were.
func awaitTold(b *testing.B, s *bankstream.Service, broker string) (events int64) {
	b.Helper()
	kafka, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		b.Fatal(err)
	}
	defer kafka.Close()
	ends, err := kadm.NewClient(kafka).ListEndOffsets(b.Context(), rateEvents)
	if err != nil {
		b.Fatal(err)
	}
	until(b, "all to be told", func() bool {
		at := map[int32]int64{}
		for _, p := range s.Status().Partitions {
			if p.Phase == bankstream.Poisoned || p.Phase == bankstream.Lost {
				b.Fatalf("partition %d: %s", p.Partition, p.Error)
			}
			at[p.Partition] = p.Offset
		}
		for _, end := range ends[rateEvents] {
			if at[end.Partition] < end.Offset {
				return false
			}
		}
		return true
	})
	for _, end := range ends[rateEvents] {
		events += end.Offset
	}
	return events
}

// rateTrades gives trades as clients send them.
func rateTrades(b *testing.B, from, n int) []bank.Trade {
	out := make([]bank.Trade, n)
	for i := range out {
		side := "buy"
		if (from+i)%3 == 0 {
			side = "sell"
		}
		text := fmt.Sprintf(`{"type":"exchange_trade","timestamp":1381132800464,"client_trade_id":"T%d","date":20131007,"account_id":%d,"quantity":"%d","price":"167.41",`+
			`"instrument":{"identifier":"SYM%d","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":%q},"capacity":"agency","mic":"XNYS","exec_mpid":"ABCD","order_id":"O-%d"}`,
			from+i, 100_001+(from+i)%rateAccounts, 100+(from+i)%900, (from+i)%500, side, from+i)
		var err error
		if out[i], err = bank.ReadTrade([]byte(text)); err != nil {
			b.Fatal(err)
		}
	}
	return out
}
