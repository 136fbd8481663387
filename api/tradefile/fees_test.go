package tradefile

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
)

// feeTrades is how many trades the tape's fee file has.
const feeTrades = 22_008

// TestTapeFees reads the tape's fee file as a user does, lets the rules work out every trade, and compares gross, SEC fee, TAF and net with
// what an independent program made of it.
func TestTapeFees(t *testing.T) {
	t.Parallel()
	dir := tape(t)
	want := expectedFees(t, filepath.Join(dir, "expected_fees_20131010.csv.gz"))
	if len(want) != feeTrades {
		t.Fatalf("%d trades are expected, want %d", len(want), feeTrades)
	}
	books, rules, wrong := everyName{}, ledger.StandardRules(), 0
	seen := map[string]bool{}
	eachRow(t, filepath.Join(dir, "fees_20131010.csv.gz"), Trades, func(row *Row) {
		command, _, rej := wire.Command(row.Command())
		if rej != nil {
			t.Fatalf("line %d: %v", row.Line, rej)
		}
		draft, rej := rules.Prepare(command, books, time.Now())
		if rej != nil {
			t.Fatalf("line %d: %v", row.Line, rej)
		}
		booked := draft.Entry.Trade
		key := strconv.FormatInt(booked.Account.ID, 10) + "/" + booked.ClientTradeID
		got := fees{booked.Gross, booked.SECFee, booked.TAFFee, booked.Net}
		if seen[key] {
			t.Fatalf("line %d: %s stands twice in the file", row.Line, key)
		}
		if seen[key] = true; got != want[key] {
			if wrong++; wrong < 10 {
				t.Errorf("line %d: %s: gross, SEC fee, TAF, net are %s, want %s", row.Line, key, got, want[key])
			}
		}
	})
	if wrong > 0 || len(seen) != feeTrades {
		t.Errorf("%d of %d trades are wrong, want none of %d", wrong, len(seen), feeTrades)
	}
}

// fees are a trade's gross amount, SEC fee, TAF and net amount.
type fees [4]ledger.Amount

func expectedFees(t *testing.T, path string) map[string]fees {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	want := make(map[string]fees, len(rows))
	for _, row := range rows[1:] { // client_trade_id, account_id, gross_amount, sec_fee, taf_fee, net_amount
		var amounts fees
		for i := range amounts {
			if amounts[i], err = ledger.ParseAmount(row[2+i]); err != nil {
				t.Fatalf("%s: %v: %v", path, row, err)
			}
		}
		want[row[1]+"/"+row[0]] = amounts
	}
	return want
}

// everyName is a ledger that has every account, instrument and currency.
type everyName struct{}

func (everyName) Account(ref ledger.AccountRef) (ledger.Account, bool) {
	return ledger.Account{ID: max(ref.ID, 1), Code: ref.Code}, true
}

func (everyName) Instrument(id ledger.Identifier) (ledger.Instrument, bool) {
	if id.Type == ledger.ISO {
		return ledger.Instrument{ID: 1, Kind: ledger.KindCurrency}, true
	}
	return ledger.Instrument{ID: 2, Kind: ledger.KindSecurity}, true
}
