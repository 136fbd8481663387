package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("bench: write the report: %w", err)
	}
	return nil
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	r.writeHead(b)
	r.writeSides(b)
	r.writeOpenLoop(b)
	r.writeOverload(b)
	r.writeAcceptance(b)
	if err := b.Flush(); err != nil {
		return fmt.Errorf("bench: write the report: %w", err)
	}
	return nil
}

func (r *Report) writeHead(w io.Writer) {
	fmt.Fprintf(w, "%s, %d CPUs, %s, Postgres %s", r.When.Format("2006-01-02 15:04 MST"), r.CPUs, r.Go, r.Postgres)
	for _, name := range shownSettings {
		if value := r.Settings[name]; value != "" {
			fmt.Fprintf(w, ", %s %s", name, value)
		}
	}
	fmt.Fprintf(w, "\n%d entries a run (slow ways fewer), %.0f bytes of payload each; medians of %s and of the finals' %d, sides in turn, a fresh database each; %.0f s in all\n\n",
		r.Entries, r.PayloadBytes, plural(r.Rounds, "round"), finalRounds*r.Rounds, r.TookSeconds)
}

// columnsOf starts a table; all but the leading text columns are numbers, so they are set to the right.
func columnsOf(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
}

// padded makes a text column of a table whose columns are set to the right.
func padded(texts []string) []string {
	width := 0
	for _, t := range texts {
		width = max(width, len(t))
	}
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = t + strings.Repeat(" ", width-len(t))
	}
	return out
}

func (r *Report) writeSides(w io.Writer) {
	fmt.Fprintln(w, "Closed loop (* best configuration of its way in the trials, ** its figures are from the finals; CPU is µs an entry: this process with load and, in process, engine | API's process | Postgres)")
	names := []string{"way, configuration"}
	for _, s := range r.Sides {
		mark := "   "
		if s.Final {
			mark = "** "
		} else if s.Best {
			mark = "*  "
		}
		names = append(names, mark+s.Way+": "+s.Config)
	}
	names = padded(names)
	t := columnsOf(w)
	fmt.Fprintf(t, "%s\tentries/s\t/ raw COPY\tp50 ms\tp99 ms\tp99.9 ms\tCPU\tAPI\tPostgres\t\n", names[0])
	for i, s := range r.Sides {
		fmt.Fprintf(t, "%s\t%.0f\t%.3f\t%.2f\t%.2f\t%.2f\t%.1f\t%s\t%s\t\n", names[i+1], s.EntriesPerSecond, s.ToRaw, s.P50, s.P99, s.P999,
			s.CPU.Load, orDash(s.CPU.Server), orDash(s.CPU.Postgres))
	}
	t.Flush()
	fmt.Fprintln(w)
}

func orDash(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", v)
}

func (r *Report) writeOpenLoop(w io.Writer) {
	fmt.Fprintln(w, "Open loop (latency from the scheduled arrival: coordinated omission is corrected)")
	names := []string{"load"}
	for _, o := range r.OpenLoop {
		names = append(names, o.name())
	}
	names = padded(names)
	t := columnsOf(w)
	fmt.Fprintf(t, "%s\toffered/s\taccepted/s\trefused\tp50 ms\tp99 ms\tp99.9 ms\tmax ms\tload late p99 ms\t\n", names[0])
	for i, o := range r.OpenLoop {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", names[i+1], o.OfferedPerSecond, o.AcceptedPerSecond, o.Refused,
			o.P50, o.P99, o.P999, o.Max, o.LoadLateP99)
	}
	t.Flush()
	fmt.Fprintln(w)
}

func (r *Report) writeOverload(w io.Writer) {
	o := r.Overload
	const mebibyte = 1 << 20
	fmt.Fprintf(w, "Overload, engine and load in a process of their own, %d × %.0f single entries/s for %.0f s\n", overloadFactor, o.CapacityPerSecond, o.Seconds)
	fmt.Fprintf(w, "  offered %.0f/s, accepted %.0f/s, refused %d of %d (%.0f %%)\n", o.OfferedPerSecond, o.AcceptedPerSecond, o.Refused, o.Offered,
		100*float64(o.Refused)/float64(max(1, o.Offered)))
	fmt.Fprintf(w, "  acknowledged after p50 %.1f, p99 %.1f, p99.9 %.1f, max %.1f ms from the schedule (from the call: %.1f, %.1f, %.1f, %.1f; the load was late by %.1f at p99)\n",
		o.P50, o.P99, o.P999, o.Max, o.FromCall.P50, o.FromCall.P99, o.FromCall.P999, o.FromCall.Max, o.LoadLateP99)
	fmt.Fprintf(w, "  a full queue of %d takes %.1f ms at the accepted rate\n", o.MaxInFlight, o.QueueMilliseconds)
	if o.ResidentSampled > 0 {
		fmt.Fprintf(w, "  resident memory %.1f MiB after %.1f s, %.1f MiB at the end, %.1f MiB at most\n", float64(o.ResidentSampled)/mebibyte,
			o.SampledAfterSeconds, float64(o.ResidentEnd)/mebibyte, float64(o.ResidentPeak)/mebibyte)
	} else {
		fmt.Fprintln(w, "  resident memory: this system has no /proc/self/status")
	}
	fmt.Fprintln(w)
}

func (r *Report) writeAcceptance(w io.Writer) {
	names := make([]string, len(r.Acceptance))
	for i, a := range r.Acceptance {
		names[i] = a.What
	}
	for i, name := range padded(names) {
		a := r.Acceptance[i]
		bound := fmt.Sprintf("at least %g", a.AtLeast)
		if a.AtMost > 0 {
			bound = fmt.Sprintf("at most %g", a.AtMost)
		}
		verdict := "holds"
		if !a.Holds {
			verdict = "DOES NOT HOLD"
		}
		fmt.Fprintf(w, "%s  %7.3f  %-13s  %s\n", name, a.Value, bound, verdict)
	}
}
