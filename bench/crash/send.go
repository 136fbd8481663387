package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
)

// outcome is what a try of one order came to: a receipt, or the server's refusal, or neither where no answer came.
type outcome struct {
	receipt         *bkv1.Receipt
	reason, message string
}

// way is one of the API's ways to book.
type way struct {
	most  int  // orders of a chunk
	whole bool // all or none
	send  func(context.Context, bkv1connect.BookingServiceClient, []*order) []outcome
}

// The ways. Orders of a chunk are answered in their order, so a cancel may follow its trade.
var (
	single = way{most: 4, send: bookSingly}
	each   = way{most: 100, send: func(ctx context.Context, c bkv1connect.BookingServiceClient, open []*order) []outcome {
		return bookBatch(ctx, c, open, bkv1.BatchMode_BATCH_MODE_EACH)
	}}
	atomically = way{most: 50, whole: true, send: func(ctx context.Context, c bkv1connect.BookingServiceClient, open []*order) []outcome {
		return bookBatch(ctx, c, open, bkv1.BatchMode_BATCH_MODE_ATOMIC)
	}}
	streamed = way{most: 150, send: bookStream}

	ways   = []way{single, each, atomically, streamed}
	partly = []way{single, each, streamed} // that may refuse a part
)

// failed is the outcome of a call that failed.
func failed(err error) outcome {
	if d := client.Detail(err); d != nil {
		return outcome{reason: d.Reason, message: d.Message}
	}
	// Nothing was sent, or a server that still starts turned it away: no reason to be unsure. Each such reason that were taken for one
	// would hide a server that says "nothing was booked" of what it booked.
	op := (*net.OpError)(nil)
	if errors.As(err, &op) && op.Op == "dial" || connect.IsWireError(err) && connect.CodeOf(err) == connect.CodeUnavailable {
		return outcome{reason: "unavailable", message: err.Error()}
	}
	if !client.Retryable(err) { // not the server's, and nothing that goes away
		return outcome{reason: "no answer", message: err.Error()}
	}
	return outcome{}
}

// fill gives several orders the same outcome.
func fill(outcomes []outcome, with outcome) {
	for i := range outcomes {
		outcomes[i] = with
	}
}

// refusal is the outcome of an element that the server refused.
func refusal(e *bkv1.Error) outcome {
	reason := e.GetDetail().GetReason()
	if reason == "" {
		reason = "an error without a reason"
	}
	return outcome{reason: reason, message: e.GetDetail().GetField() + ": " + e.GetDetail().GetMessage()}
}

// bookSingly makes a call for each order, one after the other. An order behind one that failed isn't sent: it may need it.
func bookSingly(ctx context.Context, c bkv1connect.BookingServiceClient, open []*order) []outcome {
	outcomes := make([]outcome, len(open))
	for i, o := range open {
		receipt, err := bookOne(ctx, c, o.message)
		if err != nil {
			fill(outcomes[i:], outcome{reason: "unavailable", message: "not sent"})
			outcomes[i] = failed(err)
			break
		}
		outcomes[i] = outcome{receipt: receipt}
	}
	return outcomes
}

func bookOne(ctx context.Context, c bkv1connect.BookingServiceClient, m *bkv1.Command) (*bkv1.Receipt, error) {
	switch what := m.Command.(type) {
	case *bkv1.Command_Trade:
		res, err := c.BookTrade(ctx, connect.NewRequest(&bkv1.BookTradeRequest{
			Key: m.Key, Source: m.Source, TradeDate: m.TradeDate, SettleDate: m.SettleDate, Replaces: m.Replaces, Trade: what.Trade,
		}))
		if err != nil {
			return nil, err
		}
		return res.Msg.Receipt, nil
	case *bkv1.Command_Cancel:
		res, err := c.CancelTrade(ctx, connect.NewRequest(&bkv1.CancelTradeRequest{Key: m.Key, Source: m.Source, Target: what.Cancel.Target}))
		if err != nil {
			return nil, err
		}
		return res.Msg.Receipt, nil
	case *bkv1.Command_Correct:
		res, err := c.CorrectTrade(ctx, connect.NewRequest(&bkv1.CorrectTradeRequest{
			Key: m.Key, Source: m.Source, TradeDate: m.TradeDate, SettleDate: m.SettleDate, Target: what.Correct.Target, Trade: what.Correct.Trade,
		}))
		if err != nil {
			return nil, err
		}
		return res.Msg.Receipt, nil
	case *bkv1.Command_Event:
		res, err := c.BookEvent(ctx, connect.NewRequest(&bkv1.BookEventRequest{Key: m.Key, Source: m.Source, EffectiveDate: m.EffectiveDate, Event: what.Event}))
		if err != nil {
			return nil, err
		}
		return res.Msg.Receipt, nil
	}
	return nil, fmt.Errorf("a day of trading has no commands such as %T", m.Command)
}

func bookBatch(ctx context.Context, c bkv1connect.BookingServiceClient, open []*order, mode bkv1.BatchMode) []outcome {
	outcomes := make([]outcome, len(open))
	request := &bkv1.BookBatchRequest{Mode: mode}
	for _, o := range open {
		request.Commands = append(request.Commands, o.message)
	}
	res, err := c.BookBatch(ctx, connect.NewRequest(request))
	if err != nil {
		fill(outcomes, failed(err))
		return outcomes
	}
	for i := range outcomes {
		outcomes[i] = outcome{reason: "no result", message: fmt.Sprintf("%d commands were answered with %d results", len(open), len(res.Msg.Results))}
		if i < len(res.Msg.Results) {
			outcomes[i] = resultOf(res.Msg.Results[i].GetReceipt(), res.Msg.Results[i].GetError())
		}
	}
	return outcomes
}

func resultOf(receipt *bkv1.Receipt, refused *bkv1.Error) outcome {
	if receipt != nil {
		return outcome{receipt: receipt}
	}
	return refusal(refused)
}

// bookStream sends all orders on a stream without waiting, and takes the answers as they come. Orders that are not answered when the
// stream ends are lost.
func bookStream(ctx context.Context, c bkv1connect.BookingServiceClient, open []*order) []outcome {
	outcomes := make([]outcome, len(open))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream := c.BookStream(ctx)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i, o := range open {
			if stream.Send(&bkv1.BookStreamRequest{Tag: uint64(i), Command: o.message}) != nil {
				return // Receive has the cause
			}
		}
		_ = stream.CloseRequest() // as above
	}()
	for next := 0; ; next++ {
		res, err := stream.Receive()
		if err != nil {
			switch {
			case next == len(open):
			case errors.Is(err, io.EOF):
				outcomes[next] = outcome{reason: "no result", message: "the stream ended well before all was answered"}
			default:
				fill(outcomes[next:], failed(err))
			}
			break
		}
		if next >= len(open) || res.Tag != uint64(next) {
			outcomes[min(next, len(open)-1)] = outcome{reason: "wrong result", message: fmt.Sprintf("answer %d of the stream has the tag %d", next, res.Tag)}
			break
		}
		outcomes[next] = resultOf(res.GetReceipt(), res.GetError())
	}
	cancel()
	<-sent
	_ = stream.CloseResponse() // what it ended with is known
	return outcomes
}
