package endtoend_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bkledger/bk/compat/cutover"
	"github.com/bkledger/bk/compat/cutover/evidence"
	"github.com/bkledger/bk/compat/facade/mode"
)

// between stands between the runner and the façade's admin listener, and can lose switches: before the façade has them, or their answers.
type between struct {
	*httptest.Server
	before, behind atomic.Bool
	asked          chan struct{} // a switch was asked for, and is lost
}

func newBetween(t *testing.T, admin string) *between {
	b := &between{asked: make(chan struct{}, 10)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		posts := q.Method == http.MethodPost
		if posts && b.before.Load() {
			_, _ = io.Copy(io.Discard, q.Body) // only then is it seen that the caller goes away
			b.asked <- struct{}{}
			<-q.Context().Done()
			return
		}
		asked, err := http.NewRequestWithContext(q.Context(), q.Method, admin+q.URL.RequestURI(), q.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		answer, err := http.DefaultClient.Do(asked)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if posts && b.behind.Load() {
			b.asked <- struct{}{}
			<-q.Context().Done()
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		rw.WriteHeader(answer.StatusCode)
		_, _ = rw.Write(text) // the runner may be gone
	}))
	t.Cleanup(b.CloseClientConnections)
	t.Cleanup(b.Close)
	return b
}

const switchBook = `name: switches
stage: bank-primary-bk-secondary
arm-for: 1h
targets:
  facade: %s
  databases: {facade: "%s"}
steps:
  - name: there
    timeout: 2m
    mode: {to: bank-primary-bk-secondary, wait: 10s}
    back: [{name: home, mode: {to: bank-only, wait: 10s}}]
  - name: keep
    approve: {ask: "Well?", word: KEEP}
`

// TestKilledInSwitch kills the runner in the middle of a switch that was made, and of one that was not; both go on by themselves, and no switch is made twice.
func TestKilledInSwitch(t *testing.T) {
	t.Parallel()
	w := start(t, mode.BankOnly)
	for name, made := range map[string]bool{"made": true, "not made": false} {
		t.Run(name, func(t *testing.T) {
			b := newBetween(t, w.facade.Admin)
			dir := t.TempDir()
			log, file := filepath.Join(dir, "log"), filepath.Join(dir, "switches.yaml")
			must(t, os.WriteFile(file, []byte(fmt.Sprintf(switchBook, b.URL, w.facade.DSN)), 0o600))
			out := w.begin("cutover", file, "--log", log, "--dry-run", "--answer", "keep=KEEP").ends(0)
			if !strings.Contains(out, "would switch the façade from bank-only to bank-primary-bk-secondary") {
				t.Errorf("%s", out)
			}
			token := tokenLine.FindStringSubmatch(out)[1]
			b.before.Store(!made)
			b.behind.Store(made)
			r := w.begin("cutover", file, "--log", log, "--arm", token)
			<-b.asked
			must(t, r.cmd.Process.Kill())
			<-r.done
			b.before.Store(false)
			b.behind.Store(false)
			epochs := w.one(w.facade.DSN, `SELECT count(*) FROM facade.mode WHERE why LIKE 'cutover switches%'`)
			if made {
				w.inMode(mode.BankPrimary)
			} else {
				w.inMode(mode.BankOnly)
			}
			r = w.begin("cutover", file, "--log", log)
			r.until("approve keep KEEP")
			w.inMode(mode.BankPrimary)
			if n := w.one(w.facade.DSN, `SELECT count(*) FROM facade.mode WHERE why LIKE 'cutover switches%'`); made && n != epochs || !made && n != epochs+1 {
				t.Errorf("%d epochs, then %d", epochs, n)
			}
			w.begin("cutover", "cancel", "--log", log, "--who", "bert", "--why", "that's it").ends(0)
			r.ends(3)
			w.inMode(mode.BankOnly)
			records, _, err := evidence.Read(log)
			must(t, err)
			settled := ""
			for _, rec := range records {
				if rec.Kind == "settled" {
					settled = string(rec.Data)
				}
			}
			if want := map[bool]string{true: `"as":"done"`, false: `"as":"again"`}[made]; !strings.Contains(settled, want) {
				t.Errorf("%s", settled)
			}
		})
	}

	t.Run("the answer is lost", func(t *testing.T) { // and the runner lives
		b := newBetween(t, w.facade.Admin)
		text := fmt.Sprintf(switchBook, b.URL, w.facade.DSN)
		text = text[:strings.Index(text, "  - name: keep")]
		book, err := cutover.Parse([]byte(text), nil, os.LookupEnv)
		must(t, err)
		cfg := cutover.Config{Runbook: book, Dir: filepath.Join(t.TempDir(), "log"), Dry: true, Who: "anna", Out: t.Output()}
		dry, err := cutover.Run(t.Context(), cfg)
		must(t, err)
		b.behind.Store(true)
		go func() {
			<-b.asked
			b.behind.Store(false)
			b.CloseClientConnections()
		}()
		cfg.Dry, cfg.Arm = false, dry.Token
		if result, err := cutover.Run(t.Context(), cfg); err != nil || result.Outcome != cutover.OutcomeDone {
			t.Errorf("%+v, %v", result, err)
		}
		w.inMode(mode.BankPrimary)
	})

	t.Run("somebody else's", func(t *testing.T) { // the façade is there already, and not by this run
		text := strings.Replace(fmt.Sprintf(switchBook, w.facade.Admin, w.facade.DSN), "to: bank-primary-bk-secondary, wait", "to: bk-primary-bank-secondary, wait", 1)
		text = strings.Replace(text[:strings.Index(text, "  - name: keep")], "to: bank-only, wait", "to: bank-primary-bk-secondary, wait", 1)
		book, err := cutover.Parse([]byte(text), nil, os.LookupEnv)
		must(t, err)
		cfg := cutover.Config{Runbook: book, Dir: filepath.Join(t.TempDir(), "log"), Dry: true, Who: "anna", Out: t.Output()}
		dry, err := cutover.Run(t.Context(), cfg)
		must(t, err)
		must(t, w.facade.Switch(t.Context(), mode.BKPrimary))
		cfg.Dry, cfg.Arm = false, dry.Token
		if _, err := cutover.Run(t.Context(), cfg); !errors.Is(err, cutover.ErrWentBack) || !strings.Contains(err.Error(), "is in bk-primary-bank-secondary already, by test: test") {
			t.Errorf("%v", err)
		}
		w.inMode(mode.BKPrimary) // what is not the run's is not undone
	})
}
