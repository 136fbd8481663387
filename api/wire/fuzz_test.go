package wire_test

import (
	"strings"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
)

// accepted reports whether wire and ledger take a command; neither may panic on any.
func accepted(c *bkv1.Command) bool {
	command, _, rej := wire.Command(c)
	if rej != nil {
		return false
	}
	draft, rej := ledger.StandardRules().Prepare(command, books{}, time.Unix(1381132801, 0))
	return rej == nil && draft.Entry != nil || rej != nil && rej.Reason == ledger.ReasonUnknownKind
}

// held checks what package api relies on: what wire and ledger accept breaks no rule that the proto files declare.
func held(t *testing.T, validator protovalidate.Validator, c *bkv1.Command) {
	t.Helper()
	if !accepted(c) {
		return
	}
	for _, m := range []proto.Message{c, single(c)} {
		if err := validator.Validate(m); err != nil {
			t.Errorf("accepted, and yet: %v\n%v", err, m)
		}
	}
}

// single gives a command as a request of its own.
func single(c *bkv1.Command) proto.Message {
	switch of := c.Command.(type) {
	case *bkv1.Command_Trade:
		return &bkv1.BookTradeRequest{Key: c.Key, Source: c.Source, Metadata: c.Metadata, TradeDate: c.TradeDate, SettleDate: c.SettleDate,
			EffectiveDate: c.EffectiveDate, Replaces: c.Replaces, Trade: of.Trade}
	case *bkv1.Command_Entry:
		return &bkv1.BookEntryRequest{Key: c.Key, Source: c.Source, Metadata: c.Metadata, TradeDate: c.TradeDate, SettleDate: c.SettleDate,
			EffectiveDate: c.EffectiveDate, Entry: of.Entry}
	case *bkv1.Command_Cancel:
		return &bkv1.CancelTradeRequest{Key: c.Key, Source: c.Source, Metadata: c.Metadata, Target: of.Cancel.GetTarget()}
	case *bkv1.Command_Correct:
		return &bkv1.CorrectTradeRequest{Key: c.Key, Source: c.Source, Metadata: c.Metadata, TradeDate: c.TradeDate, SettleDate: c.SettleDate,
			EffectiveDate: c.EffectiveDate, Target: of.Correct.GetTarget(), Trade: of.Correct.GetTrade()}
	case *bkv1.Command_Event:
		return &bkv1.BookEventRequest{Key: c.Key, Source: c.Source, Metadata: c.Metadata, TradeDate: c.TradeDate, SettleDate: c.SettleDate,
			EffectiveDate: c.EffectiveDate, Event: of.Event}
	}
	return c
}

func newValidator(t testing.TB) protovalidate.Validator {
	t.Helper()
	v, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func seeds(f *testing.F) []*bkv1.Command {
	entry := &bkv1.Command{Key: "e", Command: &bkv1.Command_Entry{Entry: &bkv1.NewEntry{Postings: []*bkv1.NewPosting{
		{Account: &bkv1.AccountRef{Id: 1}, Instrument: usd(), Quantity: "250"},
		{Account: &bkv1.AccountRef{Code: "location:bank"}, Instrument: usd(), Quantity: "-250", Bucket: bkv1.Bucket_BUCKET_SETTLED},
	}}}}
	cancel := &bkv1.Command{Key: "c", Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: &bkv1.Target{Key: "t"}}}}
	correct := &bkv1.Command{Key: "r", TradeDate: 20131007, Command: &bkv1.Command_Correct{Correct: &bkv1.Correct{Target: &bkv1.Target{Trade: 5}, Trade: trade()}}}
	event := &bkv1.Command{Key: "v", Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: "dividend", Fields: map[string]string{"rate": "0.1"}}}}
	cash := &bkv1.Command{Key: "m", Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{
		Kind: "cash.deposit", Fields: map[string]string{"account": "cust:1", "currency": "USD", "amount": "10.50"},
	}}}
	street := &bkv1.Command{Key: "s", EffectiveDate: 20131010, Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{
		Kind: "trade.settle_street", Target: &bkv1.Target{Trade: 5},
	}}}
	all := []*bkv1.Command{tradeCommand(), entry, cancel, correct, cash, street, event}
	for _, c := range all[:6] {
		if !accepted(c) {
			f.Fatalf("a seed is not accepted: %v", c)
		}
	}
	return all
}

func FuzzCommandBinary(f *testing.F) {
	for _, c := range seeds(f) {
		b, err := proto.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	validator := newValidator(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var c bkv1.Command
		if proto.Unmarshal(b, &c) == nil {
			held(t, validator, &c)
		}
	})
}

func FuzzCommandJSON(f *testing.F) {
	for _, c := range seeds(f) {
		f.Add(protojson.Format(c))
	}
	validator := newValidator(f)
	f.Fuzz(func(t *testing.T, text string) {
		var c bkv1.Command
		if protojson.Unmarshal([]byte(text), &c) == nil {
			held(t, validator, &c)
		}
	})
}

func FuzzAmount(f *testing.F) {
	for _, s := range []string{"0", "-0.5", "100", "167.41", ".5", "1.", "1e3", "NaN", "999999999999999999.9999999999", "00000000000000000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, rej := wire.Amount("quantity", s)
		if rej != nil {
			if rej.Field != "quantity" || rej.Message == "" {
				t.Errorf("%q: %+v", s, rej)
			}
			return
		}
		if b, rej := wire.Amount("quantity", a.String()); rej != nil || b != a {
			t.Errorf("%q is %s, read again %s, %v", s, a, b, rej)
		}
	})
}

func FuzzEntry(f *testing.F) {
	c, _, _ := wire.Command(tradeCommand())
	d, rej := ledger.StandardRules().Prepare(c, books{}, time.Unix(1381132801, 0))
	if rej != nil {
		f.Fatal(rej)
	}
	d.Entry.ID = 1
	b, err := proto.Marshal(wire.Entry(d.Entry))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m bkv1.Entry
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		e, rej := wire.EntryFrom(&m)
		if rej != nil {
			return
		}
		back, rej := wire.EntryFrom(wire.Entry(e))
		if rej != nil || string(ledger.AppendEntry(nil, back)) != string(ledger.AppendEntry(nil, e)) {
			t.Errorf("%v, %v", e, rej)
		}
	})
}

// TestDeclaredBoundsAreChecked walks every text of a command beyond every declared bound.
func TestDeclaredBoundsAreChecked(t *testing.T) {
	t.Parallel()
	validator := newValidator(t)
	long := func(n int) string { return strings.Repeat("a", n) }
	changes := 0
	for _, n := range []int{3, 4, 10, 11, 64, 65, 256, 257} {
		for _, set := range []func(*bkv1.Command, string){
			func(c *bkv1.Command, s string) { c.Key = s },
			func(c *bkv1.Command, s string) { c.Source = s },
			func(c *bkv1.Command, s string) { c.GetTrade().ClientTradeId = s },
			func(c *bkv1.Command, s string) { c.GetTrade().OrderId = s },
			func(c *bkv1.Command, s string) { c.GetTrade().Mic = s },
			func(c *bkv1.Command, s string) { c.GetTrade().ContraMpid = s },
			func(c *bkv1.Command, s string) { c.GetTrade().Currency = s },
			func(c *bkv1.Command, s string) { c.GetTrade().Account.Code = s },
			func(c *bkv1.Command, s string) { c.GetTrade().Target = &bkv1.AccountRef{Code: s} },
			func(c *bkv1.Command, s string) { c.GetTrade().Instrument.Value = s },
			func(c *bkv1.Command, s string) { c.GetTrade().Instrument.Country = s },
			func(c *bkv1.Command, s string) {
				c.GetTrade().Instrument = &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_SEDOL, Value: "X", Country: s, Currency: s}
				c.GetTrade().Currency = "USD"
			},
			func(c *bkv1.Command, s string) { c.GetTrade().Quantity = strings.Repeat("0", len(s)) + "1" },
			func(c *bkv1.Command, s string) { c.GetTrade().Accrued = strings.Repeat("0", len(s)) },
			func(c *bkv1.Command, s string) { c.Replaces = &bkv1.Replaces{Key: s} },
		} {
			c := tradeCommand()
			set(c, long(n))
			held(t, validator, c)
			changes++
		}
	}
	for _, set := range []func(*bkv1.Command){
		func(c *bkv1.Command) { c.SettleDate = 21000102 },
		func(c *bkv1.Command) { c.SettleDate = 99991231 },
		func(c *bkv1.Command) { c.EffectiveDate = -1 },
		func(c *bkv1.Command) { c.GetTrade().Target = &bkv1.AccountRef{Id: -1} },
		func(c *bkv1.Command) { c.GetTrade().Account = &bkv1.AccountRef{Id: -1} },
		func(c *bkv1.Command) { c.GetTrade().Effect = 9 },
		func(c *bkv1.Command) { c.GetTrade().Capacity = -1 },
		func(c *bkv1.Command) { c.Replaces = &bkv1.Replaces{Trade: -1} },
	} {
		c := tradeCommand()
		set(c)
		held(t, validator, c)
		changes++
	}
	if changes < 100 {
		t.Errorf("%d changes only", changes)
	}
}
