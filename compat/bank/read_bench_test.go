package bank_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
)

// full is a trade with nearly every field, as clients send it.
const full = `{"type":"exchange_trade","timestamp":1381132800464,"client_trade_id":"abc-%05d","date":20131007,"account_id":"100018","quantity":"100",` +
	`"price":"167.41","instrument":{"identifier":"AAPL","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"sell","qualifier":"short","position":"open"},` +
	`"capacity":"agency","mic":"XNYS","exec_mpid":"CLST","settlement":{"currency":"USD"},"fees":{"commission":"1.25","omit_sec":false,"omit_taf":true},"order_id":"ord-1234",` +
	`"solicited":false,"locate":{"id":"x","source":"y"},"user_data":{"a":1,"b":"xyz"}}`

func call(count int) []byte {
	var body strings.Builder
	body.WriteByte('[')
	for i := range count {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, full, i)
	}
	body.WriteByte(']')
	return []byte(body.String())
}

// BenchmarkReadTrades reads calls of 1000 trades; its ns/trade is what counts.
func BenchmarkReadTrades(b *testing.B) {
	body := call(1000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bank.ReadTrades(body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/trade")
}

// BenchmarkAppendTrade writes a trade's JSON.
func BenchmarkAppendTrade(b *testing.B) {
	trades, err := bank.ReadTrades(call(1))
	if err != nil {
		b.Fatal(err)
	}
	to := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		to = trades[0].AppendJSON(to[:0])
	}
}

// BenchmarkJSONValid is what encoding/json takes to look over the same calls: a yardstick for a noisy machine.
func BenchmarkJSONValid(b *testing.B) {
	body := call(1000)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if !json.Valid(body) {
			b.Fatal("not valid")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/trade")
}
