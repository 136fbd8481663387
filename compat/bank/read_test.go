package bank_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
)

// sample gives a trade of a type that has all it needs, as a JSON object that a test changes.
func sample(tradeType string) map[string]any {
	trade := map[string]any{
		"type": tradeType, "timestamp": 1381132800464, "client_trade_id": "c1", "date": 20131007, "account_id": 100018, "quantity": "100", "price": "167.41",
		"instrument": map[string]any{"identifier": "AAPL", "identifier_type": "ticker", "country": "USA", "currency": "USD"},
		"side":       map[string]any{"direction": "buy"},
	}
	switch tradeType {
	case bank.ExchangeTrade:
		trade["capacity"], trade["mic"], trade["exec_mpid"] = "agency", "XNYS", "CLST"
	case bank.BilateralTrade:
		trade["capacity"], trade["exec_mpid"], trade["contra_mpid"], trade["contra_clearing_num"] = "agency", "CLST", "GSCO", "0005"
	case bank.AwayTrade:
		trade["capacity"], trade["exec_mpid"], trade["contra_mpid"] = "agency", "CLST", "GSCO"
	default:
		trade["target_account_id"] = 100019
	}
	return trade
}

// with gives the sample after a change at a path such as side.direction; nil as the value leaves the field out.
func with(tradeType, path, value string) string {
	trade := sample(tradeType)
	object := trade
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	if value == "" {
		delete(object, names[len(names)-1])
	} else {
		object[names[len(names)-1]] = json.RawMessage(value)
	}
	text, err := json.Marshal(trade)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func read(t *testing.T, text string) bank.Trade {
	t.Helper()
	trade, err := bank.ReadTrade([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return trade
}

func TestNeededFields(t *testing.T) {
	t.Parallel()
	everyone := []string{"type", "timestamp", "client_trade_id", "date", "account_id", "quantity", "price", "instrument", "instrument.identifier",
		"instrument.identifier_type", "instrument.country", "instrument.currency", "side", "side.direction"}
	needed := map[string][]string{
		bank.ExchangeTrade:   {"capacity", "mic", "exec_mpid"},
		bank.BilateralTrade:  {"capacity", "exec_mpid", "contra_mpid", "contra_clearing_num"},
		bank.AwayTrade:       {"capacity", "exec_mpid", "contra_mpid"},
		bank.AllocationTrade: {"target_account_id"},
		bank.TransferTrade:   {"target_account_id"},
	}
	for tradeType, own := range needed {
		read(t, with(tradeType, "unknown", `{"a":[1]}`))
		for _, field := range append(own, everyone...) {
			for _, left := range []string{"", "null"} {
				_, err := bank.ReadTrade([]byte(with(tradeType, field, left)))
				if bank.TypeOf(err) != bank.MalformedTrade || !strings.Contains(err.Error(), " "+field+": missing") {
					t.Errorf("%s without %s (%q): %v", tradeType, field, left, err)
				}
			}
		}
	}
}

func TestFaultsOfFields(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return `"` + strings.Repeat("é", n) + `"` }
	faults := map[string][]string{
		"type":                       {`"swap"`, `""`, `1`, `{}`, `"Exchange_trade"`},
		"timestamp":                  {`"1381132800464"`, `1.5`, `1e12`, `-1`, `253402300800000`, `true`, `99999999999999999999`},
		"client_trade_id":            {`""`, long(257), `1`, `"\u0000"`, `"\ud800"`, `[]`},
		"date":                       {`"20131007"`, `20131301`, `20130229`, `20001231`, `21000102`, `0`, `20131007.0`, `-20131007`},
		"account_id":                 {`0`, `-1`, `"x"`, `""`, `1.0`, `1099511627776`, `"99999999999999999999"`, `true`, `" 1"`, `"+1"`},
		"quantity":                   {`100`, `"0"`, `"-1"`, `"1."`, `"1e3"`, `""`, `"."`, `"-"`, `"1000000000000000000"`, `"0.00000000001"`, `"--1"`, `" 1"`, `"1,000"`, `"NaN"`},
		"price":                      {`1`, `"-0.01"`, `"x"`, `"0.00000000001"`, `"999999999999999999"`},
		"instrument":                 {`"AAPL"`, `[]`, `1`},
		"instrument.identifier":      {`""`, `"ÄÖ"`, `"A:B"`, `1`, `"` + strings.Repeat("A", 33) + `"`},
		"instrument.identifier_type": {`"bloomberg"`, `""`, `7`},
		"instrument.country":         {`"usa"`, `"U"`, `"USAA"`, `""`, `1`},
		"instrument.currency":        {`"usd"`, `"US"`, `"USDT"`, `1`},
		"side":                       {`"buy"`, `[]`},
		"side.direction":             {`"sell-short"`, `1`, `"BUY"`},
		"side.qualifier":             {`"short"`, `"long"`, `""`}, // of a buy
		"side.position":              {`"opened"`, `true`},
		"capacity":                   {`"broker"`, `1`},
		"mic":                        {`""`, long(11), `1`},
		"exec_mpid":                  {`""`, long(11), `{}`},
		"contra_mpid":                {`""`, long(11), `false`},
		"contra_clearing_num":        {`5`, `""`},
		"contra_dtc_num":             {`5`},
		"target_account_id":          {`"x"`, `0`},
		"is_when_issued":             {`"true"`, `1`},
		"settlement":                 {`"USD"`, `[]`},
		"settlement.currency":        {`"usd"`, `""`},
		"settlement.date":            {`"20131010"`, `20131004`, `20130931`, `99991230`, `21000102`},
		"fees":                       {`"1"`, `[]`},
		"fees.commission":            {`1`, `"x"`, `"999999999999999999.9"`},
		"fees.omit_sec":              {`"true"`, `0`},
		"fees.omit_taf":              {`"false"`},
		"fees.omit_bill":             {`{}`},
		"interest":                   {`"1"`},
		"interest.yield":             {`4`, `"4%"`},
		"interest.accrued":           {`1`, `"999999999999999999"`},
		"interest.accrued_days":      {`"3"`, `-1`, `1.5`},
		"fixed_income":               {`"1"`},
		"locate":                     {`"\ud800"`, `"` + strings.Repeat("x", bank.MaxKeptBytes) + `"`},
		"user_data":                  {`{"a":"\udc00\ud800"}`},
		"order_id":                   {`1`, long(257), `"a\u0000"`},
		"cancel_trade_id":            {`""`, `-1`, `1.5`, `true`, long(257)},
	}
	for field, values := range faults {
		for _, value := range values {
			text := `[` + with(bank.ExchangeTrade, "x", "1") + `,` + with(bank.ExchangeTrade, field, value) + `]`
			_, err := bank.ReadTrades([]byte(text))
			if told := new(bank.Error); !errors.As(err, &told) || told.Type != bank.MalformedTrade || !strings.HasPrefix(told.Message, "trades[1]."+field+": ") &&
				!(field == "contra_dtc_num" && strings.HasPrefix(told.Message, "trades[1].contra_")) {
				t.Errorf("%s = %.60s: %v", field, value, err)
			}
		}
	}
}

func TestFaultsOfBodies(t *testing.T) {
	t.Parallel()
	good, bad := with(bank.ExchangeTrade, "x", "1"), with(bank.ExchangeTrade, "quantity", "")
	late := strings.Replace(bad, "{", `{"price":1,"price":"2","PRICE":"3",`, 1)
	many := func(n int, trade string) string { return strings.TrimSuffix(strings.Repeat(trade+",", n), ",") }
	for body, want := range map[string]string{
		``:                                   "malformed_request: the body is not JSON",
		` `:                                  "malformed_request: the body is not JSON",
		`{}`:                                 "malformed_request: the body is not an array",
		`"x"`:                                "malformed_request: the body is not an array",
		`null`:                               "malformed_request: the body is not an array",
		"[\"\xff\"]":                         "malformed_request: the body is not UTF-8",
		`[` + bad + `,]`:                     "malformed_request: the body is not JSON", // precedence: the body as a whole first
		`[` + bad + `] x`:                    "malformed_request: the body is not JSON",
		`[` + good + ` ` + good + `]`:        "malformed_request: the body is not JSON",
		`[`:                                  "malformed_request: the body is not JSON",
		`[]`:                                 "too_many_trades: 0 trades",
		`[` + many(1001, good) + `]`:         "too_many_trades: 1001 trades",
		`[` + many(1001, good) + `,7]`:       "malformed_trade: trades[1001]: must be an object", // the shape of all first
		`[` + good + `,null]`:                "malformed_trade: trades[1]: must be an object",
		`[` + good + `,[]]`:                  "malformed_trade: trades[1]: must be an object",
		`[{}]`:                               "malformed_trade: trades[0].type: missing",
		`[` + late + `]`:                     "malformed_trade: trades[0].quantity: missing", // the table's order, not the body's
		`[` + good + `,` + bad + `,{}]`:      "malformed_trade: trades[1].quantity: missing",
		`[{"type":"away_trade","type":"x"}]`: "malformed_trade: trades[0].type: given twice",
		`[{"type":null,"type":null}]`:        "malformed_trade: trades[0].type: given twice",
		`[` + strings.Repeat("[", 100_000):   "malformed_request: the body is nested deeper than 200",
	} {
		trades, err := bank.ReadTrades([]byte(body))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.80s: %v (%d trades), want %s", body, err, len(trades), want)
		}
	}
	if trades, err := bank.ReadTrades([]byte(" [ " + many(1000, good) + " ] ")); err != nil || len(trades) != 1000 {
		t.Errorf("1000 trades: %d, %v", len(trades), err)
	}
}

// TestNormalising reads spellings of one thing.
func TestNormalising(t *testing.T) {
	t.Parallel()
	const e = bank.ExchangeTrade
	for _, same := range [][]string{
		{with(e, "x", ""), with(e, "quantity", `"100.0"`), with(e, "quantity", `"0100.0000000000000"`), with(e, "account_id", `"100018"`), with(e, "settlement", `{}`),
			with(e, "settlement.currency", `"USD"`), with(e, "fees", `{"commission":"0"}`), with(e, "fees", `{"commission":"-0.0","omit_sec":false}`), with(e, "interest", `{}`),
			with(e, "interest", `{"accrued":"0"}`), with(e, "is_when_issued", `false`), with(e, "order_id", `""`), with(e, "user_data", `null`), with(e, "client_trade_id", `"\u00631"`),
			with(e, "target_account_id", `5`), with(e, "Quantity", `"5"`), with(e, "side.qualifier", `null`), strings.ReplaceAll(with(e, "x", ""), ":", " :\n\t")},
		{with(e, "timestamp", `1381132800`), with(e, "timestamp", `1381132800000`)},
		{with(e, "interest.accrued", `"1.50"`), with(e, "fixed_income.accrued_interest", `"1.5"`),
			strings.Replace(with(e, "interest.accrued", `"1.5"`), "{", `{"fixed_income":{"accrued_interest":"1.500","callable":1},`, 1)},
		{with(bank.BilateralTrade, "x", ""), strings.Replace(with(bank.BilateralTrade, "x", ""), "contra_clearing_num", "contra_dtc_num", 1)},
		{with(e, "cancel_trade_id", `12`), with(e, "cancel_trade_id", `"12"`)},
		{with(e, "user_data", `{"a": "<b>", "c":[1.0, 1e400, null]}`), with(e, "user_data", `{"a":"\u003cb\u003E","c":[1.0,1e400,null]}`)},
		{with(e, "instrument.currency", `"CAD"`), strings.Replace(with(e, "instrument.currency", `"CAD"`), "{", `{"settlement":{"currency":"CAD"},`, 1)},
	} {
		first := read(t, same[0])
		for _, text := range same[1:] {
			other := read(t, text)
			if !first.Same(&other) {
				t.Errorf("not the same:\n%s\n%s", first.AppendJSON(nil), other.AppendJSON(nil))
			}
		}
	}
	first := read(t, with(e, "x", ""))
	for _, text := range []string{with(e, "quantity", `"100.1"`), with(e, "user_data", `1`), with(e, "side.position", `"open"`), with(e, "order_id", `"o"`),
		with(e, "fees.omit_bill", `true`), with(e, "settlement.date", `20131010`), with(e, "interest.accrued_days", `0`), with(e, "interest.yield", `"0"`)} {
		other := read(t, text)
		if first.Same(&other) {
			t.Errorf("the same: %s", text)
		}
	}
}

func TestTradesThatAreRight(t *testing.T) {
	t.Parallel()
	sedol := strings.NewReplacer(`"country":"USA",`, "", `"currency":"USD",`, "", "ticker", "sedol").Replace(with(bank.ExchangeTrade, "x", ""))
	if got := read(t, sedol); got.Settlement.Currency != "USD" || got.Instrument.Currency != "" {
		t.Errorf("sedol: %+v", got)
	}
	if got := read(t, with(bank.ExchangeTrade, "settlement.date", "99991231")); got.Settlement.Date != bank.WhenIssued {
		t.Errorf("when issued: %+v", got.Settlement)
	}
	if got := read(t, with(bank.ExchangeTrade, "settlement.date", "20131007")); got.Settlement.Date != 20131007 {
		t.Errorf("on the trade date: %+v", got.Settlement)
	}
	short := strings.Replace(with(bank.ExchangeTrade, "side.direction", `"sell"`), `"direction"`, `"qualifier":"short","direction"`, 1)
	if got := read(t, short); got.Side.Qualifier != "short" {
		t.Errorf("short: %+v", got.Side)
	}
	if got := read(t, with(bank.ExchangeTrade, "client_trade_id", `"`+strings.Repeat("é", 256)+`"`)); len(got.ClientTradeID) != 512 {
		t.Errorf("256 characters: %d bytes", len(got.ClientTradeID))
	}
	if got := read(t, with(bank.TransferTrade, "target_account_id", `"7"`)); got.TargetAccountID != 7 || !bank.TwoAccounts(got.Type) {
		t.Errorf("target: %+v", got)
	}
	if _, err := bank.ReadTrade([]byte(with(bank.TransferTrade, "target_account_id", `"100018"`))); bank.TypeOf(err) != bank.MalformedTrade {
		t.Errorf("a transfer to itself: %v", err)
	}
	for _, kept := range []string{`1`, `"x"`, `true`, `[1,{"b":null}]`, `{"a":"\u0000"}`} {
		if got := read(t, with(bank.AwayTrade, "registered_rep", kept)); string(got.RegisteredRep) != kept {
			t.Errorf("kept %s as %s", kept, got.RegisteredRep)
		}
	}
}

func TestTextOfDecimals(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"100": "100", "100.0": "100", "167.41": "167.41", "-0.5": "-0.5", ".5": "0.5", "-.50": "-0.5", "0": "0", "-0": "0", "-0.00": "0", "00012.340": "12.34", "0.0000000001": "0.0000000001",
		"999999999999999999.9999999999": "999999999999999999.9999999999", "-999999999999999999": "-999999999999999999", "1000": "1000", "0.01": "0.01", "123456789.0123456789": "123456789.0123456789",
		strings.Repeat("0", 99) + "1." + strings.Repeat("0", 99): "1",
	} {
		d, err := bank.ParseDecimal(given)
		if err != nil || d.String() != want {
			t.Errorf("%s: %s, %v; want %s", given, d, err, want)
		}
		if text, err := json.Marshal(d); err != nil || string(text) != `"`+want+`"` {
			t.Errorf("%s: %s, %v", given, text, err)
		}
	}
	for _, given := range []string{"1000000000000000000", "0.00000000001", "-1234567890123456789", "1" + strings.Repeat("0", 1000)} {
		if _, err := bank.ParseDecimal(given); !errors.Is(err, bank.ErrDecimalRange) {
			t.Errorf("%s: %v", given, err)
		}
	}
	var sum bank.Decimal
	if err := json.Unmarshal([]byte(`"12345678901234567890123.5"`), &sum); err != nil || sum.String() != "12345678901234567890123.5" {
		t.Errorf("a sum: %s, %v", sum, err)
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	request := with(bank.ExchangeTrade, "x", "")
	for _, c := range []struct {
		read func([]byte) (any, error)
		body string
		want string // the error, or the value as JSON
	}{
		{entity, `{"entity_id":"7","client_code":"c","legal_name":"Läw & Co","x":1}`, `{"entity_id":"7","client_code":"c","legal_name":"Läw & Co"}`},
		{entity, `{"entity_id":0,"client_code":"c","legal_name":"l"}`, `malformed_request: entity_id: must be`},
		{entity, `{"entity_id":1,"client_code":"","legal_name":"l"}`, `malformed_request: client_code: must have`},
		{entity, `{"entity_id":1,"client_code":"c"}`, `malformed_request: legal_name: missing`},
		{entity, `[]`, `malformed_request: the body is not an object`},
		{entity, `{`, `malformed_request: the body is not JSON`},
		{account, `{"account_id":1099511627775,"entity_id":7,"name":"n"}`, `{"account_id":"1099511627775","entity_id":"7","name":"n"}`},
		{account, `{"account_id":1099511627776,"entity_id":7,"name":"n"}`, `malformed_request: account_id: must be`},
		{account, `{"account_id":1,"entity_id":7,"name":5}`, `malformed_request: name: must be a string`},
		{cash, `{"client_id":"a","account_id":1,"currency":"USD","amount":"2.50","kind":"deposit"}`, `{"client_id":"a","account_id":"1","currency":"USD","amount":"2.5","kind":"deposit"}`},
		{cash, `{"client_id":"a","account_id":1,"currency":"USD","amount":"0","kind":"deposit"}`, `malformed_request: amount: must be more`},
		{cash, `{"client_id":"a","account_id":1,"currency":"usd","amount":"1","kind":"deposit"}`, `malformed_request: currency: must be`},
		{cash, `{"client_id":"a","account_id":1,"currency":"USD","amount":1,"kind":"deposit"}`, `malformed_request: amount: must be a decimal`},
		{cash, `{"client_id":"a","account_id":1,"currency":"USD","amount":"1","kind":"gift"}`, `malformed_request: kind: must be`},
		{cash, `{"client_id":"a","account_id":1,"currency":"USD","amount":"1","kind":"journal"}`, `malformed_request: target_account_id: missing`},
		{cash, `{"client_id":"a","account_id":1,"currency":"USD","amount":"1","kind":"journal","target_account_id":1}`, `malformed_request: target_account_id: must be another`},
		{cash, `{"client_id":"a","account_id":1,"currency":"USD","amount":"1","kind":"deposit","target_account_id":2}`, `malformed_request: target_account_id: only a journal`},
		{day, `{"date":20131007}`, `20131007`},
		{day, `{"date":20131032}`, `malformed_request: date: 20131032 is no day`},
		{day, `{"date":"20131007"}`, `malformed_request: date: must be an integer`},
		{day, `{}`, `malformed_request: date: missing`},
		{replay, `{"trade_id":"5","booked_at":1381132800464,"request":` + request + `}`, `{"trade_id":"5","booked_at":1381132800464,"request":{"type":"exchange_trade"`},
		{replay, `{"trade_id":5,"request":` + request + `}`, `malformed_request: booked_at: missing`},
		{replay, `{"trade_id":5,"booked_at":1381132800464}`, `malformed_request: request: missing`},
		{replay, `{"trade_id":5,"booked_at":1381132800464,"request":{"type":"x"}}`, `malformed_request: request.type: must be`},
		{replay, `{"trade_id":5,"booked_at":1381132800464,"request":` + with(bank.ExchangeTrade, "side.direction", "") + `}`, `malformed_request: request.side.direction: missing`},
		{replay, `{"trade_id":5,"canceled_at":1381132800464}`, `{"trade_id":"5","canceled_at":1381132800464}`},
		{replay, `{"trade_id":5,"canceled_at":1381132800464,"request":{}}`, `malformed_request: canceled_at: a replay`},
		{replay, `{"booked_at":1381132800464}`, `malformed_request: trade_id: missing`},
		{replay, `{"cash_id":5,"booked_at":1381132800464,"cash":{"client_id":"a","account_id":1,"currency":"USD","amount":"1","kind":"deposit"}}`, `{"cash_id":"5","booked_at":1381132800464,"cash":{"client_id":"a"`},
		{replay, `{"cash_id":5,"cash":{"client_id":"a"}}`, `malformed_request: cash.account_id: missing`},
		{replay, `{"cash_id":5}`, `malformed_request: cash: missing`},
	} {
		value, err := c.read([]byte(c.body))
		got := fmt.Sprint(err)
		if err == nil {
			var text strings.Builder
			encoder := json.NewEncoder(&text)
			encoder.SetEscapeHTML(false)
			if err := encoder.Encode(value); err != nil {
				t.Fatal(err)
			}
			got = text.String()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
		}
	}
}

func entity(body []byte) (any, error)  { return bank.ReadEntity(body) }
func account(body []byte) (any, error) { return bank.ReadAccount(body) }
func cash(body []byte) (any, error)    { return bank.ReadCash(body) }
func day(body []byte) (any, error)     { return bank.ReadBusinessDate(body) }
func replay(body []byte) (any, error)  { return bank.ReadReplay(body) }
