package rates

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// TestCaller reads answers of a known length, and such that come in parts, one after the other on one connection.
func TestCaller(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil || r.Method == http.MethodPost && !bytes.Equal(text, []byte("[1]")) {
			t.Errorf("%s with the body %q, %v", r.Method, text, err)
		}
		if r.URL.Path == "/parts" {
			w.WriteHeader(http.StatusAccepted)
			for range 3 {
				_, _ = io.WriteString(w, "part")
				w.(http.Flusher).Flush()
			}
			return
		}
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, "whole")
	}))
	t.Cleanup(server.Close)
	c, err := dial(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for range 3 {
		if err := c.call("GET", "/", nil, 200); err != nil {
			t.Error(err)
		}
		if err := c.call("POST", "/parts", []byte("[1]"), 202); err != nil {
			t.Error(err)
		}
		if err := c.call("POST", "/bad", []byte("[1]"), 202); err == nil || !strings.Contains(err.Error(), "400: whole") {
			t.Errorf("%v; want one with status and body", err)
		}
		if err := c.call("POST", "/parts", []byte("[1]"), 200); err == nil || !strings.Contains(err.Error(), "202: partpartpart") {
			t.Errorf("%v; want one with status and body", err)
		}
	}
}

func TestCallsAreTrades(t *testing.T) {
	t.Parallel()
	var numbers atomic.Int64
	dice := rand.New(rand.NewPCG(1, 1))
	seen := map[string]bool{}
	for range 5 {
		var trades []json.RawMessage
		if err := json.Unmarshal(appendCall(nil, &numbers, 20, dice), &trades); err != nil || len(trades) != 20 {
			t.Fatalf("%d trades, %v", len(trades), err)
		}
		for _, text := range trades {
			trade, err := bank.ReadTrade(text)
			if err != nil || seen[trade.ClientTradeID] || trade.Date != day || trade.AccountID < firstAccount || trade.AccountID >= firstAccount+accounts {
				t.Fatalf("%s: %v", text, err)
			}
			seen[trade.ClientTradeID] = true
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	f := func(rounds ...float64) figures { return figures{rounds: rounds, trades: 10} }
	r := Report{Added: []Added{{Call: "GET", AddedP50: 0.2}}}
	r.judge(&measured{tpcb: f(1000, 1000, 1000), bankSingles: f(400, 500, 600), booksSingles: f(1600, 1500, 1800), bankCalls: f(100, 100, 100), booksCalls: f(1000, 900, 5000)})
	if !r.Holds() || len(r.Ratios) != 4 || r.Ratios[1].Value != 3 || r.Ratios[2].Value != 10 || r.Ratios[3].Value != 0.5 {
		t.Errorf("%+v", r.Ratios)
	}
	slow := Report{Added: []Added{{Call: "GET", AddedP50: 0.5}}}
	slow.judge(&measured{bankSingles: f(400), booksSingles: f(1200)})
	if slow.Holds() || len(slow.Ratios) != 2 || slow.Ratios[0].Holds || !slow.Ratios[1].Holds {
		t.Errorf("%+v", slow.Ratios)
	}
	var text, back bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteJSON(&back)); err != nil || !strings.Contains(text.String(), "bk-only to Bank, singles") {
		t.Errorf("%v: %s", err, &text)
	}
	var again Report
	if err := json.Unmarshal(back.Bytes(), &again); err != nil || len(again.Ratios) != 4 || len(again.Rates) != 5 {
		t.Errorf("%v: %s", err, &back)
	}
}

func TestConfigReportsEverything(t *testing.T) {
	t.Parallel()
	err := Config{Hotswap: "nowhere", BK: "nowhere", Clients: -1, CallClients: 1000, Pairs: 1, Phase: time.Millisecond, Rounds: -1}.WithDefaults().Validate()
	for _, field := range []string{"Hotswap", "BK", "Clients", "CallClients", "Pairs", "Phase", "Rounds"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s is not in %v", field, err)
		}
	}
}

// TestRun measures with the programs themselves, as shortly as can be: all figures are there, and nothing was lost or doubled.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/", "../../cmd/bk", "../../cmd/hotswap").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	report, err := Run(t.Context(), Config{
		Hotswap: filepath.Join(dir, "hotswap"), BK: filepath.Join(dir, "bk"), Dir: dir, Clients: 8, CallClients: 2, Pairs: 10, Phase: time.Second, Rounds: 1,
		Progress: func(doing string) { t.Log(doing) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Added) != 2 || len(report.Ratios) < 4 || report.Postgres == "" {
		t.Errorf("%+v", report)
	}
	for _, rate := range report.Rates {
		if rate.Median <= 0 {
			t.Errorf("%s, %s: %g a second", rate.Side, rate.What, rate.Median)
		}
	}
}
