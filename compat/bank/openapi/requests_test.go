package openapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/openapi/openapitest"
)

const (
	leanTrade = `{"type":"transfer_trade","timestamp":1381132800,"client_trade_id":"x","date":20131007,"account_id":1,"target_account_id":"2","quantity":"1","price":"0",
		"instrument":{"identifier":"B1YYKS3","identifier_type":"sedol"},"side":{"direction":"buy"}}`
	fullTrade = `{"type":"bilateral_trade","timestamp":1381132800123,"client_trade_id":"x","date":20131007,"account_id":"100018","quantity":"10.50","price":".25",
		"instrument":{"identifier":"BRK/B","identifier_type":"ticker","country":"US","currency":"USD"},"side":{"direction":"sell","qualifier":"short","position":"open"},
		"capacity":"riskless_principal","mic":"XNYS","exec_mpid":"ACME","contra_mpid":"OTHR","contra_clearing_num":"0123","contra_side_qualifier":"short",
		"is_when_issued":true,"nscc_clearing":{"a":[1]},"last_market":"N","locate":{"id":"l-1","source":"desk"},"settlement":{"currency":"USD","date":20131015},
		"fees":{"commission":"1.5","omit_sec":true,"omit_taf":true,"omit_bill":true},"interest":{"yield":"2.5","accrued":"0.01","accrued_days":17},
		"behalf_of_account_id":7,"solicited":true,"registered_rep":"rep","branch_office":"NY","order_id":"order-1","user_data":{"note":"ü"},"cancel_trade_id":811}`
)

// TestTrades: the schema and the reader take and refuse the same.
func TestTrades(t *testing.T) {
	t.Parallel()
	schema := load(t).Components.Schemas["Trade"]
	long := func(n int) string { return strings.Repeat("a", n) }
	for _, c := range []struct {
		field string // dotted; what it is set to, absent for none
		value any
		ok    bool
	}{
		{"user_data", "as it is", true}, {"nobody", "knows it", true},
		{"type", absent, false}, {"type", "swap_trade", false}, {"type", 1, false}, {"type", "away_trade", true},
		{"timestamp", absent, false}, {"timestamp", "1381132800", false}, {"timestamp", 1381132800.5, false}, {"timestamp", 0, true}, {"timestamp", -1, false},
		{"client_trade_id", absent, false}, {"client_trade_id", "", false}, {"client_trade_id", 7, false}, {"client_trade_id", long(256), true}, {"client_trade_id", long(257), false},
		{"date", absent, false}, {"date", "20131007", false}, {"date", 20001231, false}, {"date", 21000102, false},
		{"account_id", absent, false}, {"account_id", 0, false}, {"account_id", -1, false}, {"account_id", "a", false}, {"account_id", "007", true}, {"account_id", 1.5, false},
		{"account_id", "10995116277760", false}, {"account_id", 1099511627775, true},
		{"quantity", absent, false}, {"quantity", 100, false}, {"quantity", "1e3", false}, {"quantity", "", false}, {"quantity", "1.", false}, {"quantity", "+1", false},
		{"quantity", ".5", true}, {"quantity", "0010.50", true}, {"quantity", " 1", false},
		{"price", absent, false}, {"price", 1.5, false}, {"price", "0", true},
		{"instrument", absent, false}, {"instrument", "AAPL", false}, {"instrument.identifier", absent, false}, {"instrument.identifier", "", false},
		{"instrument.identifier", long(32), true}, {"instrument.identifier", long(33), false}, {"instrument.identifier", "A*", false},
		{"instrument.identifier_type", absent, false}, {"instrument.identifier_type", "ric", false}, {"instrument.identifier_type", "isin", true},
		{"instrument.country", absent, false}, {"instrument.country", "us", false}, {"instrument.country", "USA", true}, {"instrument.currency", absent, false},
		{"instrument.currency", "usd", false}, {"instrument.currency", "USDX", false},
		{"side", absent, false}, {"side", "sell", false}, {"side.direction", absent, false}, {"side.direction", "SELL", false}, {"side.direction", "buy", false},
		{"side.qualifier", absent, true}, {"side.qualifier", "long", false}, {"side.position", "close", true}, {"side.position", "flat", false},
		{"capacity", absent, false}, {"capacity", "agent", false}, {"capacity", "mixed", true},
		{"exec_mpid", absent, false}, {"exec_mpid", long(10), true}, {"exec_mpid", long(11), false}, {"contra_mpid", absent, false}, {"contra_mpid", "", false},
		{"contra_clearing_num", absent, false}, {"contra_clearing_num", 123, false},
		{"is_when_issued", "yes", false}, {"settlement", 20131010, false}, {"settlement.currency", "US", false}, {"settlement.date", 99991231, true},
		{"settlement.date", 99991230, false}, {"settlement.date", "20131015", false},
		{"fees.commission", 1, false}, {"fees.commission", "-1.5", true}, {"fees.omit_sec", 1, false},
		{"interest.yield", 2.5, false}, {"interest.accrued", "1,5", false}, {"interest.accrued_days", "17", false}, {"interest.accrued_days", -1, false},
		{"order_id", 5, false}, {"order_id", long(257), false}, {"cancel_trade_id", "any", true}, {"cancel_trade_id", true, false},
	} {
		trade := decode(t, fullTrade)
		set(trade, c.field, c.value)
		text := encode(t, trade)
		_, err := bank.ReadTrade(text)
		if fault := openapitest.Fits(schema, text); (fault == nil) != c.ok || (err == nil) != c.ok {
			t.Errorf("%s = %v has to be taken: %t; the schema says %v, the reader %v", c.field, c.value, c.ok, fault, err)
		}
	}
}

// TestNeeded: what each type of trade needs.
func TestNeeded(t *testing.T) {
	t.Parallel()
	schema := load(t).Components.Schemas["Trade"]
	optional := []string{"capacity", "mic", "exec_mpid", "contra_mpid", "contra_clearing_num", "target_account_id"}
	for kind, needed := range map[string]string{
		"exchange_trade": "capacity mic exec_mpid", "bilateral_trade": "capacity exec_mpid contra_mpid contra_clearing_num", "away_trade": "capacity exec_mpid contra_mpid",
		"allocation_trade": "target_account_id", "transfer_trade": "target_account_id",
	} {
		for _, field := range optional {
			trade := decode(t, fullTrade)
			set(trade, "type", kind)
			set(trade, "target_account_id", 100019)
			set(trade, field, absent)
			text, ok := encode(t, trade), !strings.Contains(" "+needed+" ", " "+field+" ")
			_, err := bank.ReadTrade(text)
			if fault := openapitest.Fits(schema, text); (fault == nil) != ok || (err == nil) != ok {
				t.Errorf("%s without %s has to be taken: %t; the schema says %v, the reader %v", kind, field, ok, fault, err)
			}
		}
	}
}

// TestExamples: what the document shows is what the readers read.
func TestExamples(t *testing.T) {
	t.Parallel()
	doc := load(t)
	read := map[string]func([]byte) error{
		"bookTrades":       func(b []byte) error { _, err := bank.ReadTrades(b); return err },
		"createEntity":     func(b []byte) error { _, err := bank.ReadEntity(b); return err },
		"createAccount":    func(b []byte) error { _, err := bank.ReadAccount(b); return err },
		"moveCash":         func(b []byte) error { _, err := bank.ReadCash(b); return err },
		"rollBusinessDate": func(b []byte) error { _, err := bank.ReadBusinessDate(b); return err },
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil || read[op.OperationID] == nil {
				continue
			}
			content := op.RequestBody.Value.Content["application/json"]
			examples := []any{}
			if content.Example != nil {
				examples = append(examples, content.Example)
			}
			for _, example := range content.Examples {
				examples = append(examples, example.Value.Value)
			}
			for _, example := range examples {
				if err := read[op.OperationID](encode(t, example)); err != nil {
					t.Errorf("%s %s: %v", method, path, err)
				}
			}
			if len(examples) == 0 {
				t.Errorf("%s %s: no example", method, path)
			}
			delete(read, op.OperationID)
		}
	}
	if len(read) > 0 {
		t.Errorf("not found in the document: %d operations", len(read))
	}
}

// absent takes a field away.
var absent = struct{ absent bool }{true}

func set(object map[string]any, field string, value any) {
	path := strings.Split(field, ".")
	for _, name := range path[:len(path)-1] {
		object = object[name].(map[string]any)
	}
	if last := path[len(path)-1]; value == absent {
		delete(object, last)
	} else {
		object[last] = value
	}
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
