package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/sample"
)

// facadeCommand runs `hotswap facade ARGS` without the root.
func facadeCommand(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var text bytes.Buffer
	cmd := newFacadeCommand(&app{out: &text, err: &text})
	cmd.SetArgs(args)
	cmd.SetOut(&text)
	cmd.SetErr(&text)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.ExecuteContext(t.Context())
	return text.String(), err
}

func TestFacadeFlagsReportEverything(t *testing.T) {
	t.Parallel()
	_, err := facadeCommand(t, "--mode", "bank", "--bank", "http://bank", "--queue-limit", "-1", "--data", "", "--sample-rules", "not-there.yaml", "--roll-timeout", "1h")
	usage := (*usageError)(nil)
	if !errors.As(err, &usage) {
		t.Fatalf("%v; want a usage error", err)
	}
	for _, want := range []string{"--mode:", "--bank-operations:", "--data:", "--queue-limit:", "--sample-rules:", "--roll-timeout:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in %v", want, err)
		}
	}
}

func TestFacadeAddresses(t *testing.T) {
	t.Parallel()
	s := &facadeServer{data: "x"}
	s.cfg.Bank, s.cfg.Listen = "http://bank:8080", "127.0.0.1:8090"
	s.cfg.Hold, s.cfg.Lease, s.cfg.RollTimeout, s.cfg.QueueLimit = time.Second, time.Second, time.Second, 1
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	if s.cfg.BankOperations != "http://bank:8081" || s.cfg.OperationsListen != "127.0.0.1:8091" || s.cfg.AdminListen != "127.0.0.1:8092" || s.cfg.Replica == "" {
		t.Errorf("%+v", s.cfg)
	}
}

// TestFacadeAsks looks at what the commands send, and at what they make of an answer.
func TestFacadeAsks(t *testing.T) {
	t.Parallel()
	var method, path string
	var got map[string]any
	status, answer := http.StatusOK, any(mode.State{Epoch: mode.Epoch{Epoch: 3, Mode: mode.BKPrimary, Who: "anna", Why: "step", HeldMS: 12}, Sampling: 0.5})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, path, got = r.Method, r.URL.RequestURI(), nil
		if r.ContentLength > 0 {
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
		}
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	out, err := facadeCommand(t, "mode", "--facade", server.URL)
	if err != nil || method != "GET" || path != "/mode" || !strings.Contains(out, "bk-primary-bank-secondary\n  epoch     3\n") || !strings.Contains(out, "held      12 ms") {
		t.Errorf("%s %s: %s, %v", method, path, out, err)
	}
	if _, err := facadeCommand(t, "mode", "bk-only", "--facade", server.URL, "--who", "anna", "--why", "step", "--wait", "5s"); err != nil || got["to"] != "bk-only" ||
		got["who"] != "anna" || got["why"] != "step" || got["wait_ms"] != 5000.0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := facadeCommand(t, "mode", "--kill", "--facade", server.URL, "--who", "anna", "--why", "slow"); err != nil || got["kill"] != true {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := facadeCommand(t, "mode", "bk-only", "--facade", server.URL, "--who", "", "--why", ""); err == nil || !strings.Contains(err.Error(), "--who") || !strings.Contains(err.Error(), "--why") {
		t.Errorf("%v; want both missing", err)
	}
	answer = facade.InForce{State: mode.State{Epoch: mode.Epoch{Mode: mode.BKOnly}}, BankLacks: &mode.Left{Entries: 812, Through: 20391}}
	if out, err := facadeCommand(t, "mode", "--facade", server.URL); err != nil || !strings.Contains(out, "--leave-behind 812@20391") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := facadeCommand(t, "mode", "--final", "--leave-behind", "812@20391", "--facade", server.URL, "--who", "anna", "--why", "Bank is gone"); err != nil || got["final"] != true ||
		!strings.Contains(fmt.Sprint(got["leave_behind"]), "20391") {
		t.Errorf("%v, %v", got, err)
	}
	for _, args := range [][]string{{"mode", "--final", "--leave-behind", "many"}, {"mode", "bk-only", "--leave-behind", "1"}, {"follow"}, {"follow", "--after", "1", "--date", "20131099"}} {
		usage := (*usageError)(nil)
		if _, err := facadeCommand(t, append(args, "--facade", server.URL, "--who", "anna", "--why", "x")...); !errors.As(err, &usage) {
			t.Errorf("%v: %v; want a usage error", args, err)
		}
	}
	if out, err := facadeCommand(t, "follow", "--after", "81204", "--date", "20131007", "--facade", server.URL, "--who", "anna", "--why", "loaded"); err != nil || path != "/follow" ||
		fmt.Sprint(got["after"]) != "81204" || !strings.Contains(out, "81204") {
		t.Errorf("%s %v: %s, %v", path, got, out, err)
	}
	if _, err := facadeCommand(t, "sample", "0.25", "--facade", server.URL, "--who", "anna", "--why", "look"); err != nil || path != "/sampling" || got["rate"] != 0.25 {
		t.Errorf("%s %v, %v", path, got, err)
	}
	if _, err := facadeCommand(t, "sample", "2", "--facade", server.URL); err == nil {
		t.Error("a rate of 2 was taken")
	}
	answer = []struct{}{}
	if out, err := facadeCommand(t, "queue", "list", "--blocked", "--facade", server.URL); err != nil || path != "/queue?after=0&blocked=true" || !strings.HasPrefix(out, "POSITION") {
		t.Errorf("%s: %s, %v", path, out, err)
	}
	if out, err := facadeCommand(t, "divergences", "--kind", "value", "--limit", "7", "--facade", server.URL); err != nil || path != "/divergences?kind=value&limit=7&unexplained=true" || !strings.HasPrefix(out, "ID") {
		t.Errorf("%s: %s, %v", path, out, err)
	}
	answer = facade.Uploads{
		Unfinished: []upload.Unfinished{{UploadID: "abc", Kind: "insert", Name: "a.csv", Held: &upload.Held{Row: 7, Attempts: 12, Type: "internal", Message: "no leader"}}, {UploadID: "def"}},
		GivenUp:    []upload.GivenUp{{UploadID: "old", Row: 3, Who: "bert", Why: "CHG-1"}},
	}
	if out, err := facadeCommand(t, "uploads", "list", "--facade", server.URL); err != nil || path != "/uploads" || !strings.Contains(out, `internal: "no leader"`) || !strings.Contains(out, "bert") {
		t.Errorf("%s: %s, %v", path, out, err)
	}
	answer = sample.Divergence{ID: 12, Primary: `"<1>"`}
	if out, err := facadeCommand(t, "divergences", "12", "--facade", server.URL); err != nil || path != "/divergences/12" || !strings.Contains(out, `"primary": "\"<1>\""`) {
		t.Errorf("%s: %s, %v", path, out, err)
	}
	answer = struct{}{}
	if _, err := facadeCommand(t, "uploads", "give-up", "abc", "7", "--force", "--facade", server.URL, "--who", "anna", "--why", "seen to"); err != nil ||
		path != "/uploads/abc/rows/7/give-up" || got["why"] != "seen to" || got["force"] != true {
		t.Errorf("%s %v, %v", path, got, err)
	}
	if _, err := facadeCommand(t, "uploads", "give-up", "abc", "0", "--facade", server.URL, "--who", "anna", "--why", "seen to"); err == nil {
		t.Error("row 0 was taken")
	}
	if _, err := facadeCommand(t, "queue", "skip", "12", "--to-bank", "--facade", server.URL, "--who", "anna", "--why", "seen to"); err != nil || path != "/feed/12/skip" || got["why"] != "seen to" {
		t.Errorf("%s %v, %v", path, got, err)
	}
	if _, err := facadeCommand(t, "queue", "retry", "12", "--facade", server.URL); err != nil || path != "/queue/12/retry" {
		t.Errorf("%s, %v", path, err)
	}
	status, answer = http.StatusConflict, facade.Fault{Error: "another switch is under way"}
	if _, err := facadeCommand(t, "mode", "bk-only", "--facade", server.URL, "--who", "a", "--why", "b"); err == nil || err.Error() != "another switch is under way" {
		t.Errorf("%v", err)
	}
}
