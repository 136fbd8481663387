package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
)

// TestLifeFromTheCommandLine takes trades through their days by the commands alone.
func TestLifeFromTheCommandLine(t *testing.T) {
	t.Parallel()
	server := serveForClients(t)
	run := func(want int, line string) (stdout, stderr string) {
		t.Helper()
		code, stdout, stderr := bk(t.Context(), append(strings.Fields(line), "--server", server)...)
		if code != want {
			t.Fatalf("bk %s: exit %d, want %d\n%s%s", line, code, want, stdout, stderr)
		}
		return stdout, stderr
	}
	has := func(line string, wants ...string) {
		t.Helper()
		stdout, _ := run(exitOK, line)
		for _, want := range wants {
			if !strings.Contains(stdout, want) {
				t.Errorf("bk %s does not have %q:\n%s", line, want, stdout)
			}
		}
	}

	has("status", "none: nothing was rolled yet")
	has("roll --to 2013-10-07 --quiet", "2013-10-07  opened 0  settled 0  cut of 0 rows  ", "the business date is 2013-10-07\n")
	has("roll --to 20131007", "the business date is 2013-10-07 already\n")
	file := writeFile(t, "trades.csv", tradeHeader+
		tradeRow("A", 100002, "buy", "100", "IBM", "")+
		tradeRow("B", 100002, "sell", "40", "IBM", "")+
		tradeRow("C", 100001, "sell", "5", "IBM", ""))
	has("book --create-missing --quiet "+file, "3 booked")
	has("event cash.deposit account=cust:100002 currency=USD amount=500 --key d1 --source desk", "cash.deposit booked: entry ", " at 0:")
	has("event cash.deposit account=cust:100002 currency=USD amount=500 --key d1 -o json", `"repeat":true`)
	has("cash -o csv", "account_id,account,currency,trade_date_amount,settled_amount,unsettled_amount,settle_date,debits,credits\n"+
		"100001,cust:100001,USD,51.48,0,51.48,2013-10-10,0,51.48\n",
		"100002,cust:100002,USD,-132.02,500,-632.02,2013-10-10,1051,418.98\n")

	stdout, _ := run(exitOK, "trades --state open -o json")
	var trades []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(stdout), &trades); err != nil || len(trades) != 3 {
		t.Fatalf("open trades: %v\n%s", err, stdout)
	}
	has("trades --state settled -o csv", "street_settled\n")
	has("positions --full --account 100002 -o csv", ",cost,average_cost,realised\n100002,cust:100002,IBM,USD,60,0,60,60,0,630,10.5,0\n")

	stdout, _ = run(exitOK, "roll --to 2013-10-10 --street=false -o json")
	var days []map[string]any
	if err := json.Unmarshal([]byte(stdout), &days); err != nil || len(days) != 3 || days[2]["settled"] != 3.0 || days[2]["date"] != "2013-10-10" {
		t.Errorf("roll: %v\n%s", err, stdout)
	}
	_, stderr := run(exitFailed, "roll --to 2013-10-09")
	if !strings.Contains(stderr, "to: the business date is 2013-10-10 already (day_passed)") {
		t.Errorf("back: %s", stderr)
	}
	has("trades --account 100002 --instrument IBM --from 2013-10-07 --to 20131007 --limit 1", "settled", "cust:100002", "2013-10-10")
	has("event trade.settle_street --target "+trades[0].ID+" --key street", "trade.settle_street booked")
	has("event trade.settle_street --target-key 100002/B --key street2 --effective-date 2013-10-10", "trade.settle_street booked")
	_, stderr = run(exitFailed, "event trade.settle_street --target "+trades[0].ID+" --key street3")
	if !strings.Contains(stderr, "(trade_settled)") {
		t.Errorf("twice: %s", stderr)
	}
	has("stock-record -o csv", "instrument,symbol,long,short,located,difference\n", ",IBM,60,5,-55,0\n")
	has("stock-record IBM -o csv", "location:dtc,location,-60,-60,0\n", "street:cns,street,5,0,5\n")
	has("stock-record ticker:IBM:USA:USD", "cust:100001")
	has("cuts -o csv", "date,rows,hash,token,booked_at\n2013-10-07,0,", "2013-10-10,")
	has("cuts 2013-10-10 -o csv", "account_id,account,instrument_id,symbol,unsettled,settled,trade_date\n100001,cust:100001,", "100002,cust:100002,1,IBM,0,60,60\n")
	has("entries --kind day.end", "2013-10-10: 0 opened, 3 settled, cut of ")
	has("entries --kind trade.settle -o csv", "state,replaced_by,root\n", ",settled,,\n")
	has("entries --kind cash.deposit", "account=100002 amount=500 currency=USD")
	has("status", "business date", "2013-10-10")

	head := strings.TrimSpace(strings.Split(strings.Split(mustRun(t, server, "status -o json"), `"head":"`)[1], `"`)[0])
	better := writeFile(t, "better.csv", tradeHeader+tradeRow("A2", 100002, "buy", "90", "IBM", "A"))
	has("book --quiet "+better, "1 booked")
	has("positions -o csv --account 100002", "100002,IBM,50\n")
	has("positions -o csv --account 100002 --known-at "+head, "100002,IBM,60\n")
	has("positions --full -o csv --account 100002 --as-of 2013-10-06", "realised\n")
	has("balances -o csv --account 100002 --as-of 2013-10-07 --known-at "+head, "100002,USD,-132.02\n")
	has("statement 100002 -o csv --as-of 2013-10-07 --known-at "+head, ",IBM,unsettled,100,100\n")
	has("trades --account 100002 -o csv --known-at "+head, ",settled,exchange,")
	has("trades --account 100002 --state canceled -o csv", ",canceled,exchange,")
	has("verify --quiet", "the books hold")

	for _, line := range []string{
		"stock-record NONE", "cuts 2013-11-01", "trades --instrument NONE", "event stock.dance --key x", "trades --known-at yesterday",
	} {
		run(exitFailed, line)
	}
}

// TestRollAgainstALostConnection cuts the connection of the first roll once the server has done it: the command asks again, and still shows every day.
func TestRollAgainstALostConnection(t *testing.T) {
	t.Parallel()
	server := serveForClients(t)
	mustRun(t, server, "roll --quiet --to 2013-10-07")
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	forward := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	cut := 0
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == bkv1connect.AdminServiceRollProcedure && cut == 0 {
			cut++
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, r)
	}))
	proxy.Config.Protocols = &protocols
	proxy.Start()
	defer proxy.Close()
	code, stdout, stderr := bk(t.Context(), "roll", "--to", "2013-10-09", "--quiet", "--server", proxy.URL)
	if code != exitOK || cut != 1 || !strings.HasPrefix(stdout, "2013-10-08  opened 0") || !strings.Contains(stdout, "\n2013-10-09  opened 0") ||
		!strings.HasSuffix(stdout, "\nthe business date is 2013-10-09\n") {
		t.Errorf("exit %d, %d cut:\n%s%s", code, cut, stdout, stderr)
	}
}

func mustRun(t *testing.T, server, line string) string {
	t.Helper()
	code, stdout, stderr := bk(t.Context(), append(strings.Fields(line), "--server", server)...)
	if code != exitOK {
		t.Fatalf("bk %s: exit %d\n%s", line, code, stderr)
	}
	return stdout
}

func TestUsageOfTheDaysCommands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code int
		line string
		want string
	}{
		{exitUsage, "roll", "--to: needed"},
		{exitUsage, "roll --to 2013-10-32", `"2013-10-32" is no day`},
		{exitUsage, "roll --to 2013-1-01", "is no day"},
		{exitUsage, "roll --to 1013-10-09", "is no day"},
		{exitUsage, "trades --state done", "give one of new, open, settled, canceled"},
		{exitUsage, "trades --limit -1", "--limit"},
		{exitUsage, "positions --as-of 2013-10-09", "--account: needed with --as-of"},
		{exitUsage, "positions --closed", "--closed: goes with --full"},
		{exitUsage, "balances --known-at 0:1", "--account: needed"},
		{exitUsage, "cuts yesterday", `DATE: "yesterday" is no day`},
		{exitUsage, "event cash.deposit a=b", "--key: needed"},
		{exitUsage, "event cash.deposit --key k amount", `"amount" is no FIELD=VALUE`},
		{exitUsage, "event cash.deposit --key k a=1 a=2", "stands twice"},
		{exitUsage, "event trade.settle_street --key k --target x", "no trade id"},
		{exitUnreachable, "roll --to 2013-10-09 --server http://127.0.0.1:1", "no server at 127.0.0.1:1"},
		{exitUnreachable, "event cash.deposit --key k --server http://127.0.0.1:1", "no server at 127.0.0.1:1"},
		{exitUnreachable, "trades --server http://127.0.0.1:1", "no server at 127.0.0.1:1"},
	} {
		code, stdout, stderr := bk(t.Context(), strings.Fields(test.line)...)
		if code != test.code || !strings.Contains(stderr, test.want) || stdout != "" {
			t.Errorf("bk %s: exit %d, want %d; %q does not have %q; %s", test.line, code, test.code, stderr, test.want, stdout)
		}
	}
}
