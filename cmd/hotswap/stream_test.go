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

	"github.com/bkledger/bk/migrations/kafkatest"
)

func TestStreamFlags(t *testing.T) {
	t.Parallel()
	const fine = "stream --kafka 127.0.0.1:1 --bk http://127.0.0.1:1 --db postgres://u@127.0.0.1:1/d "
	for args, want := range map[string][]string{
		"stream":                    {"--kafka: needed", "--bk: needed", "--db: needed", "see hotswap stream --help"},
		fine + "--own":              {"--bank-operations: needed"},
		fine + "--instance a/b":     {"--instance: "},
		fine + "--batch 0":          {"--batch: 0"},
		fine + "--partitions 2000":  {"--partitions: 2000"},
		fine + "--bk nowhere":       {"--bk: "},
		fine + "--db ://":           {"--db: "},
		"stream skip 3 81204":       {"--why: needed"},
		"stream skip -- -1 4":       {`"-1" is no partition`},
		"stream skip 3 x --why y":   {`"x" is no offset`},
		fine + "--admin-listen 127": {"--admin-listen: "},
	} {
		out := &bytes.Buffer{}
		code := Main(t.Context(), strings.Fields(args), io.Discard, out)
		for _, w := range want {
			if code != exitUsage || !strings.Contains(out.String(), w) {
				t.Errorf("%s: %d, without %q: %s", args, code, w, out)
			}
		}
	}
}

// TestStreamAdmin: an instance that has nothing to read yet says so.
func TestStreamAdmin(t *testing.T) {
	t.Parallel()
	ready := filepath.Join(t.TempDir(), "ready")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- Main(ctx, []string{
			"stream", "--kafka", kafkatest.New(t).Addr(), "--bk", "http://127.0.0.1:1", "--db", "postgres://nobody@127.0.0.1:1/none", "--admin-listen", "127.0.0.1:0", "--instance", "test",
			"--ready-file", ready,
		}, t.Output(), t.Output())
	}()
	var at streamEndpoints
	wait := time.NewTicker(10 * time.Millisecond)
	defer wait.Stop()
	for deadline := time.Now().Add(time.Minute); at.Admin == ""; <-wait.C {
		if text, err := os.ReadFile(ready); err == nil {
			if err := json.Unmarshal(text, &at); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not start")
		}
	}
	get := func(path string) (int, string) {
		res, err := http.Get(at.Admin + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if code, text := get("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d %s", code, text)
	}
	for deadline := time.Now().Add(time.Minute); ; <-wait.C {
		code, text := get("/readyz")
		if code == http.StatusServiceUnavailable && strings.Contains(text, "there is no topic bk.events.v1") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz: %d %s", code, text)
		}
	}
	if code, text := get("/metrics"); code != http.StatusOK || !strings.Contains(text, "hotswap_stream_ready 0") {
		t.Errorf("/metrics: %d %.300s", code, text)
	}
	for args, want := range map[string]string{
		"stream status":                         "there is no topic bk.events.v1",
		"stream skip 0 7 --who anna --why test": "",
	} {
		out, fault := &bytes.Buffer{}, &bytes.Buffer{}
		code := Main(t.Context(), append(strings.Fields(args), "--stream", at.Admin), out, fault)
		if want != "" && (code != exitOK || !strings.Contains(out.String(), want)) {
			t.Errorf("%s: %d %s %s", args, code, out, fault)
		}
		if want == "" && (code != exitFailed || fault.Len() == 0) {
			t.Errorf("%s: %d %s %s", args, code, out, fault)
		}
	}
	stop()
	if code := <-done; code != exitOK {
		t.Errorf("it ended with %d", code)
	}
}
