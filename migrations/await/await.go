// Package await lets tests wait for what another process or goroutine brings about, where nothing tells them: they ask, at a pace.
//
// It promises:
//   - The wait ends when the condition holds, at once after the question that says so; it never waits for time to pass.
//   - A test whose condition does not come to hold fails after Patience with what it waited for, and does not hang.
//
// Files: await.go is all there is.
package await

import (
	"testing"
	"time"
)

// Patience is how long a condition may take on a machine that does much else.
const Patience = 2 * time.Minute

// pace is the time between two questions.
const pace = 5 * time.Millisecond

// Until asks until the answer is yes. It fails the test when that takes longer than [Patience], or when the test's time is over. It has to be called by the test's own goroutine.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if !Within(t, Patience, holds) {
		t.Fatalf("%s: not within %s", what, Patience)
	}
}

// Within asks until the answer is yes, for some time at the most, and gives the last answer.
func Within(t testing.TB, patience time.Duration, holds func() bool) bool {
	t.Helper()
	again := time.NewTicker(pace)
	defer again.Stop()
	over := time.After(patience)
	for !holds() {
		select {
		case <-again.C:
		case <-over:
			return holds()
		case <-t.Context().Done():
			return holds()
		}
	}
	return true
}
