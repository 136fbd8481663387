package rates

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// What is promised.
const (
	mostAdded    = 0.5 // ms at the median that bank-only adds
	leastSingles = 3.0
	leastCalls   = 10.0
	leastBank    = 0.3 // of pgbench's rate
)

// Report is what was measured. Its JSON is meant for programs, too: keys are only added.
type Report struct {
	When        time.Time `json:"when"`
	TookSeconds float64   `json:"took_seconds"`
	Go          string    `json:"go"`
	CPUs        int       `json:"cpus"`
	Postgres    string    `json:"postgres"`
	Clients     int       `json:"clients"`
	CallClients int       `json:"clients_of_calls_of_100"`
	Added       []Added   `json:"added_by_bank_only"`
	Rates       []Rate    `json:"rates"`
	Ratios      []Ratio   `json:"ratios"`
	Notes       []string  `json:"notes"`
}

// Rate is how much a side did, by round.
type Rate struct {
	Side   string    `json:"side"`
	What   string    `json:"what"`
	Rounds []float64 `json:"per_second_by_round"`
	Median float64   `json:"per_second"`
	CPU    CPU       `json:"cpu"`
}

// Ratio is what is promised of two rates, or of what is added, and what came of it.
type Ratio struct {
	What   string    `json:"what"`
	Value  float64   `json:"value"` // the median of the rounds' own
	Wanted string    `json:"wanted"`
	Holds  bool      `json:"holds"`
	Rounds []float64 `json:"by_round,omitempty"`
}

// Holds says whether everything does that is promised.
func (r *Report) Holds() bool {
	for _, ratio := range r.Ratios {
		if !ratio.Holds {
			return false
		}
	}
	return len(r.Ratios) > 0
}

// judge makes the ratios of what was measured.
func (r *Report) judge(m *measured) {
	rate := func(side, what string, f figures) {
		if len(f.rounds) > 0 {
			r.Rates = append(r.Rates, Rate{side, what, f.rounds, median(f.rounds), f.cpu.each(f.trades)})
		}
	}
	rate("pgbench", "TPC-B transactions", m.tpcb)
	rate("Bank", "trades, singles", m.bankSingles)
	rate("façade in bk-only", "trades, singles", m.booksSingles)
	rate("Bank", "trades, calls of 100", m.bankCalls)
	rate("façade in bk-only", "trades, calls of 100", m.booksCalls)
	for _, a := range r.Added {
		r.Ratios = append(r.Ratios, Ratio{"bank-only adds at the median, ms: " + a.Call, a.AddedP50, fmt.Sprintf("< %g", mostAdded), a.AddedP50 < mostAdded, nil})
	}
	ratio := func(what string, a, b figures, least float64) {
		of, to := a.rounds, b.rounds
		if len(of) == 0 || len(to) == 0 {
			return
		}
		rounds := make([]float64, min(len(of), len(to)))
		for i := range rounds {
			rounds[i] = of[i] / to[i]
		}
		value := median(rounds)
		r.Ratios = append(r.Ratios, Ratio{what, value, fmt.Sprintf(">= %g", least), value >= least, rounds})
	}
	ratio("bk-only to Bank, singles", m.booksSingles, m.bankSingles, leastSingles)
	ratio("bk-only to Bank, calls of 100", m.booksCalls, m.bankCalls, leastCalls)
	ratio("Bank's singles to pgbench", m.bankSingles, m.tpcb, leastBank)
}

// WriteText writes a table for people.
func (r *Report) WriteText(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, %d CPUs, Postgres %s, %d clients, %d with calls of 100, %.0f s\n\n", r.When.Format(time.DateTime), r.CPUs, r.Postgres, r.Clients, r.CallClients, r.TookSeconds)
	fmt.Fprintln(w, "CALL, ms\tDIRECT P50\tP99\tTHROUGH P50\tP99\tADDED P50\tP99")
	for _, a := range r.Added {
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\n", a.Call, a.DirectP50, a.DirectP99, a.ThroughP50, a.ThroughP99, a.AddedP50, a.AddedP99)
	}
	fmt.Fprintln(w, "\nSIDE\tWHAT\tA SECOND\tROUNDS\tCPU us: LOAD\tBANK\tFACADE\tBK\tPOSTGRES")
	for _, rate := range r.Rates {
		c := rate.CPU
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", rate.Side, rate.What, rate.Median, rate.Rounds, c.Load, c.Bank, c.Facade, c.BK, c.Postgres)
	}
	fmt.Fprintln(w, "\nPROMISED\tWANTED\tMEASURED\tROUNDS\t")
	for _, ratio := range r.Ratios {
		holds := "holds"
		if !ratio.Holds {
			holds = "DOES NOT HOLD"
		}
		rounds := ""
		if len(ratio.Rounds) > 0 {
			rounds = fmt.Sprintf("%.2f", ratio.Rounds)
		}
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%s\t%s\n", ratio.What, ratio.Wanted, ratio.Value, rounds, holds)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "\n%s\n", note)
	}
	return w.Flush()
}

// WriteJSON writes everything.
func (r *Report) WriteJSON(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
