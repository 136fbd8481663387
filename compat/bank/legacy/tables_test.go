package legacy_test

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
)

// TestSettlementDates: trade dates around holidays, changes of cycle and unscheduled closings, from calendars as published.
func TestSettlementDates(t *testing.T) {
	t.Parallel()
	for trade, want := range map[bank.Date]bank.Date{
		20131007: 20131010, 20131008: 20131011, 20131009: 20131015, 20131010: 20131016, 20131011: 20131017, // Columbus Day on the 14th
		20010910: 20010919,                     // closed the 11th to the 14th
		20121026: 20121102,                     // hurricane: 29 and 30 closed
		20130326: 20130401,                     // Good Friday on the 29th
		20121107: 20121113,                     // Veterans Day, a Sunday, on Monday the 12th
		20161109: 20161115,                     // Veterans Day, a Friday
		20111230: 20120105,                     // New Year on a Sunday
		20101230: 20110104,                     // New Year on a Saturday: Friday the 31st is open
		20101221: 20101227,                     // Christmas on a Saturday: Friday the 24th is closed
		20150630: 20150706,                     // Independence Day on a Saturday: Friday the 3rd is closed
		20170901: 20170907,                     // the last day of T+3, Labor Day on the 4th
		20170905: 20170907,                     // the first of T+2
		20181204: 20181207,                     // the 5th closed
		20210617: 20210621,                     // Juneteenth not yet observed
		20220616: 20220621,                     // observed on Monday the 20th
		20240524: 20240529,                     // T+2 over Memorial Day
		20240528: 20240529,                     // T+1
		20250108: 20250110,                     // the 9th closed
		20240703: 20240705, 20241127: 20241129, // Independence Day, Thanksgiving
		20131012: 20131017, // a Saturday
	} {
		if got := legacy.SettleDate(trade); got != want {
			t.Errorf("traded %d: settles %d, want %d", trade, got, want)
		}
	}
}

func TestFees(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		date                          int
		quantity, price, sec, taf, to string
	}{
		{20120629, "100", "100", "0", "0", "sell"},
		{20130524, "100", "100", "0", "0.02", "sell"},
		{20130528, "100", "100", "0.18", "0.02", "sell"}, // 0.174
		{20131231, "50000", "1", "0.87", "5.95", "sell"}, // exactly at the cap; 0.87 exactly
		{20240102, "60000", "1", "1.05", "8.3", "sell"},  // 1.044; 9.96 capped
		{20240522, "100", "1", "0.01", "0.02", "sell"},   // 0.00278; 0.0166
		{20250514, "100", "100", "0", "0.02", "sell"},
		{20240522, "100", "1", "0", "0", "buy"},
	} {
		stored := bank.StoredTrade{Trade: exchange(t, "x", 1, c.to, c.quantity, c.price, c.date, "")}
		legacy.Amounts(&stored)
		if stored.SECFee.String() != c.sec || stored.TAFFee.String() != c.taf {
			t.Errorf("%+v: SEC %s, TAF %s", c, stored.SECFee, stored.TAFFee)
		}
	}
	omitted := bank.StoredTrade{Trade: exchange(t, "x", 1, "sell", "100", "100", 20131007, `,"fees":{"omit_sec":true,"omit_taf":true}`)}
	legacy.Amounts(&omitted)
	want(t, "omitted", omitted.NetAmount.String(), "10000")
}

// TestFeesOfTheTape compares gross, fees and net of a day with those that an independent program computed.
func TestFeesOfTheTape(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("BK_TAPE")
	if folder == "" {
		t.Skip("BK_TAPE names no folder with the tape")
	}
	expected := map[string]map[string]string{}
	tape(t, filepath.Join(folder, "expected_fees_20131010.csv.gz"), func(row map[string]string) { expected[row["client_trade_id"]] = row })
	compared := 0
	tape(t, filepath.Join(folder, "fees_20131010.csv.gz"), func(row map[string]string) {
		stored := bank.StoredTrade{Trade: exchange(t, "x", 1, row["side.direction"], row["quantity"], row["price"], 20131010, "")}
		if text := row["fees.commission"]; text != "" {
			stored.Fees.Commission = amount(t, text)
		}
		legacy.Amounts(&stored)
		e := expected[row["client_trade_id"]]
		for name, got := range map[string]bank.Decimal{"gross_amount": stored.GrossAmount, "sec_fee": stored.SECFee, "taf_fee": stored.TAFFee, "net_amount": stored.NetAmount} {
			if !got.Equal(amount(t, e[name]).Decimal) {
				t.Errorf("%s: %s %s, want %s", row["client_trade_id"], name, got, e[name])
			}
		}
		want(t, "settles", stored.SettleDate, 20131016)
		compared++
	})
	if compared < 1000 {
		t.Errorf("only %d trades compared", compared)
	}
}

// tape reads a file of the tape, row by row.
func tape(t *testing.T, name string, each func(map[string]string)) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Skipf("the tape is not here: %v", err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(plain).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		named := map[string]string{}
		for i, name := range rows[0] {
			named[name] = row[i]
		}
		each(named)
	}
}
