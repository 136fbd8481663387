package landing_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
)

// everything is events with every field that there is, and values at the edges.
var everything = []string{
	`{"event_id":9007199254740993,"event":"canceled","at":1381132800464,"business_date":20131007,"account_id":"100018","trade":{"trade_id":"812","type":"transfer_trade","timestamp":1381132800001,` +
		`"client_trade_id":"a client's own, rather long id: ü € 𝄞 \"quoted\" \\ \n","date":20131007,"account_id":"100018","quantity":"999999999999999999.0000000001","price":"0.0000000001",` +
		`"instrument":{"identifier":"US0378331005","identifier_type":"isin","country":"USA","currency":"USD"},"side":{"direction":"sell","qualifier":"short","position":"open"},"capacity":"agency",` +
		`"mic":"XNYS","exec_mpid":"CLST","contra_mpid":"ABCD","contra_clearing_num":"0161","target_account_id":"100019","settlement":{"currency":"EUR","date":20131010},` +
		`"fees":{"commission":"1.5","omit_sec":true,"omit_taf":false,"omit_bill":true},"interest":{"yield":"-0.25","accrued":"12.34","accrued_days":17},"is_when_issued":true,"order_id":"o-1",` +
		`"cancel_trade_id":"the one before","contra_side_qualifier":"short","nscc_clearing":true,"last_market":"XNAS","locate":{"id":"L","source":[1,2.50,null]},"behalf_of_account_id":7,` +
		`"solicited":false,"registered_rep":"R","branch_office":"B","user_data":{"a":{"b":["c"]}},"state":"canceled","settle_date":20131010,"gross_amount":"100","sec_fee":"0.02","taf_fee":"5.95",` +
		`"net_amount":"-1234567890123456789012345678.0123456789","booked_at":1381132800000,"canceled_at":1381132800464,"replaced_by":"813","replaces":"811"},` +
		`"position":"-100","balance":"9999999999999999999999999999.9999999999","settled_position":"0","settled_balance":"-0.0000000001"}`,
	// the same without what is rare: it is scanned
	`{"event_id":9007199254740994,"event":"canceled","at":1381132800464,"business_date":20131007,"account_id":"100018","trade":{"trade_id":"812","type":"transfer_trade","timestamp":1381132800001,` +
		`"client_trade_id":"a client's own, rather long id: ü € 𝄞 <>&","date":20131007,"account_id":"100018","quantity":"99999999.0000000001","price":"0.0000000001",` +
		`"instrument":{"identifier":"US0378331005","identifier_type":"isin","country":"USA","currency":"USD"},"side":{"direction":"sell","qualifier":"short","position":"open"},"capacity":"agency",` +
		`"mic":"XNYS","exec_mpid":"CLST","contra_mpid":"ABCD","contra_clearing_num":"0161","target_account_id":"100019","settlement":{"currency":"EUR","date":20131010},` +
		`"fees":{"commission":"1.5","omit_sec":true,"omit_taf":false,"omit_bill":true},"interest":{"yield":"-0.25","accrued":"12.34","accrued_days":17},"is_when_issued":true,"order_id":"o-1",` +
		`"cancel_trade_id":"the one before","contra_side_qualifier":"short","nscc_clearing":true,"last_market":"XNAS","locate":{"id":"L","source":[1,2.50,null]},"behalf_of_account_id":7,` +
		`"solicited":false,"registered_rep":"R","branch_office":"B","user_data":{"a b":{"b":["c d"]}},"state":"canceled","settle_date":20131010,"gross_amount":"100","sec_fee":"0.02","taf_fee":"5.95",` +
		`"net_amount":"-123456789012345678","booked_at":1381132800000,"canceled_at":1381132800464,"replaced_by":"813","replaces":"811"},` +
		`"position":"-100","balance":"999999999999999999","settled_position":"0","settled_balance":"-0.0000000001"}`,
	`{"event_id":7,"event":"journal","at":5,"business_date":0,"account_id":"100018","cash_id":"12","client_id":"w\u003c1","currency":"USD","amount":"-250","balance":"-250.5","settled_balance":"18446744073709551616"}`,
	`{"event_id":3,"event":"rolled","at":1,"from":0,"to":20131008}`,
}

// TestColumns: each column has what the event's JSON says, in a DuckDB that is filled in place and in one that is filled by SQL.
func TestColumns(t *testing.T) {
	t.Parallel()
	native := openStore(t)
	byDriver := openStore(t)
	generic, err := landing.NewSQLStore(t.Context(), byDriver.DB(), dialect.DuckDB())
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string][]byte{} // by topic, partition, offset
	records := func(yield func(landing.Origin, landing.Record) bool) {
		for origin, r := range generate.Records(small(1, 3000), true) {
			texts[fmt.Sprint(origin.Name, origin.Partition, r.Offset)] = r.Value
			if !yield(origin, r) {
				return
			}
		}
		for i, text := range everything {
			e, err := bank.ReadEvent([]byte(text))
			if err != nil {
				t.Errorf("%s: %v", text, err)
				return
			}
			origin := landing.Origin{Topic: landing.Topic{Side: dialect.SideBank, Name: "legacy." + e.Topic(), Contract: e.Topic()}, Partition: 70}
			texts[fmt.Sprint(origin.Name, origin.Partition, i)] = []byte(text)
			if !yield(origin, landing.Record{Offset: int64(i), Key: []byte(e.Key()), Value: []byte(text)}) {
				return
			}
		}
	}
	for name, store := range map[string]landing.Store{"in place": native, "by SQL": generic} {
		p, err := landing.Feed(t.Context(), landing.Config{Store: store, BatchRows: 700}, records)
		if err != nil || p.Events != int64(len(texts)) || p.Rejects != 0 || p.Commits < 4 {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		whole(t, store, int64(len(texts)))
		for _, table := range []string{dialect.TradeEvents, dialect.CashEvents, dialect.DateEvents} {
			compareColumns(t, name, store, table, texts)
		}
	}
}

func compareColumns(t *testing.T, name string, store landing.Store, table string, texts map[string][]byte) {
	t.Helper()
	d, columns := dialect.DuckDB(), dialect.Lookup(table).Columns
	selected := make([]string, len(columns))
	for i, c := range columns {
		selected[i] = d.Quote(c.Name)
		if c.Type == dialect.Decimal {
			selected[i] = d.DecimalText(selected[i])
		}
	}
	rows, err := store.DB().QueryContext(t.Context(), "SELECT "+strings.Join(selected, ", ")+" FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		of := func(column string) any { return values[dialect.Lookup(table).Column(column)] }
		text := texts[fmt.Sprint(of("topic"), of("partition"), of("offset"))]
		if text == nil {
			t.Fatalf("%s: %s has %v", name, table, values)
		}
		if of("canonical") != true || of("content_hash") != int64(landing.ContentHash(text)) || of("side") != dialect.SideBank {
			t.Errorf("%s: %s: %v of %s", name, table, values, text)
		}
		if at := of("landed_at").(time.Time); time.Since(at).Abs() > 10*time.Minute {
			t.Errorf("%s: landed at %s", name, at)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var event map[string]any
		if err := decoder.Decode(&event); err != nil {
			t.Fatal(err)
		}
		for i, c := range columns {
			if c.Path == "" {
				continue
			}
			if want, got := atPath(event, c.Path, text), said(values[i]); want != got {
				t.Errorf("%s: %s.%s is %q, not %q, in %s", name, table, c.Name, got, want, text)
			}
		}
		seen++
	}
	if err := rows.Err(); err != nil || seen == 0 {
		t.Fatalf("%s: %s: %d rows, %v", name, table, seen, err)
	}
}

const null = "NULL"

func said(value any) string {
	if value == nil {
		return null
	}
	return fmt.Sprint(value)
}

// kept are the fields whose JSON text is the value.
var kept = []string{"contra_side_qualifier", "nscc_clearing", "last_market", "locate", "behalf_of_account_id", "solicited", "registered_rep", "branch_office", "user_data"}

func atPath(event map[string]any, path string, text []byte) string {
	var value any = event
	for _, name := range strings.Split(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return null
		}
		value = object[name]
	}
	for _, name := range kept {
		if path == "trade."+name && value != nil {
			var raw struct{ Trade map[string]json.RawMessage }
			if err := json.Unmarshal(text, &raw); err != nil {
				return err.Error()
			}
			return string(raw.Trade[name])
		}
	}
	return said(value)
}

// TestContentHash: equal but for what each system has of its own, and no more.
func TestContentHash(t *testing.T) {
	t.Parallel()
	var all iter.Seq[bank.Event] = generate.Events(small(2, 2000))
	hashes := map[uint64]string{}
	var events []bank.Event
	for e := range all {
		events = append(events, e)
	}
	for _, text := range everything {
		e, err := bank.ReadEvent([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	for i := range events {
		e := events[i]
		hash := landing.ContentHash(e.AppendJSON(nil))
		other := e
		other.ID, other.At = e.ID+1_000_000, e.At+99
		if e.Trade != nil {
			tr := *e.Trade
			tr.BookedAt++
			if tr.CanceledAt == nil {
				tr.CanceledAt = &tr.BookedAt
			} else {
				tr.CanceledAt = nil
			}
			other.Trade = &tr
		}
		if got := landing.ContentHash(other.AppendJSON(nil)); got != hash {
			t.Fatalf("another hash of the same content: %s", other.AppendJSON(nil))
		}
		content := e
		content.ID, content.At = 0, 0
		if e.Trade != nil {
			tr := *e.Trade
			tr.BookedAt, tr.CanceledAt = 0, nil
			content.Trade = &tr
		}
		text := string(content.AppendJSON(nil))
		if before, ok := hashes[hash]; ok && before != text {
			t.Fatalf("one hash of two contents:\n%s\n%s", before, text)
		}
		hashes[hash] = text
	}
	if len(hashes) < 1500 {
		t.Errorf("only %d contents", len(hashes))
	}
}

// TestRowGivenUp: a row that turns out to be no event after some of its values were there leaves nothing behind in those that come next.
func TestRowGivenUp(t *testing.T) {
	t.Parallel()
	const format = `{"event_id":%d,"event":"journal","at":5,"business_date":0,"account_id":"100018","cash_id":"12","client_id":"%s","currency":"USD","amount":"-250","balance":"%s","settled_balance":"0"}`
	long, big := "a client's own, rather long id", strings.Repeat("9", 40)
	store := openStore(t)
	origin := landing.Origin{Topic: landing.TopicsOf(dialect.SideBank, landing.PrefixBank)[1]}
	p, err := landing.Feed(t.Context(), landing.Config{Store: store}, func(yield func(landing.Origin, landing.Record) bool) {
		for i, values := range [][2]string{{long, big}, {"short", "1"}, {long, "1"}, {long, "1.50"}, {long + "!", big}, {long, "1"}} {
			text := fmt.Sprintf(format, i+1, values[0], values[1])
			if !yield(origin, landing.Record{Offset: int64(i), Key: []byte("100018"), Value: []byte(text)}) {
				return
			}
		}
	})
	if err != nil || p.Events != 4 || p.Rejects != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	query := "SELECT count(*) FROM cash_events WHERE client_id = CASE event_id WHEN 2 THEN 'short' ELSE 'a client''s own, rather long id' END AND canonical = (event_id <> 4)"
	if n := number(t, store, query); n != 4 {
		t.Errorf("%d of 4 rows are as they came", n)
	}
	if n := number(t, store, "SELECT count(*) FROM landing_rejects WHERE reason LIKE 'a decimal has more%'"); n != 2 {
		t.Errorf("%d of 2 rejects", n)
	}
}
