package landing_test

import (
	"iter"
	"path/filepath"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
)

func openStore(t testing.TB) *duck.Store {
	t.Helper()
	s, err := duck.OpenStore(t.Context(), filepath.Join(t.TempDir(), "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// made keeps records, so that making them is not measured.
func made(cfg generate.Config, text bool) (records iter.Seq2[landing.Origin, landing.Record], bytes int64) {
	var origins []landing.Origin
	var all []landing.Record
	for origin, record := range generate.Records(cfg, text) {
		origins, all = append(origins, origin), append(all, record)
		bytes += int64(len(record.Value))
	}
	return func(yield func(landing.Origin, landing.Record) bool) {
		for i := range all {
			if !yield(origins[i], all[i]) {
				return
			}
		}
	}, bytes
}

// BenchmarkFeed lands records that are in memory, as JSON.
func BenchmarkFeed(b *testing.B) {
	records, bytes := made(generate.Config{Events: 300_000}, true)
	b.SetBytes(bytes)
	for b.Loop() {
		b.StopTimer()
		store := openStore(b)
		b.StartTimer()
		p, err := landing.Feed(b.Context(), landing.Config{Store: store}, records)
		if err != nil || p.Events != 300_000 || p.Rejects > 0 {
			b.Fatalf("%+v %v", p, err)
		}
		b.ReportMetric(float64(p.Events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
}

func BenchmarkEvents(b *testing.B) {
	b.ReportAllocs()
	n := int64(b.N)
	var last bank.Event
	b.ResetTimer()
	for e := range generate.Events(generate.Config{Events: n}) {
		last = e
	}
	_ = last
}
