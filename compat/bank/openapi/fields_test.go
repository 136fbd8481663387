package openapi_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/openapi/openapitest"
)

// TestFields holds the schemas of answers against the types that answers are made from: the same fields, and required is what is never left out.
func TestFields(t *testing.T) {
	t.Parallel()
	schemas := load(t).Components.Schemas
	for name, value := range map[string]any{
		"Booked": bank.Booked{}, "StoredTrade": bank.StoredTrade{}, "AccountTrade": bank.AccountTrade{}, "NewUpload": bank.NewUpload{}, "Upload": bank.Upload{},
		"Entity": bank.Entity{}, "Account": bank.Account{}, "Position": bank.Position{}, "Balance": bank.Balance{}, "JournalRow": bank.JournalRow{},
	} {
		schema := schemas[name].Value
		all, always := fields(reflect.TypeOf(value))
		if got := slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(got, all) {
			t.Errorf("%s has the fields %q, its type %q", name, got, all)
		}
		if got := slices.Sorted(slices.Values(schema.Required)); !slices.Equal(got, always) {
			t.Errorf("%s requires %q, its type always has %q", name, got, always)
		}
	}
}

// TestRequestFields: every field of a trade can be asked for, in one type of trade or another.
func TestRequestFields(t *testing.T) {
	t.Parallel()
	schemas, got := load(t).Components.Schemas, map[string]bool{}
	for name := range schemas["TradeFields"].Value.Properties {
		got[name] = true
	}
	for _, kind := range schemas["Trade"].Value.OneOf {
		for _, part := range kind.Value.AllOf {
			for name := range part.Value.Properties {
				got[name] = true
			}
		}
	}
	all, _ := fields(reflect.TypeOf(bank.Trade{}))
	all = append(all, "contra_dtc_num", "fixed_income") // the old names
	slices.Sort(all)
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, all) {
		t.Errorf("a trade has the fields %q, has to have %q", names, all)
	}
}

// fields gives the JSON names of a struct's fields, and of those that encoding/json never leaves out, both sorted.
func fields(of reflect.Type) (all, always []string) {
	for field := range of.Fields() {
		if field.Anonymous {
			a, b := fields(field.Type)
			all, always = append(all, a...), append(always, b...)
			continue
		}
		name, left := field.Tag.Get("json"), false
		for _, option := range []string{",omitempty", ",omitzero"} {
			if n := len(name) - len(option); n > 0 && name[n:] == option {
				name, left = name[:n], true
			}
		}
		all = append(all, name)
		if !left {
			always = append(always, name)
		}
	}
	slices.Sort(all)
	slices.Sort(always)
	return all, always
}

// TestStoredTrade: the leanest and the fullest trade that is stored fit the schema, as package bank writes them.
func TestStoredTrade(t *testing.T) {
	t.Parallel()
	doc, err := openapitest.LoadStrict()
	if err != nil {
		t.Fatal(err)
	}
	schema := doc.Components.Schemas["StoredTrade"]
	for name, trade := range map[string]bank.StoredTrade{"lean": stored(t, leanTrade), "full": stored(t, fullTrade)} {
		text, err := json.Marshal(trade)
		if err != nil {
			t.Fatal(err)
		}
		if err := openapitest.Fits(schema, text); err != nil {
			t.Errorf("%s: %s: %v", name, text, err)
		}
	}
}

// stored gives what may have become of a trade.
func stored(t *testing.T, request string) bank.StoredTrade {
	t.Helper()
	trade, err := bank.ReadTrade([]byte(request))
	if err != nil {
		t.Fatal(err)
	}
	s := bank.StoredTrade{TradeID: 812, Trade: trade, State: bank.StateOpen, SettleDate: 20131010, BookedAt: 1381132800464}
	if trade.CancelTradeID != "" {
		at, other := int64(1381132800465), bank.ID(811)
		s.State, s.CanceledAt, s.ReplacedBy, s.Replaces = bank.StateCanceled, &at, &other, &other
	}
	return s
}
