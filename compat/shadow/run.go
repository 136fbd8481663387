package shadow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Config says what is run. It starts nothing itself.
type Config struct {
	// Traffic goes to the façade, its Target.
	Traffic Traffic
	// Bank, and BK behind the same API: they are compared afterwards, each by itself.
	Bank, BK System
	// Drained waits until the façade has brought to the other system all that one has done. Needed.
	Drained func(context.Context) error
	// Parallel calls to each system when they are compared; 4.
	Parallel int
}

// Report is what became of it.
type Report struct {
	Played   Played
	Drain    time.Duration // from the last answer until the other system had it all
	Compared Compared      // Left is Bank
}

// Run plays traffic through a façade, waits until both systems should agree, and compares them. An error says that it could not be done; what
// surprised and what differs is in the report.
func Run(ctx context.Context, cfg Config) (r Report, err error) {
	if cfg.Drained == nil {
		return r, errors.New("shadow: configuration: Drained: needed")
	}
	if r.Played, err = Play(ctx, cfg.Traffic); err != nil {
		return r, err
	}
	began := time.Now()
	if err := cfg.Drained(ctx); err != nil {
		return r, fmt.Errorf("shadow: wait until the systems agree: %w", err)
	}
	r.Drain = time.Since(began)
	r.Compared, err = Compare(ctx, r.Played.Comparison(cfg.Bank, cfg.BK, cfg.Parallel))
	return r, err
}

// Comparison gives what is to be compared after a play.
func (p Played) Comparison(left, right System, parallel int) Comparison {
	return Comparison{Left: left, Right: right, Trades: p.Trades, Days: p.Days, Parallel: parallel, cash: p.cash}
}

// String tells it in some lines.
func (p Played) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests in %s (%.0f/s), %d trades; outcome unknown %d, internal %d, no answer %d, surprises %d\n", p.Requests, p.Took.Round(time.Millisecond),
		float64(p.Requests)/p.Took.Seconds(), len(p.Trades), p.Unknown, p.Internal, p.Lost, p.Surprised)
	for _, what := range slices.Sorted(maps.Keys(p.Answers)) {
		fmt.Fprintf(&b, "%8d  %s\n", p.Answers[what], what)
	}
	for _, s := range p.Surprises {
		fmt.Fprintf(&b, "surprise: %s\n", s)
	}
	return b.String()
}

// String tells it in some lines.
func (c Compared) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "compared in %s, %d differ:\n", c.Took.Round(time.Millisecond), c.Differing)
	for _, kind := range slices.Sorted(maps.Keys(c.Counts)) {
		fmt.Fprintf(&b, "%8d  %s\n", c.Counts[kind], kind)
	}
	for _, d := range c.Differences {
		fmt.Fprintf(&b, "%s\n", d)
	}
	return b.String()
}

// String tells it in some lines.
func (r Report) String() string {
	return fmt.Sprintf("%sdrained in %s\n%s", r.Played, r.Drain.Round(time.Millisecond), r.Compared)
}
