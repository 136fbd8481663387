package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/bkledger/bk/compat/bootstrap"
)

// bootstrapMeter shows progress: a bar for each phase on a terminal, now and then a line elsewhere.
type bootstrapMeter struct {
	mu    sync.Mutex
	w     io.Writer
	bars  bool
	phase string
	bar   *progressbar.ProgressBar
	noted time.Time
}

func newBootstrapMeter(w io.Writer) *bootstrapMeter {
	return &bootstrapMeter{w: w, bars: onTerminal(w)}
}

func (m *bootstrapMeter) show(p bootstrap.Progress) {
	const every = 5 * time.Second
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bars {
		m.draw(p)
	}
	switch {
	case p.Ended:
		fmt.Fprintf(m.w, "%-9s  %d rows in %s, %.0f/s\n", p.Phase, p.Done, time.Since(p.Started).Round(time.Millisecond), p.Rate)
		m.noted = time.Now()
	case !m.bars && time.Since(m.noted) >= every:
		fmt.Fprintf(m.w, "%-9s  %d of %d, %.0f/s, %s left  %s\n", p.Phase, p.Done, p.Total, p.Rate, p.Left.Round(time.Second), p.About)
		m.noted = time.Now()
	}
}

func (m *bootstrapMeter) draw(p bootstrap.Progress) {
	total := p.Total
	if total <= 0 {
		total = -1
	}
	if m.phase != p.Phase {
		m.phase = p.Phase
		m.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(m.w), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetWidth(30), progressbar.OptionSetElapsedTime(true), progressbar.OptionSetPredictTime(true), progressbar.OptionUseANSICodes(true))
	}
	if p.Ended {
		m.bar.Clear() // fails only if the terminal does
		return
	}
	if total != m.bar.GetMax64() {
		m.bar.ChangeMax64(total)
	}
	m.bar.Describe(p.Phase + " " + p.About)
	if p.Done < total || total < 0 { // a full bar would be finished for good
		m.bar.Set64(p.Done)
	}
}
