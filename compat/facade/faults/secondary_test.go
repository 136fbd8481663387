package faults

import (
	"testing"
	"time"

	"github.com/bkledger/bk/compat/facade/mode"
)

// both are the modes with a secondary.
var both = []mode.Mode{mode.BankPrimary, mode.BKPrimary}

// pace is a client's pause between two calls: Bank, which is slower than BK, can follow.
const pace = 40 * time.Millisecond

func TestSecondaryDown(t *testing.T) {
	t.Parallel()
	for _, in := range both {
		t.Run(string(in), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{mode: in})
			l := startLoad(t, pace, w.targets...)
			l.more(50)
			l.enter("secondary away")
			w.outage(in.Secondary())
			l.more(100)
			eventually(t, "rows that wait, in the status", func() bool { return w.backlog(in.Secondary()).Rows > 0 })
			if b := w.backlog(in.Secondary()); b.Blocked != 0 {
				t.Errorf("the status says %+v", b)
			}
			l.enter("secondary back")
			w.back(in.Secondary())
			l.more(50)
			l.all()
			w.agree(l)
		})
	}
}

func TestSecondarySlow(t *testing.T) {
	t.Parallel()
	for _, in := range both {
		t.Run(string(in), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{mode: in})
			l := startLoad(t, pace, w.targets...)
			l.more(50)
			l.enter("secondary slow")
			w.slow(in.Secondary(), 2*time.Second)
			began := time.Now()
			l.more(150)
			eventually(t, "the secondary's lag in the status", func() bool { return w.backlog(in.Secondary()).AgeSeconds > 2 })
			t.Logf("150 writes in %s with a secondary that takes 2 s", time.Since(began).Round(time.Millisecond))
			l.enter("secondary fast")
			w.slow(in.Secondary(), 0)
			l.more(50)
			l.all()
			if l.longest["secondary slow"] > 2*time.Second {
				t.Errorf("a client waited for the secondary: %s", l.longest["secondary slow"])
			}
			w.agree(l)
		})
	}
}
