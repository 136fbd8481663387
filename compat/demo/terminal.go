package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/bkledger/bk/compat/demo/page"
)

// terminal tells people what is done: a line a stage. On a real one the last line shows the stage that is under way.
type terminal struct {
	mu    sync.Mutex
	out   io.Writer
	live  bool
	shown bool // the last line is one of progress
}

const progressEvery = 200 * time.Millisecond

// printf writes a line for good.
func (t *terminal) printf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	fmt.Fprintf(t.out, format+"\n", args...)
}

func (t *terminal) clear() {
	if t.shown {
		fmt.Fprint(t.out, "\r\x1b[2K")
		t.shown = false
	}
}

// stage tells of a stage that is over.
func (t *terminal) stage(n int, s page.Stage) {
	held := ""
	if s.HeldMS > 0 {
		held = fmt.Sprintf("writes held %.0f ms", s.HeldMS)
		if s.HeldMS < 10 {
			held = fmt.Sprintf("writes held %.1f ms", s.HeldMS)
		}
	}
	mark := ""
	if s.State == page.Failed {
		mark = "FAILED "
	}
	t.printf("  %2d  %-20s %-74s %-19s %8s", n, s.Name, mark+s.Note, held, shortDuration(time.Duration(s.Seconds*float64(time.Second))))
}

// progress shows the stage that is under way until done is closed.
func (t *terminal) progress(f *figures, done <-chan struct{}) {
	if !t.live {
		<-done
		return
	}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			t.mu.Lock()
			t.clear()
			t.mu.Unlock()
			return
		case <-tick.C:
			t.show(f.now())
		}
	}
}

func (t *terminal) show(s page.State) {
	for i, st := range s.Stages {
		if st.State != page.Running {
			continue
		}
		parts := []string{fmt.Sprintf("%.0f s", st.Seconds)}
		if s.Requests > 0 {
			parts = append(parts, fmt.Sprintf("%.0f requests/s", s.Rate), fmt.Sprintf("p99 %.0f ms", s.P99), fmt.Sprintf("%d errors", s.Errors))
		}
		if s.Lag > 0 {
			parts = append(parts, grouped(s.Lag)+" wait for the secondary")
		}
		if !s.Writes {
			parts = append(parts, "writes are held")
		}
		t.mu.Lock()
		fmt.Fprintf(t.out, "\r\x1b[2K  %2d  %-20s %s", i+1, st.Name, strings.Join(parts, ", "))
		t.shown = true
		t.mu.Unlock()
	}
}

// grouped writes a number with commas between thousands.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// shortDuration writes a duration with three digits that matter.
func shortDuration(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
}
