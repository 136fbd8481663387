package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
)

// landedFile makes a warehouse in which both sides are equal.
func landedFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "warehouse.duckdb")
	store, err := duck.OpenStore(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	for _, bk := range []bool{false, true} {
		if _, err := landing.Feed(t.Context(), landing.Config{Store: store}, generate.Records(generate.Config{Events: 8000, Accounts: 200, Symbols: 20, DayTrades: 1000, BK: bk}, false)); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestParity goes the way of the manual: equal, then with faults, then by a rule, with the exit codes that programs go by.
func TestParity(t *testing.T) {
	t.Parallel()
	file := landedFile(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	command := func(want int, args ...string) string {
		t.Helper()
		var out, said bytes.Buffer
		if code := Main(t.Context(), args, &out, &said); code != want {
			t.Fatalf("%v: exit code %d, not %d\n%s%s", args, code, want, out.String(), said.String())
		}
		return out.String() + said.String()
	}
	compare := []string{"parity", "--warehouse", file, "--lag", "0s", "--json", in("parity.json"), "--html", in("parity.html")}
	if said := command(exitOK, compare...); !strings.Contains(said, "0 unexplained: both sides say the same") {
		t.Error(said)
	}
	if said := command(exitOK, "parity", "faults", "--warehouse", file, "--count", "30", "--kinds", "wrong_price,dropped,doubled", "--manifest", in("faults.json")); !strings.Contains(said, "30 events of the side bk") {
		t.Error(said)
	}
	if said := command(exitFailed, append(compare, "--quiet")...); !strings.Contains(said, "30 unexplained, 0 explained") {
		t.Error(said)
	}
	text, err := os.ReadFile(in("parity.json"))
	if err != nil {
		t.Fatal(err)
	}
	var told struct {
		Compared, Unexplained, Explained int64
		Causes                           []struct {
			Kind           string
			Rows, Accounts int64
			Money          float64
		}
	}
	if err := json.Unmarshal(text, &told); err != nil || told.Compared != 8010 || told.Unexplained != 30 || len(told.Causes) != 3 || told.Causes[0].Accounts != 10 {
		t.Errorf("%v %+v", err, told)
	}
	if page, err := os.ReadFile(in("parity.html")); err != nil || !bytes.Contains(page, []byte("30 unexplained")) {
		t.Errorf("the page: %v", err)
	}
	if said := command(exitOK, "parity", "faults", "check", "--manifest", in("faults.json"), "--report", in("parity.json")); !strings.Contains(said, "30 faults, 30 found, 30 rightly named, 0 false alarms") {
		t.Error(said)
	}
	if err := os.WriteFile(in("rules.yaml"), []byte("rules: [{name: all, owner: anna, reason: a drill, expires: 2099-12-31, side: bk}, {name: prices, owner: anna, reason: a drill, expires: 2099-12-31, kind: 'wrong_decimal:*'}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := command(exitOK, append(compare, "--rules", in("rules.yaml"))...); !strings.Contains(said, "0 unexplained, 30 explained by rules") {
		t.Error(said)
	}
	command(exitUsage, "parity", "--warehouse", in("none.duckdb"))
	command(exitUsage, "parity", "--warehouse", file, "--rules", in("none.yaml"))
	if said := command(exitUsage, "parity", "--warehouse", file, "--lag=-1s", "--metrics", "127.0.0.1:0"); !strings.Contains(said, "--lag") || !strings.Contains(said, "--metrics: needs") {
		t.Error(said)
	}
	if said := command(exitUsage, "parity", "faults", "--warehouse", file, "--kinds", "odd", "--side", "left"); !strings.Contains(said, "--kinds") || !strings.Contains(said, "--side") || !strings.Contains(said, "--manifest") {
		t.Error(said)
	}
}

// told is what a command writes while it runs.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *told) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// TestParityContinuous has figures of the rounds, and the last report as a page.
func TestParityContinuous(t *testing.T) {
	t.Parallel()
	file := landedFile(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	said := &told{}
	done := make(chan int)
	go func() {
		done <- Main(ctx, []string{"parity", "--warehouse", file, "--continuous", "1s", "--metrics", "127.0.0.1:0", "--quiet"}, io.Discard, said)
	}()
	address := regexp.MustCompile(`http://\S+`)
	get := func(path string) string {
		at := address.FindString(said.String())
		if at == "" {
			return ""
		}
		answer, err := http.Get(at + path)
		if err != nil {
			return ""
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return string(text)
	}
	for !strings.Contains(get("/metrics"), "parity_rounds_total 2") {
		select {
		case code := <-done:
			t.Fatalf("it ended with %d: %s", code, said)
		case <-ctx.Done():
			t.Fatalf("no second round: %s\n%s", said, get("/metrics"))
		case <-time.After(100 * time.Millisecond):
		}
	}
	figures := get("/metrics")
	for _, want := range []string{"parity_compared_events 8000", "parity_equal_events 8000", "parity_unexplained 0", "parity_failed_rounds_total 0", "parity_pending_events 0"} {
		if !strings.Contains(figures, want) {
			t.Errorf("%q is not in\n%s", want, figures)
		}
	}
	if page := get("/"); !strings.Contains(page, "both sides say the same") {
		t.Error(page)
	}
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d: %s", code, said)
	}
}
