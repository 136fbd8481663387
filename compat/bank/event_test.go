package bank_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/bkledger/bk/compat/bank"
)

// The events of each shape, as Bank has always written them.
const (
	tradeEvent = `{"event_id":812,"event":"opened","at":1381132800464,"business_date":20131007,"account_id":"100018","trade":{"trade_id":"17","type":"exchange_trade",` +
		`"timestamp":1381132800464,"client_trade_id":"a<b","date":20131007,"account_id":"100018","quantity":"100","price":"167.41","instrument":{"identifier":"IBM",` +
		`"identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"buy"},"capacity":"agency","mic":"XNYS","exec_mpid":"ABCD","settlement":{"currency":"USD"},` +
		`"fees":{"commission":"1.5","omit_sec":false,"omit_taf":false,"omit_bill":false},"is_when_issued":false,"user_data":{"a":[1,"<x>"]},"state":"open","settle_date":20131010,` +
		`"gross_amount":"16741","sec_fee":"0","taf_fee":"0","net_amount":"-16742.5","booked_at":1381132800465,"canceled_at":null,"replaced_by":null,"replaces":"16"},` +
		`"position":"100","balance":"-16742.5","settled_position":"0","settled_balance":"0"}`
	wholeEvent = `{"event_id":9007199254740993,"event":"canceled","at":1381132800464,"business_date":0,"account_id":"2","trade":{"trade_id":"18","type":"allocation_trade",` +
		`"timestamp":7000,"client_trade_id":"\"é\n","date":20131007,"account_id":"1","quantity":"0.5","price":"1.0000000001","instrument":{"identifier":"BRK.A",` +
		`"identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"sell","qualifier":"short","position":"open"},"capacity":"agency","mic":"X","exec_mpid":"E",` +
		`"contra_mpid":"C","contra_clearing_num":"0443","target_account_id":"2","settlement":{"currency":"CAD","date":99991231},` +
		`"fees":{"commission":"-1","omit_sec":true,"omit_taf":true,"omit_bill":true},"interest":{"yield":"2.5","accrued":"3","accrued_days":0},"is_when_issued":true,"order_id":"o",` +
		`"cancel_trade_id":"16","contra_side_qualifier":1,"nscc_clearing":{},"last_market":"m","locate":{"id":"x","source":"y"},"behalf_of_account_id":7,"solicited":false,` +
		`"registered_rep":"r","branch_office":[],"user_data":1.50e3,"state":"canceled","settle_date":99991231,"gross_amount":"0.50000000005","sec_fee":"0.01","taf_fee":"0.02",` +
		`"net_amount":"3.1","booked_at":0,"canceled_at":1381132800466,"replaced_by":"19","replaces":"9223372036854775807"},` +
		`"position":"-1234567890123456789012.25","balance":"0","settled_position":"1","settled_balance":"-0.0000000001"}`
	cashEvent = `{"event_id":7,"event":"journal","at":1381132800464,"business_date":20131007,"account_id":"100018","cash_id":"12","client_id":"\u003cc\u003e \u0026 \u2028 \"",` +
		`"currency":"USD","amount":"-250","balance":"250","settled_balance":"250"}`
	dateEvent = `{"event_id":3,"event":"rolled","at":1381132800464,"from":0,"to":20131008}`
)

func everyEvent() map[string]string {
	events := map[string]string{bank.EventOpened: tradeEvent, bank.EventCanceled: wholeEvent, bank.CashJournal: cashEvent, bank.EventRolled: dateEvent}
	for _, kind := range []string{bank.EventBooked, bank.EventSettled} {
		events[kind] = strings.Replace(tradeEvent, `"opened"`, `"`+kind+`"`, 1)
	}
	for _, kind := range []string{bank.Deposit, bank.Withdrawal} {
		events[kind] = strings.Replace(cashEvent, `"journal"`, `"`+kind+`"`, 1)
	}
	return events
}

func readEvent(t testing.TB, text string) bank.Event {
	t.Helper()
	e, err := bank.ReadEvent([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// TestEvents: each kind is written byte by byte as it ever was, and read in both ways as the same.
func TestEvents(t *testing.T) {
	t.Parallel()
	for kind, text := range everyEvent() {
		e := readEvent(t, text)
		if got := string(e.AppendJSON(nil)); got != text || e.Kind != kind {
			t.Errorf("%s:\n%s\nis written as\n%s", kind, text, got)
		}
		if got := fmt.Sprintf(`{"event_id":%d,%s`, e.ID, e.AppendFields(nil)); got != text {
			t.Errorf("%s: behind the id: %s", kind, got)
		}
		quick, ok := bank.QuickEvent(text)
		if long := kind == bank.EventCanceled; ok == long { // its last link has more digits than the quick way takes
			t.Errorf("%s: the quick way: %t", kind, ok)
		} else if ok && string(quick.AppendJSON(nil)) != text {
			t.Errorf("%s: quickly read as %s", kind, quick.AppendJSON(nil))
		}
		slow, err := bank.SlowEvent(text)
		if err != nil || string(slow.AppendJSON(nil)) != text {
			t.Errorf("%s: slowly read as %s, %v", kind, slow.AppendJSON(nil), err)
		}
	}
	e := readEvent(t, tradeEvent)
	if e.ID != 812 || e.Topic() != "bank.trades" || e.Key() != "100018" || e.Trade.TradeID != 17 || e.Trade.ClientTradeID != "a<b" || *e.Trade.Replaces != 16 || e.Balance.String() != "-16742.5" {
		t.Errorf("%+v", e)
	}
	if e = readEvent(t, cashEvent); e.Topic() != "bank.cash" || e.Key() != "100018" || e.ClientID != "<c> & \u2028 \"" || e.Amount.String() != "-250" || e.CashID != 12 {
		t.Errorf("%+v", e)
	}
	if e = readEvent(t, dateEvent); e.Topic() != "bank.business-date" || e.Key() != "" || e.From != 0 || e.To != 20131008 {
		t.Errorf("%+v", e)
	}
}

// TestEventInAnotherSpelling: space, another order, escapes, nulls and fields that are not known don't matter.
func TestEventInAnotherSpelling(t *testing.T) {
	t.Parallel()
	for kind, text := range everyEvent() {
		var fields map[string]any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		fields["more"] = map[string]any{"trade": 1}
		if trade, ok := fields["trade"].(map[string]any); ok {
			trade["mood"] = "good"
			if kind == bank.EventOpened {
				trade["order_id"] = nil
			}
		}
		other, err := json.MarshalIndent(fields, " ", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if e, err := bank.ReadEvent(other); err != nil || string(e.AppendJSON(nil)) != text {
			t.Errorf("%s\nis read as\n%s (%v)", other, e.AppendJSON(nil), err)
		}
	}
	e := readEvent(t, strings.NewReplacer(`"100018"`, `100018`, `"167.41"`, `"0167.4100"`, `"settled_position":"0"`, `"settled_position":"-.0"`).Replace(tradeEvent))
	if got := string(e.AppendJSON(nil)); got != tradeEvent {
		t.Errorf("read as %s", got)
	}
}

// TestEventFaults: every field that is left out, given twice or of the wrong kind is named.
func TestEventFaults(t *testing.T) {
	t.Parallel()
	optional := map[string]bool{
		"instrument.country": true, "instrument.currency": true, "side.qualifier": true, "side.position": true, "capacity": true, "mic": true, "exec_mpid": true, "contra_mpid": true,
		"contra_clearing_num": true, "target_account_id": true, "settlement.date": true, "interest": true, "interest.yield": true, "interest.accrued_days": true, "order_id": true, "cancel_trade_id": true,
		"contra_side_qualifier": true, "nscc_clearing": true, "last_market": true, "locate": true, "behalf_of_account_id": true, "solicited": true, "registered_rep": true,
		"branch_office": true, "user_data": true, "canceled_at": true, "replaced_by": true, "replaces": true,
	}
	kept := map[string]bool{"contra_side_qualifier": true, "nscc_clearing": true, "last_market": true, "locate": true, "behalf_of_account_id": true, "solicited": true,
		"registered_rep": true, "branch_office": true, "user_data": true}
	checked := 0
	expect := func(text, path, what string) {
		t.Helper()
		checked++
		_, err := bank.ReadEvent([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s %s: %v\n%s", path, what, err, text)
		}
	}
	for _, text := range []string{tradeEvent, wholeEvent, cashEvent, dateEvent} {
		var walk func(path string, object map[string]json.RawMessage, whole func(string) string)
		walk = func(path string, object map[string]json.RawMessage, whole func(string) string) {
			encode := func(name, as string) string {
				var parts []string
				for _, n := range slices.Sorted(maps.Keys(object)) {
					if n == name {
						if as == "" {
							continue
						}
						parts = append(parts, as)
					} else {
						parts = append(parts, fmt.Sprintf("%q:%s", n, object[n]))
					}
				}
				return whole("{" + strings.Join(parts, ",") + "}")
			}
			for name, value := range object {
				full := strings.TrimPrefix(path+"."+name, ".")
				short := strings.TrimPrefix(full, "trade.")
				if !optional[short] || full == short {
					expect(encode(name, ""), full, "left out")
					expect(encode(name, fmt.Sprintf("%q:null", name)), full, "null")
				}
				expect(encode(name, fmt.Sprintf("%q:%s,%q:%s", name, value, name, value)), full, "twice")
				if kept[short] {
					expect(encode(name, fmt.Sprintf(`%q:"\ud800"`, name)), full, "half a character")
				} else {
					expect(encode(name, fmt.Sprintf("%q:[]", name)), full, "a list")
				}
				var inner map[string]json.RawMessage
				if !kept[short] && json.Unmarshal(value, &inner) == nil && inner != nil {
					walk(full, inner, func(s string) string { return encode(name, fmt.Sprintf("%q:%s", name, s)) })
				}
			}
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		walk("", object, func(s string) string { return s })
	}
	if checked < 200 {
		t.Errorf("only %d faults were tried", checked)
	}
	for _, c := range []struct{ path, old, new string }{
		{"event_id", `"event_id":812`, `"event_id":0`},
		{"event", `"event":"opened"`, `"event":"late"`},
		{"business_date", `"business_date":20131007`, `"business_date":20131032`},
		{"account_id", `,"account_id":"100018","trade"`, `,"account_id":"0","trade"`},
		{"trade.settle_date", `"settle_date":20131010`, `"settle_date":0`},
		{"trade.quantity", `"quantity":"100"`, `"quantity":"1e2"`},
		{"trade.side.direction", `"direction":"buy"`, `"direction":""`},
		{"position", `"position":"100"`, `"position":100`},
		{"trade.fees.omit_taf", `"omit_taf":false`, `"omit_taf":0`},
	} {
		text := strings.Replace(tradeEvent, c.old, c.new, 1)
		if text == tradeEvent {
			t.Fatalf("%s is not in the event", c.old)
		}
		expect(text, c.path, c.new)
	}
	expect(strings.Replace(dateEvent, `"to":20131008`, `"to":0`, 1), "to", "not after from")
	for _, text := range []string{"", "7", "{", tradeEvent + "x", "{\"event_id\":1,\"event\":\"\xff\"}"} {
		if _, err := bank.ReadEvent([]byte(text)); err == nil {
			t.Errorf("%q is an event", text)
		}
	}
}

// FuzzReadEvent: nothing panics; what is read is read the same again from what is written, and both ways agree.
func FuzzReadEvent(f *testing.F) {
	for _, text := range everyEvent() {
		f.Add([]byte(text))
	}
	f.Add([]byte(strings.Replace(tradeEvent, `{"a":[1,"<x>"]}`, ` {"a" : "\u003c"}`, 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		quick, ok := bank.QuickEvent(string(text))
		e, err := bank.ReadEvent(text)
		scanned := scan(text)
		if err != nil {
			if scanned {
				t.Fatalf("%s is scanned, and then %v", text, err)
			}
			if ok && utf8.Valid(text) {
				t.Fatalf("%s is read quickly, and then %v", text, err)
			}
			return
		}
		written := e.AppendJSON(nil)
		if scanned && !bytes.Equal(text, written) {
			t.Fatalf("%s is scanned, and written as\n%s", text, written)
		}
		if slow, err := bank.SlowEvent(string(text)); err != nil || !bytes.Equal(slow.AppendJSON(nil), written) {
			t.Fatalf("%s\nis\n%s\nand slowly\n%s (%v)", text, written, slow.AppendJSON(nil), err)
		}
		if ok && !bytes.Equal(quick.AppendJSON(nil), written) {
			t.Fatalf("%s\nis\n%s\nand quickly\n%s", text, written, quick.AppendJSON(nil))
		}
		if again, err := bank.ReadEvent(written); err != nil || !bytes.Equal(again.AppendJSON(nil), written) {
			t.Fatalf("%s\nis written as\n%s\nand read again as\n%s (%v)", text, written, again.AppendJSON(nil), err)
		}
		var any any
		if json.Unmarshal(text, &any) != nil {
			t.Fatalf("%q is no JSON", text)
		}
	})
}

// TestEventsAreReadAsWritten draws events.
func TestEventsAreReadAsWritten(t *testing.T) {
	t.Parallel()
	text := rapid.StringN(1, 20, -1).Filter(func(s string) bool { return !strings.ContainsRune(s, 0) })
	amount := rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{0,9}[1-9])?`), func(s string) bank.Decimal {
		d := new(bank.Decimal)
		if err := d.UnmarshalJSON([]byte(`"` + s + `"`)); err != nil {
			panic(err)
		}
		return *d
	})
	id := rapid.Custom(func(t *rapid.T) bank.ID { return bank.ID(rapid.Int64Min(1).Draw(t, "id")) })
	kinds := slices.Sorted(maps.Keys(everyEvent()))
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		e, err := bank.ReadEvent([]byte(everyEvent()[kind]))
		if err != nil {
			t.Fatal(err)
		}
		e.ID, e.At = int64(id.Draw(t, "event")), rapid.Int64Min(0).Draw(t, "at")
		if kind != bank.EventRolled {
			e.AccountID, e.Balance, e.SettledBalance = id.Draw(t, "account"), amount.Draw(t, "balance"), amount.Draw(t, "settled")
		}
		if e.Trade != nil {
			e.Position, e.Trade.Quantity, e.Trade.OrderID = amount.Draw(t, "position"), amount.Draw(t, "quantity"), text.Draw(t, "order")
			e.Trade.Instrument.Country, e.Trade.CanceledAt = "", nil
		} else if kind != bank.EventRolled {
			e.ClientID, e.Amount = text.Draw(t, "client"), amount.Draw(t, "amount")
		}
		written := e.AppendJSON(nil)
		again, err := bank.ReadEvent(written)
		if err != nil || !bytes.Equal(again.AppendJSON(nil), written) {
			t.Fatalf("%s is read again as %s (%v)", written, again.AppendJSON(nil), err)
		}
		at := rapid.IntRange(0, len(written)-1).Draw(t, "changed")
		written[at] = rapid.SampledFrom([]byte(`0123456789.-,:"{}[] ntaeE\`)).Draw(t, "to")
		if scan(written) {
			if again, err := bank.ReadEvent(written); err != nil || !bytes.Equal(again.AppendJSON(nil), written) {
				t.Fatalf("%s is scanned, and is %s (%v)", written, again.AppendJSON(nil), err)
			}
		}
		written = e.AppendJSON(nil)
		if kind != bank.EventRolled && e.Trade == nil { // the escapes are those of encoding/json
			if quoted, _ := json.Marshal(e.ClientID); !bytes.Contains(written, append([]byte(`"client_id":`), quoted...)) {
				t.Fatalf("%s: the client id is not as in %s", written, quoted)
			}
		}
	})
}

func BenchmarkReadEvent(b *testing.B) {
	text := []byte(tradeEvent)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bank.ReadEvent(text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJSONValidEvent is a yardstick for a noisy machine, as BenchmarkJSONValid is.
func BenchmarkJSONValidEvent(b *testing.B) {
	text := []byte(tradeEvent)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if !json.Valid(text) {
			b.Fatal("not valid")
		}
	}
}

func BenchmarkReadEventInAnotherSpelling(b *testing.B) {
	text := []byte(strings.Replace(tradeEvent, `"event_id":`, ` "event_id":`, 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bank.ReadEvent(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	e := readEvent(b, tradeEvent)
	var to []byte
	b.ReportAllocs()
	for b.Loop() {
		to = e.AppendJSON(to[:0])
	}
}
