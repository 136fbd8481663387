package ledger_test

import (
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
)

// BenchmarkPrepare is what a caller's goroutine does for one trade: form, content hash, postings, fees.
func BenchmarkPrepare(b *testing.B) {
	books, rules, now := newBooks(), ledger.StandardRules(), time.Now()
	c := exchangeTrade()
	c.Trade.Direction = ledger.Sell
	b.ReportAllocs()
	for b.Loop() {
		if _, rej := rules.Prepare(c, books, now); rej != nil {
			b.Fatal(rej)
		}
	}
}

func BenchmarkAppendEntry(b *testing.B) {
	d, rej := ledger.StandardRules().Prepare(exchangeTrade(), newBooks(), time.Now())
	if rej != nil {
		b.Fatal(rej)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = ledger.AppendEntry(buf[:0], d.Entry)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeEntry(b *testing.B) {
	d, rej := ledger.StandardRules().Prepare(exchangeTrade(), newBooks(), time.Now())
	if rej != nil {
		b.Fatal(rej)
	}
	buf := ledger.AppendEntry(nil, d.Entry)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ledger.DecodeEntry(buf); err != nil {
			b.Fatal(err)
		}
	}
}
