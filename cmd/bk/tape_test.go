package main

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/ledger"
)

// tapeDays gives the folder of the tape and the days to book: one unless BK_TAPE_DAYS names others, or all.
func tapeDays(t *testing.T) (dir string, days []string) {
	t.Helper()
	if dir = os.Getenv("BK_TAPE"); dir == "" {
		t.Skip("BK_TAPE does not name the folder of the tape (trades_D.csv.gz, cancels_D.csv.gz, expected_positions_D.csv.gz, expected_cash_D.csv.gz)")
	}
	files, err := filepath.Glob(filepath.Join(dir, "trades_*.csv.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no trades in %s: %v", dir, err)
	}
	for _, f := range files {
		days = append(days, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "trades_"), ".csv.gz"))
	}
	slices.Sort(days)
	switch chosen := os.Getenv("BK_TAPE_DAYS"); chosen {
	case "all":
		return dir, days
	case "":
		return dir, days[:1]
	default:
		return dir, strings.Split(chosen, ",")
	}
}

// TestTapeBooked books days of real trades as a user does, cancels, and compares every position and every balance with what an
// independent program made of them, to the last digit; a second booking changes nothing. Then it rolls until all is settled, and the books verify.
func TestTapeBooked(t *testing.T) {
	dir, days := tapeDays(t)
	ready := filepath.Join(t.TempDir(), "ready")
	server := startProgram(t, "dev", "--data", filepath.Join(t.TempDir(), "data"), "--ready-file", ready).ready(ready).Connect
	run := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := bk(t.Context(), append(args, "--server", server)...)
		if code != exitOK {
			t.Fatalf("bk %v: exit %d\n%s%s", args, code, stdout, stderr)
		}
		return stdout
	}
	var trades, cancels []string
	positions, cash := map[string]ledger.Amount{}, map[string]ledger.Amount{}
	for _, day := range days {
		trades = append(trades, filepath.Join(dir, "trades_"+day+".csv.gz"))
		cancels = append(cancels, filepath.Join(dir, "cancels_"+day+".csv.gz"))
		addExpected(t, positions, filepath.Join(dir, "expected_positions_"+day+".csv.gz"))
		addExpected(t, cash, filepath.Join(dir, "expected_cash_"+day+".csv.gz"))
	}
	t.Log(run(append([]string{"book", "--create-missing", "--quiet"}, trades...)...))
	t.Log(run(append([]string{"cancel", "--quiet"}, cancels...)...))
	wantPositions := "account_id,symbol,trade_date_quantity\n" + lines(positions)
	wantCash := "account_id,currency,trade_date_amount\n" + lines(cash)
	compare := func() {
		t.Helper()
		if got := run("positions", "-o", "csv"); got != wantPositions {
			t.Errorf("positions differ, first at %s", firstDifference(got, wantPositions))
		}
		if got := run("balances", "-o", "csv"); got != wantCash {
			t.Errorf("cash differs, first at %s", firstDifference(got, wantCash))
		}
	}
	compare()
	again := run("book", "--quiet", trades[0])
	if !strings.Contains(again, " 0 booked, ") || !strings.Contains(again, " 0 rejected") {
		t.Errorf("booked again: %s", again)
	}
	compare()
	c, err := client.New(server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	book := readTape(t, trades, cancels)
	compareCost(t, run, book)
	rollTape(t, c, run, book)
	compareCost(t, run, book)
	compare() // settlement moves no trade-date position
	t.Log(run("verify", "--quiet"))
}

// addExpected adds a file of (account, symbol or currency, amount) to the sums.
func addExpected(t *testing.T, sums map[string]ledger.Amount, path string) {
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
	rows := csv.NewReader(unzipped)
	for n := 0; ; n++ {
		row, err := rows.Read()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		amount, err := ledger.ParseAmount(row[2])
		if err != nil && n == 0 {
			continue // the header, where there is one
		}
		if err != nil {
			t.Fatalf("%s: %v: %v", path, row, err)
		}
		key := row[0] + "," + row[1]
		sums[key] = sums[key].Add(amount)
	}
}

// lines writes sums as bk does: zeros left out, by account, then symbol.
func lines(sums map[string]ledger.Amount) string {
	var rows []string
	for key, sum := range sums {
		if !sum.IsZero() {
			rows = append(rows, fmt.Sprintf("%s,%s\n", key, sum))
		}
	}
	slices.Sort(rows) // all accounts have six digits
	return strings.Join(rows, "")
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: %q, want %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("the end: %d lines, want %d", len(g), len(w))
}
