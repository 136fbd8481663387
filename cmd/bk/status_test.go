package main

import (
	"testing"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

func TestProjectionStanding(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]*bkv1.ProjectionStatus{
		"at 1,234, 0 behind":                          {Sequence: 1234},
		"at 8, 12 behind, running, rebuild at 5":      {Sequence: 8, Lag: 12, Running: true, Building: 5},
		"at 8, 12 behind\nstopped: out of balance":    {Sequence: 8, Lag: 12, Trouble: "stopped: out of balance"},
		"at 4, 0 behind, running\nheld up: the disk…": {Sequence: 4, Running: true, Trouble: "held up: the disk…"},
	} {
		if got := projection(p); got != want {
			t.Errorf("%v is %q, should be %q", p, got, want)
		}
	}
}
