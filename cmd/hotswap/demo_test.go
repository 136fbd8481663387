package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bkledger/bk/compat/demo"
)

func TestDemoFlagsReportEverything(t *testing.T) {
	t.Parallel()
	var out, told bytes.Buffer
	code := Main(t.Context(), []string{"demo", "--listen", "0.0.0.0:80", "--dir", ""}, &out, &told)
	if code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"--listen:", "--dir:"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%s is not in %s", want, told.String())
		}
	}
}

// cuts ends a context when something is written.
type cuts struct {
	end context.CancelFunc
	mu  sync.Mutex
	all bytes.Buffer
}

func (c *cuts) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Contains(p, []byte("live page")) {
		c.end()
	}
	return c.all.Write(p)
}

// TestDemoInterrupted: an interrupted demo is exit code 1 with the reason, and its summary says what was made.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	dir := t.TempDir()
	path := filepath.Join(dir, "summary.json")
	out, told := &cuts{end: end}, &bytes.Buffer{}
	if code := Main(ctx, []string{"demo", "--fast", "--exit", "--dir", filepath.Join(dir, "reports"), "--json", path}, out, told); code != exitFailed {
		t.Errorf("exit code %d: %s", code, told)
	}
	for _, want := range []string{"interrupted", "0 of 12 stages were made"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%q is not in %s", want, told)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s demo.Summary
	if err := json.Unmarshal(text, &s); err != nil || len(s.Stages) != 1 || s.ClientErrors != 0 || s.Differences != 0 {
		t.Errorf("%s: %v", text, err)
	}
}
