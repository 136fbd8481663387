package rehydrate_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
)

// bothRead reads a value with a reader and with the generated code, which have to say the same of it.
func bothRead(t testing.TB, by *rehydrate.Reader, value []byte) *bkv1.Entry {
	t.Helper()
	var want bkv1.Event
	refused := proto.Unmarshal(value, &want)
	got, err := by.Read(value)
	if (err != nil) != (refused != nil) {
		t.Fatalf("the reader says %v, the generated code %v, of %x", err, refused, value)
	}
	if err == nil && (got == nil) != (want.Entry == nil) || err == nil && got != nil && !proto.Equal(got, want.Entry) {
		t.Fatalf("the reader has\n%v, and the generated code\n%v, of %x", got, want.Entry, value)
	}
	return want.Entry
}

// someTrade is an entry about a trade as BK writes them.
func someTrade() *bkv1.Entry {
	return &bkv1.Entry{
		Id: 1<<48 | 4711, Shard: 1, Sequence: 4711, Epoch: 3, BookedAt: &timestamppb.Timestamp{Seconds: 1_381_132_800, Nanos: 464_000_000},
		Kind: "trade.exchange", Key: "trade/T1", Source: "bank:trade/812@1381132800464", TradeDate: 20131007, SettleDate: 20131010, EffectiveDate: 20131007,
		Links: &bkv1.Links{Trade: 1<<48 | 4711, Corrects: 1<<48 | 12, Root: 1<<48 | 12},
		Postings: []*bkv1.Posting{
			{Account: 100_001, Instrument: 7, Bucket: bkv1.Bucket_BUCKET_UNSETTLED, Quantity: "100"}, {Account: 9, Instrument: 7, Bucket: bkv1.Bucket_BUCKET_UNSETTLED, Quantity: "-100"},
			{Account: 100_001, Instrument: 1, Bucket: bkv1.Bucket_BUCKET_SETTLED, Quantity: "-16741.5"}, {Account: 9, Instrument: 1, Quantity: "16741.5"},
		},
		Trade: &bkv1.TradeRecord{
			Id: 1<<48 | 4711, State: bkv1.TradeState_TRADE_STATE_OPEN, Gross: "16741", SecFee: "0.5", TafFee: "0.01", Net: "-16741.51", TradeDate: 20131007, SettleDate: 20131010, Corrects: 1<<48 | 12, ReplacedBy: 5,
			Trade: &bkv1.Trade{
				Type: bkv1.TradeType_TRADE_TYPE_EXCHANGE, ExecutedAt: &timestamppb.Timestamp{Seconds: -1, Nanos: 1}, ClientTradeId: "T1é", Account: &bkv1.AccountRef{Id: 100_001, Code: "100001"},
				Direction: bkv1.Direction_DIRECTION_BUY, Short: true, Effect: bkv1.Effect_EFFECT_CLOSE, Quantity: "100", Price: "167.41",
				Instrument: &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: "SYM", Country: "USA", Currency: "USD"}, Currency: "USD",
				Capacity: bkv1.Capacity_CAPACITY_AGENCY, Mic: "XNYS", ExecMpid: "ABCD", ContraMpid: "EFGH", ContraClearingNum: "0123", Target: &bkv1.AccountRef{Id: 100_002},
				Commission: "1.25", OmitSec: true, OmitTaf: true, Accrued: "3", OrderId: "O-1",
			},
		},
		Metadata: map[string]string{"bank": `{"omit_bill":true}`}, Hash: []byte(strings.Repeat("h", 32)), Content: []byte(strings.Repeat("c", 17)),
	}
}

func event(t testing.TB, e *bkv1.Entry) []byte {
	t.Helper()
	value, err := proto.Marshal(&bkv1.Event{Entry: e})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestRead reads a trade's entry, without each of its fields, with each field as another number, cut off everywhere, and with every byte changed: one reader reads all, and
// says of each what the generated code says.
func TestRead(t *testing.T) { // not beside others: it counts pieces of memory
	by := &rehydrate.Reader{}
	whole := event(t, someTrade())
	if bothRead(t, by, whole) == nil {
		t.Fatal("nothing was read")
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := by.Read(whole); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v pieces of memory for an entry: it was not read in one walk", n)
	}

	// Each field of each message, once left out.
	e := someTrade()
	var without func(m protoreflect.Message)
	without = func(m protoreflect.Message) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case f.IsMap(): // beside others, below
			case f.IsList():
				without(v.List().Get(0).Message())
			default:
				m.Clear(f)
				bothRead(t, by, event(t, e))
				m.Set(f, v)
				if f.Message() != nil {
					without(v.Message())
				}
			}
			return true
		})
	}
	without(e.ProtoReflect())
	e.Postings, e.Metadata = nil, nil
	bothRead(t, by, event(t, e))

	for n := range whole {
		bothRead(t, by, whole[:n])
		bothRead(t, by, append(whole[:n:n], whole[n+1:]...))
		for bit := range 8 {
			changed := append([]byte(nil), whole...)
			changed[n] ^= 1 << bit
			bothRead(t, by, changed)
		}
	}
	bothRead(t, by, whole)
}

// TestReadOthers reads what BK hardly ever writes, or never.
func TestReadOthers(t *testing.T) {
	t.Parallel()
	by := &rehydrate.Reader{}
	body := event(t, someTrade())
	_, _, header := protowire.ConsumeField(body)
	entry, _ := protowire.ConsumeBytes(body[1:])
	if header != len(body) {
		t.Fatal("an event is one field")
	}
	wrap := func(entry []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), entry)
	}
	field := func(n protowire.Number, content string) []byte {
		return protowire.AppendString(protowire.AppendTag(append([]byte(nil), entry...), n, protowire.BytesType), content)
	}
	many := someTrade()
	for i := range 40 {
		many.Postings = append(many.Postings, &bkv1.Posting{Account: int64(i), Instrument: 1, Quantity: "1"})
	}
	noted := someTrade()
	noted.Metadata["desk"], noted.Fields = "N1", map[string]string{"a": "b"}
	for name, value := range map[string][]byte{
		"nothing":                 {},
		"an event without entry":  wrap(nil),
		"two entries":             append(wrap(entry), wrap(entry)...),
		"something behind it":     append(wrap(entry), protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 1)...),
		"a field of the future":   wrap(field(99, "x")),
		"another kind of number":  wrap(protowire.AppendFixed64(protowire.AppendTag(append([]byte(nil), entry...), 1, protowire.Fixed64Type), 1)),
		"a number twice":          wrap(protowire.AppendVarint(protowire.AppendTag(append([]byte(nil), entry...), 3, protowire.VarintType), 8)),
		"links twice":             wrap(field(12, "\x08\x07")),
		"a trade twice":           wrap(field(14, "\x08\x07")),
		"a time twice":            wrap(field(5, "\x08\x07")),
		"metadata without key":    wrap(field(18, "\x12\x01x")),
		"metadata, turned round":  wrap(field(18, "\x12\x01x\x0a\x01y")),
		"an empty posting":        wrap(field(13, "")),
		"a posting that ends":     wrap(field(13, "\x08")),
		"a text that is none":     wrap(field(6, "\xff")),
		"a long way to say 1":     wrap(append(append([]byte(nil), entry...), 0x98, 0x80, 0x00, 0x01)),
		"a negative number":       wrap(protowire.AppendVarint(protowire.AppendTag(append([]byte(nil), entry...), 9, protowire.VarintType), 1<<64-7)),
		"more than a number":      wrap(append(append([]byte(nil), entry...), "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"...)),
		"many postings":           event(t, many),
		"notes":                   event(t, noted),
		"a day":                   event(t, &bkv1.Entry{Id: 1, Sequence: 1, Kind: "day.end", Day: &bkv1.Day{Date: 20131007}}),
		"an account":              event(t, &bkv1.Entry{Id: 2, Sequence: 2, Kind: "account.open", Account: &bkv1.Account{Id: 5, Code: "5"}}),
		"cash":                    event(t, &bkv1.Entry{Id: 3, Sequence: 3, Kind: "cash.deposit", Fields: map[string]string{"amount": "1", "currency": "USD"}}),
		"an end without a group":  wrap(append(append([]byte(nil), entry...), 0x0c)),
		"a field of the number 0": wrap(append(append([]byte(nil), entry...), 0x02, 0x00)),
	} {
		t.Run(name, func(t *testing.T) {
			bothRead(t, by, value)
			bothRead(t, by, body) // nothing is left of the one before
		})
	}
}

// TestReadKept keeps texts of entries while others are read: they stay.
func TestReadKept(t *testing.T) {
	t.Parallel()
	by := &rehydrate.Reader{}
	var kept []string
	const entries = 10_000
	for i := range entries {
		e := someTrade()
		e.Trade.Trade.OrderId, e.Trade.Trade.Instrument.Value = fmt.Sprintf("O-%d", i), fmt.Sprintf("SYM%d", i)
		value := event(t, e)
		got, err := by.Read(value)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, got.Trade.Trade.OrderId+"/"+got.Trade.Trade.Instrument.Value, got.Kind, got.Metadata["bank"])
		clear(value)
	}
	for i := range entries {
		if kept[3*i] != fmt.Sprintf("O-%d/SYM%d", i, i) || kept[3*i+1] != "trade.exchange" || kept[3*i+2] != `{"omit_bill":true}` {
			t.Fatalf("entry %d: %q", i, kept[3*i:3*i+3])
		}
	}
}

// FuzzRead changes entries at random.
func FuzzRead(f *testing.F) {
	f.Add(event(f, someTrade()))
	f.Add(event(f, &bkv1.Entry{Id: 1, Sequence: 1, Kind: "trade.open", Trade: &bkv1.TradeRecord{Id: 1}}))
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		value := event(f, someTrade())
		for range 3 {
			value[rng.IntN(len(value))] = byte(rng.Uint32())
		}
		f.Add(value)
	}
	by := &rehydrate.Reader{}
	good := event(f, someTrade())
	f.Fuzz(func(t *testing.T, value []byte) {
		bothRead(t, by, value)
		bothRead(t, by, good)
	})
}
