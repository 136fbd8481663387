package bank_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/bkledger/bk/compat/bank"
)

func seeds(f *testing.F) {
	for _, tradeType := range []string{bank.ExchangeTrade, bank.BilateralTrade, bank.AwayTrade, bank.AllocationTrade, bank.TransferTrade} {
		f.Add([]byte(with(tradeType, "settlement.date", "99991231")))
		f.Add([]byte(with(tradeType, "interest.accrued", `"1.5"`)))
		f.Add([]byte(with(tradeType, "user_data", `{"a":["\u00e9\ud83d\ude00\n<",1e5,null]}`)))
		f.Add([]byte(with(tradeType, "cancel_trade_id", "7")))
		f.Add([]byte(with(tradeType, "timestamp", "0")))
		f.Add([]byte(with(tradeType, "timestamp", "99999999")))
		f.Add([]byte(with(tradeType, "timestamp", "99999999999")))
		f.Add([]byte(with(tradeType, "timestamp", "100000000000")))
	}
	f.Add(call(1)[1 : len(call(1))-1])
	f.Add([]byte(`[{"a":"\\\"","b":[[],{},""],"c":-0.5e+7}, true,false ,null]`))
	f.Add([]byte(`"\ud800"`))
}

// checkTrade holds a trade that was read against what must be so of it.
func checkTrade(t interface {
	Fatalf(string, ...any)
}, trade bank.Trade) {
	text := trade.AppendJSON(nil)
	again, err := bank.ReadTrade(text)
	if err != nil || !again.Same(&trade) || again.Timestamp != trade.Timestamp {
		t.Fatalf("%s\nis read again as\n%s, %v", text, again.AppendJSON(nil), err)
	}
	escaped, err := json.Marshal(trade) // with escapes for HTML
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if again, err = bank.ReadTrade(escaped); err != nil || !again.Same(&trade) {
		t.Fatalf("%s\nis read again as\n%s, %v", escaped, again.AppendJSON(nil), err)
	}
	var back bank.Trade // by encoding/json
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if !back.Same(&trade) || back.Timestamp != trade.Timestamp {
		t.Fatalf("%s\nis, by its struct,\n%s", text, back.AppendJSON(nil))
	}
	stored := bank.StoredTrade{TradeID: 7, Trade: trade, State: bank.StateNew, GrossAmount: bank.Decimal{Decimal: trade.Quantity.Mul(trade.Price.Decimal)}}
	var storedBack bank.StoredTrade
	if err := json.Unmarshal(stored.AppendJSON(nil), &storedBack); err != nil || storedBack.Timestamp != trade.Timestamp || !bytes.Equal(storedBack.AppendJSON(nil), stored.AppendJSON(nil)) {
		t.Fatalf("%s\nis, stored,\n%s, %v", stored.AppendJSON(nil), storedBack.AppendJSON(nil), err)
	}
}

// FuzzReadTrade: nothing panics; what is read is read the same again from what is written.
func FuzzReadTrade(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		trade, err := bank.ReadTrade(text)
		trades, errOfCall := bank.ReadTrades(append(append([]byte{'['}, text...), ']'))
		if err != nil {
			if kind := bank.TypeOf(err); kind != bank.MalformedTrade && kind != bank.MalformedRequest {
				t.Fatalf("%s: %v", text, err)
			}
			return
		}
		if errOfCall != nil || len(trades) != 1 || !trades[0].Same(&trade) {
			t.Fatalf("%s: alone it is a trade, in a call %v", text, errOfCall)
		}
		checkTrade(t, trade)
	})
}

// FuzzReadTrades: what is malformed_request is just what encoding/json does not take for an array.
func FuzzReadTrades(f *testing.F) {
	seeds(f)
	f.Add(call(2))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := bank.ReadTrades(body)
		var array []json.RawMessage
		isArray := json.Unmarshal(body, &array) == nil && array != nil
		if malformed := bank.TypeOf(err) == bank.MalformedRequest; isArray && malformed && !tooStrict(body) || !isArray && !malformed {
			t.Fatalf("%q: %v; for encoding/json an array: %t", body, err, isArray)
		}
	})
}

// tooStrict tells whether this package refuses on purpose what encoding/json takes: bytes that are not UTF-8, deep nesting.
func tooStrict(body []byte) bool {
	depth, deepest := 0, 0
	for _, c := range body {
		switch c {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	return !bytes.Equal(bytes.ToValidUTF8(body, nil), body) || deepest > 100
}

// FuzzReadOperations: nothing panics, faults are malformed_request, and what is read is read the same again.
func FuzzReadOperations(f *testing.F) {
	seeds(f)
	f.Add([]byte(`{"entity_id":"7","client_code":"c","legal_name":"L","account_id":1,"name":"n","date":20131007}`))
	f.Add([]byte(`{"client_id":"a","account_id":1,"currency":"USD","amount":"2.50","kind":"journal","target_account_id":"2"}`))
	f.Add([]byte(`{"trade_id":5,"booked_at":1381132800464,"request":` + with(bank.AwayTrade, "x", "") + `}`))
	f.Add([]byte(`{"trade_id":5,"booked_at":1,"request":` + with(bank.AwayTrade, "timestamp", "7") + `}`))
	f.Add([]byte(`{"trade_id":5,"canceled_at":99999999}`))
	f.Add([]byte(`{"cash_id":5,"cash":{"client_id":"a","account_id":1,"currency":"USD","amount":"1","kind":"deposit"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, read := range []func([]byte) (any, error){entity, account, cash, day, replay} {
			value, err := read(body)
			if err != nil {
				if bank.TypeOf(err) != bank.MalformedRequest {
					t.Fatalf("%q: %v", body, err)
				}
				continue
			}
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			if _, isDay := value.(bank.Date); isDay {
				continue
			}
			again, err := read(text)
			if err != nil {
				t.Fatalf("%q is written as %s: %v", body, text, err)
			}
			if written, err := json.Marshal(again); err != nil || !bytes.Equal(written, text) {
				t.Fatalf("%q: %s, then %s, %v", body, text, written, err)
			}
		}
	})
}

// FuzzParseDecimal holds the parser against the contract's pattern and the library's numbers.
func FuzzParseDecimal(f *testing.F) {
	for _, text := range []string{"0", "-0.50", ".5", "1.", "123456789012345678.1234567891", "00.0", "-", "1e5", "999999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := bank.ParseDecimal(text)
		if err != nil {
			return
		}
		again, err := bank.ParseDecimal(d.String())
		if err != nil || !again.Equal(d.Decimal) || again.String() != d.String() || d.InRange() != nil {
			t.Fatalf("%q is %s, again %s, %v", text, d, again, err)
		}
	})
}

// FuzzReadRow: nothing panics, and a row is read as the JSON with the same fields is.
func FuzzReadRow(f *testing.F) {
	f.Add("type,quantity,fees.commission", "away_trade,5,1.5")
	f.Add("locate.id,locate.source,user_data,solicited", "a,b,{\"x\":1},true")
	f.Fuzz(func(t *testing.T, header, row string) {
		columns := bytes.Split([]byte(header), []byte(","))
		cells := bytes.Split([]byte(row), []byte(","))
		names, record := make([]string, len(columns)), make([]string, len(cells))
		for i := range columns {
			names[i] = string(columns[i])
		}
		for i := range cells {
			record[i] = string(cells[i])
		}
		rows := bank.NewTradeRows(names)
		if trade, err := rows.Trade(record); err == nil {
			checkTrade(t, trade)
		} else if bank.TypeOf(err) != bank.MalformedTrade {
			t.Fatalf("%q, %q: %v", header, row, err)
		}
		cancels, err := bank.NewCancelRows(names)
		if err != nil {
			return
		}
		if ref, err := cancels.Ref(record); err == nil && ref.TradeID == 0 && (ref.AccountID == 0 || ref.ClientTradeID == "") {
			t.Fatalf("%q, %q: %+v", header, row, ref)
		}
	})
}

// TestTradesAreReadAsWritten draws trades of every shape.
func TestTradesAreReadAsWritten(t *testing.T) {
	t.Parallel()
	optional := map[string]*rapid.Generator[string]{
		"side.position":         rapid.SampledFrom([]string{`"open"`, `"close"`}),
		"settlement.date":       rapid.SampledFrom([]string{`20131007`, `20131010`, `99991231`}),
		"settlement.currency":   rapid.SampledFrom([]string{`"USD"`, `"CAD"`}),
		"fees.commission":       rapid.StringMatching(`"-?[0-9]{0,5}\.?[0-9]{1,10}"`),
		"fees.omit_sec":         rapid.SampledFrom([]string{`true`, `false`}),
		"interest.yield":        rapid.StringMatching(`"-?[0-9]{0,5}\.?[0-9]{1,10}"`),
		"interest.accrued":      rapid.StringMatching(`"-?[0-9]{0,5}\.?[0-9]{1,10}"`),
		"interest.accrued_days": rapid.StringMatching(`[1-9][0-9]{0,3}`),
		"order_id":              jsonString(),
		"client_trade_id":       rapid.StringMatching(`"[a-z]{1,20}"`),
		"cancel_trade_id":       rapid.StringMatching(`"?[1-9][0-9]{0,9}`).Filter(func(s string) bool { return s[0] != '"' }),
		"user_data":             jsonString(),
		"locate.id":             jsonString(),
		"branch_office":         rapid.SampledFrom([]string{`1`, `[1,2,{"a":null}]`, `true`, `1.50e3`}),
		"quantity":              rapid.StringMatching(`"[0-9]{0,7}[1-9](\.[0-9]{1,4})?"`),
		"price":                 rapid.StringMatching(`"([0-9]{1,7}|[0-9]{0,7}\.[0-9]{1,4})"`),
	}
	names := slices.Sorted(maps.Keys(optional)) // in one order, so that a failure can be reproduced
	rapid.Check(t, func(t *rapid.T) {
		text := with(rapid.SampledFrom([]string{bank.ExchangeTrade, bank.BilateralTrade, bank.AwayTrade, bank.AllocationTrade, bank.TransferTrade}).Draw(t, "type"), "x", "")
		var changed map[string]any
		for _, field := range names {
			values := optional[field]
			if rapid.Bool().Draw(t, "has "+field) {
				value := values.Draw(t, field)
				var err error
				if text, changed, err = set(text, field, value); err != nil {
					t.Fatalf("%s = %s: %v (%v)", field, value, err, changed)
				}
			}
		}
		trade, err := bank.ReadTrade([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		checkTrade(t, trade)
	})
}

func jsonString() *rapid.Generator[string] {
	return rapid.Map(rapid.StringN(0, 20, -1).Filter(func(s string) bool { return !bytes.ContainsRune([]byte(s), 0) }), func(s string) string {
		text, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		return string(text)
	})
}

// set changes a field, one level down at most.
func set(text, path, value string) (string, map[string]any, error) {
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		return "", nil, err
	}
	inner, name := object, path
	if i := bytes.IndexByte([]byte(path), '.'); i >= 0 {
		next, ok := object[path[:i]].(map[string]any)
		if !ok {
			next = map[string]any{}
			object[path[:i]] = next
		}
		inner, name = next, path[i+1:]
	}
	inner[name] = json.RawMessage(value)
	out, err := json.Marshal(object)
	return string(out), object, err
}
