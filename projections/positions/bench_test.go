package positions_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/positions"
)

// trades makes n trades of random customers in random securities, on one day after the other; one in 200 is cancelled soon after, and one in
// 300 corrected, where mixed is set.
func (w *world) trades(n, customers, securities int, mixed bool) {
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range n {
		w.trade(terms{
			day: ledger.Date(20240301 + i*20/n), account: int64(firstCustomer + rng.IntN(customers)), instrument: int64(firstSecurity + rng.IntN(securities)),
			quantity: fmt.Sprint(1 + rng.IntN(900) - 2*(i%2)*450), price: fmt.Sprintf("%d.%02d", 20+rng.IntN(400), rng.IntN(100)),
		})
		if len(w.live) > 2000 {
			w.live = w.live[1000:]
		}
		if !mixed {
			continue
		}
		switch old := w.live[max(0, len(w.live)-1-rng.IntN(500))]; {
		case i%200 == 0:
			w.cancel(old, false)
		case i%300 == 0:
			w.correct(old, terms{day: old.EffectiveDate, account: old.Trade.Account.ID, instrument: old.Postings[0].Instrument, quantity: "100", price: "33.25"})
		}
	}
}

// BenchmarkFold folds and stores trades, from memory. One operation is one entry.
func BenchmarkFold(b *testing.B) {
	const entries = 200_000
	for _, c := range []struct {
		name           string
		customers      int
		mixed, settled bool
	}{{"customers=1000", 1000, false, false}, {"customers=1000,cancels", 1000, true, false}, {"customers=1000,settled", 1000, false, true}, {"customers=50000", 50_000, false, false}} {
		w := newWorld(c.customers, 3)
		if c.settled { // half of the entries are trades, the other half their settlements, as of a roll
			w.trades(entries/2, c.customers, 3, false)
			for _, e := range w.All() {
				w.settleTrade(e, 20240330)
			}
		} else {
			w.trades(entries, c.customers, 3, c.mixed)
		}
		for _, chunk := range []int{8192, 32768} {
			b.Run(fmt.Sprintf("%s/chunk=%d", c.name, chunk), func(b *testing.B) {
				for done := 0; done < b.N; {
					b.StopTimer()
					n := min(entries, b.N-done)
					r := newRunner(b, foldtest.Pool(b, pgtest.New(b)), &until{Journal: w.Journal, end: uint64(n)}, w.dir, chunk)
					b.StartTimer()
					stop := start(b, r)
					waitFor(b, r, uint64(n))
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

// BenchmarkBook folds in memory.
func BenchmarkBook(b *testing.B) {
	w := newWorld(1000, 3)
	w.trades(100_000, 1000, 3, true)
	all := w.All()
	book := positions.NewBook(w.dir)
	for i := 0; b.Loop(); i++ {
		if i%len(all) == 0 {
			book = positions.NewBook(w.dir)
		}
		if err := book.Add(all[i%len(all)]); err != nil {
			b.Fatal(err)
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

// BenchmarkCorrection times a correction, from its booking until it is stored, of a trade with a number of records of its line since, on
// a line of a length, in a journal of a length. It grows with the first alone.
func BenchmarkCorrection(b *testing.B) {
	for _, c := range []struct{ journal, line, since int }{
		{10_000, 1_000, 100}, {100_000, 1_000, 100}, {400_000, 1_000, 100}, // the journal grows
		{400_000, 10_000, 100}, {400_000, 100_000, 100}, // the line grows
		{400_000, 100_000, 1_000}, {400_000, 100_000, 10_000}, {400_000, 100_000, 100_000}, // what came since
	} {
		b.Run(fmt.Sprintf("journal=%d/line=%d/since=%d", c.journal, c.line, c.since), func(b *testing.B) {
			const others = 1000
			w := newWorld(1+others, 3)
			rng := rand.New(rand.NewPCG(9, 9))
			var line []*ledger.Entry
			for i := range c.journal {
				x := terms{day: ledger.Date(20240301 + i*20/c.journal), account: int64(firstCustomer + 1 + rng.IntN(others)), instrument: int64(firstSecurity + rng.IntN(3)),
					quantity: fmt.Sprint(1 + rng.IntN(900) - 2*(i%2)*450), price: fmt.Sprintf("%d.%02d", 20+rng.IntN(400), rng.IntN(100))}
				if mine := i*c.line/c.journal != (i+1)*c.line/c.journal; mine {
					x.account, x.instrument = firstCustomer, firstSecurity
				}
				e := w.trade(x)
				w.live = w.live[:0]
				if x.account == firstCustomer {
					line = append(line, e)
				}
			}
			r := newRunner(b, foldtest.Pool(b, pgtest.New(b)), w.Journal, w.dir, 32768)
			start(b, r)
			waitFor(b, r, w.Head().Seq)
			of := line[len(line)-c.since]
			var took []time.Duration
			b.ResetTimer()
			for range b.N {
				begun := time.Now()
				of = w.correct(of, terms{day: of.EffectiveDate, account: firstCustomer, instrument: firstSecurity, quantity: fmt.Sprint(1 + rng.IntN(900)), price: "101.25"})
				waitFor(b, r, w.Head().Seq)
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
		})
	}
}
