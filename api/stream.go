package api

import (
	"context"
	"errors"
	"io"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// The booking stream.
//
//	client → HTTP/2 window → receive (goroutine) → the journal's queue → window (channel, in order) → answer (handler) → client
//
// receive takes one command after the other, gives it to the journal without waiting for the outcome, and puts it into the window,
// where answer waits for it. The window holds the stream's order and bounds it: when [Limits.StreamWindow] commands are
// unanswered, receive blocks, nothing is read any more, HTTP/2's flow control fills up, and the client blocks. The same happens
// when the journal's queue is full: on a stream there is no refusal for overload, only waiting.
//
// Answers go out when there is nothing more to answer at the moment or a quarter of the window has been sent, not one by one (see flushControl): under
// load a system call carries many answers, and a lone command is answered at once.
//
// The client's half-close ends receive; answer sends what is left and the call ends with success. An undecodable message, which has no
// tag to answer to, ends the call with malformed_request after everything before it is answered. So does Drain, with unavailable.
// When the client is gone the context ends, and with it the waiting; commands in the journal's queue go their way.
//
// Rejected: batching commands of a stream into groups for the journal. The journal's committer groups whatever is waiting anyway.

// waiting is a command of a stream that is not answered yet.
type waiting struct {
	tag     uint64
	command *bkv1.Command
	form    wire.Form
	pending *journal.Pending // nil where refused stands
	refused error
}

// flusher counts what was sent and not flushed.
type flusher struct {
	ctx   context.Context
	every int
	count int
}

func (f *flusher) sent() {
	if f.count++; f.count >= f.every {
		f.flush()
	}
}

func (f *flusher) flush() {
	if f.count > 0 {
		f.count = 0
		flushNow(f.ctx)
	}
}

func (s booking) BookStream(ctx context.Context, stream *connect.BidiStream[bkv1.BookStreamRequest, bkv1.BookStreamResponse]) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	window := make(chan waiting, s.cfg.Limits.StreamWindow)
	ended := make(chan error, 1)
	go func() {
		ended <- s.receive(ctx, stream, window)
		close(window)
	}()
	holdFlushes(ctx, true)
	defer holdFlushes(ctx, false) // Connect's own flush ends the call
	out := &flusher{ctx: ctx, every: max(1, s.cfg.Limits.StreamWindow/4)}
	drained := s.drained
	for {
		select {
		case <-drained: // looked at first: a client that keeps sending must not keep the server
			drained = nil
			stopReading(ctx) // receive ends, and closes the window behind what it has read
		default:
		}
		var next waiting
		var more bool
		select {
		case next, more = <-window:
		default: // nothing to answer at the moment
			out.flush()
			select {
			case next, more = <-window:
			case <-drained:
				continue
			}
		}
		if !more {
			err := <-ended
			if drained == nil {
				return errDraining
			}
			return err
		}
		if err := s.answer(ctx, stream, next, out); err != nil {
			return err
		}
	}
}

// receive reads commands and gives them to the journal until the client has sent all.
func (s booking) receive(ctx context.Context, stream *connect.BidiStream[bkv1.BookStreamRequest, bkv1.BookStreamResponse], window chan<- waiting) error {
	held, stop := s.untilDrained(ctx) // a booking that waits for a roll doesn't keep the server
	defer stop()
	for {
		req, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		next := waiting{tag: req.Tag, command: req.Command}
		c, form, rej := wire.Command(req.Command)
		if rej != nil {
			next.refused = s.checker.explain(req.Command, rej)
		} else {
			next.form = form
			next.pending = s.cfg.Journal.BookAsync(held, []*ledger.Command{c}, journal.BookOptions{Wait: true})
		}
		select {
		case window <- next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// answer waits for a command's outcome and sends it.
func (s booking) answer(ctx context.Context, stream *connect.BidiStream[bkv1.BookStreamRequest, bkv1.BookStreamResponse], w waiting, out *flusher) error {
	res := &bkv1.BookStreamResponse{Tag: w.tag}
	err := w.refused
	if w.pending != nil {
		select {
		case <-w.pending.Done():
		default:
			out.flush() // what is answered need not wait for it
		}
		outcome := w.pending.Wait(ctx)[0]
		if err = outcome.Err; err == nil {
			res.Result = &bkv1.BookStreamResponse_Receipt{Receipt: receipt(outcome.Receipt)}
		} else if rej := ledger.AsRejection(err); rej != nil {
			err = s.checker.explain(w.command, w.form.Rename(rej))
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		res.Result = &bkv1.BookStreamResponse_Error{Error: s.codes.element(ctx, bkv1connect.BookingServiceBookStreamProcedure, err)}
	}
	if err := stream.Send(res); err != nil {
		return err
	}
	out.sent()
	return nil
}

// errDraining ends streams of a server that is about to end.
var errDraining = &codedError{connect.CodeUnavailable, reasonUnavailable, "this server is about to end"}
