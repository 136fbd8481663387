package rate_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/parity/landing/rate"
)

func TestRun(t *testing.T) {
	t.Parallel()
	report, err := rate.Run(t.Context(), rate.Config{Events: 3000, Rounds: 1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Lines) != 2 || report.EventBytes < 300 {
		t.Fatalf("%+v", report)
	}
	for _, l := range report.Lines {
		if l.EventsPerS <= 0 || l.CPU <= 0 || l.Stored <= 0 || len(l.Rounds) != 1 {
			t.Errorf("%+v", l)
		}
	}
	var text, all bytes.Buffer
	if err := report.WriteText(&text); err != nil || !strings.Contains(text.String(), "memory") || !strings.Contains(text.String(), "kafka") {
		t.Errorf("%v: %s", err, text.String())
	}
	var again rate.Report
	if err := report.WriteJSON(&all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all.Bytes(), &again); err != nil || again.Events != 3000 {
		t.Errorf("%v: %s", err, all.String())
	}
	if err := (rate.Config{Events: 1, Rounds: -1}).Validate(); err == nil || !strings.Contains(err.Error(), "Events") || !strings.Contains(err.Error(), "Rounds") {
		t.Errorf("%v", err)
	}
}
