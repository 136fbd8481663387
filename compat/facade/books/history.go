package books

import "github.com/bkledger/bk/compat/facade/mode"

// Minted gives the epochs in which BK booked first, out of all modes that a façade has been in, the first first.
func Minted(history []mode.Epoch) (parts []Epoch) {
	open := false
	end := func(next int64) {
		if open {
			parts[len(parts)-1].Last = next - 1
		}
		open = false
	}
	for i, e := range history {
		switch {
		case e.Mode.Primary() != mode.BK:
			end(e.FirstSequence)
		case !open || e.FirstSequence != history[i-1].FirstSequence:
			end(e.FirstSequence)
			parts, open = append(parts, Epoch{First: e.FirstSequence, TradeBase: e.TradeID, CashBase: e.CashID}), true
		}
	}
	return parts
}
