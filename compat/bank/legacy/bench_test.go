package legacy_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/migrations/embedded"
)

// BenchmarkSingles books single trades through HTTP, 32 clients over 1000 accounts, on a durable Postgres, and then lets pgbench's TPC-B run on the same server: the
// Bank is honest while "of-pgbench" is at least 0.3.
func BenchmarkSingles(b *testing.B) {
	const clients = 32
	server := durable(b)
	reference := pgbench(b, server)
	books := openDurable(b, server, clients)
	handler, err := front.New(front.Config{Ledger: books, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	api := httptest.NewServer(handler.API())
	b.Cleanup(api.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	var next atomic.Int64
	load := func(count int64) {
		var wg sync.WaitGroup
		last := next.Load() + count
		for range clients {
			wg.Go(func() {
				for {
					n := next.Add(1)
					if n > last {
						return
					}
					body := fmt.Sprintf(`[{"type":"exchange_trade","timestamp":1381132800464,"client_trade_id":"t%d","date":20131007,"account_id":"%d","quantity":"100","price":"167.41",
						"instrument":{"identifier":"%s","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"%s"},
						"capacity":"agency","mic":"ARCX","exec_mpid":"CLST","fees":{"commission":"1.00"}}]`,
						n, 1+rand.IntN(1000), []string{"SPY", "BAC", "IBM"}[n%3], []string{"buy", "sell"}[n%2])
					answer, err := client.Post(api.URL+"/trades", "application/json", bytes.NewReader([]byte(body)))
					if err != nil {
						b.Error(err)
						return
					}
					text, _ := io.ReadAll(answer.Body)
					answer.Body.Close()
					if answer.StatusCode != http.StatusAccepted {
						b.Errorf("%s: %s", answer.Status, text)
						return
					}
				}
			})
		}
		wg.Wait()
		next.Store(last)
	}
	load(2000) // connections and statements are there
	b.ResetTimer()
	began := time.Now()
	load(int64(b.N))
	rate := float64(b.N) / time.Since(began).Seconds()
	b.StopTimer()
	b.ReportMetric(rate, "trades/s")
	if reference > 0 {
		b.ReportMetric(reference, "pgbench-tps")
		b.ReportMetric(rate/reference, "of-pgbench")
	}
	check(b, server)
}

// BenchmarkCalls books calls of 100, 16 at once, straight into the books; one N is a trade.
func BenchmarkCalls(b *testing.B) {
	server := durable(b)
	books := openDurable(b, server, 16)
	began := time.Now()
	bookMany(b, books, b.N, 100)
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "trades/s")
	b.StopTimer()
	check(b, server)
}

// BenchmarkRoll settles N trades in one roll: -benchtime 300000x for a big day.
func BenchmarkRoll(b *testing.B) {
	server := durable(b)
	books := openDurable(b, server, 16)
	bookMany(b, books, b.N, 1000)
	b.ResetTimer()
	began := time.Now()
	if err := books.Roll(b.Context(), 20131010); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "settlements/s")
	b.StopTimer()
	check(b, server)
}

// bookMany books count trades in calls of size over 50 accounts, 16 calls at once.
func bookMany(b *testing.B, books *legacy.Bank, count, size int) {
	b.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for from := 0; from < count; from += size {
		group.Go(func() error {
			var trades []bank.Trade
			for n := from; n < min(from+size, count); n++ {
				trades = append(trades, exchange(b, fmt.Sprint("m", n), 1+(from/size*61+n%50)%1000, []string{"buy", "sell"}[n%2], "100", "167.41", 20131007, ""))
			}
			_, err := books.BookTrades(b.Context(), trades)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

// durable starts a server of the benchmark's own, as hotswap's.
func durable(b *testing.B) *embedded.Postgres {
	b.Helper()
	server, err := embedded.StartPostgres(b.Context(), embedded.PostgresConfig{Dir: b.TempDir(), Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := server.Stop(); err != nil {
			b.Error(err)
		}
	})
	return server
}

// openDurable opens books with 1000 accounts.
func openDurable(b *testing.B, server *embedded.Postgres, connections int) *legacy.Bank {
	b.Helper()
	silent := slog.New(slog.DiscardHandler)
	if err := legacy.Migrate(b.Context(), server.DSN(), silent); err != nil {
		b.Fatal(err)
	}
	books, err := legacy.Open(b.Context(), legacy.Config{DSN: server.DSN(), Log: silent, Connections: connections})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(books.Close)
	if _, err := books.CreateEntity(b.Context(), bank.Entity{EntityID: 1, ClientCode: "C", LegalName: "C"}); err != nil {
		b.Fatal(err)
	}
	for id := bank.ID(1); id <= 1000; id++ {
		if _, err := books.CreateAccount(b.Context(), bank.NewAccount{AccountID: id, EntityID: 1, Name: "A"}); err != nil {
			b.Fatal(err)
		}
	}
	return books
}

func check(b *testing.B, server *embedded.Postgres) {
	b.Helper()
	pool, err := pgxpool.New(b.Context(), server.DSN())
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	if err := legacy.Check(b.Context(), pool); err != nil {
		b.Error(err)
	}
}

// pgbench gives the server's TPC-B rate, 0 without pgbench.
func pgbench(b *testing.B, server *embedded.Postgres) float64 {
	b.Helper()
	program := "pgbench"
	if _, err := exec.LookPath(program); err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		if len(found) == 0 {
			b.Log("no pgbench here: no reference")
			return 0
		}
		program = found[len(found)-1]
	}
	dsn, err := url.Parse(server.DSN())
	if err != nil {
		b.Fatal(err)
	}
	for _, args := range [][]string{{"-i", "-q", "-s", "10"}, {"-c", "16", "-j", "2", "-T", "10"}} {
		cmd := exec.CommandContext(b.Context(), program, append(args, "-h", dsn.Hostname(), "-p", dsn.Port(), "-U", dsn.User.Username(), "bk")...)
		password, _ := dsn.User.Password()
		cmd.Env = append(cmd.Environ(), "PGPASSWORD="+password)
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		if m := regexp.MustCompile(`tps = ([0-9.]+)`).FindSubmatch(out); m != nil {
			rate, err := strconv.ParseFloat(string(m[1]), 64)
			if err != nil {
				b.Fatal(err)
			}
			return rate
		}
	}
	return 0
}
