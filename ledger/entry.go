package ledger

import (
	"errors"
	"time"
)

// ErrBroken says that a journal is not what its writer wrote: an entry is missing, or changed. It does not pass by itself.
var ErrBroken = errors.New("broken")

// Kind names a kind of business event; a posting rule stands behind each (see [Rule]).
type Kind string

// Bucket is the part of an account that a posting is on: traded and not yet settled, or settled. Trade-date position = both
// together, settlement-date position = [Settled] alone.
type Bucket byte

// The buckets. Street accounts carry what is unsettled and so use [Unsettled]; all other house accounts use [Settled].
const (
	Unsettled Bucket = 'u'
	Settled   Bucket = 's'
)

// Posting moves a quantity of one instrument on one account.
type Posting struct {
	Account    int64
	Instrument int64
	Bucket     Bucket
	Quantity   Amount
}

// Links tie an entry to others.
type Links struct {
	// Trade is the trade that the entry is about: for a booking its own id, for a cancel the cancelled trade's; 0 for entries that
	// are no trade's.
	Trade ID
	// Reverses is the entry whose postings this one negates; for the cancel of a trade that is not in force yet, the booking.
	Reverses ID
	// Corrects is the trade that this one was booked in place of.
	Corrects ID
	// ReplacedBy, on the cancel of a correction and on [KindLink], is the trade that was booked in place of the cancelled one; the last
	// one counts.
	ReplacedBy ID
	// Root, on all entries about a correction, is the first trade of its chain of corrections: the correction stands in its place
	// where trades are put in order (cost, P&L).
	Root ID
}

// Place gives the trade in whose place the entry's trade stands among the trades of its effective date: itself, or the first one of its chain of
// corrections; for entries about no trade, the entry.
func (e *Entry) Place() ID {
	switch {
	case e.Links.Root != 0:
		return e.Links.Root
	case e.Links.Trade != 0:
		return e.Links.Trade
	}
	return e.ID
}

// Entry is one line of the journal: what happened, and the postings that it makes. Entries never change. Entries that define an account
// or an instrument, that begin or end a day, that link a trade, and that book or cancel a trade which is not in force yet have no postings,
// every other has [MinPostings] to [MaxPostings].
type Entry struct {
	ID       ID
	Epoch    int64     // the writer's term that appended it
	BookedAt time.Time // when the ledger learned of it, UTC, to the microsecond; never decreasing along the journal
	Kind     Kind
	Key      string // idempotency key; "" for entries that the ledger made itself
	Content  Content
	Source   string

	TradeDate     Date
	SettleDate    Date // of trades: as given, or worked out from the calendar; 0 on most other entries
	EffectiveDate Date // when it counts in the books

	Links    Links
	Postings []Posting
	Trade    *Trade            // entries about a trade: as it was booked
	State    TradeState        // entries about a trade: where it stands after this entry; "" on others
	Day      *Day              // the day that the entry begins or ends
	Account  *Account          // the account that the entry opens
	Define   *Instrument       // the instrument that the entry defines
	Fields   map[string]string // the details of an event that has no type of its own
	Metadata map[string]string // the caller's own notes, kept as given

	// Hash is the journal's hash chain up to and including this entry; it is not part of the encoding.
	Hash [32]byte
}

// Balanced checks promise P1: the quantities of each instrument add up to zero. It gives the first instrument that does not.
func Balanced(postings []Posting) (instrument int64, ok bool) {
	var small [8]struct {
		instrument int64
		sum        Amount
	}
	sums := small[:0]
next:
	for _, p := range postings {
		for i := range sums {
			if sums[i].instrument == p.Instrument {
				sums[i].sum = sums[i].sum.Add(p.Quantity)
				continue next
			}
		}
		sums = append(sums, struct {
			instrument int64
			sum        Amount
		}{p.Instrument, p.Quantity})
	}
	for _, s := range sums {
		if !s.sum.IsZero() {
			return s.instrument, false
		}
	}
	return 0, true
}
