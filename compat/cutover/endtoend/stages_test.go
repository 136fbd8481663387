package endtoend_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/cutover"
	"github.com/bkledger/bk/compat/facade/mode"
)

var tokenLine = regexp.MustCompile(`(?m)^token +(\S+)$`)

// run makes the arguments of a cutover.
func cutoverArgs(name, log string, more ...string) []string {
	args := []string{"cutover", name, "--log", log, "--set", "partitions=1", "--set", "free=1MiB"}
	if name != "stage-4-final" {
		args = append(args, "--set", "soak=500ms")
	}
	if name == "stage-2-bk-primary" || name == "stage-3-bk-only" {
		args = append(args, "--set", "warehouse="+filepath.Join(filepath.Dir(log), "warehouse.duckdb"), "--set", "parity_report="+filepath.Join(filepath.Dir(log), "parity.json"))
	}
	return append(args, more...)
}

// dry makes a dry run and gives its token.
func (w *world) dry(name, log string, words map[string]string) string {
	w.t.Helper()
	var more []string
	for step, word := range words {
		more = append(more, "--answer", step+"="+word)
	}
	out := w.begin(cutoverArgs(name, log, append(more, "--dry-run")...)...).ends(0)
	token := tokenLine.FindStringSubmatch(out)
	if token == nil {
		w.t.Fatalf("there is no token:\n%s", out)
	}
	return token[1]
}

func (w *world) approve(log, step, word string) {
	w.t.Helper()
	w.begin("cutover", "approve", step, word, "--log", log, "--who", "bert").ends(0)
}

// TestStages runs the runbooks that come with the program, dry, live and back, live and on, while a client trades. None of its calls fails.
func TestStages(t *testing.T) {
	t.Parallel()
	w := start(t, mode.BankOnly)
	stop := w.trading()
	dir := t.TempDir()
	names := cutover.Shipped()
	for i, s := range []struct {
		from, to mode.Mode
		word     string
	}{
		{mode.BankOnly, mode.BankPrimary, "SHADOW"}, {mode.BankPrimary, mode.BKPrimary, "PRIMARY"}, {mode.BKPrimary, mode.BKOnly, "ALONE"},
	} {
		name := names[i]
		log := filepath.Join(dir, name)
		words := map[string]string{"go": s.word, "keep": "KEEP"}
		token := w.dry(name, log, words)
		w.inMode(s.from)

		r := w.begin(cutoverArgs(name, log, "--arm", token)...)
		r.until("approve go " + s.word)
		w.approve(log, "go", s.word)
		r.until("approve keep KEEP")
		w.inMode(s.to)
		w.begin("cutover", "cancel", "--log", log, "--who", "bert", "--why", "a rehearsal").ends(0)
		out := r.ends(3)
		if !strings.Contains(out, "cancelled by bert: a rehearsal") || !strings.Contains(out, "going back") {
			t.Errorf("%s", out)
		}
		w.inMode(s.from)

		r = w.begin(cutoverArgs(name, log, "--arm", w.dry(name, log, words), "--report", filepath.Join(dir, name+".html"))...)
		r.until("approve go " + s.word)
		w.approve(log, "go", s.word)
		r.until("approve keep KEEP")
		w.approve(log, "keep", "KEEP")
		r.ends(0)
		w.inMode(s.to)
		w.verified(log, 4)
		w.reported(filepath.Join(dir, name+".html"), "live run done", "live run went back", "dry run done", "ledgers-match", "given</b> by bert")
		t.Logf("%s: there, back, and there again", name)
	}
	w.final(names[3], dir)
	booked, errs := stop()
	if len(errs) > 0 || booked < 50 {
		t.Errorf("%d trades were booked, %d calls failed, the first with %v", booked, len(errs), errs[:min(len(errs), 1)])
	}
}

// final passes the point of no return.
func (w *world) final(name, dir string) {
	t := w.t
	log := filepath.Join(dir, name)
	token := w.dry(name, log, map[string]string{"go": "READY", "point-of-no-return": "bank-goes"})
	if n := w.one(w.facade.DSN, `SELECT count(*) FROM facade.mode WHERE final`); n > 0 {
		t.Fatal("a dry run has declared it final")
	}
	r := w.begin(cutoverArgs(name, log, "--arm", token)...)
	r.until("approve go READY")
	w.approve(log, "go", "READY")
	r.until("THERE IS NO WAY BACK")
	w.begin("cutover", "approve", "point-of-no-return", "yes", "--log", log, "--who", "bert").ends(1)
	w.approve(log, "point-of-no-return", "bank-goes")
	r.ends(0)
	w.inMode(mode.BKOnly)
	if n := w.one(w.facade.DSN, `SELECT count(*) FROM facade.mode WHERE final AND why LIKE 'cutover stage-4-final, run %, step final'`); n != 1 {
		t.Errorf("%d final epochs of ours", n)
	}
	w.verified(log, 2)
	out := w.begin("cutover", "report", "--log", log).ends(0)
	if !strings.Contains(out, "No way back behind it.") || !strings.Contains(out, "live run done") {
		t.Error("the report does not tell of it")
	}
}

func (w *world) verified(log string, runs int) {
	w.t.Helper()
	v, err := cutover.Verify(log, "")
	if err != nil || v.Runs != runs || v.State != cutover.OutcomeDone || v.Torn != 0 {
		w.t.Errorf("%s: %+v, %v", log, v, err)
	}
	w.begin("cutover", "verify-log", "--log", log, "--head", v.Head).ends(0)
}

func (w *world) reported(file string, wants ...string) {
	w.t.Helper()
	text, err := os.ReadFile(file)
	must(w.t, err)
	for _, want := range wants {
		if !strings.Contains(string(text), want) {
			w.t.Errorf("%q is not in %s", want, file)
		}
	}
	for _, secret := range []string{w.bankDSN, w.facade.DSN, w.bkDSN} {
		if strings.Contains(string(text), secret) {
			w.t.Error("the report has a DSN")
		}
	}
}
