package tradefile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

const head = "type,timestamp,client_trade_id,date,account_id,quantity,price,instrument.identifier,instrument.identifier_type,side.direction"

const plain = "exchange_trade,1381132800464,A-1,20131007,100859,100,167.41,SPY,ticker,sell"

// result is all that a file gave.
type result struct {
	commands []*bkv1.Command
	ids      []int64 // ReplacesID
	bad      []*RowError
	end      error // nil at the clean end
}

func readAll(t testing.TB, kind Kind, r io.Reader) result {
	t.Helper()
	var out result
	reader, err := NewReader(r, "f.csv", kind)
	if err != nil {
		out.end = err
		return out
	}
	var row Row
	for {
		err := reader.Read(&row)
		var bad *RowError
		switch {
		case err == nil:
			out.commands = append(out.commands, proto.Clone(row.Command()).(*bkv1.Command))
			out.ids = append(out.ids, row.ReplacesID)
		case errors.As(err, &bad):
			out.bad = append(out.bad, bad)
		case err == io.EOF:
			return out
		default:
			out.end = err
			if again := reader.Read(&row); again != err {
				t.Errorf("after its end the file gives %v", again)
			}
			return out
		}
	}
}

func wantCommand(t *testing.T, got *bkv1.Command, want string) {
	t.Helper()
	expected := &bkv1.Command{}
	if err := prototext.Unmarshal([]byte(want), expected); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, expected) {
		t.Errorf("got  %v\nwant %v", got, expected)
	}
}

func TestAllColumns(t *testing.T) {
	t.Parallel()
	columns := []string{
		"type", "away_trade", "timestamp", "1381132800464", "client_trade_id", "A-1", "date", "20131007", "account_id", "0100859",
		"quantity", "100", "price", "167.41", "instrument.identifier", "SPY", "instrument.identifier_type", "cusip",
		"instrument.country", "USA", "instrument.currency", "USD", "side.direction", "sell", "side.qualifier", "short",
		"side.position", "open", "capacity", "riskless_principal", "mic", "ARCX", "exec_mpid", "CLST", "contra_mpid", "CODA",
		"contra_dtc_num", "0161", "target_account_id", "7", "settlement.currency", "CAD", "settlement.date", "20131011",
		"fees.commission", "1.00", "fees.omit_sec", "true", "fees.omit_taf", "TRUE", "fees.omit_bill", "true",
		"fixed_income.accrued_interest", "2.5", "interest.yield", "0.01", "interest.accrued_days", "3", "order_id", "O1",
		"cancel_trade_id", "A-0", "is_when_issued", "true", "contra_side_qualifier", "x", "nscc_clearing", "y", "last_market", "z",
		"locate.id", "l", "locate.source", "s", "behalf_of_account_id", "9", "solicited", "false", "registered_rep", "r",
		"branch_office", "b", "user_data", `"say ""hi"", you"`, "unheard.of", "ignored",
	}
	var names, values []string
	for i := len(columns) - 2; i >= 0; i -= 2 { // in another order than the contract's
		names, values = append(names, columns[i]), append(values, columns[i+1])
	}
	got := readAll(t, Trades, strings.NewReader(strings.Join(names, ",")+"\r\n"+strings.Join(values, ",")+"\r\n"))
	if got.end != nil || got.bad != nil || len(got.commands) != 1 {
		t.Fatalf("%+v", got)
	}
	wantCommand(t, got.commands[0], `
		key: "100859/A-1" trade_date: 20131007 settle_date: 20131011
		replaces { key: "100859/A-0" link_if_canceled: true }
		trade {
			type: TRADE_TYPE_AWAY executed_at { seconds: 1381132800 nanos: 464000000 } client_trade_id: "A-1" account { id: 100859 }
			direction: DIRECTION_SELL short: true effect: EFFECT_OPEN quantity: "100" price: "167.41"
			instrument { type: IDENTIFIER_TYPE_CUSIP value: "SPY" country: "USA" currency: "USD" } currency: "CAD"
			capacity: CAPACITY_RISKLESS_PRINCIPAL mic: "ARCX" exec_mpid: "CLST" contra_mpid: "CODA" contra_clearing_num: "0161"
			target { id: 7 } commission: "1.00" omit_sec: true omit_taf: true accrued: "2.5" order_id: "O1"
		}
		metadata { key: "fees.omit_bill" value: "true" } metadata { key: "is_when_issued" value: "true" }
		metadata { key: "interest.yield" value: "0.01" } metadata { key: "interest.accrued_days" value: "3" }
		metadata { key: "contra_side_qualifier" value: "x" } metadata { key: "nscc_clearing" value: "y" }
		metadata { key: "last_market" value: "z" } metadata { key: "locate.id" value: "l" } metadata { key: "locate.source" value: "s" }
		metadata { key: "behalf_of_account_id" value: "9" } metadata { key: "solicited" value: "false" }
		metadata { key: "registered_rep" value: "r" } metadata { key: "branch_office" value: "b" }
		metadata { key: "user_data" value: "say \"hi\", you" }`)
}

func TestRowsDoNotLeakIntoEachOther(t *testing.T) {
	t.Parallel()
	file := head + ",cancel_trade_id,user_data,target_account_id,is_when_issued,settlement.date\n" +
		plain + ",77,note,100,true,\n" +
		plain + ",,,,,\n" +
		"exchange_trade,1381132800,A-2,20131007,100859,100,167.41,SPY,ticker,buy,,,,true,20131015\n"
	got := readAll(t, Trades, strings.NewReader(file))
	if got.end != nil || got.bad != nil || len(got.commands) != 3 {
		t.Fatalf("%+v", got)
	}
	first, second, third := got.commands[0], got.commands[1], got.commands[2]
	if first.SettleDate != 99991231 || !maps.Equal(first.Metadata, map[string]string{"user_data": "note", "is_when_issued": "true"}) {
		t.Errorf("first: %v", first)
	}
	if got.ids[0] != 77 || first.Replaces.GetKey() != "100859/77" || first.GetTrade().Target.GetId() != 100 {
		t.Errorf("first: %v, replaces id %d", first, got.ids[0])
	}
	if second.SettleDate != 0 || second.Metadata != nil || second.Replaces != nil || second.GetTrade().Target != nil || got.ids[1] != 0 {
		t.Errorf("second: %v", second)
	}
	if third.SettleDate != 20131015 || third.GetTrade().ExecutedAt.Seconds != 1381132800 || third.GetTrade().ExecutedAt.Nanos != 0 {
		t.Errorf("third: %v", third)
	}
}

func TestCancels(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"by client id": {"account,trade_id,by_client_id\n100001,A-1,true\n", `key: "cancel/100001/A-1" cancel { target { key: "100001/A-1" } }`},
		"by trade id":  {"trade_id,account,by_client_id\n12,100001,false\n", `key: "cancel-id/100001/12" cancel { target { trade: 12 } }`},
		"short form":   {"client_trade_id,account_id\nA-1,100001", `key: "cancel/100001/A-1" cancel { target { key: "100001/A-1" } }`},
	} {
		got := readAll(t, Cancels, strings.NewReader(test.file))
		if got.end != nil || got.bad != nil || len(got.commands) != 1 {
			t.Fatalf("%s: %+v", name, got)
		}
		wantCommand(t, got.commands[0], test.want)
	}
}

func TestBadRows(t *testing.T) {
	t.Parallel()
	good := strings.Split(plain, ",")
	with := func(i int, value string) string {
		row := append([]string(nil), good...)
		row[i] = value
		return strings.Join(row, ",")
	}
	for _, test := range []struct{ name, row, field, reason string }{
		{"too few fields", "exchange_trade,1", "", ReasonMalformed},
		{"too many fields", plain + ",x", "", ReasonMalformed},
		{"quote inside", with(2, `A"1`), "", ReasonMalformed},
		{"text behind quote", with(2, `"A"1`), "", ReasonMalformed},
		{"quote never closed", with(2, `"A`), "", ReasonMalformed},
		{"long line", strings.Repeat("x", MaxRowBytes+10), "", ReasonMalformed},
		{"no type", with(0, ""), "type", ReasonMissing},
		{"type", with(0, "Exchange"), "type", ReasonInvalid},
		{"no timestamp", with(1, ""), "timestamp", ReasonMissing},
		{"timestamp", with(1, "1.5"), "timestamp", ReasonInvalid},
		{"timestamp below zero", with(1, "-1"), "timestamp", ReasonInvalid},
		{"no id", with(2, ""), "client_trade_id", ReasonMissing},
		{"long id", with(2, strings.Repeat("x", 250)), "client_trade_id", ReasonTooLarge},
		{"not UTF-8", with(2, "\xff"), "client_trade_id", ReasonInvalid},
		{"no date", with(3, ""), "date", ReasonMissing},
		{"date", with(3, "2013-10-07"), "date", ReasonInvalid},
		{"no account", with(4, ""), "account_id", ReasonMissing},
		{"account zero", with(4, "0"), "account_id", ReasonInvalid},
		{"account", with(4, "9999999999999999999"), "account_id", ReasonInvalid},
		{"identifier type", with(8, "figi"), "instrument.identifier_type", ReasonInvalid},
		{"side", with(9, "short"), "side.direction", ReasonInvalid},
	} {
		file := head + "\n" + plain + "\n\n" + test.row + "\n" + with(2, `"two
lines"`) + "\n" + plain
		got := readAll(t, Trades, strings.NewReader(file))
		if got.end != nil || len(got.bad) != 1 || len(got.commands) != 3 {
			t.Errorf("%s: %d rows, bad %v, end %v", test.name, len(got.commands), got.bad, got.end)
			continue
		}
		bad := got.bad[0]
		if bad.File != "f.csv" || bad.Line != 4 || bad.Field != test.field || bad.Reason != test.reason || bad.Message == "" {
			t.Errorf("%s: %#v", test.name, bad)
		}
		if key := got.commands[1].Key; key != "100859/two\nlines" {
			t.Errorf("%s: the next row has the key %q", test.name, key)
		}
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprintln(w, head)
	for i := range 2000 {
		fmt.Fprintf(w, "exchange_trade,%d,A-%d,20131007,100859,100,167.41,SPY,ticker,sell\n", 1381132800464+i*7919, i)
	}
	w.Close()
	whole := packed.String()
	corrupt := []byte(whole)
	corrupt[len(corrupt)-6] ^= 0xff // the checksum
	broken := errors.New("disk on fire")
	for _, test := range []struct {
		name string
		kind Kind
		file io.Reader
		line int
		want string
	}{
		{"empty", Trades, strings.NewReader(""), 0, "f.csv: the file is empty"},
		{"blank", Trades, strings.NewReader("\n\r\n"), 0, "f.csv: the file is empty"},
		{"no header", Trades, strings.NewReader(plain + "\n"), 1, "no header of a trade file"},
		{"one missing", Trades, strings.NewReader(strings.Replace(head, "price,", "", 1) + "\n"), 1, "no column price in the header"},
		{"twice", Trades, strings.NewReader(head + ",price\n"), 1, "the column price is there twice"},
		{"header quote", Trades, strings.NewReader("\"type\n"), 1, "never closed"},
		{"cancels", Cancels, strings.NewReader(head + "\n"), 0, ""},
		{"no cancels", Cancels, strings.NewReader("a,b\n"), 1, "no header of a cancel file"},
		{"half a cancel", Cancels, strings.NewReader("account,by_client_id\n"), 1, "no column trade_id"},
		{"gzip header", Trades, strings.NewReader("\x1f\x8bxxxxxxxxxx"), 0, "broken gzip header"},
		{"gzip cut", Trades, strings.NewReader(whole[:len(whole)/2]), -1, "the gzip data is cut off"},
		{"gzip checksum", Trades, bytes.NewReader(corrupt), -1, "checksum"},
		{"reader", Trades, io.MultiReader(strings.NewReader(head+"\n"+plain), iotest.ErrReader(broken)), 2, "f.csv:2: disk on fire"},
	} {
		got := readAll(t, test.kind, test.file)
		if test.want == "" {
			if got.end != nil {
				t.Errorf("%s: %v", test.name, got.end)
			}
			continue
		}
		var bad *FileError
		if !errors.As(got.end, &bad) || !strings.Contains(bad.Error(), test.want) || test.line >= 0 && bad.Line != test.line {
			t.Errorf("%s: %v, want line %d, %q", test.name, got.end, test.line, test.want)
		}
		for _, c := range got.commands {
			if c.GetTrade().Direction != bkv1.Direction_DIRECTION_SELL {
				t.Errorf("%s: a part of a row was read: %v", test.name, c)
			}
		}
		if test.name == "gzip checksum" && len(got.commands) != 2000 {
			t.Errorf("%s: %d rows", test.name, len(got.commands))
		}
	}
}

// The same file in reads of any size gives the same.
func TestSmallReads(t *testing.T) {
	t.Parallel()
	file := "\xef\xbb\xbf" + head + ",user_data\r\n" + plain + ",\"a\r\nb\"\r\n" + plain + ",x\"\n" + plain + ",\"\"\n\n" + plain + ",\"never\n" + plain + ",z"
	want := readAll(t, Trades, strings.NewReader(file))
	got := readAll(t, Trades, iotest.OneByteReader(strings.NewReader(file)))
	if len(want.commands) != 3 || len(want.bad) != 2 || want.end != nil {
		t.Fatalf("%d rows, bad %v, end %v", len(want.commands), want.bad, want.end)
	}
	if len(got.commands) != len(want.commands) || len(got.bad) != len(want.bad) {
		t.Fatalf("%d rows, bad %v, end %v", len(got.commands), got.bad, got.end)
	}
	for i := range want.commands {
		if !proto.Equal(got.commands[i], want.commands[i]) {
			t.Errorf("row %d: %v, want %v", i, got.commands[i], want.commands[i])
		}
	}
	for i := range want.bad {
		if *got.bad[i] != *want.bad[i] {
			t.Errorf("%v, want %v", got.bad[i], want.bad[i])
		}
	}
	if data := want.commands[0].Metadata["user_data"]; data != "a\r\nb" {
		t.Errorf("user data %q", data)
	}
}

func TestColumn(t *testing.T) {
	t.Parallel()
	r, err := NewReader(strings.NewReader(head), "f.csv", Trades)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"commands[7].trade.quantity": "quantity", "trade.account.id": "account_id", "replaces.key": "cancel_trade_id",
		"trade.instrument": "instrument.identifier", "trade_date": "date", "what.ever": "what.ever", "": "",
	} {
		if got := r.Column(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}
