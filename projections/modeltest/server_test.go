package modeltest_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections/modeltest"
)

// server is the whole system: a node of its own on a database of its own, and a client.
type server struct {
	*client.Client
	ctx    context.Context
	model  *modeltest.Model
	names  *memory // numbers to codes and symbols
	token  string  // of the last write
	booked []time.Time
	calls  int // so far, which vary how things are asked for
	count  *tally
}

// runAPI runs a sequence through the API of a fresh node.
func runAPI(t *testing.T, steps []Step, count *tally) (err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan node.Addresses, 1), make(chan error, 1)
	cfg := node.Config{Postgres: pgtest.New(t), Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0"}
	go func() { done <- node.Run(ctx, cfg, func(at node.Addresses) { ready <- at }) }()
	var at node.Addresses
	select {
	case at = <-ready:
	case err := <-done:
		cancel()
		return fmt.Errorf("the node ended: %w", err)
	}
	defer func() {
		cancel()
		err = errors.Join(err, <-done)
	}()
	c, err := client.New("http://" + at.API)
	if err != nil {
		return err
	}
	defer c.Close()
	s := &server{Client: c, ctx: ctx, count: count}
	if err := s.define(); err != nil {
		return fmt.Errorf("define: %w", err)
	}
	count.sequences++
	for i, step := range steps {
		switch {
		case step.Read != nil:
			err = s.read(*step.Read)
		case step.Kind == "roll":
			err = s.roll(step.Command)
		default:
			err = s.book(step.Command)
		}
		if err != nil {
			return &stepError{i, err}
		}
	}
	if err := s.read(Read{Back: -1}); err != nil {
		return fmt.Errorf("in the end: %w", err)
	}
	return s.verify()
}

// define opens the accounts and defines the instruments, and makes the model with the numbers that they have got.
func (s *server) define() error {
	for _, c := range definitions() {
		if c.Account != nil {
			answer, err := s.Directory.CreateAccount(s.ctx, connect.NewRequest(&bkv1.CreateAccountRequest{Account: wire.Account(*c.Account)}))
			if err != nil {
				return err
			}
			s.token = answer.Msg.Token
			continue
		}
		answer, err := s.Directory.CreateInstrument(s.ctx, connect.NewRequest(&bkv1.CreateInstrumentRequest{Instrument: wire.Instrument(*c.Define)}))
		if err != nil {
			return err
		}
		s.token = answer.Msg.Token
	}
	at, err := ledger.ParseToken(s.token)
	if err != nil {
		return err
	}
	s.model = newModel(at.Seq)
	s.names = &memory{model: s.model, codes: map[int64]string{}, names: map[int64]string{}}
	for code, id := range s.model.Accounts {
		s.names.codes[id] = code
	}
	for name, in := range s.model.Instruments {
		s.names.names[in.ID] = name
	}
	return nil
}

// book sends a command: by its own call, or as a batch of one.
func (s *server) book(c modeltest.Command) error {
	s.calls++
	send := s.call
	if s.calls%3 == 0 {
		send = s.batch
	}
	receipt, reason, err := send(c)
	if err != nil {
		return err
	}
	today := modeltest.Date(ledger.DateOf(time.Now()))
	if receipt != nil {
		today = modeltest.Date(ledger.DateOf(receipt.BookedAt.AsTime()))
	}
	want := s.model.Book(c, today)
	s.count.did(c, want)
	switch {
	case reason != want.Reason:
		return fmt.Errorf("rejected as %q, should be %q", reason, want.Reason)
	case reason != "":
		return nil
	}
	seq := want.Entry.Seq
	if receipt.EntryId != int64(seq) || receipt.Repeat != want.Repeat || want.Entry.Trade != nil && receipt.TradeId != int64(want.Entry.Trade.Seq) {
		return fmt.Errorf("the receipt is %v, should be of entry %d, repeat %t", receipt, seq, want.Repeat)
	}
	at, err := ledger.ParseToken(receipt.Token)
	if err != nil {
		return err
	}
	if !want.Repeat {
		s.token = receipt.Token
		if at.Seq != s.model.Head {
			return fmt.Errorf("the token is %s, should be of %d, the last of its entries", receipt.Token, s.model.Head)
		}
	}
	return nil
}

// request is a command as the API has it.
func (s *server) request(c modeltest.Command) *bkv1.Command {
	l := translate(c, func(key string) ledger.ID {
		if t := s.model.Find(key); t != nil {
			return ledger.ID(t.Seq)
		}
		return 1
	})
	m := &bkv1.Command{
		Key: c.Key, Source: "model", TradeDate: int32(c.TradeDate), SettleDate: int32(c.SettleDate), EffectiveDate: int32(c.EffectiveDate),
	}
	target := func(t *ledger.Target) *bkv1.Target { return &bkv1.Target{Trade: int64(t.Trade), Key: t.Key} }
	switch {
	case c.Trade != nil:
		trade := wire.Trade(l.Kind, l.Trade)
		trade.Quantity, trade.Price, trade.Commission, trade.Accrued = c.Trade.Quantity, c.Trade.Price, c.Trade.Commission, c.Trade.Accrued
		m.Command = &bkv1.Command_Trade{Trade: trade}
		if r := l.Replaces; r != nil && r.Link {
			m.Replaces = &bkv1.Replaces{Trade: int64(r.Trade), Key: r.Key, LinkIfCanceled: true, UnlessSettled: c.Unsettled}
		} else if r != nil {
			m.Command = &bkv1.Command_Correct{Correct: &bkv1.Correct{Target: target(r), Trade: trade, UnlessSettled: c.Unsettled}}
		}
	case c.Kind == "trade.cancel":
		m.Command = &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: target(l.Target), UnlessSettled: c.Unsettled}}
	case c.Kind == "posting":
		entry := &bkv1.NewEntry{}
		for i, p := range l.Postings {
			posting := &bkv1.NewPosting{Account: &bkv1.AccountRef{Code: p.Account.Code}, Instrument: wire.Identifier(p.Instrument), Quantity: c.Legs[i].Quantity}
			if p.Bucket != 0 {
				posting.Bucket = wire.Bucket(p.Bucket)
			}
			entry.Postings = append(entry.Postings, posting)
		}
		m.Command = &bkv1.Command_Entry{Entry: entry}
	default:
		event := &bkv1.NewEvent{Kind: c.Kind, Fields: c.Fields}
		if l.Target != nil {
			event.Target = target(l.Target)
		}
		m.Command = &bkv1.Command_Event{Event: event}
	}
	return m
}

// call sends a command by the call that it has.
func (s *server) call(c modeltest.Command) (*bkv1.Receipt, string, error) {
	m := s.request(c)
	var answer interface{ GetReceipt() *bkv1.Receipt }
	var err error
	switch {
	case m.GetCorrect() != nil:
		answer, err = got(s.Booking.CorrectTrade(s.ctx, connect.NewRequest(&bkv1.CorrectTradeRequest{Key: m.Key, Source: m.Source, TradeDate: m.TradeDate,
			SettleDate: m.SettleDate, EffectiveDate: m.EffectiveDate, Target: m.GetCorrect().Target, Trade: m.GetCorrect().Trade,
			UnlessSettled: m.GetCorrect().UnlessSettled})))
	case m.GetTrade() != nil:
		answer, err = got(s.Booking.BookTrade(s.ctx, connect.NewRequest(&bkv1.BookTradeRequest{Key: m.Key, Source: m.Source, TradeDate: m.TradeDate,
			SettleDate: m.SettleDate, EffectiveDate: m.EffectiveDate, Replaces: m.Replaces, Trade: m.GetTrade()})))
	case m.GetCancel() != nil:
		answer, err = got(s.Booking.CancelTrade(s.ctx, connect.NewRequest(&bkv1.CancelTradeRequest{Key: m.Key, Source: m.Source, Target: m.GetCancel().Target,
			UnlessSettled: m.GetCancel().UnlessSettled})))
	case m.GetEntry() != nil:
		answer, err = got(s.Booking.BookEntry(s.ctx, connect.NewRequest(&bkv1.BookEntryRequest{Key: m.Key, Source: m.Source, TradeDate: m.TradeDate,
			SettleDate: m.SettleDate, EffectiveDate: m.EffectiveDate, Entry: m.GetEntry()})))
	default:
		answer, err = got(s.Booking.BookEvent(s.ctx, connect.NewRequest(&bkv1.BookEventRequest{Key: m.Key, Source: m.Source, TradeDate: m.TradeDate,
			SettleDate: m.SettleDate, EffectiveDate: m.EffectiveDate, Event: m.GetEvent()})))
	}
	if reason := client.Reason(err); reason != "" {
		return nil, reason, nil
	}
	if err != nil {
		return nil, "", err
	}
	return answer.GetReceipt(), "", nil
}

// got takes the message out of an answer.
func got[T any](r *connect.Response[T], err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return r.Msg, nil
}

// batch sends a command as the only one of a batch.
func (s *server) batch(c modeltest.Command) (*bkv1.Receipt, string, error) {
	answer, err := s.Booking.BookBatch(s.ctx, connect.NewRequest(&bkv1.BookBatchRequest{Mode: bkv1.BatchMode_BATCH_MODE_EACH, Commands: []*bkv1.Command{s.request(c)}}))
	if err != nil {
		return nil, "", err
	}
	result := answer.Msg.Results[0]
	return result.GetReceipt(), result.GetError().GetDetail().GetReason(), nil
}

func (s *server) roll(c modeltest.Command) error {
	want := s.model.Book(c, 0)
	s.count.did(c, want)
	stream, err := s.Admin.Roll(s.ctx, connect.NewRequest(&bkv1.RollRequest{To: int32(c.To), WithoutStreet: !c.Street}))
	if err != nil {
		return err
	}
	var last *bkv1.RollSummary
	days := 0
	for stream.Receive() {
		last = stream.Msg().GetSummary()
		if stream.Msg().GetDay() != nil {
			days++
		}
	}
	if reason := client.Reason(stream.Err()); reason != want.Reason {
		return fmt.Errorf("the roll ended with %q (%w), should be %q", reason, stream.Err(), want.Reason)
	}
	if want.Reason != "" {
		return nil
	}
	wanted := 0
	for _, e := range want.Entries {
		if e.Kind == "day.end" {
			wanted++
		}
	}
	if last == nil || last.Date != int32(s.model.Date) || days != wanted || int(last.Days) != wanted {
		return fmt.Errorf("the roll told of %d days and ended with %v, should be %d days to %d", days, last, wanted, s.model.Date)
	}
	s.token = last.Token
	if at := strconv.FormatUint(s.model.Head, 10); s.token != "0:"+at {
		return fmt.Errorf("the roll ended at %s, should be 0:%s", s.token, at)
	}
	return nil
}
