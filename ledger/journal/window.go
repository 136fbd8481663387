package journal

import (
	"slices"

	"github.com/bkledger/bk/ledger"
)

// window holds the entries that were sequenced last, committed or not, with their keys and the trades they are about. The sequencer
// alone uses it. What is older than the window is committed, and can be looked up in Postgres.
type window struct {
	ring
	keys   map[string]uint64   // key → sequence
	trades map[uint64][]uint64 // booking's sequence → later events on the trade, ascending
}

func newWindow(next uint64, capacity, bytes int) *window {
	return &window{ring: newRing(next, capacity, bytes), keys: make(map[string]uint64, capacity), trades: map[uint64][]uint64{}}
}

func (w *window) byKey(key string) *ledger.Entry {
	if seq, ok := w.keys[key]; ok {
		return w.at(seq)
	}
	return nil
}

func (w *window) push(e *ledger.Entry, size int) {
	if e.Key != "" {
		w.keys[e.Key] = e.ID.Seq()
	}
	if trade, ok := SubjectOf(e); ok && trade > 0 {
		w.trades[uint64(trade)] = append(w.trades[uint64(trade)], e.ID.Seq())
	}
	for _, old := range w.ring.push(e, size) {
		w.forget(old)
	}
}

// truncate takes back all entries from seq on.
func (w *window) truncate(seq uint64) {
	for w.next > seq {
		w.forget(w.ring.pop())
	}
}

func (w *window) forget(e *ledger.Entry) {
	if e.Key != "" && w.keys[e.Key] == e.ID.Seq() {
		delete(w.keys, e.Key)
	}
	if trade, ok := SubjectOf(e); ok && trade > 0 {
		events := slices.DeleteFunc(w.trades[uint64(trade)], func(seq uint64) bool { return seq == e.ID.Seq() })
		if len(events) == 0 {
			delete(w.trades, uint64(trade))
		} else {
			w.trades[uint64(trade)] = events
		}
	}
}

// ring holds consecutive entries, bounded in number and in encoded bytes; the oldest make room.
type ring struct {
	start, next uint64 // holds sequences start..next-1
	bytes       int
	maxBytes    int
	slots       []slot
	evicted     []*ledger.Entry
}

type slot struct {
	entry *ledger.Entry
	size  int
}

func newRing(next uint64, capacity, maxBytes int) ring {
	return ring{start: next, next: next, maxBytes: maxBytes, slots: make([]slot, capacity)}
}

func (r *ring) at(seq uint64) *ledger.Entry {
	if seq < r.start || seq >= r.next {
		return nil
	}
	return r.slots[seq%uint64(len(r.slots))].entry
}

// push adds the entry that follows and gives what had to make room, valid until the next push.
func (r *ring) push(e *ledger.Entry, size int) []*ledger.Entry {
	if e.ID.Seq() != r.next {
		panic("journal: entries out of order")
	}
	clear(r.evicted) // lest it keep what was let go
	r.evicted = r.evicted[:0]
	for r.next > r.start && (r.next-r.start == uint64(len(r.slots)) || r.bytes+size > r.maxBytes) {
		oldest := &r.slots[r.start%uint64(len(r.slots))]
		r.evicted = append(r.evicted, oldest.entry)
		r.bytes -= oldest.size
		*oldest = slot{}
		r.start++
	}
	r.slots[r.next%uint64(len(r.slots))] = slot{e, size}
	r.bytes += size
	r.next++
	return r.evicted
}

// reset empties the ring; the next entry will be next.
func (r *ring) reset(next uint64) {
	clear(r.slots)
	r.start, r.next, r.bytes = next, next, 0
}

// pop takes the newest entry back.
func (r *ring) pop() *ledger.Entry {
	r.next--
	newest := &r.slots[r.next%uint64(len(r.slots))]
	e := newest.entry
	r.bytes -= newest.size
	*newest = slot{}
	return e
}
