package api_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api"
	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
)

func TestStreamAnswersInOrder(t *testing.T) {
	t.Parallel()
	b := serve(t)
	for name, options := range map[string][]connect.ClientOption{"Connect": nil, "gRPC": {connect.WithGRPC()}} {
		t.Run(name, func(t *testing.T) {
			c, err := client.New(b.url, options...)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			const n = 3000
			stream := c.Booking.BookStream(t.Context())
			go func() {
				for i := range n {
					command := buyCommand(fmt.Sprint(name, i))
					switch i % 10 {
					case 3:
						command.GetTrade().Price = "x"
					case 5:
						command.GetTrade().Account.Code = "cust:nobody"
					case 7:
						command.Key = fmt.Sprint(name, i-1) // a repeat
					}
					if stream.Send(&bkv1.BookStreamRequest{Tag: uint64(i), Command: command}) != nil {
						return // Receive says why
					}
				}
				_ = stream.CloseRequest()
			}()
			var last int64
			for i := range n {
				res, err := stream.Receive()
				if err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
				if res.Tag != uint64(i) {
					t.Fatalf("answer %d has the tag %d", i, res.Tag)
				}
				receipt, detail := res.GetReceipt(), res.GetError().GetDetail()
				switch i % 10 {
				case 3:
					if res.GetError().GetCode() != "invalid_argument" || detail.GetReason() != "invalid_field" || detail.GetField() != "trade.price" {
						t.Fatalf("answer %d: %v", i, res)
					}
				case 5:
					if res.GetError().GetCode() != "not_found" || detail.GetReason() != "unknown_account" || detail.GetField() != "trade.account" {
						t.Fatalf("answer %d: %v", i, res)
					}
				case 7:
					if !receipt.GetRepeat() || receipt.EntryId != last {
						t.Fatalf("answer %d: %v", i, res)
					}
				default:
					if receipt.GetRepeat() || receipt.GetEntryId() <= last {
						t.Fatalf("answer %d: %v, after entry %d", i, res, last)
					}
					last = receipt.EntryId
				}
			}
			if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

// TestStreamHoldsBackItsClient sends without reading answers: the server must stop reading when its window and the transport's are
// full, and go on where it was when the client reads again.
func TestStreamHoldsBackItsClient(t *testing.T) {
	t.Parallel()
	b := serve(t, func(c *api.Config) { c.Limits.StreamWindow = 16 })
	booking := bkv1connect.NewBookingServiceClient(http2Client(), b.url) // takes 64 KiB of answers before it reads
	stream := booking.BookStream(t.Context())
	var sent atomic.Int64
	const most, held = 4_000, 3_500 // what waits in the transports' buffers is about 2,000
	notes := map[string]string{"note": strings.Repeat("x", 1<<10)}
	go func() {
		for i := range most {
			command := buyCommand(fmt.Sprint("held", i))
			command.Metadata = notes
			if stream.Send(&bkv1.BookStreamRequest{Tag: uint64(i), Command: command}) != nil {
				return // Receive says why
			}
			sent.Add(1)
		}
		_ = stream.CloseRequest()
	}()
	before, stalls := int64(-1), 0
	eventually(t, "sending stands still", func() bool {
		if now := sent.Load(); now == before && now > 0 {
			stalls++
		} else {
			before, stalls = now, 0
		}
		return stalls == 150 // looks, 2 ms apart
	})
	if n := sent.Load(); n > held {
		t.Errorf("%d commands were taken without one answer read", n)
	}
	t.Logf("held at %d sent, %d in the journal", sent.Load(), b.journal.Head().Seq)
	for i := range most {
		res, err := stream.Receive()
		if err != nil || res.Tag != uint64(i) || res.GetReceipt() == nil {
			t.Fatalf("answer %d: %v, %v", i, res, err)
		}
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestStreamAnswersALoneCommandAtOnce(t *testing.T) {
	t.Parallel()
	b := serve(t)
	stream := b.Booking.BookStream(t.Context())
	for i := range 3 {
		if err := stream.Send(&bkv1.BookStreamRequest{Tag: 5, Command: buyCommand(fmt.Sprint("lone", i))}); err != nil {
			t.Fatal(err)
		}
		if res, err := stream.Receive(); err != nil || res.GetReceipt().GetEntryId() == 0 { // hangs if the answer is held back
			t.Fatalf("%v, %v", res, err)
		}
	}
	if err := stream.CloseRequest(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestDrainAnswersWhatIsInFlight(t *testing.T) {
	t.Parallel()
	b := serve(t)
	stream := b.Booking.BookStream(t.Context())
	if err := stream.Send(&bkv1.BookStreamRequest{Tag: 1, Command: buyCommand("drained")}); err != nil {
		t.Fatal(err)
	}
	if res, err := stream.Receive(); err != nil || res.GetReceipt() == nil {
		t.Fatalf("%v, %v", res, err)
	}
	watch, err := b.Query.WatchJournal(t.Context(), connect.NewRequest(&bkv1.WatchJournalRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	b.server.Drain()
	_, err = stream.Receive()
	refused(t, err, connect.CodeUnavailable, "unavailable", "")
	for watch.Receive() {
	}
	refused(t, watch.Err(), connect.CodeUnavailable, "unavailable", "")
	_, err = b.Booking.BookTrade(t.Context(), connect.NewRequest(buying("late")))
	refused(t, err, connect.CodeUnavailable, "not_leader", "")
}
