package wire_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
)

// trade is a good exchange trade.
func trade() *bkv1.Trade {
	return &bkv1.Trade{
		Type: bkv1.TradeType_TRADE_TYPE_EXCHANGE, ExecutedAt: timestamppb.New(time.Unix(1381132800, 464e6)), ClientTradeId: "123456789",
		Account: &bkv1.AccountRef{Code: "cust:100018"}, Direction: bkv1.Direction_DIRECTION_SELL, Short: true, Effect: bkv1.Effect_EFFECT_OPEN,
		Quantity: "100", Price: "167.41", Instrument: ticker("AAPL"), Capacity: bkv1.Capacity_CAPACITY_AGENCY,
		Mic: "XNYS", ExecMpid: "ABCD", Commission: "1.25", Accrued: "0.5", OmitTaf: true, OrderId: "o-1",
	}
}

func ticker(symbol string) *bkv1.Identifier {
	return &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: symbol, Country: "USA", Currency: "USD"}
}

func usd() *bkv1.Identifier {
	return &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_CURRENCY, Value: "USD"}
}

func tradeCommand() *bkv1.Command {
	return &bkv1.Command{Key: "100018/123456789", TradeDate: 20131007, Command: &bkv1.Command_Trade{Trade: trade()}}
}

// books knows everything, so that only the form of a command counts.
type books struct{}

func (books) Account(r ledger.AccountRef) (ledger.Account, bool) {
	return ledger.Account{ID: max(r.ID, int64(len(r.Code))), Kind: ledger.KindCustomer}, true
}

func (books) Instrument(id ledger.Identifier) (ledger.Instrument, bool) {
	return ledger.Instrument{ID: int64(len(id.Value)) + int64(len(id.Type))<<8}, true
}

func TestTradeKeepsEveryField(t *testing.T) {
	t.Parallel()
	c, form, rej := wire.Command(tradeCommand())
	if rej != nil || form != wire.TradeForm {
		t.Fatalf("form %d, rejection %v", form, rej)
	}
	if c.Kind != ledger.KindExchangeTrade || c.TradeDate != 20131007 || c.Key != "100018/123456789" {
		t.Errorf("envelope %+v", c)
	}
	got := wire.Trade(c.Kind, c.Trade)
	if want := trade(); got.String() != want.String() {
		t.Errorf("there and back:\n got %v\nwant %v", got, want)
	}
}

func TestReplacesAndCorrections(t *testing.T) {
	t.Parallel()
	r := &bkv1.BookTradeRequest{Key: "k", TradeDate: 20131007, Trade: trade(), Replaces: &bkv1.Replaces{Key: "old", LinkIfCanceled: true}}
	if c, rej := wire.BookTrade(r); rej != nil || *c.Replaces != (ledger.Target{Key: "old", Link: true}) {
		t.Errorf("replaces: %+v, %v", c, rej)
	}
	correct := &bkv1.CorrectTradeRequest{Key: "k", TradeDate: 20131007, Trade: trade(), Target: &bkv1.Target{Trade: 7}}
	if c, rej := wire.CorrectTrade(correct); rej != nil || *c.Replaces != (ledger.Target{Trade: 7}) {
		t.Errorf("correct: %+v, %v", c, rej)
	}
	cancel := &bkv1.CancelTradeRequest{Key: "k", Target: &bkv1.Target{Key: "old"}}
	if c, rej := wire.CancelTrade(cancel); rej != nil || c.Kind != ledger.KindCancel || *c.Target != (ledger.Target{Key: "old"}) {
		t.Errorf("cancel: %+v, %v", c, rej)
	}
}

func TestRejectionsNameTheRequestsField(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*bkv1.Command)
		reason ledger.Reason
		field  string
	}{
		{"nineteen digits", func(c *bkv1.Command) { c.GetTrade().Quantity = "1234567890123456789" }, ledger.ReasonOutOfRange, "trade.quantity"},
		{"eleven fraction digits", func(c *bkv1.Command) { c.GetTrade().Price = "0.12345678901" }, ledger.ReasonOutOfRange, "trade.price"},
		{"not a number", func(c *bkv1.Command) { c.GetTrade().Commission = "NaN" }, ledger.ReasonInvalid, "trade.commission"},
		{"exponent", func(c *bkv1.Command) { c.GetTrade().Accrued = "1e3" }, ledger.ReasonInvalid, "trade.accrued"},
		{"endless zeros", func(c *bkv1.Command) { c.GetTrade().Price = string(make([]byte, 65)) }, ledger.ReasonTooLarge, "trade.price"},
		{"no trade", func(c *bkv1.Command) { c.Command = &bkv1.Command_Trade{} }, ledger.ReasonMissing, "trade"},
		{"no command", func(c *bkv1.Command) { c.Command = nil }, ledger.ReasonMissing, "command"},
		{"type of tomorrow", func(c *bkv1.Command) { c.GetTrade().Type = 99 }, ledger.ReasonInvalid, "trade.type"},
		{"no instrument", func(c *bkv1.Command) { c.GetTrade().Instrument = nil }, ledger.ReasonMissing, "trade.instrument"},
		{"replaces on an entry", func(c *bkv1.Command) {
			c.Replaces, c.Command = &bkv1.Replaces{Trade: 1}, &bkv1.Command_Entry{}
		}, ledger.ReasonInvalid, "replaces"},
		{"date on a cancel", func(c *bkv1.Command) { c.Command = &bkv1.Command_Cancel{} }, ledger.ReasonInvalid, "trade_date"},
		{"correction of nothing", func(c *bkv1.Command) {
			c.Command = &bkv1.Command_Correct{Correct: &bkv1.Correct{Trade: c.GetTrade()}}
		}, ledger.ReasonMissing, "correct.target"},
		{"trade of a correction", func(c *bkv1.Command) {
			c.Command = &bkv1.Command_Correct{Correct: &bkv1.Correct{Target: &bkv1.Target{Trade: 1}}}
		}, ledger.ReasonMissing, "correct.trade"},
		{"posting", func(c *bkv1.Command) {
			c.Command = &bkv1.Command_Entry{Entry: &bkv1.NewEntry{Postings: []*bkv1.NewPosting{{Instrument: usd(), Quantity: "1,5"}}}}
		}, ledger.ReasonInvalid, "entry.postings[0].quantity"},
		{"event with a type of its own", func(c *bkv1.Command) {
			c.Command = &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: "posting"}}
		}, ledger.ReasonInvalid, "event.kind"},
		{"event of the ledger's own", func(c *bkv1.Command) {
			c.Command = &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: "trade.settle", Target: &bkv1.Target{Trade: 1}}}
		}, ledger.ReasonInvalid, "event.kind"},
		{"event without a kind", func(c *bkv1.Command) { c.Command = &bkv1.Command_Event{} }, ledger.ReasonMissing, "event.kind"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := tradeCommand()
			row.change(c)
			if _, _, rej := wire.Command(c); rej == nil || rej.Reason != row.reason || rej.Field != row.field {
				t.Errorf("got %v, want %s of %s", rej, row.reason, row.field)
			}
		})
	}
}

func TestRenameMovesTheLedgersFields(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		form     wire.Form
		from, to string
	}{
		{wire.TradeForm, "trade.quantity", "trade.quantity"},
		{wire.TradeForm, "replaces.key", "replaces.key"},
		{wire.TradeForm, "target", "replaces"},
		{wire.TradeForm, "key", "key"},
		{wire.EntryForm, "postings[3].account", "entry.postings[3].account"},
		{wire.CancelForm, "target.trade", "target.trade"},
		{wire.CancelCommandForm, "target.trade", "cancel.target.trade"},
		{wire.CorrectForm, "replaces", "target"},
		{wire.CorrectCommandForm, "replaces.key", "correct.target.key"},
		{wire.CorrectCommandForm, "trade.mic", "correct.trade.mic"},
		{wire.CorrectCommandForm, "trade_date", "trade_date"},
		{wire.EventForm, "fields.rate", "event.fields.rate"},
		{wire.EventForm, "kind", "event.kind"},
		{wire.EventForm, "target.trade", "event.target.trade"},
	} {
		if got := row.form.Rename(&ledger.Rejection{Field: row.from}).Field; got != row.to {
			t.Errorf("form %d: %s became %s, want %s", row.form, row.from, got, row.to)
		}
	}
}

// booked makes an entry of a command, as the journal would.
func booked(t *testing.T, c *ledger.Command) *ledger.Entry {
	t.Helper()
	d, rej := ledger.StandardRules().Prepare(c, books{}, time.Unix(1381132801, 123456000))
	if rej != nil {
		t.Fatal(rej)
	}
	d.Entry.ID, d.Entry.Epoch, d.Entry.Hash = ledger.MakeID(3, 77), 5, [32]byte{1, 2, 3}
	return d.Entry
}

func TestEntriesLoseNothing(t *testing.T) {
	t.Parallel()
	c, _, rej := wire.Command(tradeCommand())
	if rej != nil {
		t.Fatal(rej)
	}
	c.Metadata, c.Source = map[string]string{"desk": "7"}, "test"
	entry := booked(t, c)
	entry.Links = ledger.Links{Trade: entry.ID, Corrects: 9}
	cancel := *entry
	cancel.Kind, cancel.Links = ledger.KindCancel, ledger.Links{Trade: 9, Reverses: 9, ReplacedBy: 10}
	account := booked(t, &ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{Code: "cust:1", Name: "One", Entity: 4}})
	dollar := ledger.Currency("USD")
	instrument := booked(t, &ledger.Command{Kind: ledger.KindInstrument, Define: &dollar})
	event := ledger.Entry{ID: 1, Kind: "dividend", BookedAt: time.Unix(1, 0).UTC(), Fields: map[string]string{"rate": "1"}}
	entry.State, cancel.State, cancel.Links.Root = ledger.TradeOpen, ledger.TradeCanceled, 8
	begin := ledger.Entry{ID: 1, Kind: ledger.KindDayBegin, BookedAt: time.Unix(1, 0).UTC(), Day: &ledger.Day{Date: 20131009, To: 20131016, Street: true}}
	end := ledger.Entry{ID: 2, Kind: ledger.KindDayEnd, BookedAt: time.Unix(1, 0).UTC(), Day: &ledger.Day{
		Date: 20131009, To: 20131016, Opened: 7, Settled: 8, CutRows: 9, CutHash: [32]byte{1, 31: 2},
	}}
	settle := *entry
	settle.Kind, settle.State, settle.EffectiveDate = ledger.KindSettle, ledger.TradeSettled, 20131010
	for _, e := range []*ledger.Entry{entry, &settle, &cancel, account, instrument, &event, &begin, &end} {
		back, rej := wire.EntryFrom(wire.Entry(e))
		if rej != nil {
			t.Errorf("%s: %v", e.Kind, rej)
			continue
		}
		if string(ledger.AppendEntry(nil, back)) != string(ledger.AppendEntry(nil, e)) || back.Hash != e.Hash {
			t.Errorf("%s: there and back\n got %+v\nwant %+v", e.Kind, back, e)
		}
	}
	record := wire.TradeRecord(ledger.Life{entry, &cancel}, 0)
	if record.State != bkv1.TradeState_TRADE_STATE_CANCELED || record.ReplacedBy != 10 || record.Corrects != 9 || record.Gross != "16741" {
		t.Errorf("record %v", record)
	}
	if record.Trade.Type != bkv1.TradeType_TRADE_TYPE_EXCHANGE {
		t.Errorf("the type got lost: %v", record.Trade.Type)
	}
}

// TestStateOfATrade holds the state as of each day against the life of a trade of the 7th that settles on the 10th.
func TestStateOfATrade(t *testing.T) {
	t.Parallel()
	c, _, rej := wire.Command(tradeCommand())
	if rej != nil {
		t.Fatal(rej)
	}
	booking := booked(t, c)
	step := func(kind ledger.Kind, state ledger.TradeState, effective ledger.Date) *ledger.Entry {
		e := *booking
		e.Kind, e.State, e.EffectiveDate = kind, state, effective
		return &e
	}
	late := step(booking.Kind, ledger.TradeNew, 20131007)
	opened, settled := step(ledger.KindTradeOpen, ledger.TradeOpen, 20131007), step(ledger.KindSettle, ledger.TradeSettled, 20131010)
	street := step(ledger.KindSettleStreet, ledger.TradeSettled, 20131011)
	reversed, canceled := step(ledger.KindReverse, ledger.TradeOpen, 20131010), step(ledger.KindCancel, ledger.TradeCanceled, 20131007)
	booking.State = ledger.TradeOpen
	const (
		isNew      = bkv1.TradeState_TRADE_STATE_NEW
		isOpen     = bkv1.TradeState_TRADE_STATE_OPEN
		isSettled  = bkv1.TradeState_TRADE_STATE_SETTLED
		isCanceled = bkv1.TradeState_TRADE_STATE_CANCELED
	)
	for _, row := range []struct {
		name string
		life ledger.Life
		on   map[ledger.Date]bkv1.TradeState
	}{
		{"open when booked", ledger.Life{booking}, map[ledger.Date]bkv1.TradeState{0: isOpen, 20131006: isNew, 20131007: isOpen, 20991231: isOpen}},
		{"new", ledger.Life{late}, map[ledger.Date]bkv1.TradeState{0: isNew, 20131031: isNew}},
		{"opened", ledger.Life{late, opened}, map[ledger.Date]bkv1.TradeState{0: isOpen, 20131006: isNew, 20131007: isOpen}},
		{"settled", ledger.Life{late, opened, settled, street}, map[ledger.Date]bkv1.TradeState{0: isSettled, 20131006: isNew, 20131009: isOpen, 20131010: isSettled}},
		{"canceled", ledger.Life{booking, settled, reversed, canceled}, map[ledger.Date]bkv1.TradeState{0: isCanceled, 20131006: isCanceled, 20131010: isCanceled}},
	} {
		for on, want := range row.on {
			if got := wire.TradeRecord(row.life, on).State; got != want {
				t.Errorf("%s, as of %d: %s, want %s", row.name, on, got, want)
			}
		}
	}
}
