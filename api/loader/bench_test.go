package loader_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/loader"
	"github.com/bkledger/bk/api/tradefile"
	"github.com/bkledger/bk/migrations/pgtest"
)

// BenchmarkTransport compares the loader's batches, one at a time, with one BookStream for the same rows: the two ways that keep the
// order. Both with client, ledger and Postgres on the same cores.
func BenchmarkTransport(b *testing.B) {
	const rows = 100_000
	at, _ := serve(b, pgtest.New(b), "127.0.0.1:0")
	c, err := client.New("http://"+at, connect.WithAcceptCompression("gzip", nil, nil))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	cfg := loader.Config{Client: c, CreateMissing: true}
	if _, _, err := load(b, cfg, tradefile.Trades, strings.NewReader(header+trade("first", 100001, "1", ""))); err != nil {
		b.Fatal(err)
	}
	run := 0
	file := func() string {
		run++
		var s strings.Builder
		s.WriteString(header)
		for i := range rows {
			s.WriteString(trade(fmt.Sprintf("%d-%d", run, i), 100001, "1", ""))
		}
		return s.String()
	}
	rate := func(b *testing.B, way func(file string) error) {
		for range b.N {
			text := file()
			start := time.Now()
			if err := way(text); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(rows/time.Since(start).Seconds(), "rows/s")
		}
	}
	for _, size := range []int{100, 300, 1000} {
		b.Run(fmt.Sprintf("batches of %d", size), func(b *testing.B) {
			rate(b, func(file string) error {
				cfg := cfg
				cfg.BatchRows = size
				totals, _, err := load(b, cfg, tradefile.Trades, strings.NewReader(file))
				if err == nil && totals.Booked != rows {
					err = fmt.Errorf("totals %+v", totals)
				}
				return err
			})
		})
	}
	b.Run("stream", func(b *testing.B) {
		rate(b, func(file string) error { return streamAll(b, c, file, rows) })
	})
}

// streamAll books a file through one BookStream.
func streamAll(b *testing.B, c *client.Client, file string, rows int) error {
	r, err := tradefile.NewReader(strings.NewReader(file), "f.csv", tradefile.Trades)
	if err != nil {
		return err
	}
	stream := c.Booking.BookStream(b.Context())
	answered := make(chan error, 1)
	go func() {
		for range rows {
			res, err := stream.Receive()
			if err == nil && res.GetError() != nil {
				err = fmt.Errorf("%v", res.GetError())
			}
			if err != nil {
				answered <- err
				return
			}
		}
		answered <- nil
	}()
	var row tradefile.Row
	for range rows {
		if err := r.Read(&row); err != nil {
			return err
		}
		if err := stream.Send(&bkv1.BookStreamRequest{Command: row.Command()}); err != nil {
			return err
		}
	}
	if err := stream.CloseRequest(); err != nil {
		return err
	}
	return <-answered
}
