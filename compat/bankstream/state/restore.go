package state

import "fmt"

// Restorer makes a partition's state of its changelog. It is for one goroutine.
type Restorer struct {
	p        *Partition
	unbroken uint64         // number of the first of the deltas that came last without a gap
	partial  map[int]uint64 // slots whose latest snapshot lacks parts: the next one
}

// NewRestorer begins with the empty state of a partition.
func NewRestorer(id int32) *Restorer {
	return &Restorer{p: New(id), partial: map[int]uint64{}}
}

// Add takes the next committed record. Its key and value aren't kept.
func (r *Restorer) Add(key, value []byte, offset int64) error {
	if len(key) > 0 && key[0] == kindSkip {
		return nil // for people; the delta beside it has it, too
	}
	d, kind, err := open(value)
	if err == nil {
		switch id := d.uvarint(); {
		case d.err != nil:
		case id != uint64(r.p.id):
			d.fail(fmt.Sprintf("it is of partition %d", id))
		case kind == kindDelta:
			r.delta(d)
		case kind == kindSnapshot:
			r.snapshot(d, offset)
		default:
			d.fail(fmt.Sprintf("a record of kind %d", kind))
		}
		err = d.err
	}
	if err != nil {
		return fmt.Errorf("partition %d, offset %d: %w", r.p.id, offset, err)
	}
	return nil
}

func (r *Restorer) delta(d *decoder) {
	number, key, keys, position := d.uvarint(), d.uvarint(), d.uvarint(), d.position()
	switch p := r.p; {
	case d.err != nil:
		return
	case number <= p.last:
		d.fail(fmt.Sprintf("delta %d comes behind %d", number, p.last))
	case position.Next < p.position.Next:
		d.fail(fmt.Sprintf("delta %d goes back in the input, from %d to %d", number, p.position.Next, position.Next))
	case key >= keys || keys > 1<<31:
		d.fail(fmt.Sprintf("delta %d has key %d of %d", number, key, keys))
	default:
		if number != p.last+1 {
			r.unbroken = number
		}
		if r.unbroken == 0 {
			r.unbroken = 1
		}
		p.last, p.keys, p.position = number, uint32(keys), position
		p.live = append(p.live, liveDelta{number, uint32(key)})
		r.body(d, -1)
	}
}

func (r *Restorer) snapshot(d *decoder, offset int64) {
	n, part, covered, more := d.uvarint(), d.uvarint(), d.uvarint(), d.byte()
	switch {
	case d.err != nil:
		return
	case n >= Slots:
		d.fail(fmt.Sprintf("a snapshot of slot %d", n))
		return
	}
	at := int(n)
	if part == 0 {
		r.p.clear(at)
		r.p.slots[at].covered, r.p.slots[at].at = covered, offset
		if at == 0 {
			r.p.skips, r.p.skipped = nil, 0
		}
	} else if r.p.slots[at].covered != covered || r.partial[at] != part {
		return // what is left of an older snapshot that had more parts
	}
	delete(r.partial, at)
	if more != 0 {
		r.partial[at] = part + 1
	}
	r.body(d, at)
}

// body does what a record says; slot is the snapshot's, -1 for a delta.
func (r *Restorer) body(d *decoder, slot int) {
	p := r.p
	here := func(n int) {
		if slot >= 0 && n != slot {
			d.fail(fmt.Sprintf("slot %d has what belongs to slot %d", slot, n))
		}
	}
	for len(d.rest) > 0 {
		switch op := d.byte(); op {
		case opHolding:
			k, h := d.holding()
			if here(k.slot()); d.err == nil {
				p.setHolding(k, h)
			}
		case opTrade:
			k := d.tradeKey()
			t := d.trade()
			if here(k.slot()); d.err == nil {
				p.setTrade(k, t)
			}
		case opDrop:
			if k := d.tradeKey(); d.err == nil {
				p.dropTrade(k)
			}
		case opSkip:
			if s := d.skip(); d.err == nil {
				p.addSkip(s)
			}
		case opSkipped:
			if n := d.varint(); d.err == nil {
				p.skipped = n
			}
		default:
			d.fail(fmt.Sprintf("a part of kind %d", op))
		}
	}
}

// Position says how far the input is in what was taken so far.
func (r *Restorer) Position() Position { return r.p.position }

// Finish gives the state, when all that the changelog has was taken, or an [ErrIncomplete] that says what it lacks. The restorer is done with.
func (r *Restorer) Finish() (*Partition, error) {
	p := r.p
	for n, part := range r.partial {
		return nil, fmt.Errorf("partition %d: %w: slot %d lacks part %d of its snapshot", p.id, ErrIncomplete, n, part)
	}
	needed, newest := p.needed(), uint64(0)
	for n := range p.slots {
		newest = max(newest, p.slots[n].covered)
	}
	// Behind each snapshot, in the same transaction, there is a delta.
	if p.last <= newest && newest > 0 || r.unbroken > needed {
		return nil, fmt.Errorf("partition %d: %w: it needs all deltas from %d, and has them from %d to %d", p.id, ErrIncomplete, needed, r.unbroken, p.last)
	}
	used := make(map[uint32]bool, len(p.live))
	live := p.live
	p.live = nil
	for _, l := range live {
		if l.number >= needed {
			p.live = append(p.live, l)
			used[l.key] = true
		}
	}
	for key := range p.keys {
		if !used[key] {
			p.free = append(p.free, key)
		}
	}
	for n := range p.slots { // the oldest is next
		if p.slots[n].covered < p.slots[p.cursor].covered {
			p.cursor = n
		}
	}
	return p, nil
}
