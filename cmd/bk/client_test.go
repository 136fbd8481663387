package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/migrations/pgtest"
)

// serveForClients runs a node without Kafka in this process and gives its URL.
func serveForClients(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan node.Addresses, 1), make(chan error, 1)
	go func() {
		done <- node.Run(ctx, node.Config{
			Postgres: pgtest.New(t), Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
		}, func(at node.Addresses) { ready <- at })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the node ended with %v", err)
		}
	})
	select {
	case at := <-ready:
		return "http://" + at.API
	case <-time.After(60 * time.Second):
		t.Fatal("the node is not ready after 60 s")
	}
	return ""
}

const tradeHeader = "type,timestamp,client_trade_id,date,account_id,quantity,price,instrument.identifier,instrument.identifier_type," +
	"instrument.country,instrument.currency,side.direction,capacity,mic,exec_mpid,fees.commission,cancel_trade_id\n"

func tradeRow(id string, account int, side, quantity, symbol, replaces string) string {
	return fmt.Sprintf("exchange_trade,1381132800464,%s,20131007,%d,%s,10.5,%s,ticker,USA,USD,%s,agency,XNYS,CLST,1,%s\n",
		id, account, quantity, symbol, side, replaces)
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBookAndRead(t *testing.T) {
	t.Parallel()
	server := serveForClients(t)
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		code, stdout, stderr := bk(t.Context(), append(args, "--server", server)...)
		if code != want {
			t.Fatalf("bk %v: exit %d, want %d\n%s%s", args, code, want, stdout, stderr)
		}
		return stdout, stderr
	}
	good := writeFile(t, "good.csv", tradeHeader+
		tradeRow("A", 100002, "buy", "100", "IBM", "")+
		tradeRow("B", 100002, "sell", "30", "BAC", "")+
		tradeRow("A", 100002, "buy", "100", "IBM", "")+
		tradeRow("C", 100001, "buy", "5", "IBM", "")+
		tradeRow("D", 100001, "sell", "5", "IBM", "")+
		tradeRow("E", 100002, "buy", "90", "IBM", "A"))
	stdout, _ := run(exitOK, "book", "--create-missing", "--quiet", good)
	if !strings.HasPrefix(stdout, "6 rows: 5 booked, 1 repeats, 0 rejected, in ") {
		t.Errorf("summary %q", stdout)
	}
	stdout, _ = run(exitOK, "book", "--quiet", "-o", "json", good)
	var summary map[string]any
	if err := json.Unmarshal([]byte(stdout), &summary); err != nil || summary["repeats"] != 6.0 || summary["booked"] != 0.0 {
		t.Errorf("summary %s, %v", stdout, err)
	}

	var bad strings.Builder
	bad.WriteString(tradeHeader)
	for i := range 25 {
		bad.WriteString(tradeRow(fmt.Sprint("bad", i), 100001, "buy", "many", "IBM", ""))
	}
	bad.WriteString(tradeRow("F", 100001, "buy", "1", "IBM", ""))
	path, errors := writeFile(t, "bad.csv", bad.String()), filepath.Join(t.TempDir(), "errors.csv")
	stdout, stderr := run(exitFailed, "book", "--quiet", "--errors", errors, path)
	if !strings.HasPrefix(stdout, "26 rows: 1 booked, 0 repeats, 25 rejected, in ") {
		t.Errorf("summary %q", stdout)
	}
	if n := strings.Count(stderr, path+":"); n != shownRejects || !strings.Contains(stderr, path+":2: quantity: ") || !strings.Contains(stderr, "5 more rejected rows") {
		t.Errorf("%d rejected rows are shown:\n%s", n, stderr)
	}
	f, err := os.Open(errors)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if rows, err := csv.NewReader(f).ReadAll(); err != nil || len(rows) != 26 || rows[25][1] != "26" || rows[25][2] != "quantity" || rows[25][3] != "invalid_field" {
		t.Errorf("errors file: %v, %v", rows, err)
	}

	for _, test := range []struct{ args, want string }{
		{"positions -o csv", "account_id,symbol,trade_date_quantity\n100001,IBM,1\n100002,BAC,-30\n100002,IBM,90\n"},
		{"positions -o csv --account cust:100002", "account_id,symbol,trade_date_quantity\n100002,BAC,-30\n100002,IBM,90\n"},
		{"balances -o csv", "account_id,currency,trade_date_amount\n100001,USD,-13.52\n100002,USD,-632.02\n"},
	} {
		if got, _ := run(exitOK, strings.Fields(test.args)...); got != test.want {
			t.Errorf("bk %s: %q, want %q", test.args, got, test.want)
		}
	}
	if got, _ := run(exitOK, "positions", "-o", "csv", "--all"); !strings.Contains(got, ",IBM,-91\n") {
		t.Errorf("all positions: %s", got)
	}
	for _, args := range []string{"positions", "balances", "trial-balance", "entries", "statement 100002", "accounts", "instruments"} {
		stdout, _ := run(exitOK, append(strings.Fields(args), "-o", "json")...)
		var rows []map[string]any
		if err := json.Unmarshal([]byte(stdout), &rows); err != nil || len(rows) < 2 {
			t.Errorf("bk %s -o json: %v\n%s", args, err, stdout)
		}
		if stdout, _ := run(exitOK, strings.Fields(args)...); !strings.Contains(stdout, "┌") {
			t.Errorf("bk %s is no table:\n%s", args, stdout)
		}
	}
	if stdout, _ := run(exitOK, "entries", "-o", "csv", "--kind", "trade.cancel", "--account", "100002", "--limit", "1"); strings.Count(stdout, "trade.cancel") != 5 {
		t.Errorf("entries of cancels, a row each posting:\n%s", stdout)
	}
	if stdout, _ := run(exitOK, "entries", "-o", "csv", "--after", "1000000"); strings.Count(stdout, "\n") != 1 {
		t.Errorf("entries behind the end:\n%s", stdout)
	}

	cancels := writeFile(t, "cancels.csv", "account_id,client_trade_id\n100002,B\n")
	for _, want := range []string{"1 rows: 1 canceled, 0 repeats", "1 rows: 0 canceled, 1 repeats"} {
		if stdout, _ := run(exitOK, "cancel", "--quiet", cancels); !strings.HasPrefix(stdout, want) {
			t.Errorf("summary %q, want %q", stdout, want)
		}
	}
	if got, _ := run(exitOK, "positions", "-o", "csv", "--account", "100002"); got != "account_id,symbol,trade_date_quantity\n100002,IBM,90\n" {
		t.Errorf("after the cancel: %q", got)
	}
	if stdout, _ := run(exitOK, "status"); !strings.Contains(stdout, "leads") {
		t.Errorf("status:\n%s", stdout)
	}
	if stdout, _ := run(exitOK, "rebuild", "--quiet"); !strings.Contains(stdout, "balances: rebuilt") {
		t.Errorf("rebuild:\n%s", stdout)
	}
	if stdout, _ := run(exitOK, "verify", "--quiet"); !strings.Contains(stdout, "the books hold") {
		t.Errorf("verify:\n%s", stdout)
	}
	run(exitFailed, "statement", "4711")
	run(exitFailed, "rebuild", "nothing")
}

func TestClientExitCodes(t *testing.T) {
	t.Parallel()
	empty := writeFile(t, "empty.csv", "")
	file := writeFile(t, "trades.csv", tradeHeader)
	other := writeFile(t, "other.csv", "account_number,symbol\n")
	nobody := []string{"--server", "http://127.0.0.1:1"}
	for _, test := range []struct {
		code int
		args []string
		want string
	}{
		{exitUsage, []string{"nonsense"}, `unknown command "nonsense"`},
		{exitUsage, []string{"book"}, "requires at least 1 arg"},
		{exitUsage, []string{"book", empty}, "empty.csv: the file is empty"},
		{exitUsage, []string{"book", empty + ".none"}, "no such file"},
		{exitUsage, []string{"cancel", other}, "other.csv:1: no header of a cancel file"},
		{exitUsage, []string{"book", "--batch", "1001", file}, "batch rows"},
		{exitUsage, []string{"positions", "-o", "xml"}, "give one of table, csv, json"},
		{exitUsage, []string{"positions", "--account", "x"}, "account"},
		{exitUsage, []string{"entries", "--after", "x"}, "--after"},
		{exitUsage, []string{"positions", "--server", "nowhere"}, "nowhere"},
		{exitUnreachable, append([]string{"book", file}, nobody...), "no server at 127.0.0.1:1: connection refused"},
		{exitUnreachable, append([]string{"positions"}, nobody...), "no server at 127.0.0.1:1: connection refused"},
		{exitUnreachable, append([]string{"verify"}, nobody...), "no server at 127.0.0.1:1: connection refused"},
		{exitUnreachable, append([]string{"rebuild", "balances"}, nobody...), "no server at 127.0.0.1:1: connection refused"},
	} {
		code, stdout, stderr := bk(t.Context(), test.args...)
		if code != test.code || !strings.Contains(stderr, test.want) || stdout != "" {
			t.Errorf("bk %v: exit %d, want %d; %q does not have %q; %s", test.args, code, test.code, stderr, test.want, stdout)
		}
	}
}
