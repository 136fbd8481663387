package api

import (
	"context"
	"errors"
	"strconv"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// booking is the BookingService.
type booking struct{ *Server }

func (s booking) BookEntry(ctx context.Context, req *connect.Request[bkv1.BookEntryRequest]) (*connect.Response[bkv1.BookEntryResponse], error) {
	c, rej := wire.BookEntry(req.Msg)
	receipt, err := s.bookOne(ctx, req.Msg, c, rej, wire.EntryForm)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.BookEntryResponse{Receipt: receipt}), nil
}

func (s booking) BookEvent(ctx context.Context, req *connect.Request[bkv1.BookEventRequest]) (*connect.Response[bkv1.BookEventResponse], error) {
	c, rej := wire.BookEvent(req.Msg)
	receipt, err := s.bookOne(ctx, req.Msg, c, rej, wire.EventForm)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.BookEventResponse{Receipt: receipt}), nil
}

func (s booking) BookTrade(ctx context.Context, req *connect.Request[bkv1.BookTradeRequest]) (*connect.Response[bkv1.BookTradeResponse], error) {
	c, rej := wire.BookTrade(req.Msg)
	receipt, err := s.bookOne(ctx, req.Msg, c, rej, wire.TradeForm)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.BookTradeResponse{Receipt: receipt}), nil
}

func (s booking) CancelTrade(ctx context.Context, req *connect.Request[bkv1.CancelTradeRequest]) (*connect.Response[bkv1.CancelTradeResponse], error) {
	c, rej := wire.CancelTrade(req.Msg)
	receipt, err := s.bookOne(ctx, req.Msg, c, rej, wire.CancelForm)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.CancelTradeResponse{Receipt: receipt}), nil
}

func (s booking) CorrectTrade(ctx context.Context, req *connect.Request[bkv1.CorrectTradeRequest]) (*connect.Response[bkv1.CorrectTradeResponse], error) {
	c, rej := wire.CorrectTrade(req.Msg)
	receipt, err := s.bookOne(ctx, req.Msg, c, rej, wire.CorrectForm)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.CorrectTradeResponse{Receipt: receipt}), nil
}

// bookOne books one command, unless wire refused it.
func (s booking) bookOne(ctx context.Context, req command, c *ledger.Command, rej *ledger.Rejection, form wire.Form) (*bkv1.Receipt, error) {
	if rej != nil {
		return nil, s.checker.explain(req, form.Rename(rej))
	}
	if !s.leading() {
		return nil, journal.ErrNotLeader
	}
	outcome := s.cfg.Journal.Book(ctx, []*ledger.Command{c}, journal.BookOptions{})[0]
	if rej := ledger.AsRejection(outcome.Err); rej != nil {
		return nil, s.checker.explain(req, form.Rename(rej))
	}
	if outcome.Err != nil {
		return nil, outcome.Err
	}
	return receipt(outcome.Receipt), nil
}

func (s booking) BookBatch(ctx context.Context, req *connect.Request[bkv1.BookBatchRequest]) (*connect.Response[bkv1.BookBatchResponse], error) {
	b := batch{commands: req.Msg.Commands, atomic: req.Msg.Mode == bkv1.BatchMode_BATCH_MODE_ATOMIC, errs: make([]error, len(req.Msg.Commands))}
	b.convert(s.checker)
	if err := b.fault(); err != nil {
		return nil, err
	}
	if !s.leading() {
		return nil, journal.ErrNotLeader
	}
	outcomes := s.cfg.Journal.Book(ctx, b.ready, journal.BookOptions{Atomic: b.atomic})
	b.take(outcomes, s.checker)
	if err := b.fault(); err != nil {
		return nil, err
	}
	res := &bkv1.BookBatchResponse{Results: make([]*bkv1.CommandResult, len(b.errs))}
	var last ledger.Token
	for n, o := range outcomes {
		i := b.index[n]
		if b.errs[i] != nil {
			continue
		}
		res.Results[i] = &bkv1.CommandResult{Result: &bkv1.CommandResult_Receipt{Receipt: receipt(o.Receipt)}}
		if upTo := o.Receipt.UpTo; upTo > last.Seq {
			last = ledger.Token{Shard: o.Receipt.Entry.ID.Shard(), Seq: upTo}
		}
	}
	for i, err := range b.errs {
		if err != nil {
			failure := s.codes.element(ctx, bkv1connect.BookingServiceBookBatchProcedure, err)
			res.Results[i] = &bkv1.CommandResult{Result: &bkv1.CommandResult_Error{Error: failure}}
		}
	}
	if last.Seq > 0 {
		res.Token = last.String()
	}
	return connect.NewResponse(res), nil
}

// batch is a BookBatch on its way.
type batch struct {
	commands []*bkv1.Command
	atomic   bool
	errs     []error // by command
	ready    []*ledger.Command
	index    []int // of each ready command
	forms    []wire.Form
	failed   error // of the whole call
}

// convert converts all commands; what wire refuses is not ready.
func (b *batch) convert(checker *checker) {
	b.ready = make([]*ledger.Command, 0, len(b.commands))
	b.index = make([]int, 0, len(b.commands))
	b.forms = make([]wire.Form, 0, len(b.commands))
	for i, command := range b.commands {
		c, form, rej := wire.Command(command)
		if rej != nil {
			b.errs[i] = at("commands", i, checker.explain(command, rej))
			continue
		}
		b.ready, b.index, b.forms = append(b.ready, c), append(b.index, i), append(b.forms, form)
	}
}

// take distributes the outcomes. Where none was booked, and not for what the commands say, the whole call failed.
func (b *batch) take(outcomes []journal.Outcome, checker *checker) {
	var infrastructure error
	alike := len(outcomes) > 0
	for n, o := range outcomes {
		i := b.index[n]
		rej := ledger.AsRejection(o.Err)
		switch {
		case rej != nil:
			b.errs[i] = at("commands", i, checker.explain(b.commands[i], b.forms[n].Rename(rej)))
		case o.Err != nil && !errors.Is(o.Err, journal.ErrGroupRejected):
			b.errs[i] = at("commands", i, o.Err)
			infrastructure = o.Err
		}
		alike = alike && rej == nil && o.Err != nil && !errors.Is(o.Err, journal.ErrGroupRejected)
	}
	if alike {
		b.failed = infrastructure
	}
}

// fault gives the error of the whole call: of an atomic batch the first command's.
func (b *batch) fault() error {
	if b.failed != nil || !b.atomic {
		return b.failed
	}
	for _, err := range b.errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func receipt(r journal.Receipt) *bkv1.Receipt { return wire.Receipt(r.Entry, r.UpTo, r.Repeat) }

func indexed(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
