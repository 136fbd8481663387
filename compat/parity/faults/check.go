package faults

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// Result is what a report is worth.
type Result struct {
	Faults int               `json:"faults"`
	Found  int               `json:"found"`
	Named  int               `json:"named"` // found, and by their right names
	Kinds  map[string][3]int `json:"kinds"` // of each: faults, found, named
	Missed []Fault           `json:"missed"`
	Wrong  []Misnamed        `json:"wrongly_named"`
	Alarms []causes.Finding  `json:"false_alarms"` // of no fault
	by     map[int]*causes.Finding
}

// Misnamed is a fault that was found under another name.
type Misnamed struct {
	Fault   Fault          `json:"fault"`
	Finding causes.Finding `json:"finding"`
}

// Holds tells whether every fault was found and named, and nothing else was.
func (r *Result) Holds() bool {
	return r.Named == r.Faults && len(r.Missed) == 0 && len(r.Wrong) == 0 && len(r.Alarms) == 0
}

// Check holds a report against what was done. The report must list all its findings.
func Check(m Manifest, report *parity.Report) (Result, error) {
	r := Result{Faults: len(m.Faults), Kinds: map[string][3]int{}, Missed: []Fault{}, Wrong: []Misnamed{}, Alarms: []causes.Finding{}, by: map[int]*causes.Finding{}}
	if report.LeftOut > 0 {
		return r, fmt.Errorf("the report leaves %d findings out: let it keep more", report.LeftOut)
	}
	if m.Side != dialect.SideBank && m.Side != dialect.SideBK {
		return r, errors.New("the manifest names no side")
	}
	byEvent := map[Event][]int{} // faults
	for i, f := range m.Faults {
		byEvent[f.Event] = append(byEvent[f.Event], i)
		if f.With != nil {
			byEvent[*f.With] = append(byEvent[*f.With], i)
		}
	}
	for i := range report.Findings {
		f := &report.Findings[i]
		at, ok := -1, false
		for _, e := range eventsOf(f) {
			for _, fault := range byEvent[e] {
				if r.by[fault] == nil {
					at, ok = fault, true
				}
			}
			if ok {
				break
			}
		}
		if !ok {
			r.Alarms = append(r.Alarms, *f)
			continue
		}
		r.by[at] = f
	}
	for i, fault := range m.Faults {
		n := r.Kinds[fault.Kind]
		n[0]++
		switch f := r.by[i]; {
		case f == nil:
			r.Missed = append(r.Missed, fault)
		case slices.Contains(names(m, fault), f.Kind):
			r.Found++
			r.Named++
			n[1]++
			n[2]++
		default:
			r.Found++
			n[1]++
			r.Wrong = append(r.Wrong, Misnamed{fault, *f})
		}
		r.Kinds[fault.Kind] = n
	}
	return r, nil
}

// names are those that a fault may have. What Bank lacks is extra on BK's side, unless running totals tell on which side the mistake is; what Bank has too much is missing there.
func names(m Manifest, f Fault) []string {
	all := Names(f.Kind)
	if m.Side == dialect.SideBank {
		switch f.Kind {
		case Dropped, DroppedCash:
			all = append(slices.Clone(all), causes.Extra)
		case Extra:
			all = append(slices.Clone(all), causes.Missing)
		}
	}
	return all
}

// eventsOf gives the events that a finding is of, its own first.
func eventsOf(f *causes.Finding) []Event {
	all := []Event{{f.Account, f.Cash, f.Number, f.Event}}
	if f.With != nil {
		all = append(all, Event{f.With.Account, f.Cash, f.With.Number, f.With.Event})
		if f.Kind == causes.SwappedIDs { // whose ids are right depends on the side
			all = append(all, Event{f.Account, f.Cash, f.With.Number, f.With.Event}, Event{f.With.Account, f.Cash, f.Number, f.Event})
		}
	}
	return all
}

// WriteText tells it to people.
func (r *Result) WriteText(to io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d faults, %d found, %d rightly named, %d false alarms\n\n%-22s %8s %8s %8s\n", r.Faults, r.Found, r.Named, len(r.Alarms), "KIND", "FAULTS", "FOUND", "NAMED")
	for _, kind := range Kinds() {
		if n, ok := r.Kinds[kind]; ok {
			fmt.Fprintf(&b, "%-22s %8d %8d %8d\n", kind, n[0], n[1], n[2])
		}
	}
	for _, f := range r.Missed {
		fmt.Fprintf(&b, "\nmissed: %s of account %d, trade %d, %s (%s/%d@%d)", f.Kind, f.Account, f.Number, f.Event.Event, f.Topic, f.Partition, f.Offset)
	}
	for _, w := range r.Wrong {
		fmt.Fprintf(&b, "\nwrongly named: %s of account %d, trade %d, %s is %s", w.Fault.Kind, w.Fault.Account, w.Fault.Number, w.Fault.Event.Event, w.Finding.Kind)
	}
	for _, f := range r.Alarms {
		fmt.Fprintf(&b, "\nfalse alarm: %s of account %d, trade %d, %s", f.Kind, f.Account, f.Number, f.Event)
	}
	if len(r.Missed)+len(r.Wrong)+len(r.Alarms) > 0 {
		b.WriteByte('\n')
	}
	_, err := io.WriteString(to, b.String())
	return err
}
