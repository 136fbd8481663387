// Package pace measures how fast package parity compares: generated events, at several sizes, equal and with faults in them.
package pace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/parity/faults"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
)

// LeastRate is what is promised: events of a side that are compared in a second.
const LeastRate = 1e6

// Config says what is measured. The zero value of a field is its default.
type Config struct {
	Events   []int64 // sizes: events of each side (1, 3, 10 million)
	Accounts int     // 5000
	Faults   int     // that are then put in, and compared again (200); -1: none
	Rounds   int     // of each comparison (3); the median counts
	Dir      string  // on a disk (the system's temporary folder)
	Seed     uint64
	// Progress is told what is being done. Default: nobody.
	Progress func(doing string)
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Events == nil {
		c.Events = []int64{1e6, 3e6, 10e6}
	}
	if c.Accounts == 0 {
		c.Accounts = 5000
	}
	if c.Faults == 0 {
		c.Faults = 200
	}
	if c.Rounds == 0 {
		c.Rounds = 3
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	for _, n := range c.Events {
		if n < 1000 || n > 1e9 {
			wrong = append(wrong, fmt.Errorf("Events: %d is not between 1000 and 1000000000", n))
		}
	}
	if c.Accounts < 100 || c.Accounts > 1e6 {
		wrong = append(wrong, fmt.Errorf("Accounts: %d is not between 100 and 1000000", c.Accounts))
	}
	if c.Faults < -1 || c.Faults > 10_000 {
		wrong = append(wrong, fmt.Errorf("Faults: %d is not between -1 and 10000", c.Faults))
	}
	if c.Rounds < 1 || c.Rounds > 100 {
		wrong = append(wrong, fmt.Errorf("Rounds: %d is not between 1 and 100", c.Rounds))
	}
	return errors.Join(wrong...)
}

// Size is one that was measured.
type Size struct {
	Events      int64     `json:"events_a_side"`
	FileBytes   int64     `json:"file_bytes"`
	LandSeconds float64   `json:"landing_seconds"` // generating and landing both sides
	Equal       []float64 `json:"equal_seconds"`   // by round
	EqualCPU    float64   `json:"equal_cpu_seconds"`
	Rate        float64   `json:"events_a_side_per_second"` // of the median
	Faults      int       `json:"faults"`
	Found       int       `json:"found"`
	Named       int       `json:"named"`
	FalseAlarms int       `json:"false_alarms"`
	Faulty      []float64 `json:"faulty_seconds"`
}

// Report is what was measured. Its JSON is meant for programs, too: keys are only added.
type Report struct {
	When   time.Time `json:"when"`
	Go     string    `json:"go"`
	CPUs   int       `json:"cpus"`
	DuckDB string    `json:"duckdb"`
	Sizes  []Size    `json:"sizes"`
}

// Holds says whether what is promised does.
func (r *Report) Holds() bool {
	return !slices.ContainsFunc(r.Sizes, func(s Size) bool {
		return s.Rate < LeastRate || s.Named != s.Faults || s.FalseAlarms > 0
	}) && len(r.Sizes) > 0
}

// Run measures.
func Run(ctx context.Context, cfg Config) (r Report, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return r, fmt.Errorf("pace: %w", err)
	}
	r = Report{When: time.Now(), Go: runtime.Version(), CPUs: runtime.GOMAXPROCS(0)}
	for _, n := range cfg.Events {
		s, err := size(ctx, cfg, n, &r)
		if err != nil {
			return r, fmt.Errorf("pace: %d events: %w", n, err)
		}
		r.Sizes = append(r.Sizes, s)
	}
	return r, nil
}

func size(ctx context.Context, cfg Config, n int64, r *Report) (s Size, err error) {
	dir, err := os.MkdirTemp(cfg.Dir, "parity-pace-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "warehouse.duckdb")
	store, err := duck.OpenStore(ctx, path)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.DB().QueryRowContext(ctx, "SELECT version()").Scan(&r.DuckDB); err != nil {
		return s, err
	}
	s.Events = n
	began := time.Now()
	for _, bk := range []bool{false, true} {
		cfg.Progress(fmt.Sprintf("%d events: landing side %t", n, bk))
		made := generate.Config{Seed: cfg.Seed, Events: n, Accounts: cfg.Accounts, Symbols: 500, DayTrades: int(max(10_000, n/20)), BK: bk}
		if _, err := landing.Feed(ctx, landing.Config{Store: store}, generate.Records(made, false)); err != nil {
			return s, err
		}
	}
	if _, err := store.DB().ExecContext(ctx, "CHECKPOINT"); err != nil {
		return s, err
	}
	s.LandSeconds = time.Since(began).Seconds()
	if info, err := os.Stat(path); err == nil {
		s.FileBytes = info.Size()
	}
	compare := func() (parity.Report, error) {
		return parity.Run(ctx, parity.Config{DB: store.DB(), Dialect: dialect.DuckDB(), Keep: 100_000})
	}
	for round := range cfg.Rounds {
		cfg.Progress(fmt.Sprintf("%d events: comparing equal sides, round %d", n, round+1))
		cpu := processor()
		report, err := compare()
		if err != nil {
			return s, err
		}
		if report.Unexplained != 0 || report.Equal != n {
			return s, fmt.Errorf("equal sides differ: %d of %d equal, %d unexplained", report.Equal, n, report.Unexplained)
		}
		s.Equal = append(s.Equal, report.Seconds.Total)
		s.EqualCPU = (processor() - cpu).Seconds()
	}
	s.Rate = float64(n) / median(s.Equal)
	if cfg.Faults < 0 {
		return s, nil
	}
	cfg.Progress(fmt.Sprintf("%d events: %d faults", n, cfg.Faults))
	m, err := faults.Inject(ctx, faults.Config{DB: store.DB(), Dialect: dialect.DuckDB(), Count: cfg.Faults, Seed: cfg.Seed})
	if err != nil {
		return s, err
	}
	for range cfg.Rounds {
		report, err := compare()
		if err != nil {
			return s, err
		}
		result, err := faults.Check(m, &report)
		if err != nil {
			return s, err
		}
		s.Faults, s.Found, s.Named, s.FalseAlarms = result.Faults, result.Found, result.Named, len(result.Alarms)
		s.Faulty = append(s.Faulty, report.Seconds.Total)
	}
	return s, nil
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// WriteText writes a table for people.
func (r *Report) WriteText(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, %d CPUs, DuckDB %s\n\n", r.When.Format(time.DateTime), r.CPUs, r.DuckDB)
	fmt.Fprintln(w, "EVENTS A SIDE\tFILE, MB\tEQUAL, s\tCPU, s\tEVENTS A SIDE A SECOND\tFAULTS\tFOUND\tNAMED\tFALSE ALARMS\tWITH FAULTS, s")
	for _, s := range r.Sizes {
		faulty := "-"
		if len(s.Faulty) > 0 {
			faulty = fmt.Sprintf("%.2f", median(s.Faulty))
		}
		fmt.Fprintf(w, "%d\t%d\t%.2f\t%.2f\t%.0f\t%d\t%d\t%d\t%d\t%s\n", s.Events, s.FileBytes>>20, median(s.Equal), s.EqualCPU, s.Rate, s.Faults, s.Found, s.Named, s.FalseAlarms, faulty)
	}
	fmt.Fprintf(w, "\npromised: at least %.0f events a side a second\n", float64(LeastRate))
	return w.Flush()
}

// WriteJSON writes everything.
func (r *Report) WriteJSON(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
