package cutover

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/cutover/evidence"
)

//go:embed page.html
var pageText string

// page is what the template is given.
type page struct {
	Dir, Head string
	Count     int
	Last      time.Time
	Class     string
	Verdict   string
	Runs      []pageRun
}

// pageRun is a run.
type pageRun struct {
	*progress
	About    runRecord
	Run      int
	Began    time.Time
	Outcome  string
	Class    string
	Reason   string
	Seconds  float64
	Steps    []*pageStep
	Targets  []pair
	Settings []pair
	Records  []pageRecord
}

type pair struct{ Name, Value string }

// pageStep is a step, with all that was recorded of it.
type pageStep struct {
	Name, Kind, About, State, Class string
	Back                            bool
	Began                           time.Time
	Seconds                         float64
	Gates                           []pageGate
	Asks                            []askRecord
	Answers                         []answerRecord
	Would, Error, Input             string
	Output                          *Output
	Notes                           []string
}

type pageGate struct {
	Name, State, Class, Why, Figures string
	Seconds                          float64
	Tries                            int
}

// pageRecord is a line of the log.
type pageRecord struct {
	Seq        int64
	At         time.Time
	Kind, Step string
	Hash       string
}

// WriteReport makes the HTML report of a folder's log, and of nothing else. A log that was altered gives no report but an error.
func WriteReport(to io.Writer, dir string) error {
	records, _, err := evidence.Read(dir)
	if err != nil {
		return err
	}
	all, err := runs(records)
	if err != nil {
		return err
	}
	p := page{Dir: dir, Count: len(records), Class: "fair", Verdict: "Nothing was run"}
	if n := len(records); n > 0 {
		p.Head, p.Last = records[n-1].Hash, records[n-1].At
	}
	for _, one := range all {
		r, err := one.page(records)
		if err != nil {
			return err
		}
		p.Runs = append(p.Runs, r)
		p.Class = r.Class
		p.Verdict = fmt.Sprintf("%s: %s", r.About.Runbook, r.Outcome)
	}
	slices.Reverse(p.Runs)
	t, err := template.New("page").Funcs(template.FuncMap{
		"moment": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") },
		"clock":  func(t time.Time) string { return t.UTC().Format("15:04:05.000") },
		"s1":     func(f float64) string { return fmt.Sprintf("%.1f", f) },
		"short":  func(s string) string { return s[:min(len(s), 16)] },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	if err := t.Execute(to, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func (p *progress) page(records []evidence.Record) (r pageRun, err error) {
	r = pageRun{progress: p, About: p.about, Run: p.run, Began: p.first.At, Seconds: p.last.At.Sub(p.first.At).Seconds()}
	kind := "live run"
	if p.about.Dry {
		kind = "dry run"
	}
	switch f := p.finish; {
	case f == nil:
		r.Outcome, r.Class = kind+", not ended", "fair"
	case f.Outcome == OutcomeDone:
		r.Outcome, r.Class = kind+" done", "good"
	case f.Outcome == OutcomeBack:
		r.Outcome, r.Class, r.Reason = kind+" went back", "bad", f.Reason
	default:
		r.Outcome, r.Class, r.Reason = kind+" failed", "bad", f.Reason
	}
	r.Targets, r.Settings = pairs(p.about.Targets), pairs(p.about.Variables)
	steps := map[string]*pageStep{}
	step := func(name string) *pageStep {
		if steps[name] == nil {
			steps[name] = &pageStep{Name: name, State: "not begun", Class: "soft"}
			r.Steps = append(r.Steps, steps[name])
		}
		return steps[name]
	}
	for _, s := range p.about.Steps {
		one := step(s.Name)
		one.Kind, one.About = s.Kind, s.About
	}
	for _, rec := range records {
		if rec.Run != p.run || rec.Seq < p.first.Seq {
			continue
		}
		r.Records = append(r.Records, pageRecord{rec.Seq, rec.At, rec.Kind, rec.Step, rec.Hash})
		if rec.Step == "" {
			continue
		}
		if err := step(rec.Step).add(rec); err != nil {
			return r, err
		}
	}
	return r, nil
}

// add takes a record of a step into its row.
func (s *pageStep) add(rec evidence.Record) error {
	note := func(text string) { s.Notes = append(s.Notes, rec.At.UTC().Format("15:04:05")+" "+text) }
	switch rec.Kind {
	case recGate:
		g, err := as[gateRecord](rec)
		if err != nil {
			return err
		}
		one := pageGate{Name: g.Gate, State: "holds", Class: "good", Why: g.Why, Figures: figures(g.Figures), Seconds: g.Seconds, Tries: g.Tries}
		if !g.Holds {
			if one.State, one.Class = "does not hold", "bad"; !g.Decides {
				one.State, one.Class = "not yet, of a step that did nothing", "fair"
			}
		}
		s.Gates = append(s.Gates, one)
	case recBegin:
		b, err := as[beginRecord](rec)
		if err != nil {
			return err
		}
		s.Kind, s.Back, s.Began, s.State, s.Class = b.Kind, b.Back, rec.At, "begun", "fair"
		if input, err := json.MarshalIndent(b.Step, "", "  "); err == nil {
			s.Input = string(input)
		}
		if b.Step != nil {
			s.About = b.Step.About
		}
	case recEnd:
		e, err := as[endRecord](rec)
		if err != nil {
			return err
		}
		s.Seconds, s.Error, s.Output = e.Seconds, e.Error, e.Output
		switch s.State, s.Class = "done", "good"; {
		case !e.OK:
			s.State, s.Class = "failed", "bad"
		case e.Pretend:
			s.State, s.Class = "pretended", "fair"
		case e.Settled:
			s.State = "done, as was found out later"
		}
		if e.Output != nil {
			s.Would = e.Output.Would
		}
	case recAsk:
		a, err := as[askRecord](rec)
		if err != nil {
			return err
		}
		s.Asks = append(s.Asks, a)
	case recAnswer:
		a, err := as[answerRecord](rec)
		if err != nil {
			return err
		}
		s.Answers = append(s.Answers, a)
	case recBack, recStop, recQuestion:
		why, err := as[reasonRecord](rec)
		if err != nil {
			return err
		}
		note(map[string]string{recBack: "the way back begins: ", recStop: "the run stops: ", recQuestion: "how did it end? "}[rec.Kind] + why.Reason)
	case recSettled:
		t, err := as[settledRecord](rec)
		if err != nil {
			return err
		}
		note("settled as " + t.As + " by " + t.Who + ": " + t.Why)
	case recCancel:
		c, err := as[actor](rec)
		if err != nil {
			return err
		}
		note("cancelled by " + c.Who + ": " + c.Why)
	}
	return nil
}

func pairs(m map[string]string) (all []pair) {
	for name, value := range m {
		all = append(all, pair{name, value})
	}
	slices.SortFunc(all, func(a, b pair) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// figures writes a gate's figures in a line.
func figures(f map[string]any) string {
	var all []string
	for name, value := range f {
		text, err := json.Marshal(value)
		if err != nil {
			continue
		}
		all = append(all, name+" "+strings.Trim(string(text), `"`))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
