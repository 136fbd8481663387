package publisher

import (
	"fmt"
	"testing"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// BenchmarkPublish measures events a second from a journal in memory to the in-process broker, with values of 64 bytes, and what
// Verify reads of them.
func BenchmarkPublish(b *testing.B) {
	m := newMemory()
	m.book(300_000)
	value := make([]byte, 64)
	for b.Loop() {
		broker := kafkatest.New(b)
		cfg := config(b, broker, m)
		cfg.Events, cfg.Checkpoints, cfg.Partitions = fmt.Sprintf("%s.%d", cfg.Events, b.N), fmt.Sprintf("%s.%d", cfg.Checkpoints, b.N), 8
		cfg.Encode = func(*ledger.Entry) ([]byte, error) { return value, nil }
		p := start(b, cfg)
		p.caughtUp()
		took := b.Elapsed()
		p.stop()
		report, err := p.Verify(b.Context(), nil)
		if err != nil || !report.OK() {
			b.Fatalf("Verify: %v, %.3v", err, report.Breaches)
		}
		b.ReportMetric(float64(report.Events)/took.Seconds(), "published/s")
		b.ReportMetric(float64(report.Events)/(b.Elapsed()-took).Seconds(), "verified/s")
		b.ReportMetric(float64(report.Events), "events")
	}
}
