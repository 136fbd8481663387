package books

import (
	"sync/atomic"

	"github.com/bkledger/bk/compat/bank"
)

// Epoch is a part of BK's journal in which BK booked first: there Bank's ids are arithmetic.
type Epoch struct {
	// First and Last are the epoch's first and last entry ids of BK; Last is 0 while it goes on.
	First, Last int64
	// TradeBase and CashBase are what Bank's ids of trades and of cash movements are above BK's entry ids. In every epoch they are such that ids go on
	// behind all that were given before.
	TradeBase, CashBase int64
}

func (e Epoch) holds(bk int64) bool { return bk >= e.First && (e.Last == 0 || bk <= e.Last) }

// IDs says how Bank's ids and BK's belong together, where BK booked first. It is safe for concurrent use.
type IDs struct{ epochs atomic.Pointer[[]Epoch] }

// NewIDs makes IDs of epochs, see [IDs.Update].
func NewIDs(epochs ...Epoch) *IDs {
	ids := &IDs{}
	ids.Update(epochs)
	return ids
}

// Update replaces the epochs: those in which BK booked first, ascending. A new one has to be known before the first booking in it.
func (ids *IDs) Update(epochs []Epoch) {
	own := append([]Epoch(nil), epochs...)
	ids.epochs.Store(&own)
}

// minting reports whether BK's new entries have an id of Bank's.
func (ids *IDs) minting() bool {
	epochs := *ids.epochs.Load()
	return len(epochs) > 0 && epochs[len(epochs)-1].Last == 0
}

// trade gives Bank's id of a trade that BK booked first.
func (ids *IDs) trade(bk int64) (bank.ID, bool) {
	for _, e := range *ids.epochs.Load() {
		if e.holds(bk) {
			return bank.ID(e.TradeBase + bk), true
		}
	}
	return 0, false
}

// cash gives Bank's id of a cash movement that BK booked first.
func (ids *IDs) cash(bk int64) (bank.ID, bool) {
	for _, e := range *ids.epochs.Load() {
		if e.holds(bk) {
			return bank.ID(e.CashBase + bk), true
		}
	}
	return 0, false
}

// entries gives the entries that may have booked a trade, by Bank's id of it. (The ids of an epoch that has ended go a little further than its last
// trade; Bank may have given those too.)
func (ids *IDs) entries(trade bank.ID) (found []int64) {
	for _, e := range *ids.epochs.Load() {
		if bk := int64(trade) - e.TradeBase; bk > 0 && e.holds(bk) {
			found = append(found, bk)
		}
	}
	return found
}

// pass begins a new epoch behind head, in which ids go on behind the given ones.
func (ids *IDs) pass(head int64, trade, cash bank.ID) {
	epochs := append([]Epoch(nil), *ids.epochs.Load()...)
	now := &epochs[len(epochs)-1]
	next := Epoch{First: head + 1, TradeBase: max(now.TradeBase, int64(trade)-head), CashBase: max(now.CashBase, int64(cash)-head)}
	now.Last = head
	ids.Update(append(epochs, next))
}

// booksFirst reports whether an entry is of a part in which BK books first.
func (ids *IDs) booksFirst(bk int64) bool {
	for _, e := range *ids.epochs.Load() {
		if e.holds(bk) {
			return true
		}
	}
	return false
}

// last gives the highest ids that may have been given up to an entry of BK: of a part that has just begun, those before its first.
func (ids *IDs) last(head int64) (trade, cash bank.ID) {
	for _, e := range *ids.epochs.Load() {
		to := max(head, e.First-1)
		if e.Last != 0 {
			to = min(e.Last, head)
		}
		if to >= e.First || e.Last == 0 {
			trade, cash = max(trade, bank.ID(e.TradeBase+to)), max(cash, bank.ID(e.CashBase+to))
		}
	}
	return trade, cash
}
