package faults

import (
	"net/http"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

// TestQueueFull: BK is away until the queue is full. The façade leaves it behind by itself, and no client notices. When BK is back, it gets what was queued, and, by
// Bank's stream, what came after. Without the stream the step forward is refused: nobody could say what BK lacks.
func TestQueueFull(t *testing.T) {
	t.Parallel()
	for name, kafka := range map[string]bool{"with Kafka": true, "without Kafka": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{mode: mode.BankPrimary, kafka: kafka, facade: func(cfg *facade.Config) { cfg.QueueLimit = 60 }})
			l := startLoad(t, pace, w.targets...)
			l.more(20)
			l.enter("BK away")
			w.outage(mode.BK)
			eventually(t, "the façade in bank-only", func() bool { return w.mode() == mode.BankOnly || t.Failed() })
			if s := w.status(0).State; !s.Killed || s.Who != "facade" || s.Why != "queue full" {
				t.Errorf("the mode's record: %+v", s)
			}
			l.more(60)
			l.enter("BK back")
			w.back(mode.BK)
			l.more(20)
			eventually(t, "BK has what was queued", func() bool { return kafka || w.backlog(mode.BK).Rows == 0 })
			if kafka {
				w.goes(0, mode.BankPrimary)
				l.enter("in step again")
				l.more(40)
				l.all()
				w.agree(l)
				return
			}
			if status, a := w.tries(mode.BankPrimary); status != http.StatusConflict || !strings.Contains(a.Error, "Kafka") {
				t.Errorf("a step forward: %d, %s", status, a.Error)
			}
			l.more(20)
			l.all()
			l.stop()
			l.report()
		})
	}
}
