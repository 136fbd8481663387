package daily_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/foldtest"
)

// BenchmarkFold folds and stores trades of five postings between 1000 customers in 3 securities, from memory, all effective on one of
// three days. One operation is one entry.
func BenchmarkFold(b *testing.B) {
	const entries = 200_000
	j := foldtest.NewJournal(1)
	day := ledger.Date(20131008)
	j.Append(dayEntry(ledger.KindDayBegin, ledger.Day{Date: day, To: day}))
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(1, 1)), entries-1, 1000, 3, false)...)
	for _, chunk := range []int{512, 8192, 32768} {
		b.Run(fmt.Sprintf("chunk=%d", chunk), func(b *testing.B) {
			for done := 0; done < b.N; {
				b.StopTimer()
				n := min(entries, b.N-done)
				part := &until{Journal: j, end: uint64(n)}
				r := newRunner(b, foldtest.Pool(b, pgtest.New(b)), part, func(c *projections.Config) {
					c.Projections, c.MaxChunkEntries = []projections.Projection{daily.Projection{}}, chunk
				})
				b.StartTimer()
				stop := start(b, r)
				waitFor(b, r, uint64(n), daily.Name)
				b.StopTimer()
				stop()
				b.StartTimer()
				done += n
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkBalances reads balances of a customer with 1,000 entries, and of the street's account with all 100,000, as of now, as of a
// day, and as of the day known one and ten thousand entries before.
func BenchmarkBalances(b *testing.B) {
	const entries = 100_000
	j := foldtest.NewJournal(1)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(1, 1)), entries, 100, 3, false)...)
	reader, _ := folded(b, j)
	for _, c := range []struct {
		name string
		q    daily.Query
	}{
		{"as of now", daily.Query{}},
		{"as of a day", daily.Query{AsOf: 20131008}},
		{"known 1,000 before", daily.Query{AsOf: 20131008, KnownAt: entries - 1000}},
		{"known 10,000 before", daily.Query{AsOf: 20131008, KnownAt: entries - 10_000}},
	} {
		for name, account := range map[string]int64{"customer": foldtest.FirstCustomer, "street": foldtest.Street} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				q := c.q
				q.Account = account
				for b.Loop() {
					if rows, _, err := reader.Balances(b.Context(), q); err != nil || len(rows) != 4 {
						b.Fatal(rows, err)
					}
				}
			})
		}
	}
}

// BenchmarkDay is the first roll, which brings everything into force, of a bank with that many rows, the worst of all: its begin, the
// cut as the roll asks for it, and its end.
func BenchmarkDay(b *testing.B) {
	const holdings = 1_000_000
	for range b.N {
		b.StopTimer()
		pool := foldtest.Pool(b, pgtest.New(b))
		j := foldtest.NewJournal(1)
		e := &ledger.Entry{Kind: "journal", BookedAt: time.Now().UTC(), EffectiveDate: firstDay, Postings: []ledger.Posting{
			{Account: 1, Instrument: 1, Bucket: ledger.Settled, Quantity: ledger.AmountOf(1)},
			{Account: 2, Instrument: 1, Bucket: ledger.Settled, Quantity: ledger.AmountOf(-1)},
		}}
		j.Append(e)
		r := newRunner(b, pool, j, func(c *projections.Config) {
			c.Projections, c.ChunkTimeout = []projections.Projection{daily.Projection{}}, 10*time.Minute
		})
		stop := start(b, r)
		waitFor(b, r, 1, daily.Name)
		if _, err := pool.Exec(b.Context(), `INSERT INTO bk_read.daily_1
			SELECT 100 + n / 4, 1 + n % 4, 20131007, n + 0.25, -n FROM generate_series(1, $1::bigint) AS n`, holdings-2); err != nil {
			b.Fatal(err)
		}
		if _, err := pool.Exec(b.Context(), `ANALYZE bk_read.daily_1`); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		begun := time.Now()
		j.Append(dayEntry(ledger.KindDayBegin, ledger.Day{Date: firstDay, To: firstDay}))
		waitFor(b, r, 2, daily.Name)
		b.ReportMetric(time.Since(begun).Seconds(), "s/begin")

		begun = time.Now()
		rows, hash, err := daily.NewReader(r, j).Cut(b.Context(), firstDay, 2)
		if err != nil || rows != holdings {
			b.Fatal(rows, err)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "s/cut")

		begun = time.Now()
		j.Append(dayEntry(ledger.KindDayEnd, ledger.Day{Date: firstDay, To: firstDay, CutRows: rows, CutHash: hash}))
		waitFor(b, r, 3, daily.Name)
		b.ReportMetric(time.Since(begun).Seconds(), "s/end")
		b.StopTimer()
		var size string
		err = pool.QueryRow(b.Context(), `SELECT pg_size_pretty(pg_total_relation_size('bk_read.daily_cut_1'))`).Scan(&size)
		if err != nil && err != pgx.ErrNoRows {
			b.Fatal(err)
		}
		b.Logf("a cut of %d rows takes %s", holdings, size)
		stop()
		b.StartTimer()
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
