package bulk_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bkledger/bk/api/bulk"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations/pgtest"
)

// tradesPerDay is how often a benchmark's history rolls: each trade settles three days after it is booked, the first ones of a day after the roll.
const tradesPerDay = 20_000

// exchangeTrades are the trades of a day on a market, by a thousand accounts in fifty securities.
func exchangeTrades(day int) []*bkv1.Command {
	rng := rand.New(rand.NewPCG(1, uint64(day)))
	out := make([]*bkv1.Command, tradesPerDay)
	for j := range out {
		i := day*tradesPerDay + j
		out[j] = &bkv1.Command{Key: fmt.Sprintf("100001/trade-%08d", i), TradeDate: benchDay(day), Command: &bkv1.Command_Trade{Trade: &bkv1.Trade{
			Type: bkv1.TradeType_TRADE_TYPE_EXCHANGE, ExecutedAt: timestamppb.New(testTime.Add(time.Duration(i) * time.Millisecond)),
			ClientTradeId: fmt.Sprintf("trade-%08d", i), Account: &bkv1.AccountRef{Id: 200000 + rng.Int64N(1000)},
			Direction: bkv1.Direction(1 + rng.IntN(2)), Quantity: fmt.Sprint(1 + rng.IntN(1000)), Price: fmt.Sprintf("%d.%02d", rng.IntN(300), rng.IntN(100)),
			Instrument: testInstrument(rng.IntN(50)), Capacity: bkv1.Capacity_CAPACITY_AGENCY, Mic: "XNYS", ExecMpid: "BKLG",
		}}}
	}
	return out
}

func benchDay(day int) int32 {
	d := time.Date(2013, 10, 7, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day)
	return int32(d.Year()*10000 + int(d.Month())*100 + d.Day())
}

func benchBuilder(b *testing.B, sink func(bulk.Chunk) error) *bulk.Builder {
	b.Helper()
	builder, err := bulk.NewBuilder(bulk.BuilderConfig{Sink: sink})
	if err != nil {
		b.Fatal(err)
	}
	var steps []step
	steps = append(steps, step{instrument: &bkv1.Instrument{Identifiers: []*bkv1.Identifier{currency("USD")}}})
	for n := range 50 {
		steps = append(steps, step{instrument: &bkv1.Instrument{Identifiers: []*bkv1.Identifier{testInstrument(n)}}})
	}
	for id := int64(200000); id < 201000; id++ {
		steps = append(steps, step{account: &bkv1.Account{Id: id, Code: fmt.Sprintf("cust:%d", id)}})
	}
	for _, s := range steps {
		s.build(b, builder, testTime)
	}
	return builder
}

// spent is time by the clock and of the processor.
type spent struct{ wall, cpu float64 }

func (s *spent) measure(b *testing.B, do func()) {
	b.Helper()
	began, cpu := time.Now(), cpuSeconds(b)
	do()
	s.wall, s.cpu = s.wall+time.Since(began).Seconds(), s.cpu+cpuSeconds(b)-cpu
}

// buildTrades books the trades of days and rolls in between; when they are over, all of them settle. It measures what the builder does: prepared in the order or, with ahead, before.
func buildTrades(b *testing.B, builder *bulk.Builder, days int, ahead bool) (summary bulk.Summary, took spent) {
	b.Helper()
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	for day := range days {
		commands := exchangeTrades(day)
		prepared := make([]*bulk.Prepared, len(commands))
		prepare := func() {
			for i, c := range commands {
				prepared[i] = builder.Prepare(c, testTime)
			}
		}
		if ahead {
			prepare()
		}
		took.measure(b, func() {
			check(builder.Roll(benchDay(day), testTime))
			if !ahead {
				prepare()
			}
			for _, p := range prepared {
				_, err := builder.BookPrepared(p)
				check(err)
			}
		})
	}
	took.measure(b, func() {
		check(builder.Roll(benchDay(days+10), testTime))
		var err error
		summary, err = builder.Close()
		check(err)
	})
	return summary, took
}

// BenchmarkBuild builds a history of trades, each of which settles in a roll, on one goroutine; and the half of it that has to be in order alone.
func BenchmarkBuild(b *testing.B) {
	const days = 10
	for _, ahead := range []bool{false, true} {
		b.Run(map[bool]string{false: "all", true: "ordered-half"}[ahead], func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				builder := benchBuilder(b, func(bulk.Chunk) error { return nil })
				summary, took := buildTrades(b, builder, days, ahead)
				runtime.GC()
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(builder)
				b.ReportMetric(days*tradesPerDay/took.wall, "trades/s")
				b.ReportMetric(days*tradesPerDay/took.cpu, "trades/cpu-s")
				b.ReportMetric(float64(summary.Rows)/took.wall, "rows/s")
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(days*tradesPerDay), "B-kept/trade")
			}
		})
	}
}

// cpuSeconds is what this process has used so far; on a machine that others use it says more than the clock.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

// BenchmarkLoad loads a journal, and copies the same bytes into the same table of another database without anything else, two chunks at a time.
func BenchmarkLoad(b *testing.B) {
	const days = 10
	var made built
	builder := benchBuilder(b, func(c bulk.Chunk) error {
		made.chunks, made.manifest.Chunks = append(made.chunks, c), append(made.manifest.Chunks, c.ChunkMeta)
		return nil
	})
	made.manifest.Epoch = 1
	made.manifest.Summary, _ = buildTrades(b, builder, days, false)
	rows, bytesLoaded := float64(made.manifest.Summary.Rows), 0.0
	for _, c := range made.chunks {
		bytesLoaded += float64(c.Bytes)
	}
	for b.Loop() {
		raw := rawCopy(b, pgtest.New(b), made.chunks)
		dsn := pgtest.New(b)
		l := newLoader(b, dsn, made.manifest)
		began := time.Now()
		if err := l.Begin(b.Context()); err != nil {
			b.Fatal(err)
		}
		err := loadChunks(b.Context(), l, made.manifest, func(n int) bulk.Object {
			return bulk.Object{Name: "memory", Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(made.chunks[n-1].Data)), nil
			}}
		})
		if err != nil {
			b.Fatal(err)
		}
		load := time.Since(began).Seconds()
		if err := l.Finish(b.Context()); err != nil {
			b.Fatal(err)
		}
		all := time.Since(began).Seconds()
		b.ReportMetric(rows/raw, "raw-rows/s")
		b.ReportMetric(rows/load, "load-rows/s")
		b.ReportMetric(rows/(all-load), "verify-rows/s")
		b.ReportMetric(days*tradesPerDay/all, "trades/s")
		b.ReportMetric(raw/load, "load/raw")
		b.ReportMetric(raw/all, "all/raw")
		b.ReportMetric(float64(number(b, dsn, `SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'bk.journal'::regclass`))/bytesLoaded, "disk-B/chunk-B")
	}
}

// rawCopy copies chunks into bk.journal, and gives the seconds that it takes.
func rawCopy(b *testing.B, dsn string, chunks []bulk.Chunk) float64 {
	b.Helper()
	began := time.Now()
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(2)
	for _, c := range chunks {
		group.Go(func() error {
			conn, err := pgx.Connect(ctx, dsn)
			if err != nil {
				return err
			}
			defer conn.Close(ctx)
			_, err = conn.PgConn().CopyFrom(ctx, bytes.NewReader(c.Data), "COPY bk.journal ("+journal.Columns+") FROM STDIN (FORMAT binary)")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began).Seconds()
}
