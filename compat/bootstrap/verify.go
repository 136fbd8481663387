package bootstrap

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/parity/books"
)

// Comparison is what Bank's tables and BK differ in, now: package parity/books.
type Comparison struct {
	Compared map[string]int64 // pairs, by what they are
	Findings []books.Finding  // as books.Report has them
	Rows     int64            // that differ, those included that are not kept
}

// Report is what a bootstrap came to.
type Report struct {
	Place       source.Place     `json:"place"`
	Mode        string           `json:"mode"`
	Rules       string           `json:"rules_version"`
	Counts      history.Report   `json:"history"`
	Extracted   map[string]int64 `json:"extracted"` // rows by table
	JournalRows int64            `json:"journal_rows"`
	LoadSeconds float64          `json:"load_seconds"`
	CaughtUpTo  int64            `json:"caught_up_to"`    // Bank's event
	Quarantine  map[string]int64 `json:"quarantine"`      // rows by rule
	Fixed       []Fixed          `json:"fixed,omitempty"` // rows that were in quarantine, and were loaded as somebody decided
	Repairs     map[string]int64 `json:"repairs"`
	Adjustments map[string]int64 `json:"adjustments"`
	Trial       Trial            `json:"trial_balance"`
	Compared    map[string]int64 `json:"compared,omitempty"` // pairs of now
	Explained   int64            `json:"explained"`          // differences that quarantine, fixes, repairs and adjustments account for
	Differences []string         `json:"differences"`        // all others
	EndedAt     time.Time        `json:"ended_at"`
}

// Fixed is a row that was loaded as somebody decided.
type Fixed struct {
	ID  string `json:"id"` // as [Held.ID]
	Who string `json:"who"`
	Why string `json:"why"`
}

// Clean tells whether nothing differs but what is accounted for.
func (r *Report) Clean() bool {
	return len(r.Differences) == 0 && len(r.Trial.Off) == 0 && len(r.Trial.Unbalanced) == 0
}

// verify proves that what Bank had is what BK has. Its report is in the work store.
func (b *Bootstrap) verify(ctx context.Context, m Manifest, s *systems) (*Report, error) {
	var accounts int64
	extracted := map[string]int64{}
	for _, p := range m.Extracted {
		extracted[string(p.Range.Table)] += p.Object.Rows
		if p.Range.Table == source.Accounts {
			accounts += p.Object.Rows
		}
	}
	defer b.meter.phase("verify", accounts)()
	r := &Report{
		Place: m.Place, Mode: m.Plan.Mode, Rules: m.Plan.Rules, Counts: m.Staged.Report, Extracted: extracted, JournalRows: m.Staged.Journal.Summary.Rows,
		Quarantine: map[string]int64{}, Repairs: map[string]int64{}, Adjustments: map[string]int64{},
	}
	var load loaded
	var caught caughtUp
	if _, err := b.find(ctx, loadDoc, &load); err != nil {
		return nil, err
	}
	if _, err := b.find(ctx, catchUpDoc, &caught); err != nil {
		return nil, err
	}
	r.LoadSeconds, r.CaughtUpTo = load.Seconds, max(caught.Event, m.Place.EventID)
	known, err := b.accounted(ctx, m, r)
	if err != nil {
		return nil, err
	}
	if r.Trial, err = b.tryBalance(ctx, m, s); err != nil {
		return nil, fmt.Errorf("trial balance: %w", err)
	}
	if b.cfg.Compare != nil {
		b.meter.about("comparing Bank's tables with BK")
		now, err := b.cfg.Compare(ctx)
		if err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
		r.Compared = now.Compared
		for _, f := range now.Findings {
			if known.explains(f) {
				r.Explained++
			} else {
				r.Differences = append(r.Differences, f.String())
			}
		}
		if more := now.Rows - int64(len(now.Findings)); more > 0 {
			r.Differences = append(r.Differences, fmt.Sprintf("%d more rows differ", more))
		}
	}
	r.EndedAt = time.Now().UTC()
	if err := b.store.Note(ctx, verifyDoc, r); err != nil {
		return nil, err
	}
	if !r.Clean() {
		return r, fmt.Errorf("%w: %d holdings of the trial balance, %d instruments that do not add up to 0, %d differences", ErrDiffers, len(r.Trial.Off), len(r.Trial.Unbalanced), len(r.Differences))
	}
	return r, nil
}

// Write tells the report to people.
func (r *Report) Write(to io.Writer) error {
	var t strings.Builder
	fmt.Fprintf(&t, "place          %s\nwrites held    %.1f ms\nrules          version %s, mode %s\n", r.Place, r.Place.HeldMS, r.Rules, r.Mode)
	fmt.Fprintf(&t, "loaded         %d trades, %d cash movements, as %d entries in %.1f s\n", r.Counts.Trades, r.Counts.Cash, r.JournalRows, r.LoadSeconds)
	if r.Mode == Opening {
		fmt.Fprintf(&t, "of these       %d trades are archived, %d are alive; %d opening balances\n", r.Counts.Archived, r.Counts.Alive, r.Counts.Opened)
	}
	fmt.Fprintf(&t, "caught up to   event %d\n", r.CaughtUpTo)
	table := func(title string, counts map[string]int64) {
		if len(counts) == 0 {
			return
		}
		fmt.Fprintf(&t, "\n%12s\n", title)
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&t, "%12d  %s\n", counts[name], name)
		}
	}
	table("EXTRACTED", r.Extracted)
	fired := map[string]int64{}
	for rule, n := range r.Counts.Fired {
		fired[string(rule)] = n
	}
	table("RULES", fired)
	table("QUARANTINE", r.Quarantine)
	if len(r.Fixed) > 0 {
		fmt.Fprintf(&t, "\n%12s\n", "FIXED")
	}
	for _, f := range r.Fixed {
		fmt.Fprintf(&t, "%12s  %s, by %s\n", f.ID, f.Why, f.Who)
	}
	table("REPAIRED", r.Repairs)
	table("ADJUSTED", r.Adjustments)
	table("COMPARED", r.Compared)
	fmt.Fprintf(&t, "\ntrial balance: %d accounts, %d holdings, %d instruments; %d off, %d not zero\n", r.Trial.Accounts, r.Trial.Holdings, r.Trial.Instruments, len(r.Trial.Off), len(r.Trial.Unbalanced))
	for _, o := range r.Trial.Off {
		fmt.Fprintf(&t, "  account %d %s%s: Bank %s, BK %s\n", o.AccountID, o.Symbol, o.Currency, o.Bank, o.BK)
	}
	fmt.Fprintf(&t, "%d differences explained, %d not\n", r.Explained, len(r.Differences))
	for _, d := range r.Differences {
		fmt.Fprintf(&t, "  %s\n", d)
	}
	_, err := io.WriteString(to, t.String())
	return err
}
