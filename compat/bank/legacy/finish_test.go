package legacy

import (
	"testing"

	"github.com/bkledger/bk/compat/bank"
)

// TestAnothersRoll: how a roll went that somebody else asked for is not the answer to who waited for it.
func TestAnothersRoll(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	close(done)
	b := &Bank{}
	b.rolls.running = &roll{to: 20131007, done: done, err: bank.Errorf(bank.MalformedRequest, "date: 20131007 is before the business date 20131008")}
	if err := b.finishRoll(t.Context()); err != nil {
		t.Errorf("another's: %v", err)
	}
	b.rolls.running = &roll{done: done, err: bank.Errorf(bank.OutcomeUnknown, "Bank is ending")}
	if err := b.finishRoll(t.Context()); bank.TypeOf(err) != bank.OutcomeUnknown {
		t.Errorf("the one that was asked for: %v", err)
	}
}
