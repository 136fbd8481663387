package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/cutover"
)

// cutoverRun runs `hotswap cutover ARGS`, and gives its code and what it wrote.
func cutoverRun(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var text bytes.Buffer
	code = Main(t.Context(), append([]string{"cutover"}, args...), &text, &text)
	return code, text.String()
}

func TestCutoverUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("name: bad\nsteps:\n  - nam: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"no log":           {[]string{bad, "--arm", "x", "--dry-run", "--who", ""}, exitUsage, []string{"--log: needed", "--who: needed", "--arm: a dry run needs no token"}},
		"answers, live":    {[]string{bad, "--log", dir, "--answer", "go=GO"}, exitUsage, []string{"--answer: goes with --dry-run"}},
		"a wrong file":     {[]string{bad, "--log", dir, "--who", "anna"}, exitUsage, []string{"bad.yaml", `line 3: steps[0]: there is no field "nam"`}},
		"no file":          {[]string{filepath.Join(dir, "none.yaml"), "--log", dir, "--who", "anna"}, exitUsage, []string{"none.yaml"}},
		"no such runbook":  {[]string{"stage-9", "--log", dir, "--who", "anna"}, exitUsage, []string{"there is no runbook \"stage-9\"; there are stage-1-shadow, stage-2-bk-primary"}},
		"no variables":     {[]string{"stage-4-final", "--log", dir, "--who", "anna"}, exitUsage, []string{"variables.bank_db: needed", "--set bank_db=... or the environment's HOTSWAP_BANK_DB"}},
		"approve":          {[]string{"approve", "go", "GO", "--who", ""}, exitUsage, []string{"--log: needed", "--who: needed"}},
		"approve, no log":  {[]string{"approve", "go", "GO", "--log", filepath.Join(dir, "none"), "--who", "anna"}, exitFailed, []string{"no such file"}},
		"cancel":           {[]string{"cancel", "--log", dir, "--who", "anna"}, exitUsage, []string{"--why: needed"}},
		"settle":           {[]string{"settle", "one", "perhaps", "--log", dir, "--who", "anna", "--why", "x"}, exitFailed, []string{`"perhaps" is none of done, again, failed`}},
		"verify":           {[]string{"verify-log"}, exitUsage, []string{"--log: needed"}},
		"report":           {[]string{"report"}, exitUsage, []string{"--log: needed"}},
		"runbooks":         {[]string{"runbooks"}, exitOK, []string{"stage-1-shadow\nstage-2-bk-primary\nstage-3-bk-only\nstage-4-final\n"}},
		"one of them":      {[]string{"runbooks", "stage-4-final"}, exitOK, []string{"name: stage-4-final", "point-of-no-return:"}},
		"none of them":     {[]string{"runbooks", "stage-9"}, exitUsage, []string{"there is no runbook"}},
		"without anything": {nil, exitUsage, []string{"accepts 1 arg"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out := cutoverRun(t, c.args...)
			for _, want := range c.want {
				if code != c.code || !strings.Contains(out, want) {
					t.Errorf("code %d, not %d, or no %q:\n%s", code, c.code, want, out)
				}
			}
		})
	}
}

// TestCutoverCodes: dry, live, and back, with the codes and the report.
func TestCutoverCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, log, page := filepath.Join(dir, "r.yaml"), filepath.Join(dir, "log"), filepath.Join(dir, "r.html")
	book := `name: small
stage: bk-only
arm-for: 1h
variables: {dir: {about: "a folder"}}
steps:
  - name: one
    command: {argv: ["/usr/bin/touch", "${dir}/one"]}
    back: [{name: undo, command: {argv: ["/bin/rm", "${dir}/one"]}}]
  - name: two
    command: {argv: ["/usr/bin/test", "-e", "${dir}/two"]}
    back: []
`
	if err := os.WriteFile(file, []byte(book), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(more ...string) (int, string) {
		return cutoverRun(t, append([]string{file, "--log", log, "--who", "anna", "--set", "dir=" + dir, "--report", page}, more...)...)
	}
	token := func() string {
		code, out := run("--dry-run")
		_, text, ok := strings.Cut(out, "token   ")
		if code != exitOK || !ok {
			t.Fatalf("code %d:\n%s", code, out)
		}
		return strings.TrimSpace(text)
	}
	if code, out := run("--arm", "0000-0000-0000"); code != exitFailed || !strings.Contains(out, "no dry run in this log gave the token") {
		t.Errorf("code %d:\n%s", code, out)
	}
	if code, out := run("--arm", token()); code != exitWentBack {
		t.Errorf("code %d:\n%s", code, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "one")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it did not go back: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "two"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := run("--arm", token()); code != exitOK {
		t.Errorf("code %d:\n%s", code, out)
	}
	text, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(text), "small: live run done") || !strings.Contains(string(text), "live run went back") {
		t.Errorf("%v: %.500s", err, text)
	}
	v, err := cutover.Verify(log, "")
	if err != nil || v.Runs != 4 {
		t.Errorf("%+v, %v", v, err)
	}
	if code, out := cutoverRun(t, "verify-log", "--log", log, "--head", v.Head); code != exitOK || !strings.Contains(out, v.Head) {
		t.Errorf("code %d:\n%s", code, out)
	}
	if code, _ := cutoverRun(t, "verify-log", "--log", log, "--head", strings.Repeat("0", 64)); code != exitFailed {
		t.Errorf("another head: code %d", code)
	}
}
