package journal

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/bkledger/bk/ledger"
)

const gateUnits = math.MaxInt32 // more than there can be bookings at once

// BusinessDay says where the ledger stands between days, as of the head that this process knows.
func (j *Journal) BusinessDay(ctx context.Context) (ledger.BusinessDay, error) {
	head, _, _ := j.tail.position()
	return j.store.businessDay(ctx, head)
}

// Hold is a roll's hold on the journal: while it lasts, only the roll books.
type Hold struct {
	j       *Journal
	release func()
}

// Hold waits until all bookings that have begun are in the queue, and makes all others wait until it is released.
func (j *Journal) Hold(ctx context.Context) (*Hold, error) {
	if err := j.gate.Acquire(ctx, gateUnits); err != nil {
		return nil, fmt.Errorf("hold bookings: %w", err)
	}
	return &Hold{j: j, release: sync.OnceFunc(func() { j.gate.Release(gateUnits) })}, nil
}

// Unfinished gives the hold that a term begins with, if its predecessor left a roll unfinished; else nil. The term's function
// takes it before it returns, finishes the roll, and releases it.
func (j *Journal) Unfinished() *Hold {
	t := j.current.Load()
	if t == nil {
		return nil
	}
	return t.unfinished.Swap(nil)
}

// Release lets the others book again. More than once does no harm.
func (h *Hold) Release() { h.release() }

// BookAsync books commands of the roll, at most MaxHeld on their way at once.
func (h *Hold) BookAsync(ctx context.Context, commands []*ledger.Command) *Pending {
	return h.j.BookAsync(ctx, commands, BookOptions{roll: true})
}

// MaxHeld bounds how many commands of a roll may be on their way at once; the pipeline has room for them beside what others have in flight.
const MaxHeld = 4 << 10
