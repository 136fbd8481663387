package history_test

import (
	"context"
	"testing"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/history"
)

// benchDays is how many business days the trades of a benchmark are of.
const benchDays = 10

// sound is a history of n trades, most of which settle.
func sound(n int) *past {
	p := &past{}
	day := func(i int) bank.Date { return bank.Date(20131001 + i) }
	each := n / benchDays
	for d := range benchDays + 4 {
		p.day = day(d)
		for i := range each {
			if id := bank.ID((d-3)*each + i + 1); d >= 3 && int(id) <= n {
				p.put(id, 1+id%2, "settle")
			}
		}
		for i := range each {
			if d < benchDays {
				id := bank.ID(d*each + i + 1)
				p.trade(id, 1+id%2, p.day, day(d+3), bank.StateSettled)
				p.put(id, 1+id%2, "open")
			}
		}
	}
	return p
}

// BenchmarkTransform and BenchmarkStage say how many trades a second go through each, with two journal rows a trade.
func BenchmarkTransform(b *testing.B) {
	const n = 20_000
	p := sound(n)
	b.ReportAllocs()
	for b.Loop() {
		transformed(b, p)
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "trades/s")
}

func BenchmarkStage(b *testing.B) {
	const n = 20_000
	p := sound(n)
	runs := transformed(b, p)
	b.ReportAllocs()
	for b.Loop() {
		builder, err := bulk.NewBuilder(bulk.BuilderConfig{Sink: func(bulk.Chunk) error { return nil }})
		if err != nil {
			b.Fatal(err)
		}
		out := &built{Rows: map[string][][]string{}, columns: map[string][]string{}}
		report, err := history.Stage(context.Background(), p.input(runs, 20131014), builder, out)
		if err != nil || report.Trades != n || report.Quarantined+report.Adjusted+report.Repaired > 0 {
			b.Fatalf("%+v: %v", report, err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "trades/s")
}

// transformed transforms a history in one chunk a table.
func transformed(t testing.TB, p *past) (runs []history.Run) {
	t.Helper()
	made := map[history.Kind]*object{}
	done, err := history.TransformTrades(context.Background(), list(p.trades), creator(made))
	runs = append(runs, runsOf(t, made, done, err)...)
	done, err = history.TransformJournal(context.Background(), list(p.journal), creator(made))
	runs = append(runs, runsOf(t, made, done, err)...)
	done, err = history.TransformCash(context.Background(), list(p.cash), creator(made))
	return append(runs, runsOf(t, made, done, err)...)
}
