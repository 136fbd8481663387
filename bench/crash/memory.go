package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// order is a command on its way to being acknowledged.
type order struct {
	key, target string // the idempotency key, and that of the trade which must be there before; "" for none
	message     *bkv1.Command
	content     ledger.Content // what the journal must hold as the hash of its content
	trade       bool           // it books a trade
	street      bool           // it settles a trade's street side, which that trade may not allow

	tries  int
	unsure bool // it may have been booked without an answer that says so
}

// receipt is what is remembered of an acknowledgement.
type receipt struct {
	entry    ledger.ID
	bookedAt int64 // microseconds since 1970
	content  ledger.Content
	upTo     uint64 // the sequence of the last entry that came of the command
	repeat   bool   // the first answer was lost: the last entry is at upTo or before
	found    bool   // in the journal; set by the check
}

// tally counts what happened to all clients together.
type tally struct {
	acknowledged atomic.Int64  // commands
	refused      atomic.Int64  // street settlements that their trade did not allow
	retries      atomic.Int64  // commands sent again because there was no receipt yet
	repeats      atomic.Int64  // acknowledged commands sent again, and answered with their first receipt
	resolved     atomic.Int64  // commands whose first answer was lost: they were booked, a retry said so
	head         atomic.Uint64 // the highest sequence that was acknowledged

	last   atomic.Int64 // when something was acknowledged last, in nanoseconds since 1970
	outage atomic.Int64 // the longest time without
}

// begin starts the clock of outages.
func (t *tally) begin(now time.Time) { t.last.Store(now.UnixNano()) }

func (t *tally) acknowledge(seq uint64, now time.Time) {
	t.acknowledged.Add(1)
	raise(&t.head, seq)
	raise(&t.outage, now.UnixNano()-t.last.Swap(now.UnixNano()))
}

// raise sets a to n if n is more.
func raise[N int64 | uint64, A interface {
	Load() N
	CompareAndSwap(N, N) bool
}](a A, n N) {
	for old := a.Load(); n > old && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}

// memory is what a client knows to be true of the ledger. Each answer is held against it: one that contradicts an earlier answer is a
// breach, at once. It is one client's alone.
type memory struct {
	receipts map[string]receipt // by key
	sample   []*order           // acknowledged, to be sent again
	offered  int
	rng      *rand.Rand
	tally    *tally
}

// sampleSize bounds the commands that a client keeps to send again. Which ones is chance, equal for all since the beginning.
const sampleSize = 2000

func newMemory(rng *rand.Rand, t *tally) *memory {
	return &memory{receipts: map[string]receipt{}, rng: rng, tally: t}
}

func (m *memory) acknowledged(key string) bool {
	_, known := m.receipts[key]
	return known
}

// sending notes that an order goes out.
func (m *memory) sending(o *order) {
	if o.tries++; o.tries > 1 && !m.acknowledged(o.key) {
		m.tally.retries.Add(1)
	}
}

// answered takes in a receipt. An error is a breach.
func (m *memory) answered(o *order, r *bkv1.Receipt) error {
	upTo, err := ledger.ParseToken(r.GetToken())
	got := receipt{
		entry: ledger.ID(r.GetEntryId()), bookedAt: r.GetBookedAt().AsTime().UnixMicro(), content: o.content, upTo: upTo.Seq, repeat: r.GetRepeat(),
	}
	if err != nil || got.upTo < got.entry.Seq() {
		return fmt.Errorf("key %s was acknowledged as entry %d with the token %q, which is before it", o.key, got.entry, r.GetToken())
	}
	if first, known := m.receipts[o.key]; known {
		if got.entry != first.entry || got.bookedAt != first.bookedAt {
			return fmt.Errorf("key %s was acknowledged as entry %d booked at %d, and again as entry %d booked at %d", o.key, first.entry, first.bookedAt, got.entry, got.bookedAt)
		}
		if !r.Repeat {
			return fmt.Errorf("key %s was acknowledged as entry %d, and again with the same id as if it were new", o.key, first.entry)
		}
		if !first.repeat && got.upTo < first.upTo {
			return fmt.Errorf("key %s was acknowledged with the token %d, and again with %d", o.key, first.upTo, got.upTo)
		}
		m.tally.repeats.Add(1)
		return nil
	}
	switch {
	case got.entry.Seq() == 0:
		return fmt.Errorf("key %s was acknowledged without an entry id: %v", o.key, r)
	case r.Repeat && !o.unsure:
		return fmt.Errorf("key %s: entry %d is called a repeat, but each of the %d tries before was answered with: nothing was booked", o.key, got.entry, o.tries-1)
	case r.Repeat:
		m.tally.resolved.Add(1)
	}
	m.receipts[o.key] = got
	m.tally.acknowledge(got.upTo, time.Now())
	m.keep(o)
	return nil
}

// keep takes an acknowledged order into the sample (reservoir sampling).
func (m *memory) keep(o *order) {
	m.offered++
	if len(m.sample) < sampleSize {
		m.sample = append(m.sample, o)
	} else if i := m.rng.IntN(m.offered); i < sampleSize {
		m.sample[i] = o
	}
}

// refused takes in an error of the server for one order, and gives whether it is over with it. An error is a breach: all orders are good, so
// the only right refusals are those that ask to come again, and those of a street settlement whose trade is not yet or no more to be settled. But no
// such order was booked before, as a key that is known is answered with its receipt: the journal must not have it.
func (m *memory) refused(o *order, reason, message string) (final bool, err error) {
	switch {
	case reason == client.ReasonTradeNotFound && o.target != "" && !m.acknowledged(o.target):
		return false, nil // it goes with its trade, which was not booked this time
	case o.street && !m.acknowledged(o.key) && slices.Contains(streetReasons, ledger.Reason(reason)):
		m.tally.refused.Add(1)
		return true, nil
	case !client.RetryableReason(reason):
		if o.target != "" && m.acknowledged(o.target) {
			message += fmt.Sprintf("; its trade %s was acknowledged as entry %d", o.target, m.receipts[o.target].entry)
		}
		known := "never acknowledged before"
		if first, ok := m.receipts[o.key]; ok {
			known = fmt.Sprintf("acknowledged as entry %d before", first.entry)
		}
		return false, fmt.Errorf("key %s, %s, was refused (%s): %s", o.key, known, reason, message)
	}
	if !nothingBooked(reason) {
		o.unsure = true
	}
	return false, nil
}

// streetReasons are why a street settlement may be refused.
var streetReasons = []ledger.Reason{ledger.ReasonTradeNotOpen, ledger.ReasonTradeSettled, ledger.ReasonTradeCanceled}

// lost notes that an order's try ended without an answer.
func (m *memory) lost(o *order) { o.unsure = true }

// nothingBooked reports whether a refusal promises that nothing was booked (bk.v1.BookingService).
func nothingBooked(reason string) bool {
	switch reason {
	case client.ReasonOutcomeUnknown, "deadline_exceeded", "canceled":
		return false
	}
	return true
}
