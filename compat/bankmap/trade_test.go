package bankmap_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/ledger"
)

// pick is a generator of one of some values.
func pick[T any](values ...T) *rapid.Generator[T] { return rapid.SampledFrom(values) }

// texts are ids and names: plain ones, and such as BK doesn't take.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9_-]{1,20}`),
		pick("sha256:"+strings.Repeat("0", 64), "tab\tand\nline", "<&>\u2028é", strings.Repeat("é", 256), strings.Repeat("x", 256), "/", " ", "812"),
		rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 1, 256, -1),
	)
}

func codes() *rapid.Generator[string] {
	return rapid.OneOf(pick("XNYS", "ABCD", "x", "0123456789"), pick("A B", "ä", "éééééééééé", "a-b", "tab\t"))
}

func kept() *rapid.Generator[json.RawMessage] {
	return pick[json.RawMessage](nil, nil, nil, json.RawMessage(`"text"`), json.RawMessage(`{"b":1,"a":[true,null,1e3,"<\u003c&>"]}`), json.RawMessage(`0`),
		json.RawMessage(`false`), json.RawMessage(`[]`), json.RawMessage(`"`+strings.Repeat("x", 3000)+`"`), json.RawMessage(`""`))
}

func decimals(most int64, negative bool) *rapid.Generator[bank.Decimal] {
	return rapid.Custom(func(t *rapid.T) bank.Decimal {
		least := int64(0)
		if negative {
			least = -most
		}
		text := fmt.Sprint(rapid.Int64Range(least, most).Draw(t, "whole"))
		if digits := rapid.StringMatching(`[0-9]{0,4}`).Draw(t, "fraction"); digits != "" {
			text += "." + digits
		}
		d, err := bank.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

// drawTrade draws a trade as a client could have sent it, normalised.
func drawTrade(t *rapid.T) bank.Trade {
	draw := func(g *rapid.Generator[string], name string) string { return g.Draw(t, name) }
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	in := bank.Trade{
		Type:      draw(pick(bank.ExchangeTrade, bank.BilateralTrade, bank.AllocationTrade, bank.TransferTrade, bank.AwayTrade), "type"),
		Timestamp: rapid.OneOf(pick[int64](100000000000, 253402300799999), rapid.Int64Range(1e11, 2e12)).Draw(t, "timestamp"), ClientTradeID: draw(texts(), "client_trade_id"),
		Date: pick[bank.Date](20010101, 20131007, 20240229, 21000101).Draw(t, "date"), AccountID: pick[bank.ID](1, 100018, 1<<40-1).Draw(t, "account"),
		Quantity: decimals(1e6, false).Draw(t, "quantity"), Price: decimals(1e5, false).Draw(t, "price"),
		Instrument: bank.Instrument{
			Identifier: draw(pick("IBM", "BRK/B", "2005973", "a b"), "symbol"), IdentifierType: draw(pick("ticker", "cusip", "isin", "sedol"), "scheme"),
			Country: draw(pick("USA", "CA"), "country"), Currency: draw(pick("USD", "EUR"), "currency"),
		},
		Side:     bank.Side{Direction: draw(pick(bank.Buy, bank.Sell), "side"), Position: draw(pick("", "open", "close"), "position")},
		Capacity: draw(pick("agency", "principal", "mixed", "riskless_principal"), "capacity"), MIC: draw(codes(), "mic"), ExecMPID: draw(codes(), "exec"),
		ContraMPID: draw(codes(), "contra"), ContraClearingNum: draw(rapid.OneOf(codes(), texts()), "clearing"), TargetAccountID: 7,
		Settlement:   bank.Settlement{Currency: draw(pick("USD", "EUR", "JPY"), "settles in"), Date: pick[bank.Date](0, 0, 99991231, 21000101).Draw(t, "settles")},
		Fees:         bank.Fees{Commission: decimals(100, true).Draw(t, "commission"), OmitSEC: flag("sec"), OmitTAF: flag("taf"), OmitBill: flag("bill")},
		IsWhenIssued: flag("when-issued"), OrderID: draw(rapid.OneOf(pick(""), texts()), "order"), CancelTradeID: draw(rapid.OneOf(pick(""), texts()), "cancel"),
		ContraSideQualifier: kept().Draw(t, "k1"), NSCCClearing: kept().Draw(t, "k2"), LastMarket: kept().Draw(t, "k3"), Locate: kept().Draw(t, "k4"),
		BehalfOfAccountID: kept().Draw(t, "k5"), Solicited: kept().Draw(t, "k6"), RegisteredRep: kept().Draw(t, "k7"), BranchOffice: kept().Draw(t, "k8"),
		UserData: kept().Draw(t, "k9"),
	}
	if in.Side.Direction == bank.Sell && flag("short") {
		in.Side.Qualifier = "short"
	}
	if flag("interest") {
		in.Interest = &bank.Interest{Accrued: decimals(100, true).Draw(t, "accrued")}
		if flag("yield") {
			yield := decimals(20, true).Draw(t, "yield")
			in.Interest.Yield = &yield
		}
		if flag("days") {
			days := rapid.Int64Range(0, 400).Draw(t, "days")
			in.Interest.AccruedDays = &days
		}
	}
	if in.Instrument.IdentifierType == "sedol" && flag("bare") {
		in.Instrument.Country, in.Instrument.Currency = "", ""
	}
	if in.Quantity.IsZero() {
		in.Quantity, _ = bank.ParseDecimal("0.0000000001")
		in.Price = bank.Decimal{}
	}
	normal, err := bank.ReadTrade(in.AppendJSON(nil))
	if err != nil {
		t.Fatalf("%s: %v", in.AppendJSON(nil), err)
	}
	return normal
}

// TestRoundTrip books generated trades by BK's own rules and reads them back.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rules := ledger.StandardRules()
	rapid.Check(t, func(t *rapid.T) {
		trade := drawTrade(t)
		instrument := bankmap.Natural(trade.Instrument)
		if rapid.Bool().Draw(t, "own instrument") {
			instrument = bankmap.OwnIdentifiers(trade.Instrument.Identifier)[0]
		}
		command, extras, err := bankmap.FromTrade(&trade, instrument)
		if err != nil {
			t.Fatal(err)
		}
		if trade.CancelTradeID != "" {
			bankmap.Replacing(command, &trade, 0)
		}
		if extras != "" {
			if !bankmap.Inline(extras, bankmap.MaxInline) {
				t.Fatalf("extras of %d bytes", len(extras))
			}
			command.Metadata = map[string]string{bankmap.MetadataKey: extras}
		}
		command.Source = bankmap.Origin{Kind: bankmap.OriginTrade, ID: 812, At: 1381132800464}.String()
		entry := book(t, rules, &trade, command, instrument)
		x, err := bankmap.ParseExtras(entry.Metadata[bankmap.MetadataKey])
		if err != nil {
			t.Fatal(err)
		}
		stored, err := bankmap.Stored(entry.Trade, []*bkv1.Entry{entry}, x, 812, 900, 811)
		if err != nil {
			t.Fatal(err)
		}
		if !stored.Trade.Same(&trade) {
			t.Errorf("booked\n%s\ngives\n%s", trade.AppendJSON(nil), stored.Trade.AppendJSON(nil))
		}
		if stored.TradeID != 812 || stored.BookedAt != 1381132800464 || *stored.ReplacedBy != 900 || *stored.Replaces != 811 || stored.CanceledAt != nil {
			t.Errorf("stored %s", stored.AppendJSON(nil))
		}
		if gross := trade.Quantity.Mul(trade.Price.Decimal); !stored.GrossAmount.Equal(gross) {
			t.Errorf("gross %s of %s x %s", stored.GrossAmount, trade.Quantity, trade.Price)
		}
		if trade.IsWhenIssued && trade.Settlement.Date == 0 && stored.SettleDate != bank.WhenIssued {
			t.Errorf("when-issued, and settles %d", stored.SettleDate)
		}
		checkRows(t, entry, &stored)
	})
}

// book books a command as BK does, through its messages.
func book(t *rapid.T, rules *ledger.Rules, trade *bank.Trade, command *bkv1.Command, instrument *bkv1.Identifier) *bkv1.Entry {
	raw, err := proto.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	var received bkv1.Command
	if err := proto.Unmarshal(raw, &received); err != nil {
		t.Fatal(err)
	}
	c, _, rej := wire.Command(&received)
	if rej != nil {
		t.Fatalf("%s: %v", trade.AppendJSON(nil), rej)
	}
	books := ledger.NewDirectory()
	define := func(account string, id int64, in *ledger.Instrument) {
		e := &ledger.Entry{Define: in}
		if in == nil {
			e.Account = &ledger.Account{Code: account, ID: id}
		}
		if _, rej := books.Reserve(e); rej != nil {
			t.Fatal(rej)
		}
		books.Apply(e)
	}
	for _, account := range []bank.ID{trade.AccountID, trade.TargetAccountID} {
		if account != 0 {
			define(bankmap.AccountCode(account), int64(account), nil)
		}
	}
	currency := ledger.Currency(trade.Settlement.Currency)
	define("", 0, &currency)
	identifier, rej := wire.IdentifierFrom("instrument", instrument)
	if rej != nil {
		t.Fatal(rej)
	}
	define("", 0, &ledger.Instrument{Symbol: "x", Kind: ledger.KindSecurity, Identifiers: []ledger.Identifier{identifier}})
	draft, rej := rules.Prepare(c, books, time.Now())
	for _, code := range draft.NeedHouse {
		define(code, 0, nil)
	}
	if draft.NeedHouse != nil {
		draft, rej = rules.Prepare(c, books, time.Now())
	}
	if rej != nil {
		t.Fatalf("%s: %v", trade.AppendJSON(nil), rej)
	}
	c.Replaces = nil // what it was replaces is another test's
	entries, rej := rules.Decide(nil, &draft, nil, ledger.Moment{Next: 9, Books: books})
	if rej != nil {
		t.Fatal(rej)
	}
	return wire.Entry(entries[0])
}

// checkRows holds the rows of the entry that opened a trade against the trade.
func checkRows(t *rapid.T, entry *bkv1.Entry, stored *bank.StoredTrade) {
	var cash, quantity bank.Decimal
	rows, err := bankmap.Rows(entry, stored.AccountID, bankmap.RowNames{Date: 20131007, Trade: stored.TradeID})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if row.JournalID != bankmap.RowID(entry.Sequence, i) || bankmap.RowPlace(row.JournalID) != entry.Sequence || *row.TradeID != 812 || row.Date != 20131007 ||
			row.Symbol != stored.Instrument.Identifier || row.Currency != stored.Settlement.Currency || !row.SDAmount.IsZero() || !row.SDQuantity.IsZero() {
			t.Errorf("row %d: %+v", i, row)
		}
		cash.Decimal, quantity.Decimal = cash.Add(row.TDAmount.Decimal), quantity.Add(row.TDQuantity.Decimal)
	}
	want := stored.Quantity
	if stored.Side.Direction == bank.Sell {
		want.Decimal = want.Neg()
	}
	if !cash.Equal(stored.NetAmount.Decimal) || !quantity.Equal(want.Decimal) || rows[0].Memo != "open" {
		t.Errorf("rows %+v of %s", rows, stored.AppendJSON(nil))
	}
	if stored.TargetAccountID == 0 {
		return
	}
	other, err := bankmap.Rows(entry, stored.TargetAccountID, bankmap.RowNames{})
	if err != nil || len(other) != 1 || !other[0].TDQuantity.Equal(want.Neg()) || !other[0].TDAmount.Equal(rows[0].TDAmount.Neg()) {
		t.Errorf("the other account's rows %+v (%v) of %s", other, err, stored.AppendJSON(nil))
	}
}

// TestDifferentTradesAreDifferentCommands: what makes two trades different to Bank makes their commands different to BK.
func TestDifferentTradesAreDifferentCommands(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		one, other := drawTrade(t), drawTrade(t)
		id := bankmap.OwnIdentifiers("IBM")[0]
		a, ax, err := bankmap.FromTrade(&one, id)
		b, bx, err2 := bankmap.FromTrade(&other, id)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if same := proto.Equal(a, b) && ax == bx; same != one.Same(&other) {
			t.Errorf("commands are the same: %t, trades are: %t", same, one.Same(&other))
		}
	})
}
