package api_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// BenchmarkBatch books batches of 100 trades from 8 callers; an operation is one trade.
func BenchmarkBatch(b *testing.B) {
	s := serve(b)
	var n atomic.Int64
	b.SetParallelism(4)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for more := true; more; {
			var commands []*bkv1.Command
			for len(commands) < 100 {
				if more = pb.Next(); !more {
					break
				}
				commands = append(commands, buyCommand(fmt.Sprintf("b%010d", n.Add(1))))
			}
			if len(commands) == 0 {
				return
			}
			res, err := s.Booking.BookBatch(b.Context(), connect.NewRequest(&bkv1.BookBatchRequest{Mode: bkv1.BatchMode_BATCH_MODE_EACH, Commands: commands}))
			if err != nil || res.Msg.Results[0].GetReceipt() == nil {
				b.Errorf("%v, %v", res, err)
				return
			}
		}
	})
}

// BenchmarkSingle books single trades by calls of their own from 64 callers; an operation is one trade.
func BenchmarkSingle(b *testing.B) {
	s := serve(b)
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Booking.BookTrade(b.Context(), connect.NewRequest(buying(fmt.Sprintf("u%010d", n.Add(1))))); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkStream books single trades over 4 streams; an operation is one trade.
func BenchmarkStream(b *testing.B) {
	s := serve(b)
	const streams = 4
	errs := make(chan error, 2*streams)
	b.ReportAllocs()
	b.ResetTimer()
	for k := range streams {
		stream := s.Booking.BookStream(b.Context())
		mine := b.N / streams
		go func() {
			var err error
			for i := 0; i < mine && err == nil; i++ {
				err = stream.Send(&bkv1.BookStreamRequest{Command: buyCommand(fmt.Sprintf("s%d-%010d", k, i))})
			}
			_ = stream.CloseRequest()
			errs <- err
		}()
		go func() {
			var err error
			for i := 0; i < mine && err == nil; i++ {
				var res *bkv1.BookStreamResponse
				if res, err = stream.Receive(); err == nil && res.GetReceipt() == nil {
					err = fmt.Errorf("%v", res.GetError())
				}
			}
			errs <- err
		}()
	}
	for range 2 * streams {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
}
