package ledger

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestEveryRuleIsDocumented: docs/bookkeeping.md has every kind, every field of an event in its kind's row, and the reasons that rules give.
func TestEveryRuleIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/bookkeeping.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	rules := StandardRules().byKind
	for _, kind := range slices.Sorted(maps.Keys(rules)) {
		if !strings.Contains(page, "`"+string(kind)+"`") {
			t.Errorf("%s is not there", kind)
			continue
		}
		_, row, _ := strings.Cut(page, "| `"+string(kind)+"` |")
		row, _, _ = strings.Cut(row, "\n")
		for _, f := range rules[kind].Fields {
			for _, name := range f.names() {
				if !strings.Contains(row, "`"+name+"`") {
					t.Errorf("the field %s of %s is not in its row: %q", name, kind, row)
				}
			}
		}
	}
	general := []Reason{ReasonMalformed, ReasonTooLarge, ReasonUnknownKind, ReasonKeyConflict} // of every request, in docs/api.md
	for _, reason := range Reasons() {
		if !slices.Contains(general, reason) && !strings.Contains(page, "`"+string(reason)+"`") {
			t.Errorf("the reason %s is not there", reason)
		}
	}
}
