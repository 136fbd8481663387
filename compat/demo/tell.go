package demo

import (
	"bytes"
	"path/filepath"
	"time"

	"github.com/bkledger/bk/compat/demo/page"
)

// keep writes the summary, and the page as it is, to the folder of the reports.
func (d *demo) keep(s Summary, now page.State) error {
	if err := s.Write(filepath.Join(d.cfg.Dir, summaryFile)); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := page.File(&text, now); err != nil {
		return err
	}
	return replace(filepath.Join(d.cfg.Dir, pageFile), text.Bytes())
}

// tell tells people the result.
func (d *demo) tell(s Summary, now page.State) {
	t := d.terminal
	t.printf("")
	if s.Holds() {
		t.printf("Bank is replaced, in %s, and no client noticed.\n", shortDuration(time.Duration(now.Seconds*float64(time.Second))))
	} else {
		t.printf("The swap did not hold:\n")
		for _, reason := range s.Reasons {
			t.printf("  - %s", reason)
		}
		t.printf("")
	}
	p50, p99 := d.figures.latency()
	t.printf("  requests of clients    %s, p50 %s, p99 %s", grouped(s.ClientRequests), latencyText(p50), latencyText(p99))
	t.printf("  errors                 %s; %s refusals that were meant, as cancels of what is cancelled", grouped(s.ClientErrors), grouped(now.Refused))
	t.printf("  trades in the books    %s", grouped(s.Trades))
	t.printf("  compared               %s pairs, %s differ", grouped(now.Compared), grouped(s.Differences))
	t.printf("  writes held            %.0f ms at most, in %d switches", now.HeldMS, now.Switches)
	for i, file := range d.reports {
		label := ""
		if i == 0 {
			label = "parity's reports"
		}
		t.printf("  %-22s %s", label, filepath.Join(d.cfg.Dir, file))
	}
	t.printf("  %-22s %s, %s, %s", "page, summary, log", filepath.Join(d.cfg.Dir, pageFile), filepath.Join(d.cfg.Dir, summaryFile), filepath.Join(d.cfg.Dir, logFile))
}

func latencyText(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
