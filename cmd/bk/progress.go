package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// noteEvery is how often a log, which is no terminal, gets a line of progress.
const noteEvery = 5 * time.Second

// meter shows how far something is: a bar on a terminal, now and then a line elsewhere. It is not safe for concurrent use.
type meter struct {
	w     io.Writer
	quiet bool
	bar   *progressbar.ProgressBar // nil: lines
	noted time.Time
}

func newMeter(w io.Writer, quiet bool) *meter {
	m := &meter{w: w, quiet: quiet, noted: time.Now()}
	if !quiet && isTerminal(w) {
		m.bar = progressbar.NewOptions64(-1,
			progressbar.OptionSetWriter(w), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetWidth(30), progressbar.OptionSetElapsedTime(true), progressbar.OptionSetPredictTime(true),
			progressbar.OptionUseANSICodes(true),
		)
	}
	return m
}

// show says that done of total (0: not known) is done; about says of what.
func (m *meter) show(done, total int64, about string) {
	switch {
	case m.quiet:
	case m.bar != nil:
		if total <= 0 {
			total = -1
		}
		if total != m.bar.GetMax64() {
			m.bar.ChangeMax64(total)
		}
		m.bar.Describe(about)
		if done < total || total < 0 { // a full bar would be finished for good
			m.bar.Set64(done) // fails only if the terminal does
		}
	case time.Since(m.noted) >= noteEvery:
		m.noted = time.Now()
		if total > 0 {
			about = fmt.Sprintf("%s (%d %%)", about, done*100/total)
		}
		fmt.Fprintf(m.w, "bk: %s\n", about)
	}
}

// printf writes a line for good, above the bar.
func (m *meter) printf(format string, args ...any) {
	m.clear()
	fmt.Fprintf(m.w, format+"\n", args...)
}

// clear takes the bar away; the next show brings it back.
func (m *meter) clear() {
	if m.bar != nil {
		m.bar.Clear() // fails only if the terminal does
	}
}
