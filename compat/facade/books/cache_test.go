package books

import (
	"context"
	"errors"
	"testing"
)

// TestCacheAfterClear: what a read found before the cache was cleared isn't kept behind it.
func TestCacheAfterClear(t *testing.T) {
	t.Parallel()
	c := newCache[int, string](2)
	since := c.now()
	c.clear()
	c.put(since, 1, "before")
	if v, ok := c.get(1); ok {
		t.Errorf("%q was kept", v)
	}
	c.put(c.now(), 1, "after")
	if v, ok := c.get(1); !ok || v != "after" {
		t.Errorf("%q, %t", v, ok)
	}
}

// TestTimelineDoesNotWait: while somebody asks BK for more, what is known is given at once, and who needs more waits no longer than it may.
func TestTimelineDoesNotWait(t *testing.T) {
	t.Parallel()
	b := &Ledger{timeline: timeline{turn: make(chan struct{}, 1)}}
	b.timeline.add(3, 20131007)
	b.timeline.reach(10)
	b.timeline.turn <- struct{}{}
	if date, err := b.dateAt(t.Context(), 5); err != nil || date != 20131007 {
		t.Errorf("%d, %v", date, err)
	}
	if date, err := b.dateAt(t.Context(), 2); err != nil || date != 0 {
		t.Errorf("before the first day: %d, %v", date, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := b.dateAt(ended, 11); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want canceled", err)
	}
}
