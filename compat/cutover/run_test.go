package cutover

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/cutover/evidence"
	"github.com/bkledger/bk/migrations/await"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		os.Exit(child())
	}
	pgtest.Main(m)
}

const patience = 60 * time.Second

// console is what a run tells, for a test that looks while it runs.
type console struct {
	mu   sync.Mutex
	text bytes.Buffer
	t    *testing.T
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t.Log(strings.TrimSpace(string(p)))
	return c.text.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// try is a runbook in a folder.
type try struct {
	t    *testing.T
	dir  string // of files that steps make
	text string
	log  string
	out  *console
}

// newTry takes steps; ${dir} is a folder for files.
func newTry(t *testing.T, steps string) *try {
	dir := t.TempDir()
	return &try{t: t, dir: dir, log: filepath.Join(dir, "log"), out: &console{t: t}, text: `name: try
stage: bk-only
arm-for: 1h
variables:
  dir: {about: "a folder"}
  db: {about: "a database", default: "", secret: true}
  facade: {about: "the façade", default: ""}
targets:
  facade: ${facade}
  databases: {main: "${db}"}
steps:
` + steps}
}

func (y *try) book(set map[string]string) *Runbook {
	y.t.Helper()
	all := map[string]string{"dir": y.dir}
	for name, value := range set {
		all[name] = value
	}
	book, err := Parse([]byte(y.text), all, nothing)
	if err != nil {
		y.t.Fatal(err)
	}
	return book
}

func (y *try) config() Config { return y.with(nil) }

// with is a configuration with some variables.
func (y *try) with(set map[string]string) Config {
	return Config{Runbook: y.book(set), Dir: y.log, Who: "anna", Out: y.out, Poll: 10 * time.Millisecond}
}

// dry gives the token of a dry run.
func (y *try) dry(answers map[string]string) string {
	y.t.Helper()
	cfg := y.config()
	cfg.Dry, cfg.Answers = true, answers
	result, err := Run(y.t.Context(), cfg)
	if err != nil || result.Outcome != OutcomeDone || result.Token == "" {
		y.t.Fatalf("%+v, %v", result, err)
	}
	return result.Token
}

// live runs it, and gives what it gave.
func (y *try) live(ctx context.Context, token string, in io.Reader) (Result, error) {
	y.t.Helper()
	cfg := y.config()
	cfg.Arm, cfg.In = token, in
	return Run(ctx, cfg)
}

func (y *try) has(file string) bool {
	_, err := os.Stat(filepath.Join(y.dir, file))
	return err == nil
}

func (y *try) read(file string) string {
	text, err := os.ReadFile(filepath.Join(y.dir, file))
	if err != nil {
		y.t.Fatal(err)
	}
	return string(text)
}

// kinds gives a run's records of a kind, as the steps that they are of.
func (y *try) steps(run int, kind string) (names []string) {
	y.t.Helper()
	records, _, err := evidence.Read(y.log)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, r := range records {
		if r.Run == run && r.Kind == kind {
			names = append(names, r.Step)
		}
	}
	return names
}

const twoSteps = `
  - name: look
    effects: none
    command: {argv: ["/bin/sh", "-c", "echo looked >> ${dir}/looked"]}
  - name: one
    command: {shell: "echo 1 >> ${dir}/done"}
    back:
      - name: undo-one
        command: {shell: "echo undo 1 >> ${dir}/done"}
  - name: go
    approve: {ask: "Well?", word: GO}
  - name: two
    command: {shell: "echo 2 >> ${dir}/done; exit ${exit}"}
    timeout: 20s
    back:
      - name: undo-two
        command: {shell: "echo undo 2 >> ${dir}/done"}
`

func TestDryThenLive(t *testing.T) {
	t.Parallel()
	y := newTry(t, strings.ReplaceAll(twoSteps, "${exit}", "0"))
	if _, err := y.live(t.Context(), "", nil); !errors.Is(err, ErrRefused) {
		t.Errorf("unarmed: %v", err)
	}
	token := y.dry(map[string]string{"go": "GO"})
	if y.has("done") || y.read("looked") != "looked\n" {
		t.Error("a dry run had effects, or did not do what has none")
	}
	for name, wrong := range map[string]string{"none": "", "another": "1234-5678-9abc"} {
		if _, err := y.live(t.Context(), wrong, nil); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	result, err := y.live(t.Context(), token, strings.NewReader("no\nGO\n"))
	if err != nil || result.Outcome != OutcomeDone || result.Run != 2 || y.read("done") != "1\n2\n" {
		t.Fatalf("%+v, %v", result, err)
	}
	if _, err := y.live(t.Context(), token, nil); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "was used") {
		t.Errorf("the token again: %v", err)
	}
	again := y.dry(map[string]string{"go": "GO"})
	cfg := y.config()
	cfg.Arm, cfg.Runbook = again, y.book(map[string]string{"facade": "http://127.0.0.1:1"})
	if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "other targets") {
		t.Errorf("other targets: %v", err)
	}
	y.text = strings.ReplaceAll(y.text, "arm-for: 1h", "arm-for: 2h")
	if _, err := y.live(t.Context(), again, nil); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "another runbook") {
		t.Errorf("a changed file: %v", err)
	}
	v, err := Verify(y.log, result.Head)
	if err != nil || v.Runs != 3 || v.State != OutcomeDone {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := Verify(y.log, strings.Repeat("0", 64)); !errors.Is(err, evidence.ErrAltered) {
		t.Errorf("another head: %v", err)
	}
	wrong := y.config()
	wrong.Answers = map[string]string{"go": "GO"}
	if _, err := Run(t.Context(), wrong); !errors.Is(err, ErrRefused) {
		t.Errorf("a live run with answers: %v", err)
	}
}

func TestTokenGetsOld(t *testing.T) {
	t.Parallel()
	y := newTry(t, strings.ReplaceAll(twoSteps, "${exit}", "0"))
	token := y.dry(map[string]string{"go": "GO"})
	records, _, err := evidence.Read(y.log)
	if err != nil {
		t.Fatal(err)
	}
	all, err := runs(records)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := armed(all, token, all[0].about, time.Hour, time.Now().Add(59*time.Minute)); err != nil {
		t.Error(err)
	}
	for _, at := range []time.Time{time.Now().Add(61 * time.Minute), time.Now().Add(-10 * time.Minute)} {
		if _, err := armed(all, token, all[0].about, time.Hour, at); !errors.Is(err, ErrRefused) {
			t.Errorf("at %s: %v", at, err)
		}
	}
}

func TestFailedStepGoesBack(t *testing.T) {
	t.Parallel()
	y := newTry(t, strings.ReplaceAll(twoSteps, "${exit}", "7"))
	result, err := y.live(t.Context(), y.dry(map[string]string{"go": "GO"}), strings.NewReader("GO\n"))
	if !errors.Is(err, ErrWentBack) || result.Outcome != OutcomeBack || !strings.Contains(err.Error(), "exit status 7") || y.read("done") != "1\n2\nundo 2\nundo 1\n" {
		t.Errorf("%+v, %v, %q", result, err, y.read("done"))
	}
}

// TestBackThatFails: the run stops on the way back, and goes on with it.
func TestBackThatFails(t *testing.T) {
	t.Parallel()
	y := newTry(t, `
  - name: one
    command: {shell: "echo 1 >> ${dir}/done"}
    back:
      - name: first
        command: {shell: "echo first >> ${dir}/done"}
      - name: second
        command: {shell: "test -e ${dir}/mended"}
      - name: third
        command: {shell: "echo third >> ${dir}/done"}
  - name: two
    gates: [{disk: {path: "${dir}", free: "900TiB"}}]
    command: {argv: ["/bin/true"]}
    back: []
`)
	cfg := y.config()
	cfg.Dry = true
	if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "gate disk: "+y.dir) {
		t.Fatalf("a dry run holds to its gates: %v", err)
	}
	y.text = strings.Replace(y.text, "900TiB", "1KiB", 1)
	y.text = strings.Replace(y.text, "path: \"${dir}\"", "path: \"${dir}/room\"", 1) // a gate that holds in the dry run, and not in the live one
	must(t, os.Mkdir(filepath.Join(y.dir, "room"), 0o700))
	token := y.dry(nil)
	must(t, os.Remove(filepath.Join(y.dir, "room")))
	_, err := y.live(t.Context(), token, nil)
	if !errors.Is(err, ErrStopped) || y.read("done") != "1\nfirst\n" {
		t.Fatalf("%v, %q", err, y.read("done"))
	}
	cfg = y.config()
	cfg.Dry = true
	if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrRefused) {
		t.Errorf("a dry run while another stands: %v", err)
	}
	if _, err := y.live(t.Context(), "", nil); !errors.Is(err, ErrStopped) {
		t.Errorf("it is not mended: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(y.dir, "mended"), nil, 0o600))
	result, err := y.live(t.Context(), "", nil)
	if !errors.Is(err, ErrWentBack) || result.Outcome != OutcomeBack || y.read("done") != "1\nfirst\nthird\n" {
		t.Errorf("%v, %q", err, y.read("done"))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const pointSteps = `
  - name: before
    command: {shell: "echo before >> ${dir}/done"}
    back: [{name: undo, command: {shell: "echo undo >> ${dir}/done"}}]
  - name: point
    point-of-no-return: {name: bank-goes, ask: "Really?"}
  - name: behind
    command: {shell: "echo behind >> ${dir}/done; test -e ${dir}/mended"}
  - name: last
    approve: {ask: "Well?", word: END}
`

// TestPointOfNoReturn: it is passed by its name, and behind it nothing goes back.
func TestPointOfNoReturn(t *testing.T) {
	t.Parallel()
	y := newTry(t, pointSteps)
	cfg := y.config()
	cfg.Dry, cfg.Answers = true, map[string]string{"point": "yes", "last": "END"}
	if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrFailed) {
		t.Fatalf("yes is no name: %v", err)
	}
	token := y.dry(map[string]string{"point": "bank-goes", "last": "END"})
	_, err := y.live(t.Context(), token, strings.NewReader("y\nyes\nbank-goes\n"))
	if !errors.Is(err, ErrStopped) || y.read("done") != "before\nbehind\n" {
		t.Fatalf("%v, %q", err, y.read("done"))
	}
	must(t, os.WriteFile(filepath.Join(y.dir, "mended"), nil, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := y.live(ctx, "", nil)
		ended <- err
	}()
	await.Until(t, "the last question", func() bool { return strings.Contains(y.out.String(), "last: Well?") })
	cancel()
	if err := <-ended; !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "cancelled by anna: a signal") {
		t.Errorf("cancelled behind it: %v", err)
	}
	result, err := y.live(t.Context(), "", strings.NewReader("END\n"))
	if err != nil || result.Outcome != OutcomeDone || y.read("done") != "before\nbehind\nbehind\n" {
		t.Errorf("%+v, %v, %q", result, err, y.read("done"))
	}
}

// TestCancel: by another process, and by a signal; in a wait and in an approval.
func TestCancel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps  string
		cancel func(y *try, signal func()) error
		why    string
	}{
		"in an approval": {`
  - name: ask
    approve: {ask: "Well?", word: GO}
`, func(y *try, _ func()) error { return Cancel(y.log, "bert", "it is late") }, "cancelled by bert: it is late"},
		"in a wait": {`
  - name: ask
    wait: {for: 3s}
`, func(_ *try, signal func()) error { signal(); return nil }, "cancelled by anna: a signal"},
		"in a gate's wait": {`
  - name: ask
    timeout: 5m
    wait: {every: 10ms, until: [{disk: {path: "${dir}", free: "900TiB"}, after: one}]}
`, func(y *try, _ func()) error { return Cancel(y.log, "bert", "it is late") }, "cancelled by bert: it is late"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newTry(t, `
  - name: one
    command: {shell: "echo 1 >> ${dir}/done"}
    back: [{name: undo, command: {shell: "echo undo >> ${dir}/done"}}]
`+c.steps)
			answers := map[string]string(nil)
			if strings.Contains(c.steps, "approve") {
				answers = map[string]string{"ask": "GO"}
			}
			token := y.dry(answers)
			ctx, signal := context.WithCancel(t.Context())
			defer signal()
			ended := make(chan error, 1)
			go func() {
				_, err := y.live(ctx, token, nil)
				ended <- err
			}()
			await.Until(t, "the step that waits", func() bool { return len(y.steps(2, recBegin)) == 2 })
			must(t, c.cancel(y, signal))
			select {
			case err := <-ended:
				if !errors.Is(err, ErrWentBack) || !strings.Contains(err.Error(), c.why) || y.read("done") != "1\nundo\n" {
					t.Errorf("%v, %q", err, y.read("done"))
				}
			case <-time.After(patience):
				t.Fatal("it does not end")
			}
			if err := Cancel(y.log, "bert", "again"); !errors.Is(err, ErrNotAsked) {
				t.Errorf("a run that has ended: %v", err)
			}
		})
	}
}

// TestTimeouts: a command, a wait and an approval that take too long.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ step, want string }{
		"command": {`command: {shell: "sleep 600 & sleep 600"}
    back: []`, "its time-out of 300ms is over"},
		"wait":     {`wait: {every: 10ms, until: [{disk: {path: "${dir}", free: "900TiB"}, after: one}]}`, "its time-out of 300ms is over; at last, disk: "},
		"approval": {`approve: {ask: "Well?", word: GO}`, "nobody has answered"},
		"SQL": {`sql: {database: main, statement: "SELECT pg_sleep(600)"}
    back: []`, "its time-out of 300ms is over"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newTry(t, `
  - name: one
    command: {shell: "echo 1 >> ${dir}/done"}
    back: [{name: undo, command: {shell: "echo undo >> ${dir}/done"}}]
  - name: slow
    timeout: 300ms
    `+c.step+"\n")
			set := map[string]string{"db": pgtest.New(t)}
			cfg := y.with(set)
			cfg.Dry = true
			if name == "approval" {
				cfg.Answers = map[string]string{"slow": "GO"}
			}
			dry, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			cfg = y.with(set)
			cfg.Arm = dry.Token
			began := time.Now()
			_, err = Run(t.Context(), cfg)
			if took := time.Since(began); !errors.Is(err, ErrWentBack) || !strings.Contains(err.Error(), c.want) || y.read("done") != "1\nundo\n" || took > patience/2 {
				t.Errorf("after %s: %v, %q", took, err, y.read("done"))
			}
		})
	}
}

// TestSQL: what has no effects is held to it by the server; what is expected is looked at; secrets are in no record, no report and no line.
func TestSQL(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	y := newTry(t, `
  - name: table
    sql: {database: main, statement: "CREATE TABLE done (n int); INSERT INTO done VALUES (41), (42)"}
    back: [{name: drop, sql: {database: main, statement: "DROP TABLE done"}}]
  - name: shown
    effects: none
    command: {argv: ["/bin/echo", "the DSN is ${db}"], contains: "the DSN is"}
  - name: look
    effects: none
    gates: [{sql: {database: main, statement: "SELECT count(*) FROM done", expect: [["2"]]}, after: table}]
    sql: {database: main, statement: "${look}", expect: [["2", "x"]]}
`)
	y.text = strings.Replace(y.text, "variables:\n", "variables:\n  look: {about: \"a query\", default: \"SELECT 2, 'x'\"}\n", 1)
	run := func(set map[string]string, dry bool, token string) (Result, error) {
		set["db"] = dsn
		cfg := y.with(set)
		cfg.Dry, cfg.Arm = dry, token
		return Run(t.Context(), cfg)
	}
	for look, want := range map[string]string{
		"CREATE TABLE other ()": "read-only transaction", "SELECT 3, 'x'": "the answer is 1 rows [[3 x]], and should be [[2 x]]", "COMMIT; CREATE TABLE other ()": "read-only transaction",
	} {
		if _, err := run(map[string]string{"look": look}, true, ""); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", look, err)
		}
	}
	dry, err := run(map[string]string{}, true, "")
	must(t, err)
	live, err := run(map[string]string{}, false, dry.Token)
	if err != nil || live.Outcome != OutcomeDone {
		t.Fatalf("%+v, %v", live, err)
	}
	log, err := os.ReadFile(evidence.File(y.log))
	must(t, err)
	var page bytes.Buffer
	must(t, WriteReport(&page, y.log))
	for where, text := range map[string]string{"log": string(log), "report": page.String(), "terminal": y.out.String()} {
		if strings.Contains(text, dsn) {
			t.Errorf("the %s has the DSN", where)
		}
	}
	if !strings.Contains(string(log), "the DSN is ***") {
		t.Error("the output is not there")
	}
	for _, want := range []string{"try: live run done", "Run 5: live run done", "Run 1: dry run failed", "would <code>run at database main: CREATE TABLE done", "not yet, of a step that did nothing", live.Head} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("%q is not in the report", want)
		}
	}
	if strings.Contains(page.String(), "ZgotmplZ") || strings.Contains(page.String(), "<script") {
		t.Error("the report has what it should not")
	}
}

// TestAnotherApproves: by another process, and by somebody else than who runs it.
func TestAnotherApproves(t *testing.T) {
	t.Parallel()
	y := newTry(t, `
  - name: go
    approve: {ask: "Well?", word: GO, another: true}
`)
	cfg := y.config()
	cfg.Dry, cfg.Answers = true, map[string]string{"go": "GO"}
	dry, err := Run(t.Context(), cfg)
	must(t, err)
	if err := Answer(y.log, "go", "GO", "bert"); !errors.Is(err, ErrNotAsked) {
		t.Errorf("nothing is asked: %v", err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := y.live(t.Context(), dry.Token, strings.NewReader("GO\n"))
		ended <- err
	}()
	await.Until(t, "the answer of anna", func() bool { return len(y.steps(2, recAnswer)) == 1 })
	for who, word := range map[string]string{"anna": "GO", "bert": "go", "": "GO"} {
		if err := Answer(y.log, "go", word, who); !errors.Is(err, ErrNotAsked) {
			t.Errorf("%s: %v", who, err)
		}
	}
	if err := Answer(y.log, "other", "GO", "bert"); !errors.Is(err, ErrNotAsked) {
		t.Errorf("another step: %v", err)
	}
	if _, err := y.live(t.Context(), dry.Token, nil); !errors.Is(err, evidence.ErrBusy) {
		t.Errorf("a second runner: %v", err)
	}
	must(t, Answer(y.log, "go", "GO", "bert"))
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAlteredLogIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	y := newTry(t, strings.ReplaceAll(twoSteps, "${exit}", "0"))
	token := y.dry(map[string]string{"go": "GO"})
	text, err := os.ReadFile(evidence.File(y.log))
	must(t, err)
	must(t, os.WriteFile(evidence.File(y.log), bytes.Replace(text, []byte(`"who":"anna"`), []byte(`"who":"bert"`), 1), 0o600))
	if _, err := y.live(t.Context(), token, nil); !errors.Is(err, ErrRefused) || !errors.Is(err, evidence.ErrAltered) {
		t.Errorf("%v", err)
	}
	if _, err := Verify(y.log, ""); !errors.Is(err, evidence.ErrAltered) {
		t.Errorf("%v", err)
	}
	if err := WriteReport(io.Discard, y.log); !errors.Is(err, evidence.ErrAltered) {
		t.Errorf("%v", err)
	}
}

func TestLongOutput(t *testing.T) {
	t.Parallel()
	y := newTry(t, `
  - name: long
    effects: none
    command: {shell: "head -c 3000000 /dev/zero | tr '\\0' 'x'; echo; echo the end"}
`)
	y.dry(nil)
	records, _, err := evidence.Read(y.log)
	must(t, err)
	for _, r := range records {
		if r.Kind != recEnd {
			continue
		}
		e, err := as[endRecord](r)
		must(t, err)
		if e.Output.Bytes != 3000009 || len(e.Output.SHA256) != 64 || !strings.HasSuffix(e.Output.Text, "the end\n") || !strings.Contains(e.Output.Text, "bytes left out") || len(e.Output.Text) > 200_000 {
			t.Errorf("%d bytes, %d kept", e.Output.Bytes, len(e.Output.Text))
		}
		return
	}
	t.Error("there is no end")
}
