package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

// TestSwitch goes the whole way and back under load, with the kill switch from both dual modes. No client notices.
func TestSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{mode: mode.BankOnly, kafka: true})
	l := startLoad(t, pace, w.targets...)
	l.more(30)
	for n, step := range []struct {
		to   mode.Mode
		kill bool
	}{
		{mode.BankPrimary, false}, {mode.BankOnly, false}, {mode.BankPrimary, false}, {mode.BankOnly, true}, // from here on follow brings it up to date
		{mode.BankPrimary, false}, {mode.BKPrimary, false}, {mode.BankPrimary, false}, {mode.BKPrimary, false},
		{mode.BKOnly, false}, {mode.BKPrimary, false}, {mode.BKOnly, true}, {mode.BKPrimary, false}, {mode.BankPrimary, false}, {mode.BankOnly, false},
		{mode.BankPrimary, false}, {mode.BKPrimary, false},
	} {
		phase := fmt.Sprintf("%d to %s", n+1, step.to)
		if step.kill {
			phase += ", killed"
		}
		l.enter(phase)
		if step.kill {
			w.kill(step.to)
		} else {
			w.goes(0, step.to)
		}
		l.more(20)
	}
	l.all()
	w.held()
	w.agree(l)
}

// TestSwitchGivenUp asks for steps that can't be made. The mode that is in force stays, and no client notices.
func TestSwitchGivenUp(t *testing.T) {
	t.Parallel()
	for _, in := range both {
		to := map[mode.Mode]mode.Mode{mode.BankPrimary: mode.BKPrimary, mode.BKPrimary: mode.BankPrimary}[in]
		t.Run(string(in), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{mode: in})
			l := startLoad(t, pace, w.targets...)
			l.more(30)
			refused := func(why string) {
				t.Helper()
				status, a := w.tries(to)
				if status != http.StatusConflict || a.Error == "" {
					t.Errorf("%s: %d, %+v", why, status, a)
				}
				t.Logf("%s: %s", why, a.Error)
				if now := w.mode(); now != in {
					t.Errorf("%s: it is in %s now", why, now)
				}
				l.more(20)
			}
			l.enter("secondary away")
			w.outage(in.Secondary())
			refused("the secondary is away")
			w.back(in.Secondary())
			l.enter("backlog too long")
			w.slow(in.Secondary(), time.Second)
			refused("the secondary is slow")
			w.slow(in.Secondary(), 0)
			var a asked
			if status := w.post(0, "/mode", facade.SwitchRequest{To: string(mode.BankOnly), Who: "anna"}, &a); status != http.StatusBadRequest || !strings.Contains(a.Error, "why") {
				t.Errorf("without a reason: %d, %s", status, a.Error)
			}
			l.enter("then")
			w.goes(0, to)
			l.more(30)
			l.all()
			w.held()
			w.agree(l)
		})
	}
}
