package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// started is a running `hotswap bank`.
type started struct {
	bankEndpoints
	end  context.CancelFunc
	code chan int
}

func startBank(t *testing.T, args ...string) *started {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	ctx, cancel := context.WithCancel(context.Background())
	s := &started{end: cancel, code: make(chan int, 1)}
	t.Cleanup(cancel)
	log := &bytes.Buffer{}
	go func() {
		s.code <- Main(ctx, append([]string{"bank", "--listen", "127.0.0.1:0", "--ready-file", ready}, args...), io.Discard, log)
	}()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		content, err := os.ReadFile(ready)
		if err == nil {
			if err := json.Unmarshal(content, &s.bankEndpoints); err != nil {
				t.Fatal(err)
			}
			return s
		}
		select {
		case code := <-s.code:
			t.Fatalf("ended with %d:\n%s", code, log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("not ready in time")
		}
	}
}

func (s *started) stop(t *testing.T) {
	t.Helper()
	s.end()
	if code := <-s.code; code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func ask(t *testing.T, method, url, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// TestBankOnItsOwn: what was booked is there after a restart on the same folder, and the stream goes on at the same address.
func TestBankOnItsOwn(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := startBank(t, "--data", data)
	ask(t, "POST", s.Operations+"/entities", `{"entity_id":1,"client_code":"c","legal_name":"l"}`)
	ask(t, "POST", s.Operations+"/accounts", `{"account_id":1,"entity_id":1,"name":"n"}`)
	if got := ask(t, "POST", s.Operations+"/cash", `{"client_id":"c","account_id":1,"currency":"USD","amount":"5.50","kind":"deposit"}`); got != `{"cash_id":"1"}` {
		t.Errorf("cash: %s", got)
	}
	kafka := s.Kafka
	s.stop(t)
	s = startBank(t, "--data", data)
	defer s.stop(t)
	const want = `{"data":[{"currency":"USD","trade_cash":"5.5","settled_cash":"5.5","unsettled_debits":"0","unsettled_credits":"0"}]}`
	if got := ask(t, "GET", s.API+"/accounts/1/balances", ""); got != want {
		t.Errorf("balances: %s", got)
	}
	if s.Kafka != kafka {
		t.Errorf("Kafka was at %s, is at %s", kafka, s.Kafka)
	}
}

func TestBankUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"bank --listen nowhere":                      "--listen",
		"bank --partitions -1 --connections 1":       "--connections",
		"bank --data= --db x":                        "--data",
		"bank --log-level loud --db x --kafka none":  "--log-level",
		"bank --log-format song --db x --kafka none": "--log-format",
		"bank --api-key= --db x --kafka none":        "--api-key",
		"bank extra":                                 "extra",
		"nothing":                                    "nothing",
	} {
		out := &bytes.Buffer{}
		if code := Main(t.Context(), strings.Fields(args), io.Discard, out); code != exitUsage || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %d %s", args, code, out)
		}
	}
}

func TestNextPort(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"127.0.0.1:8080": "127.0.0.1:8081", "[::1]:0": "[::1]:0", ":80": ":81"} {
		if got, err := nextPort(address); err != nil || got != want {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
	for _, address := range []string{"x", "x:http"} {
		if got, err := nextPort(address); err == nil {
			t.Errorf("%s: %s", address, got)
		}
	}
}
