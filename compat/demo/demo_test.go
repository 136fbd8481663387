package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bootstrap"
	"github.com/bkledger/bk/compat/demo"
	"github.com/bkledger/bk/compat/demo/page"
)

// asProgram has this test's binary be the demo itself, for a test that sends signals: its value is the folder of the reports.
const asProgram = "BK_TEST_DEMO"

func TestMain(m *testing.M) {
	dir := os.Getenv(asProgram)
	if dir == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s, err := demo.Run(ctx, demo.Config{Dir: dir, Out: os.Stdout, Stay: true}.Fast())
	stop()
	if err != nil || !s.Holds() {
		fmt.Fprintln(os.Stderr, err, s.Reasons)
		os.Exit(1)
	}
}

// temporary makes a folder that is to be the system's temporary one.
func temporary(t *testing.T) string {
	t.Helper()
	// Not t.TempDir: under root Postgres runs as another user, who has to pass.
	dir, err := os.MkdirTemp("", "demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("%s is left in the temporary folder", e.Name())
	}
	if running := processes(t, dir); len(running) > 0 {
		t.Errorf("these processes are left: %v", running)
	}
}

// processes gives those that have a folder on their command line.
func processes(t *testing.T, dir string) (found []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte(dir)) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

func unreachable(t *testing.T, name, address string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(address, "http://"), time.Second)
	if err == nil {
		conn.Close()
		t.Errorf("%s still listens at %s", name, address)
	}
}

// state reads what the live page shows.
func state(url string) (s page.State, err error) {
	answer, err := http.Get(url + "/state")
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	return s, json.NewDecoder(answer.Body).Decode(&s)
}

// TestDemo makes the whole swap, fast: every stage, no error, no difference, and nothing is left.
func TestDemo(t *testing.T) {
	temp, dir := temporary(t), t.TempDir()
	t.Setenv("TMPDIR", temp)
	var out bytes.Buffer
	var entered []string
	var places demo.Places
	var bankWasThere bool
	switching := make(chan page.State, 1)
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	var watcher sync.WaitGroup
	cfg := demo.Config{Dir: dir, Out: &out}.Fast()
	cfg.Entered = func(stage string, at demo.Places) {
		entered = append(entered, stage)
		places = at
		switch stage {
		case "BK alone":
			conn, err := net.Dial("tcp", strings.TrimPrefix(at.Bank, "http://"))
			if bankWasThere = err == nil; bankWasThere {
				conn.Close()
			}
		case "shadow mode":
			watcher.Go(func() {
				for watching.Err() == nil {
					if s, err := state(at.Page); err == nil && s.Switching != "" {
						switching <- s
						return
					}
				}
			})
		case "life after Bank":
			unreachable(t, "Bank", at.Bank)
			if _, err := pgx.Connect(t.Context(), at.BankDSN); err == nil {
				t.Error("Bank's Postgres still answers")
			}
			s, err := state(at.Page)
			if err != nil || s.Bank != page.Off || s.BK != page.Up || s.Mode != "bk-only" || s.Phase != page.Running {
				t.Errorf("the page shows %+v: %v", s, err)
			}
		}
	}
	s, err := demo.Run(t.Context(), cfg)
	t.Log(out.String())
	stop()
	watcher.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if !s.Holds() || s.ClientErrors != 0 || s.Differences != 0 {
		t.Errorf("it does not hold: %v", s.Reasons)
	}
	want := []string{"history", "Bank alone", "bootstrap", "shadow mode", "parity", "BK first", "a step back", "forward again", "parity again", "BK alone", "Bank switched off", "life after Bank"}
	if !slices.Equal(entered, want) {
		t.Errorf("stages %v", entered)
	}
	switched := map[string]bool{"shadow mode": true, "BK first": true, "a step back": true, "forward again": true, "BK alone": true, "Bank switched off": true}
	for i, st := range s.Stages {
		if st.Name != want[i] || st.Seconds <= 0 {
			t.Errorf("stage %d is %+v", i, st)
		}
		if held := st.WritesHeldMS; held > 0 != switched[st.Name] || held >= 1000 {
			t.Errorf("%s: writes were held for %.1f ms", st.Name, held)
		}
	}
	if s.ClientRequests < 8*120 || s.Trades < 1000 {
		t.Errorf("only %d requests, %d trades", s.ClientRequests, s.Trades)
	}
	if !bankWasThere {
		t.Error("Bank was not there before it was switched off")
	}
	select {
	case s := <-switching:
		if s.Phase != page.Running || s.Requests == 0 || len(s.Points) == 0 {
			t.Errorf("in the middle of a switch the page shows %+v", s)
		}
	default:
		t.Error("no switch was seen on the page")
	}
	kept(t, dir)
	unreachable(t, "the page", places.Page)
	unreachable(t, "the façade", places.Facade)
	empty(t, temp)
	for _, word := range []string{"Bank is replaced", "0 differ", "parity-final.html"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("%q was not told", word)
		}
	}
}

// kept looks at what is in the folder of the reports.
func kept(t *testing.T, dir string) {
	t.Helper()
	for file, word := range map[string]string{
		"parity.html": "<title>Parity: ", "parity-before-bk-only.html": "<title>Parity: ", "parity-final.html": "<title>Parity: ", "page.html": `"phase":"done"`, "demo.log": "level=INFO",
	} {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !bytes.Contains(content, []byte(word)) {
			t.Errorf("%s does not have %q: %v", file, word, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil || len(keys) != 5 {
		t.Errorf("summary.json: %v\n%s", err, text)
	}
	for _, key := range []string{"client_requests", "client_errors", "trades", "differences", "stages"} {
		if keys[key] == nil {
			t.Errorf("summary.json has no %s", key)
		}
	}
}

// TestOpening: BK begins with balances and what is alive, and the same holds: Bank's topics go on, both sides' events agree from the snapshot on, and so do the books.
func TestOpening(t *testing.T) {
	temp, dir := temporary(t), t.TempDir()
	t.Setenv("TMPDIR", temp)
	s, err := demo.Run(t.Context(), demo.Config{Dir: dir, Mode: bootstrap.Opening, Out: t.Output()}.Fast())
	if err != nil {
		t.Fatal(err)
	}
	if !s.Holds() || s.ClientErrors != 0 || s.Differences != 0 || len(s.Stages) != 12 {
		t.Errorf("it does not hold: %+v", s)
	}
	empty(t, temp)
}

// refusesOnce answers one booking itself, as a façade that fails would.
type refusesOnce struct {
	through http.RoundTripper
	left    atomic.Int64
}

func (r *refusesOnce) RoundTrip(q *http.Request) (*http.Response, error) {
	if q.Method == http.MethodPost && q.URL.Path == "/trades" && r.left.Add(-1) == 0 {
		body := `{"type": "internal", "message": "made to fail"}`
		return &http.Response{
			StatusCode: http.StatusInternalServerError, Status: "500 Internal Server Error", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: q,
		}, nil
	}
	return r.through.RoundTrip(q)
}

// TestFaultsShow puts one wrong answer and one wrong row in: all stages are made, and both are told.
func TestFaultsShow(t *testing.T) {
	temp, dir := temporary(t), t.TempDir()
	t.Setenv("TMPDIR", temp)
	fault := &refusesOnce{through: http.DefaultTransport}
	fault.left.Store(50)
	cfg := demo.Config{Dir: dir, Through: fault, Look: 5 * time.Second}.Fast()
	cfg.Entered = func(stage string, at demo.Places) {
		if stage != "shadow mode" {
			return
		}
		conn, err := pgx.Connect(t.Context(), at.BankDSN)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(t.Context()) //nolint:errcheck // it was used
		// A row of the first business date: nothing of it is touched any more.
		tag, err := conn.Exec(t.Context(), `UPDATE bank.journal SET td_amount = td_amount + 1 WHERE journal_id = (SELECT min(journal_id) FROM bank.journal WHERE trade_id IS NOT NULL)`)
		if err != nil || tag.RowsAffected() != 1 {
			t.Errorf("%d rows were altered: %v", tag.RowsAffected(), err)
		}
	}
	s, err := demo.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s.Holds() || s.ClientErrors != 1 || s.Differences == 0 || len(s.Stages) != 12 {
		t.Errorf("%+v", s)
	}
	told := strings.Join(s.Reasons, "\n")
	for _, word := range []string{"1 answers are not what Bank alone would have given", ": internal: made to fail", "differences"} {
		if !strings.Contains(told, word) {
			t.Errorf("%q is not among the reasons:\n%s", word, told)
		}
	}
	if strings.Contains(told, "stages were made") {
		t.Errorf("not all stages were made:\n%s", told)
	}
	empty(t, temp)
}

// TestInterrupted ends it in the middle of a stage with a signal, as Ctrl-C and a service's manager do: exit code 1 with the reason, no process and no folder is left.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	temp, dir := temporary(t), t.TempDir()
	program := exec.CommandContext(t.Context(), os.Args[0])
	program.Env = append(os.Environ(), "TMPDIR="+temp, asProgram+"="+dir)
	lines := &signalled{at: "bootstrap", signal: func() { _ = program.Process.Signal(syscall.SIGTERM) }}
	var told bytes.Buffer
	program.Stdout, program.Stderr = lines, &told
	err := program.Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	for _, word := range []string{"shadow mode: interrupted", "3 of 12 stages were made"} {
		if !strings.Contains(told.String(), word) {
			t.Errorf("%q is not among the reasons: %s", word, told.String())
		}
	}
	if strings.Contains(told.String(), "answers are not") {
		t.Errorf("the end was taken for errors of clients: %s", told.String())
	}
	empty(t, temp)
}

// signalled sends a signal when a stage has been told of: the next one is under way then.
type signalled struct {
	at     string
	signal func()
	text   []byte
	sent   bool
}

func (s *signalled) Write(p []byte) (int, error) {
	s.text = append(s.text, p...)
	if !s.sent && bytes.Contains(s.text, []byte(s.at)) {
		s.sent = true
		s.signal()
	}
	return len(p), nil
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := demo.Run(t.Context(), demo.Config{Listen: "0.0.0.0:80", Clients: -1, History: 1, Think: -1, Requests: -1, Longest: -1, Look: -1})
	if err == nil {
		t.Fatal("it ran")
	}
	for _, field := range []string{"Dir:", "Listen:", "Clients:", "History:", "Think:", "Requests:", "Longest:", "Look:"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not in %v", field, err)
		}
	}
}
