package state_test

import (
	"runtime"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/ledger"
)

// million gives the changelog of a partition with n holdings and n/5 trades, made by transactions of 10,000 changes.
func million(b *testing.B, n int) *changelog {
	b.Helper()
	p, log := state.New(0), &changelog{}
	for from := 0; from < n; from += 10_000 {
		o := p.Overlay()
		for i := from; i < min(from+10_000, n); i++ {
			o.SetHolding(state.HoldingKey{Account: 100_000 + int64(i/20), Instrument: int64(i % 20)}, state.Holding{Unsettled: ledger.AmountOf(int64(i)), Settled: ledger.AmountOf(int64(-i))})
			if i%5 == 0 {
				o.SetTrade(state.TradeKey{Account: 100_000 + int64(i/20), Trade: int64(i)}, state.Trade{BankID: bank.ID(i), BookedAt: 1_381_132_800_464, Extras: `{"settlement_date":20131010}`})
			}
		}
		w, err := o.Write(state.Position{Next: int64(from + 1)})
		if err != nil {
			b.Fatal(err)
		}
		at := log.offsets(w.Records)
		log.append(w.Records)
		w.Commit(at)
	}
	return log
}

// BenchmarkRestore is the processor's part of a restart, without Kafka's.
func BenchmarkRestore(b *testing.B) {
	const n = 1_000_000
	log := million(b, n)
	bytes := 0
	for _, e := range log.entries {
		bytes += len(e.value)
	}
	var before, after runtime.MemStats
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		p, err := restore(0, log.entries, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if got, _ := p.Sizes(); got < n-2 {
			b.Fatalf("%d holdings", got)
		}
		runtime.KeepAlive(p)
		b.StartTimer()
	}
	b.ReportMetric(float64(bytes)/n, "bytes/holding")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "memory/holding")
}
