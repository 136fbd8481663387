package trades_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/trades"
	"github.com/bkledger/bk/projections/trades/lifetest"
)

// BenchmarkRunner folds trades of 1000 customers in 50 securities, each booked and then, in a roll, settled, from memory. One operation is all of
// them; what counts is the processor's time that a trade takes, of Postgres' backends and of this process.
func BenchmarkRunner(b *testing.B) {
	const count = 200_000
	l := lifetest.New(b, rand.New(rand.NewPCG(1, 1)), shard, 1000, 50)
	l.Roll(20131008, true)
	start := l.Head()
	for range count {
		c := l.NewTrade()
		c.TradeDate, c.SettleDate = 20131008, 20131009
		l.Book(c)
	}
	booked := l.Head()
	l.Roll(20131009, true)
	settled := l.Head()
	for _, chunk := range []int{1024, 16384, 65536} {
		b.Run(fmt.Sprintf("chunk=%d", chunk), func(b *testing.B) {
			for b.Loop() {
				pool := foldtest.Pool(b, pgtest.New(b))
				source := &gated{Journal: l.Journal, end: make(chan uint64, 1), open: start}
				r, err := projections.New(projections.Config{
					Pool: pool, Source: source, Shard: shard, Projections: []projections.Projection{trades.Projection{Books: l.Directory}},
					MaxChunkEntries: chunk, Pace: 1,
				})
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(b.Context())
				done := make(chan error, 1)
				go func() { done <- r.Run(ctx) }()
				upTo := func(to uint64, what string) {
					server, own := serverTime(b, pool), ownTime(b)
					source.end <- to
					if err := r.WaitFor(b.Context(), trades.Name, to); err != nil {
						b.Fatal(err)
					}
					b.ReportMetric((ownTime(b)-own)*1e6/count, "own-us/"+what)
					b.ReportMetric((serverTime(b, pool)-server)*1e6/count, "postgres-us/"+what)
				}
				upTo(start, "nothing")
				upTo(booked, "booking")
				upTo(settled, "settlement")
				cancel()
				<-done
			}
		})
	}
}

// serverTime gives the seconds of processor time that the database's backends have taken.
func serverTime(b *testing.B, pool *pgxpool.Pool) (seconds float64) {
	rows, err := pool.Query(b.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database()`)
	if err != nil {
		b.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		b.Fatal(err)
	}
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Skipf("no figures of the server's processes: %v", err)
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		for _, field := range strings.Fields(rest)[11:13] { // utime, stime
			ticks, err := strconv.Atoi(field)
			if err != nil {
				b.Fatal(err)
			}
			seconds += float64(ticks) / 100
		}
	}
	return seconds
}

// ownTime gives the seconds of processor time that this process has taken.
func ownTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// gated is a journal whose end is let go further step by step.
type gated struct {
	*foldtest.Journal
	open uint64
	end  chan uint64
}

func (g *gated) Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	return g.Journal.Read(ctx, after, int(min(uint64(limit), g.open-after)))
}

func (g *gated) Wait(ctx context.Context, after uint64) error {
	for after >= g.open {
		select {
		case g.open = <-g.end:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
