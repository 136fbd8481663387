package idle

import (
	"context"
	"testing"
	"time"
)

func TestFor(t *testing.T) {
	t.Parallel()
	if !For(t.Context(), time.Microsecond) {
		t.Error("it did not wait to the end")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if For(ended, time.Hour) {
		t.Error("it waited though its context had ended")
	}
}
