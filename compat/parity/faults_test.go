package parity_test

import (
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/faults"
	"github.com/bkledger/bk/compat/parity/generate"
)

// TestFaults alters more than 200 events in each of several worlds, in every way there is: each is found, rightly named, and nothing else is. Before that nothing differs.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		side     string
		seed     uint64
		accounts int
	}{{"BK", dialect.SideBK, 1, 600}, {"BK again", dialect.SideBK, 2, 300}, {"Bank", dialect.SideBank, 3, 600}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := warehouse(t, generate.Config{Seed: c.seed, Events: 60_000, Accounts: c.accounts, Symbols: 40, DayTrades: 4000})
			clean := compare(t, db)
			if clean.Unexplained != 0 || len(clean.Findings) != 0 || clean.Equal != clean.Compared || clean.Compared != 60_000 {
				t.Fatalf("equal sides: %d of %d equal, %d findings: %+v", clean.Equal, clean.Compared, len(clean.Findings), clean.Findings[:min(3, len(clean.Findings))])
			}
			m, err := faults.Inject(t.Context(), faults.Config{DB: db, Dialect: dialect.DuckDB(), Side: c.side, Seed: c.seed, Count: 260})
			must(t, err)
			report := compare(t, db)
			result, err := faults.Check(m, &report)
			must(t, err)
			if !result.Holds() {
				var text strings.Builder
				must(t, result.WriteText(&text))
				t.Error(text.String())
			}
			if report.Unexplained != 260 {
				t.Errorf("%d are unexplained", report.Unexplained)
			}
		})
	}
}
