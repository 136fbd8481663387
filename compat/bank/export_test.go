package bank

// QuickEvent and SlowEvent are the two ways in which ReadEvent reads.
func QuickEvent(text string) (Event, bool) { return quickEvent(text) }
func SlowEvent(text string) (Event, error) { return slowEvent(text) }
