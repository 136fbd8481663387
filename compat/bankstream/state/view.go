package state

import (
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/ledger"
)

// HoldingKey names what an account has of an instrument. Both are BK's ids; a currency is an instrument, too.
type HoldingKey struct{ Account, Instrument int64 }

// Holding is the sum of all postings to one account in one instrument, by whether they have settled. The zero value is what an account
// has that was never posted to, and isn't kept.
type Holding struct{ Unsettled, Settled ledger.Amount }

// IsZero reports whether nothing is to be kept.
func (h Holding) IsZero() bool { return h == Holding{} }

// TradeKey names a trade on one of its accounts, by BK's ids: a trade between two accounts has one on each, so that all that an account needs
// is in the account's own partition.
type TradeKey struct{ Account, Trade int64 }

// Trade is what only the entry that booked a trade tells, and later events of it repeat. It is kept while the trade lives, that is, until it has
// settled or was cancelled.
type Trade struct {
	BankID, Replaces bank.ID // Bank's ids; Replaces is 0 where it replaces none
	BookedAt         int64   // ms since 1970
	Extras           string  // the booking entry's metadata under "bank", as it stands in the event
}

// View is what one transaction sees of its partition, and what it changes: [Overlay] is the implementation. A View is for one goroutine.
type View interface {
	// Holding gives the sums of an account and instrument, zero where there are none.
	Holding(HoldingKey) Holding
	// SetHolding replaces them; zero removes them.
	SetHolding(HoldingKey, Holding)
	// Trade gives a live trade; ok is false where it isn't kept.
	Trade(TradeKey) (t Trade, ok bool)
	// SetTrade replaces one, DropTrade forgets it; to forget one that isn't there is no error.
	SetTrade(TradeKey, Trade)
	DropTrade(TradeKey)
}
