package trades_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/trades"
	"github.com/bkledger/bk/projections/trades/lifetest"
)

// BenchmarkRunner folds trades of 1000 customers in 50 securities, each booked and then, in a roll, settled, from memory. One operation is one entry.
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
	for b.Loop() {
		b.StopTimer()
		pool := foldtest.Pool(b, pgtest.New(b))
		source := &gated{Journal: l.Journal, end: make(chan uint64, 1), open: start}
		r, err := projections.New(projections.Config{
			Pool: pool, Source: source, Shard: shard, Projections: []projections.Projection{trades.Projection{Books: l.Directory}},
		})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		took := func(to uint64) float64 {
			begun := time.Now()
			source.end <- to
			if err := r.WaitFor(b.Context(), trades.Name, to); err != nil {
				b.Fatal(err)
			}
			return time.Since(begun).Seconds()
		}
		took(start)
		b.StartTimer()
		b.ReportMetric(float64(booked-start)/took(booked), "bookings/s")
		b.ReportMetric(float64(settled-booked)/took(settled), "settlements/s")
		b.StopTimer()
		cancel()
		<-done
		b.StartTimer()
	}
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
