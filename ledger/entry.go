package ledger

import (
	"errors"
	"slices"
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
	// Reverses is the entry whose postings this one negates.
	Reverses ID
	// Corrects is the trade that this one was booked in place of.
	Corrects ID
	// ReplacedBy, on the cancel of a correction, is the trade that was booked in place of the cancelled one.
	ReplacedBy ID
}

// Entry is one line of the journal: what happened, and the postings that it makes. Entries never change. An entry that defines an
// account or an instrument has no postings, every other has [MinPostings] to [MaxPostings].
type Entry struct {
	ID       ID
	Epoch    int64     // the writer's term that appended it
	BookedAt time.Time // when the ledger learned of it, UTC, to the microsecond; never decreasing along the journal
	Kind     Kind
	Key      string // idempotency key; "" for entries that the ledger made itself
	Content  Content
	Source   string

	TradeDate     Date
	SettleDate    Date // 0 where none was given
	EffectiveDate Date // when it counts in the books

	Links    Links
	Postings []Posting
	Trade    *Trade            // trades: as booked; cancels: the cancelled trade
	Account  *Account          // the account that the entry opens
	Define   *Instrument       // the instrument that the entry defines
	Fields   map[string]string // the details of an event that has no type of its own
	Metadata map[string]string // the caller's own notes, kept as given

	// Hash is the journal's hash chain up to and including this entry; it is not part of the encoding.
	Hash [32]byte
}

// TradeState is where a trade is in its life.
type TradeState string

// The states of a trade.
const (
	TradeOpen     TradeState = "open"
	TradeCanceled TradeState = "canceled"
)

// Life is a trade with all entries about it, in journal order; the first booked it.
type Life []*Entry

// State gives where the trade stands after its entries.
func (l Life) State() TradeState {
	for _, e := range l[1:] {
		if e.Kind == KindCancel {
			return TradeCanceled
		}
	}
	return TradeOpen
}

// Made gives the sum of the postings that the trade has made so far, by account, instrument and bucket in order of first
// appearance, without zeros.
func (l Life) Made() []Posting {
	var sum []Posting
	for _, e := range l {
		for _, p := range e.Postings {
			i := slices.IndexFunc(sum, func(q Posting) bool {
				return q.Account == p.Account && q.Instrument == p.Instrument && q.Bucket == p.Bucket
			})
			if i < 0 {
				sum = append(sum, p)
			} else {
				sum[i].Quantity = sum[i].Quantity.Add(p.Quantity)
			}
		}
	}
	return slices.DeleteFunc(sum, func(p Posting) bool { return p.Quantity.IsZero() })
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
