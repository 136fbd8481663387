package bank_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
)

// plainCash is cashEvent without escapes.
var plainCash = strings.Replace(cashEvent, `"\u003cc\u003e \u0026 \u2028 \""`, `"a client's own"`, 1)

// said is the values of an event.
type said []string

func (s *said) Null()           { *s = append(*s, "null") }
func (s *said) Text(v string)   { *s = append(*s, strings.Clone(v)) }
func (s *said) Integer(v int64) { *s = append(*s, fmt.Sprint(v)) }
func (s *said) Flag(v bool)     { *s = append(*s, fmt.Sprint(v)) }
func (s *said) Fixed(number int64, fraction int) error {
	*s = append(*s, fmt.Sprintf("%de-%d", number, fraction))
	return nil
}

func scan(text []byte) bool {
	var e bank.EventScan
	return e.Open(text) && e.Values(new(said))
}

// TestEventScan: each kind's values in their order, and where those are that each system has of its own.
func TestEventScan(t *testing.T) {
	t.Parallel()
	for kind, text := range everyEvent() {
		text = strings.Replace(text, `"\u003cc\u003e \u0026 \u2028 \""`, `"a client's own"`, 1)
		var e bank.EventScan
		var values said
		if kind == bank.EventCanceled { // what is rare there is for ReadEvent
			if e.Open([]byte(text)) && e.Values(&values) {
				t.Errorf("%s was scanned", text)
			}
			continue
		}
		if !e.Open([]byte(text)) || !e.Values(&values) {
			t.Fatalf("%s was not scanned", text)
		}
		want := readEvent(t, text)
		if e.Kind != kind || e.ID != want.ID || e.At != want.At || e.AccountID != want.AccountID || e.Topic() != want.Topic() {
			t.Errorf("%s is scanned as %+v", text, e)
		}
		if head := []string{fmt.Sprint(want.ID), kind, fmt.Sprint(want.At)}; !slices.Equal(values[:3], head) {
			t.Errorf("%s has the values %q", text, values)
		}
		own := []string{fmt.Sprint(want.ID), fmt.Sprint(want.At)}
		if want.Trade != nil {
			own = append(own, fmt.Sprint(want.Trade.BookedAt), "null")
		}
		var got []string
		for _, s := range e.Own() {
			got = append(got, text[s.From:s.To])
		}
		if !slices.Equal(got, own) {
			t.Errorf("%s: each system has its own %q, not %q", text, got, own)
		}
	}
	var values said
	var e bank.EventScan
	if text := []byte(plainCash); !e.Open(text) || !e.Values(&values) {
		t.Fatalf("%s was not scanned", text)
	}
	want := readEvent(t, plainCash)
	if got, want := strings.Join(values, " "), fmt.Sprintf("%d journal %d %d %d %d %s USD -250e-0 250e-0 250e-0", want.ID, want.At, want.BusinessDate, want.AccountID, want.CashID, want.ClientID); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

// TestEventScanIsStrict: what is not in the one spelling is not scanned, although it may be read.
func TestEventScanIsStrict(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{plainCash, `"amount":"-250"`, `"amount":"-250.0"`}, {plainCash, `"amount":"-250"`, `"amount":"-0"`}, {plainCash, `"amount":"-250"`, `"amount":"0250"`},
		{plainCash, `"amount":"-250"`, `"amount":".5"`}, {plainCash, `"amount":"-250"`, `"amount":"1234567890123456789"`}, {plainCash, `"amount":"-250"`, `"amount":"1."`},
		{plainCash, `"currency":"USD"`, `"currency":""`}, {plainCash, `"currency":"USD"`, `"currency":"\u0055SD"`}, {plainCash, `"currency":"USD"`, `"currency":"U\"D"`},
		{plainCash, `"currency":"USD"`, "\"currency\":\"U\xff\""}, {plainCash, `"client_id":"`, `"client_id":"<`}, {plainCash, `"client_id":"`, "\"client_id\":\"\u2028"},
		{plainCash, `"journal"`, `"journey"`}, {plainCash, `,"amount"`, ` ,"amount"`}, {plainCash, `}`, `} `},
		{dateEvent, `"to":20131008`, `"to":0`}, {dateEvent, `"event_id":3`, `"event_id":0`}, {dateEvent, `"event_id":3`, `"event_id":03`}, {dateEvent, `"event_id":3`, `"event_id":-3`},
		{tradeEvent, `"canceled_at":null`, `"canceled_at":""`}, {tradeEvent, `,"replaced_by":null`, ``}, {tradeEvent, `"replaced_by":null`, `"replaced_by":"0"`},
		{tradeEvent, `"is_when_issued":`, `"order_id":"","is_when_issued":`}, {tradeEvent, `,"state":`, `,"user_data":null,"state":`},
		{tradeEvent, `,"is_when_issued":false`, `,"is_when_issued":false,"order_id":""`},
		{tradeEvent, `,"is_when_issued":false`, `,"is_when_issued":false,"last_market":null`}, {tradeEvent, `,"is_when_issued":false`, `,"is_when_issued":false,"locate":{"a": 1}`},
		{tradeEvent, `,"is_when_issued":false`, `,"is_when_issued":false,"locate":"\u0061"`}, {tradeEvent, `,"is_when_issued":false`, `,"is_when_issued":false,"locate":{"a"}`},
	} {
		text := strings.Replace(c[0], c[1], c[2], 1)
		if !scan([]byte(c[0])) {
			t.Fatalf("%s was not scanned", c[0])
		}
		if text == c[0] {
			t.Errorf("there is no %s in %s", c[1], c[0])
		} else if scan([]byte(text)) {
			t.Errorf("%s was scanned", text)
		}
	}
	if scan(nil) || scan([]byte(tradeEvent[:len(tradeEvent)-1])) {
		t.Error("half an event was scanned")
	}
}
