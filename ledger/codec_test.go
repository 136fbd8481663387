package ledger_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bkledger/bk/ledger"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares with a file of testdata. An encoding that has been in a journal can't change: a difference needs a new version.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s\nwant\n%s", name, got, want)
	}
}

func wrapHex(b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		n := min(32, len(b))
		s.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return s.String()
}

// TestGoldenEncodings has an entry of each shape.
func TestGoldenEncodings(t *testing.T) {
	encode := func(e *ledger.Entry) string {
		e.Epoch = 5
		return wrapHex(ledger.AppendEntry(nil, e))
	}
	w := newWorld(t)
	c := exchangeTrade()
	c.Metadata = map[string]string{"b": "2", "a": "1"}
	trade := w.must(c)
	golden(t, "content.hex", wrapHex(trade.Content[:]))
	golden(t, "trade.hex", encode(trade))
	account := &ledger.Entry{ID: 1, Epoch: 1, BookedAt: time.UnixMicro(1), Kind: ledger.KindOpen, Account: &ledger.Account{ID: 100018, Code: "cust:100018", Kind: "customer", Entity: 18}}
	golden(t, "account.hex", wrapHex(ledger.AppendEntry(nil, account)))
	day := &ledger.Day{Date: 20131010, To: 20131011, Street: true}
	golden(t, "day_begin.hex", encode(w.must(&ledger.Command{Kind: ledger.KindDayBegin, Day: day})))
	golden(t, "settle.hex", encode(w.must(on(ledger.KindSettle, trade.ID))))
	day.Opened, day.Settled, day.CutRows, day.CutHash = 0, 1, 9, [32]byte{1, 2, 31: 3}
	golden(t, "day_end.hex", encode(w.must(&ledger.Command{Kind: ledger.KindDayEnd, Day: day})))
	corrected, rej := w.try(tradeWith(ledger.KindExchangeTrade, func(c *ledger.Command, _ *ledger.Trade) {
		c.Key, c.Replaces = "100001/b", &ledger.Target{Trade: trade.ID}
	}))
	if rej != nil || len(corrected) != 4 { // reverse, cancel, booking, settlement
		t.Fatalf("%d entries, %v", len(corrected), rej)
	}
	golden(t, "reverse.hex", encode(corrected[0]))
	golden(t, "cancel.hex", encode(corrected[1]))
	golden(t, "correction.hex", encode(corrected[2]))
	golden(t, "fields.hex", encode(w.must(&ledger.Command{Kind: ledger.KindDeposit, Fields: map[string]string{"account": "100001", "currency": "USD", "amount": "12.50"}})))
	for _, e := range w.entries {
		if got, err := ledger.DecodeEntry(ledger.AppendEntry(nil, e)); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%+v\nread back (%v):\n%+v", e, err, got)
		}
	}
}

// TestOtherVersions: bytes of the version before, which was never released, and of one to come are refused as such.
func TestOtherVersions(t *testing.T) {
	b := ledger.AppendEntry(nil, &ledger.Entry{ID: 1, Kind: ledger.KindPosting, Key: "k"})
	for _, version := range []byte{0, 1, 3} {
		b[0] = version
		if _, err := ledger.DecodeEntry(b); !errors.Is(err, ledger.ErrEntryEncoding) || !strings.Contains(err.Error(), fmt.Sprint("version ", version)) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func drawText(name string) *rapid.Generator[string] { return rapid.StringN(0, 12, 40) }

func drawEntry(t *rapid.T) *ledger.Entry {
	text := func(name string) string { return drawText(name).Draw(t, name) }
	amount := func(name string) ledger.Amount { return amountOf(t, unscaled(t, name)) }
	date := func(name string) ledger.Date {
		return ledger.Date(rapid.SampledFrom([]int32{0, 20131007, 20240229, 99991231}).Draw(t, name))
	}
	pairs := func(name string) map[string]string {
		m := rapid.MapOfN(drawText(name), drawText(name), 0, 4).Draw(t, name)
		if len(m) == 0 {
			return nil
		}
		return m
	}
	identifier := func(name string) ledger.Identifier {
		return ledger.Identifier{Type: ledger.IdentifierType(text(name)), Value: text(name), Country: text(name), Currency: text(name)}
	}
	e := &ledger.Entry{
		ID: ledger.ID(rapid.Int64Min(1).Draw(t, "id")), Epoch: rapid.Int64().Draw(t, "epoch"), BookedAt: time.UnixMicro(rapid.Int64().Draw(t, "at")).UTC(),
		Kind: ledger.Kind(text("kind")), Key: text("key"), Source: text("source"), TradeDate: date("trade date"), SettleDate: date("settle date"),
		EffectiveDate: date("effective date"), Links: ledger.Links{Trade: 1, Reverses: ledger.ID(rapid.Int64Min(0).Draw(t, "link")), Root: ledger.ID(rapid.Int64Min(0).Draw(t, "root"))},
		State:  rapid.SampledFrom(append(ledger.TradeStates(), "")).Draw(t, "state"),
		Fields: pairs("fields"), Metadata: pairs("metadata"),
	}
	for range rapid.IntRange(0, 5).Draw(t, "postings") {
		e.Postings = append(e.Postings, ledger.Posting{
			Account: rapid.Int64().Draw(t, "account"), Instrument: rapid.Int64().Draw(t, "instrument"), Bucket: ledger.Settled, Quantity: amount("quantity"),
		})
	}
	if rapid.Bool().Draw(t, "is trade") {
		e.Trade = &ledger.Trade{
			Kind:       rapid.SampledFrom([]ledger.Kind{e.Kind, ledger.KindAwayTrade}).Draw(t, "trade kind"),
			ExecutedAt: time.UnixMilli(rapid.Int64Range(0, 1e13).Draw(t, "executed")).UTC(), ClientTradeID: text("client id"), Account: ledger.AccountRef{ID: 7},
			Direction: ledger.Sell, Short: rapid.Bool().Draw(t, "short"), Quantity: amount("shares"), Price: amount("price"), Instrument: identifier("instrument"),
			Currency: text("currency"), OmitTAF: rapid.Bool().Draw(t, "omit"), Gross: amount("gross"), Net: amount("net"), OrderID: text("order"),
		}
	}
	if rapid.Bool().Draw(t, "is account") {
		e.Account = &ledger.Account{ID: rapid.Int64().Draw(t, "account id"), Code: text("code"), Kind: "customer", Entity: 3, Name: text("name")}
	}
	if rapid.Bool().Draw(t, "is instrument") {
		e.Define = &ledger.Instrument{ID: 5, Symbol: text("symbol"), Kind: "security", Identifiers: []ledger.Identifier{identifier("id")}}
	}
	if rapid.Bool().Draw(t, "is day") {
		e.Day = &ledger.Day{
			Date: date("day"), To: date("to"), Street: rapid.Bool().Draw(t, "street"), Opened: rapid.Int64Min(0).Draw(t, "opened"),
			Settled: rapid.Int64Min(0).Draw(t, "settled"), CutRows: rapid.Int64Min(0).Draw(t, "rows"),
		}
		copy(e.Day.CutHash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "cut hash"))
	}
	return e
}

// TestEncodingIsCanonical: what is encoded reads back equal, and every cut of it is refused.
func TestEncodingIsCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEntry(t)
		b := ledger.AppendEntry(nil, e)
		got, err := ledger.DecodeEntry(b)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("%+v\nread back (%v):\n%+v", e, err, got)
		}
		if cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut"); true {
			if _, err := ledger.DecodeEntry(b[:cut]); err == nil {
				t.Fatalf("a cut at %d of %d is not noticed", cut, len(b))
			}
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(ledger.AppendEntry(nil, &ledger.Entry{ID: 1, Kind: ledger.KindPosting, Key: "k", Postings: []ledger.Posting{{Account: 1, Instrument: 1, Bucket: 'u', Quantity: ledger.AmountOf(3)}}}))
	f.Add(ledger.AppendEntry(nil, &ledger.Entry{ID: 2, Kind: ledger.KindOpen, Account: &ledger.Account{ID: 5, Code: "cust:5"}, Metadata: map[string]string{"a": "b"}}))
	f.Add(ledger.AppendEntry(nil, &ledger.Entry{ID: 3, Kind: ledger.KindDayEnd, Day: &ledger.Day{Date: 20131010, To: 20131011, Street: true, CutRows: 2}}))
	f.Add(ledger.AppendEntry(nil, &ledger.Entry{ID: 4, Kind: ledger.KindSettle, State: ledger.TradeSettled, Links: ledger.Links{Trade: 1, Root: 1}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ledger.DecodeEntry(b)
		if err != nil {
			return
		}
		again, err := ledger.DecodeEntry(ledger.AppendEntry(nil, e))
		if err != nil || !bytes.Equal(ledger.AppendEntry(nil, again), ledger.AppendEntry(nil, e)) {
			t.Fatalf("not stable: %v", err)
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add("0:1")
	f.Add("32767:281474976710655")
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ledger.ParseToken(s)
		if err != nil || s == "" {
			return
		}
		if again, err := ledger.ParseToken(token.String()); err != nil || again != token {
			t.Fatalf("%q: %v, %v", s, again, err)
		}
	})
}
