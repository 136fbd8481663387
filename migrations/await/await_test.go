package await_test

import (
	"testing"
	"time"

	"github.com/bkledger/bk/migrations/await"
)

func TestWithin(t *testing.T) {
	asked := 0
	if !await.Within(t, time.Minute, func() bool { asked++; return asked == 3 }) || asked != 3 {
		t.Errorf("asked %d times instead of 3", asked)
	}
	if await.Within(t, time.Millisecond, func() bool { return false }) {
		t.Error("what never holds was said to hold")
	}
	late := false
	if !await.Within(t, 0, func() bool { was := late; late = true; return was }) {
		t.Error("the last answer, yes, was not given")
	}
}

// TestUntil: it comes back when another goroutine has done its work.
func TestUntil(t *testing.T) {
	begun, done := make(chan struct{}), make(chan struct{})
	go func() { <-begun; close(done) }()
	await.Until(t, "the other's work", func() bool {
		select {
		case <-done:
			return true
		case begun <- struct{}{}:
			return false
		}
	})
}
