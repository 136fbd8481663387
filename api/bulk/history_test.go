package bulk_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// step is one thing that happens to a ledger.
type step struct {
	account    *bkv1.Account
	instrument *bkv1.Instrument
	command    *bkv1.Command
	roll       int32
}

const testAccounts, testInstruments = 12, 5

func testAccount(rng *rand.Rand) *bkv1.AccountRef {
	id := 100001 + rng.Int64N(testAccounts)
	if rng.IntN(4) == 0 {
		return &bkv1.AccountRef{Code: fmt.Sprintf("cust:%d", id)}
	}
	return &bkv1.AccountRef{Id: id}
}

func testInstrument(n int) *bkv1.Identifier {
	return &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: fmt.Sprintf("T%d", n), Country: "USA", Currency: "USD"}
}

func currency(code string) *bkv1.Identifier {
	return &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_CURRENCY, Value: code}
}

// definitions are the accounts and instruments of a history, some of them twice.
func definitions() (steps []step) {
	for _, code := range []string{"USD", "EUR"} {
		steps = append(steps, step{instrument: &bkv1.Instrument{Identifiers: []*bkv1.Identifier{currency(code)}}})
	}
	for n := range testInstruments {
		steps = append(steps, step{instrument: &bkv1.Instrument{Identifiers: []*bkv1.Identifier{testInstrument(n)}}})
	}
	for id := int64(100001); id < 100001+testAccounts; id++ {
		steps = append(steps, step{account: &bkv1.Account{Id: id, Code: fmt.Sprintf("cust:%d", id), Entity: 1}})
	}
	return append(steps, steps[3], steps[9],
		step{account: &bkv1.Account{Id: 100001, Code: "cust:other"}}) // the number is taken
}

// history is n commands of all kinds over some days, from a seed: trades of each type, some of them late and some early, cancels, corrections, links, cash, journals, postings,
// a change of currencies, street settlements; what has to be rejected, and repeats; and rolls in between.
func history(seed uint64, n int) []step {
	rng := rand.New(rand.NewPCG(seed, 5))
	days := []int32{20131007, 20131008, 20131009, 20131010, 20131011, 20131015, 20131016}
	steps := definitions()
	var keys []string
	var said []*bkv1.Command
	day := 0
	trade := func(date int32) *bkv1.Command {
		key := fmt.Sprintf("trade/%d", len(keys))
		keys = append(keys, key)
		tr := &bkv1.Trade{
			ExecutedAt: timestamppb.New(time.UnixMilli(1381132800464 + int64(len(keys)))), ClientTradeId: key, Account: testAccount(rng),
			Direction: []bkv1.Direction{bkv1.Direction_DIRECTION_BUY, bkv1.Direction_DIRECTION_SELL}[rng.IntN(2)],
			Quantity:  fmt.Sprint(1 + rng.IntN(500)), Price: fmt.Sprintf("%d.%02d", 1+rng.IntN(300), rng.IntN(100)), Instrument: testInstrument(rng.IntN(testInstruments)),
			Type: bkv1.TradeType(1 + rng.IntN(5)),
		}
		if tr.Type <= bkv1.TradeType_TRADE_TYPE_AWAY {
			tr.Capacity, tr.ExecMpid = bkv1.Capacity_CAPACITY_AGENCY, "BKLG"
		}
		switch tr.Type {
		case bkv1.TradeType_TRADE_TYPE_EXCHANGE:
			tr.Mic = "XNYS"
		case bkv1.TradeType_TRADE_TYPE_BILATERAL, bkv1.TradeType_TRADE_TYPE_AWAY:
			tr.ContraMpid, tr.ContraClearingNum = fmt.Sprintf("MP%d", rng.IntN(6)), "123"
		default:
			tr.Target = testAccount(rng) // now and then the same account: rejected
		}
		c := &bkv1.Command{Key: key, Source: "test", TradeDate: date, Command: &bkv1.Command_Trade{Trade: tr}}
		if rng.IntN(5) == 0 {
			c.Metadata = map[string]string{"note": key, "desk": "7"}
		}
		return c
	}
	event := func(kind string, fields map[string]string) *bkv1.Command {
		return &bkv1.Command{Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: kind, Fields: fields}}}
	}
	target := func() *bkv1.Target {
		if rng.IntN(10) == 0 {
			return &bkv1.Target{Trade: 1 + rng.Int64N(int64(len(steps)))} // a trade's id, or not
		}
		return &bkv1.Target{Key: keys[rng.IntN(len(keys))]}
	}
	number := func() string { return fmt.Sprint(100001 + rng.IntN(testAccounts)) }
	keys = append(keys, "trade/none") // there is no such trade
	for i := range n {
		date := days[min(day+max(rng.IntN(6)-4, 0), len(days)-1)]
		if rng.IntN(8) == 0 {
			date = days[rng.IntN(day+1)] // late
		}
		var c *bkv1.Command
		switch k := rng.IntN(100); {
		case k < 60:
			c = trade(date)
		case k < 66:
			c = &bkv1.Command{Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: target(), UnlessSettled: rng.IntN(4) == 0}}}
		case k < 70:
			c = trade(date)
			at := target()
			c.Replaces = &bkv1.Replaces{Trade: at.Trade, Key: at.Key, LinkIfCanceled: rng.IntN(2) == 0}
		case k < 73:
			c = trade(date)
			c.Command = &bkv1.Command_Correct{Correct: &bkv1.Correct{Target: target(), Trade: c.GetTrade()}}
		case k < 78:
			kind := []string{"cash.deposit", "cash.withdrawal", "interest.charge", "interest.credit"}[rng.IntN(4)]
			c = event(kind, map[string]string{"account": number(), "currency": "USD", "amount": fmt.Sprintf("%d.5", rng.IntN(1000))})
		case k < 80:
			c = event("fx.trade", map[string]string{"account": "cust:" + number(), "sold_currency": "EUR", "sold_amount": "10", "bought_currency": "USD", "bought_amount": "13.6"})
		case k < 84:
			c = event("journal.cash", map[string]string{"from": number(), "to": number(), "currency": "USD", "amount": "12.34"})
			if rng.IntN(3) == 0 {
				c.EffectiveDate = date
			}
		case k < 87:
			c = event("trade.settle_street", nil)
			c.GetEvent().Target = target()
		case k < 90:
			a, b := testAccount(rng), testAccount(rng)
			q := fmt.Sprint(1 + rng.IntN(9))
			c = &bkv1.Command{Command: &bkv1.Command_Entry{Entry: &bkv1.NewEntry{Postings: []*bkv1.NewPosting{
				{Account: a, Instrument: testInstrument(0), Quantity: q}, {Account: b, Instrument: testInstrument(0), Quantity: "-" + q},
			}}}}
			if rng.IntN(4) == 0 {
				c.GetEntry().Postings[0].Quantity = "99" // does not foot
			}
		case k < 93 && len(said) > 0: // a repeat
			c = proto.CloneOf(said[rng.IntN(len(said))])
		case k < 96 && len(said) > 0: // the key again, with other content
			c = proto.CloneOf(said[rng.IntN(len(said))])
			c.Metadata = map[string]string{"other": fmt.Sprint(i)}
		default:
			c = trade(date)
			switch rng.IntN(3) {
			case 0:
				c.GetTrade().Account = &bkv1.AccountRef{Id: 999}
			case 1:
				c.GetTrade().Instrument = testInstrument(99)
			default:
				c.GetTrade().Quantity = "-1"
			}
		}
		if day == 0 && (c.GetEvent() != nil || c.GetEntry() != nil) {
			c.EffectiveDate = date // before the first roll it would be today's
		}
		if c.Key == "" {
			c.Key = fmt.Sprint("key/", i)
		}
		said = append(said, c)
		steps = append(steps, step{command: proto.CloneOf(c)})
		if (i+1)%(n/len(days)+1) == 0 {
			steps = append(steps, step{roll: days[day]})
			day++
		}
	}
	return append(steps, step{roll: 20131022})
}

// outcome is what came of a step, alike for a server and a builder.
type outcome struct {
	entry, trade, account, instrument int64
	repeat                            bool
	reason, field                     string
}

// take lets a server do a step.
func (s step) take(t *testing.T, r *running) outcome {
	t.Helper()
	var o outcome
	var err error
	switch {
	case s.account != nil:
		var res *connect.Response[bkv1.CreateAccountResponse]
		if res, err = r.Directory.CreateAccount(t.Context(), connect.NewRequest(&bkv1.CreateAccountRequest{Account: s.account})); err == nil {
			o = outcome{account: res.Msg.Account.Id, repeat: res.Msg.Repeat}
		}
	case s.instrument != nil:
		var res *connect.Response[bkv1.CreateInstrumentResponse]
		if res, err = r.Directory.CreateInstrument(t.Context(), connect.NewRequest(&bkv1.CreateInstrumentRequest{Instrument: s.instrument})); err == nil {
			o = outcome{instrument: res.Msg.Instrument.Id, repeat: res.Msg.Repeat}
		}
	case s.roll != 0:
		stream, err := r.Admin.Roll(t.Context(), connect.NewRequest(&bkv1.RollRequest{To: s.roll}))
		if err != nil {
			t.Fatal(err)
		}
		for stream.Receive() {
		}
		if err := stream.Err(); err != nil {
			t.Fatalf("roll to %d: %v", s.roll, err)
		}
		return o
	default:
		res, batchErr := r.Booking.BookBatch(t.Context(), connect.NewRequest(&bkv1.BookBatchRequest{Commands: []*bkv1.Command{s.command}, Mode: bkv1.BatchMode_BATCH_MODE_EACH}))
		if batchErr != nil {
			t.Fatalf("%s: %s", s.command.Key, client.Describe(batchErr))
		}
		if e := res.Msg.Results[0].GetError(); e != nil {
			return outcome{reason: e.Detail.GetReason(), field: strings.TrimPrefix(e.Detail.GetField(), "commands[0].")}
		}
		got := res.Msg.Results[0].GetReceipt()
		return outcome{entry: got.EntryId, trade: got.TradeId, repeat: got.Repeat}
	}
	if err != nil {
		o.reason = client.Reason(err)
	}
	return o
}

// build lets a builder do a step.
func (s step) build(t testing.TB, b *bulk.Builder, at time.Time) outcome {
	t.Helper()
	var r bulk.Receipt
	var err error
	switch {
	case s.account != nil:
		r, err = b.OpenAccount(s.account, "", at)
		r.Entry = 0
	case s.instrument != nil:
		r, err = b.DefineInstrument(s.instrument, "", at)
		r.Entry = 0
	case s.roll != 0:
		if err := b.Roll(s.roll, at); err != nil {
			t.Fatalf("roll to %d: %v", s.roll, err)
		}
	default:
		r, err = b.Book(proto.CloneOf(s.command), at)
	}
	var rej *ledger.Rejection
	if errors.As(err, &rej) {
		o := outcome{reason: string(rej.Reason)}
		if s.command != nil {
			o.field = rej.Field
		}
		return o
	}
	if err != nil {
		t.Fatal(err)
	}
	return outcome{entry: r.Entry, trade: r.Trade, account: r.Account, instrument: r.Instrument, repeat: r.Repeat}
}
