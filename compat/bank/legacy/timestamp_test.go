package legacy_test

import (
	"testing"

	"github.com/bkledger/bk/compat/bank"
)

// TestOldTimestamp: an execution time in the first seconds of 1970 is kept, given back in milliseconds, and the same again, as a booking and as a replay.
func TestOldTimestamp(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.roll(t, 20131007)
	trade := exchange(t, "old", 1, "buy", "1", "1", 20131007, "")
	trade.Timestamp = 5000
	id := b.book(t, trade)[0]
	stored := b.trade(t, id)
	if again := b.book(t, trade); again[0] != id || stored.Timestamp != 5000 {
		t.Errorf("booked as %d and %d, at %d", id, again[0], stored.Timestamp)
	}
	if err := b.Replay(t.Context(), bank.Replay{TradeID: id, BookedAt: stored.BookedAt, Request: &trade}); err != nil {
		t.Errorf("replayed: %v", err)
	}
}
