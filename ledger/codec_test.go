package ledger_test

import (
	"bytes"
	"encoding/hex"
	"flag"
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

func TestGoldenEncodings(t *testing.T) {
	books := newBooks()
	c := exchangeTrade()
	c.Metadata = map[string]string{"b": "2", "a": "1"}
	d, rej := ledger.StandardRules().Prepare(c, books, time.UnixMicro(1381132800464123))
	if rej != nil || d.NeedHouse != nil {
		t.Fatal(rej, d.NeedHouse)
	}
	d.Entry.ID, d.Entry.Epoch = ledger.MakeID(3, 77), 5
	golden(t, "trade.hex", wrapHex(ledger.AppendEntry(nil, d.Entry)))
	golden(t, "content.hex", wrapHex(d.Content[:]))
	account := &ledger.Entry{ID: 1, Epoch: 1, BookedAt: time.UnixMicro(1), Kind: ledger.KindOpen, Account: &ledger.Account{ID: 100018, Code: "cust:100018", Kind: "customer", Entity: 18}}
	golden(t, "account.hex", wrapHex(ledger.AppendEntry(nil, account)))
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
		EffectiveDate: date("effective date"), Links: ledger.Links{Trade: 1, Reverses: ledger.ID(rapid.Int64Min(0).Draw(t, "link"))},
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
