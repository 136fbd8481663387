package journal

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bkledger/bk/ledger"
)

// tail is what readers see: how far the journal is committed, and the last entries in memory. The committers of a term push
// into it in order; a standby only moves the head.
type tail struct {
	mu      sync.RWMutex
	ring    ring
	head    uint64
	hash    [32]byte
	changed chan struct{} // closed when the head moves
}

func newTail() *tail {
	return &tail{ring: newRing(1, tailEntries, tailBytes), changed: make(chan struct{})}
}

// publish makes committed entries visible.
func (t *tail) publish(entries []*ledger.Entry, sizes []int) {
	if len(entries) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range entries {
		t.ring.push(e, sizes[i])
	}
	last := entries[len(entries)-1]
	t.move(last.ID.Seq(), last.Hash)
}

// seek says that the journal is committed up to head, and forgets the entries in memory if they are others' than what follows.
func (t *tail) seek(head uint64, hash [32]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ring.next != head+1 {
		t.ring.reset(head + 1)
	}
	if head != t.head {
		t.move(head, hash)
	}
	t.hash = hash
}

func (t *tail) move(head uint64, hash [32]byte) {
	t.head, t.hash = head, hash
	close(t.changed)
	t.changed = make(chan struct{})
}

// position gives the head, its hash, and a channel that is closed when it moves.
func (t *tail) position() (uint64, [32]byte, <-chan struct{}) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.head, t.hash, t.changed
}

// read gives entries behind after from memory; ok is false if the first is not there any more.
func (t *tail) read(after uint64, limit int) (entries []*ledger.Entry, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if after >= t.head {
		return nil, true
	}
	if after+1 < t.ring.start || t.ring.next == t.ring.start {
		return nil, false
	}
	n := min(uint64(limit), t.head-after)
	entries = make([]*ledger.Entry, n)
	for i := range entries {
		entries[i] = t.ring.at(after + 1 + uint64(i))
	}
	return entries, true
}

// Read gives up to limit committed entries behind after, in order and without gap, and does not wait: none are behind the
// head. It may give fewer than there are. The entries are shared: they must not be changed.
func (j *Journal) Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	if entries, ok := j.tail.read(after, limit); ok {
		return entries, nil
	}
	// Not beyond the head: what is committed there may name accounts that this process does not know yet.
	head, _, _ := j.tail.position()
	if after >= head {
		return nil, nil
	}
	return j.store.read(ctx, after, int(min(uint64(limit), head-after)))
}

// SeqAt gives the sequence number of the last entry that was booked at or before a time, as far as this process knows; 0 if none was.
// Booking times never decrease along the journal, so it looks at some 40 entries at most.
func (j *Journal) SeqAt(ctx context.Context, at time.Time) (uint64, error) {
	low, high := uint64(0), j.Head().Seq // the answer is between them, both included
	for low < high {
		middle := high - (high-low)/2
		found, err := j.EntriesBySeq(ctx, []uint64{middle})
		if err != nil {
			return 0, fmt.Errorf("look for the entry booked at %s: %w", at.Format(time.RFC3339Nano), err)
		}
		switch {
		case found[0] == nil:
			return 0, fmt.Errorf("%w: entry %d is missing", ErrGap, middle)
		case found[0].BookedAt.After(at):
			high = middle - 1
		default:
			low = middle
		}
	}
	return low, nil
}

// Wait returns when the head is beyond after.
func (j *Journal) Wait(ctx context.Context, after uint64) error {
	for {
		head, _, changed := j.tail.position()
		if head > after {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Head is the last committed entry that this process knows of.
func (j *Journal) Head() ledger.Token {
	head, _, _ := j.tail.position()
	return ledger.Token{Shard: j.cfg.Shard, Seq: head}
}

// Entry gives an entry by id, or ErrNotFound.
func (j *Journal) Entry(ctx context.Context, id ledger.ID) (*ledger.Entry, error) {
	if id.Shard() != j.cfg.Shard || id <= 0 {
		return nil, ErrNotFound
	}
	found, err := j.EntriesBySeq(ctx, []uint64{id.Seq()})
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, ErrNotFound
	}
	return found[0], nil
}

// EntriesBySeq gives entries by sequence number, nil where there is none.
func (j *Journal) EntriesBySeq(ctx context.Context, seqs []uint64) ([]*ledger.Entry, error) {
	out := make([]*ledger.Entry, len(seqs))
	var missing []int64
	for i, seq := range seqs {
		if entries, ok := j.tail.read(seq-1, 1); ok && seq > 0 && len(entries) == 1 {
			out[i] = entries[0]
		} else {
			missing = append(missing, int64(seq))
		}
	}
	found, err := j.store.bySeqs(ctx, missing)
	if err != nil {
		return nil, err
	}
	for i, seq := range seqs {
		if out[i] == nil {
			out[i] = found[seq]
		}
	}
	return out, nil
}

// EntryByKey gives an entry by its idempotency key, or ErrNotFound.
func (j *Journal) EntryByKey(ctx context.Context, key string) (*ledger.Entry, error) {
	found, err := j.store.byKeyHashes(ctx, []int64{KeyHash(key)})
	if err != nil {
		return nil, err
	}
	if e := found[key]; e != nil {
		return e, nil
	}
	return nil, ErrNotFound
}

// Life gives a trade with all entries about it, or ErrNotFound if the id is no trade's.
func (j *Journal) Life(ctx context.Context, trade ledger.ID) (ledger.Life, error) {
	booked, err := j.Entry(ctx, trade)
	if err != nil {
		return nil, err
	}
	if !booked.Kind.IsTrade() {
		return nil, ErrNotFound
	}
	lives, err := j.store.lives(ctx, []*ledger.Entry{booked})
	if err != nil {
		return nil, err
	}
	return lives[trade], nil
}
