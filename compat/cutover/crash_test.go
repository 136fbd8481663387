package cutover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/migrations/await"
)

// childVar has the folder of a run that this program, as another process, is to run: the runbook is in it.
const childVar = "CUTOVER_TEST_CHILD"

// child runs a runbook, as a process that the test can kill.
func child() int {
	dir := os.Getenv(childVar)
	set := map[string]string{"dir": dir}
	for _, name := range []string{"db", "facade"} {
		if v := os.Getenv("CUTOVER_TEST_" + name); v != "" {
			set[name] = v
		}
	}
	book, err := Load(filepath.Join(dir, "runbook.yaml"), set, nothing)
	if err == nil {
		_, err = Run(context.Background(), Config{Runbook: book, Dir: filepath.Join(dir, "log"), Arm: os.Getenv("CUTOVER_TEST_arm"), Who: "anna", Out: os.Stdout, Poll: 10 * time.Millisecond})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// start runs it as another process.
func (y *try) start(token string, more ...string) (kill func()) {
	y.t.Helper()
	must(y.t, os.WriteFile(filepath.Join(y.dir, "runbook.yaml"), []byte(y.text), 0o600))
	self, err := os.Executable()
	must(y.t, err)
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), childVar+"="+y.dir, "CUTOVER_TEST_arm="+token), more...)
	cmd.Stdout, cmd.Stderr = y.out, y.out
	must(y.t, cmd.Start())
	ended := false
	kill = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()
		}
	}
	y.t.Cleanup(kill)
	return kill
}

const crashSteps = `
  - name: looks
    effects: none
    command: {shell: "echo looks >> ${dir}/done; while test -d ${dir} && ! test -e ${dir}/on-1; do sleep 0.02; done"}
  - name: idem
    idempotent: true
    command: {shell: "echo idem >> ${dir}/done; while test -d ${dir} && ! test -e ${dir}/on-2; do sleep 0.02; done"}
    back: []
  - name: once
    command: {shell: "echo once >> ${dir}/done; while test -d ${dir} && ! test -e ${dir}/on-3; do sleep 0.02; done"}
    back: [{name: undo, command: {shell: "echo undo >> ${dir}/done"}}]
  - name: go
    approve: {ask: "Well?", word: GO}
`

// TestKilledRunner kills the runner in the middle of each kind of step, and goes on.
func TestKilledRunner(t *testing.T) {
	t.Parallel()
	for _, how := range []string{SettleDone, SettleAgain, SettleFailed, "cancelled"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			y := newTry(t, crashSteps)
			on := func(n int) { must(t, os.WriteFile(filepath.Join(y.dir, fmt.Sprintf("on-%d", n)), nil, 0o600)) }
			on(1) // for the dry run
			token := y.dry(map[string]string{"go": "GO"})
			must(t, os.Remove(filepath.Join(y.dir, "on-1")))
			must(t, os.Remove(filepath.Join(y.dir, "done")))
			wants := func(want string) {
				t.Helper()
				await.Until(t, want, func() bool {
					text, err := os.ReadFile(filepath.Join(y.dir, "done"))
					return err == nil && string(text) == want
				})
			}
			kill := y.start(token)
			wants("looks\n")
			kill()
			kill = y.start("")
			wants("looks\nlooks\n") // again: it has no effects
			on(1)
			wants("looks\nlooks\nidem\n")
			kill()
			kill = y.start("")
			wants("looks\nlooks\nidem\nidem\n") // again: the runbook says that it may be
			on(2)
			wants("looks\nlooks\nidem\nidem\nonce\n")
			kill()
			on(3)
			if _, err := y.live(t.Context(), "", nil); !errors.Is(err, ErrQuestion) || !strings.Contains(err.Error(), "settle once done|again|failed") {
				t.Fatalf("%v", err)
			}
			if err := Settle(y.log, "idem", SettleDone, "bert", "looked"); !errors.Is(err, ErrNotAsked) {
				t.Errorf("another step: %v", err)
			}
			if err := Settle(y.log, "once", "maybe", "bert", "looked"); !errors.Is(err, ErrNotAsked) {
				t.Errorf("another word: %v", err)
			}
			said := how
			if how == "cancelled" {
				must(t, Cancel(y.log, "bert", "enough"))
				said = SettleDone
			}
			must(t, Settle(y.log, "once", said, "bert", "looked"))
			in := strings.NewReader("GO\n")
			result, err := y.live(t.Context(), "", in)
			want := map[string]string{SettleDone: "", SettleAgain: "once\n", SettleFailed: "undo\n", "cancelled": "undo\n"}[how]
			if got := y.read("done"); got != "looks\nlooks\nidem\nidem\nonce\n"+want {
				t.Errorf("%q", got)
			}
			if back := how == SettleFailed || how == "cancelled"; back != errors.Is(err, ErrWentBack) || !back && (err != nil || result.Outcome != OutcomeDone) {
				t.Errorf("%+v, %v", result, err)
			}
			if v, err := Verify(y.log, ""); err != nil || v.Runs != 2 {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}
