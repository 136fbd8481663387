package faults

import (
	"net/http"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

// TestFacadeKilled kills the façade (-9) under load: when a booking is on its way to the primary, when the primary has booked it and its answer was not seen, and
// just so. Somebody starts it again, as an orchestrator does.
func TestFacadeKilled(t *testing.T) {
	t.Parallel()
	for _, in := range both {
		t.Run(string(in), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{mode: in, apart: roleFacade, facade: quick})
			way, primary := w.toBank, "Bank"
			if in.Primary() == mode.BK {
				way, primary = w.toBK, "BK"
			}
			l := startLoad(t, pace, w.targets...)
			l.more(30)
			for _, c := range []struct {
				phase string
				fault func(killed func()) fault
			}{
				{"killed before " + primary + " was asked", func(killed func()) fault { return once(aBooking, before(killed)) }},
				{"killed after " + primary + " booked", func(killed func()) fault {
					return once(aBooking, after(func(status int) {
						if status != http.StatusOK && status != http.StatusAccepted {
							t.Errorf("%s booked with status %d", primary, status)
						}
						killed()
					}))
				}},
				{"killed", nil},
			} {
				l.enter(c.phase)
				dead := make(chan struct{})
				kill := func() {
					w.facades[0].kill()
					close(dead)
				}
				if c.fault != nil {
					way.meets(c.fault(kill))
				} else {
					kill()
				}
				select {
				case <-dead:
				case <-time.After(patience):
					t.Fatal("no booking came by")
				}
				if in.Primary() == mode.Bank && c.fault != nil {
					if n := count(t, w.dsn, `SELECT count(*) FROM facade.intent`); n == 0 {
						t.Error("nothing is written down of what was under way")
					}
				}
				way.meets(nil)
				w.facades[0].start()
				l.more(40)
				l.saw(c.phase, noAnswer, notSent)
				unanswered, refused := l.count(c.phase, noAnswer), l.count(c.phase, notSent)
				if c.fault != nil && unanswered == 0 || unanswered+refused == 0 { // at a moment of its own the kill may be between two calls
					t.Errorf("%s: nobody noticed", c.phase)
				}
			}
			l.saw("before")
			w.agree(l)
		})
	}
}

// quick shortens what else a test would have to wait for.
func quick(cfg *facade.Config) {
	cfg.CallTimeout, cfg.SettleAfter, cfg.Lease = 2*time.Second, time.Second, 3*time.Second
}

// TestTwoReplicas has both serve the same accounts. One is killed in the middle; the mode is switched with both alive, with one dead, and by the one that came back.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{mode: mode.BankPrimary, replicas: 2, apart: roleFacade, facade: quick})
	l := startLoad(t, pace, w.targets...)
	l.more(50)
	l.enter("switch, both alive")
	w.goes(1, mode.BKPrimary)
	l.more(30)
	w.goes(0, mode.BankPrimary)
	l.more(30)
	l.enter("one killed")
	w.facades[1].kill()
	l.more(30)
	l.enter("switch, one dead")
	began := time.Now()
	w.goes(0, mode.BKPrimary)
	t.Logf("the switch came %s after it was asked for: the dead one's lease", time.Since(began).Round(time.Millisecond))
	l.more(30)
	l.enter("one back")
	w.facades[1].start()
	l.more(30)
	w.goes(1, mode.BankPrimary)
	l.more(30)
	l.saw("before")
	l.saw("switch, both alive")
	l.saw("one killed", noAnswer, notSent)
	l.saw("switch, one dead", notSent)
	l.saw("one back", notSent)
	w.held()
	w.agree(l)
}
