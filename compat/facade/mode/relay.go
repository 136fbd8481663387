package mode

// What is done to Bank's relay for a step is numbered, so that Bank can refuse what comes too late (bank.RelaySetting's Epoch): an attempt holds it, and when it has ended, whatever came of
// it, the relay is let go on under the next number. A hold that was on its way for long does not undo that, nor does such a release undo the hold of the next attempt.
// Attempt 0 is the first start on a fresh database.

// RelayHold is the number under which an attempt holds Bank's relay.
func RelayHold(attempt int64) int64 { return 2*attempt + 1 }

// RelayRelease is the number under which it is let go on once the attempt has ended.
func RelayRelease(attempt int64) int64 { return 2*attempt + 2 }

// BankPrefix is what the names of the topics begin with to which Bank's relay publishes: nothing, or, while the stream has Bank's topics, "legacy.".
func (e Epoch) BankPrefix() string {
	if e.Stream {
		return "legacy."
	}
	return ""
}
