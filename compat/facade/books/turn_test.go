package books

import (
	"testing"
	"time"
)

// TestTakeTurn: one batch at a time is under way, and one that is slow holds the next up for a moment only.
func TestTakeTurn(t *testing.T) {
	t.Parallel()
	b := &Ledger{turn: make(chan struct{}, 1), stop: make(chan struct{})}
	if !b.takeTurn() {
		t.Fatal("nobody has the turn, and it was not given")
	}
	began := time.Now()
	if b.takeTurn() {
		t.Fatal("two have the turn")
	}
	if waited := time.Since(began); waited < gatherFor {
		t.Errorf("waited for %s only", waited)
	}
	<-b.turn
	if !b.takeTurn() {
		t.Error("the turn was given back, and not given")
	}
	close(b.stop)
	if b.takeTurn() {
		t.Error("two have the turn at the end")
	}
}
