package state

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

const (
	// MaxRecord is how large a record of the changelog becomes before another one is begun, in bytes. What a single trade has may come on top.
	MaxRecord = 256 << 10

	maxSnapshots = 1 << 20 // bytes of snapshots with one transaction, about
	cycleDeltas  = 8192    // deltas in which all slots have their turn, at most
	recordCost   = 64      // bytes that a record takes beside its value
)

// Record is one of the changelog's.
type Record struct{ Key, Value []byte }

// Write is what a transaction adds to the changelog.
type Write struct {
	// Records are to be produced in this order, into the partition of the state's own number.
	Records []Record

	o         *Overlay
	position  Position
	snapshots []int // the slot of each record at the front; -1 where it isn't its first part
	turns     int   // slots
	deltas    []liveDelta
	freed     int // live deltas that are no more needed
	taken     int // of the free keys
	keys      uint32
	credit    int64
}

// Write gives the records of a transaction that brings the input to position. It changes nothing yet.
func (o *Overlay) Write(position Position) (*Write, error) {
	p := o.p
	w := &Write{o: o, position: position, keys: p.keys, credit: p.credit}
	for w.credit > 0 && w.turns < Slots && w.size() < maxSnapshots {
		w.snapshot((p.cursor + w.turns) % Slots)
		w.turns++
	}
	for needed := p.needed(); w.freed < len(p.live) && p.live[w.freed].number < needed; w.freed++ {
	}
	before := w.size()
	w.delta()
	w.credit += int64(w.size()-before) + p.bytes/cycleDeltas + 1
	if w.turns == Slots { // more than all can't be due
		w.credit = 0
	}
	for _, s := range o.skips {
		r, err := skipRecord(p.id, s)
		if err != nil {
			return nil, err
		}
		w.Records = append(w.Records, r)
	}
	return w, nil
}

func (w *Write) size() (n int) {
	for i := range w.Records {
		n += len(w.Records[i].Value) + recordCost
	}
	return n
}

// snapshot adds a slot as it is committed, in as many parts as it takes.
func (w *Write) snapshot(n int) {
	p, s := w.o.p, &w.o.p.slots[n]
	part, from := 0, len(w.Records)
	var value []byte
	var more int // where the value says whether there is another part
	begin := func() {
		value = append(make([]byte, 0, 4<<10), version, kindSnapshot)
		for _, v := range [...]uint64{uint64(p.id), uint64(n), uint64(part), p.last} {
			value = binary.AppendUvarint(value, v)
		}
		more = len(value)
		value = append(value, 0)
	}
	end := func() {
		key := binary.BigEndian.AppendUint16([]byte{kindSnapshot}, uint16(n))
		w.Records = append(w.Records, Record{binary.BigEndian.AppendUint16(key, uint16(part)), appendChecksum(value)})
		w.snapshots = append(w.snapshots, -1)
	}
	room := func() {
		if len(value) < MaxRecord-1024 {
			return
		}
		value[more] = 1
		end()
		part++
		begin()
	}
	begin()
	for k, h := range s.holdings {
		room()
		value = appendHolding(value, k, h)
	}
	for k, t := range s.trades {
		room()
		value = appendTrade(value, k, t)
	}
	if n == 0 && p.skipped > 0 {
		for _, skip := range p.skips {
			room()
			value = appendSkip(value, skip)
		}
		value = binary.AppendVarint(append(value, opSkipped), p.skipped)
	}
	end()
	w.snapshots[from] = n
	for _, r := range w.Records[from:] {
		w.credit -= int64(len(r.Value)) + recordCost
	}
}

// delta adds what the transaction has set.
func (w *Write) delta() {
	p := w.o.p
	var value []byte
	begin := func() {
		key, number := w.nextKey(), p.last+1+uint64(len(w.deltas))
		w.deltas = append(w.deltas, liveDelta{number, key})
		value = append(make([]byte, 0, 1<<10), version, kindDelta)
		for _, v := range [...]uint64{uint64(p.id), number, uint64(key), uint64(w.keys)} {
			value = binary.AppendUvarint(value, v)
		}
		value = appendPosition(value, w.position)
	}
	end := func() {
		key := binary.BigEndian.AppendUint32([]byte{kindDelta}, w.deltas[len(w.deltas)-1].key)
		w.Records = append(w.Records, Record{key, appendChecksum(value)})
	}
	room := func() {
		if len(value) >= MaxRecord-1024 {
			end()
			begin()
		}
	}
	begin()
	for k, h := range w.o.holdings {
		room()
		value = appendHolding(value, k, h)
	}
	for k, c := range w.o.trades {
		room()
		if c.dropped {
			value = appendDrop(value, k)
		} else {
			value = appendTrade(value, k, c.Trade)
		}
	}
	for _, s := range w.o.skips {
		room()
		value = appendSkip(value, s)
	}
	end()
}

// nextKey gives a key that no delta has which a restore needs.
func (w *Write) nextKey() uint32 {
	free := w.o.p.free
	if n := len(free) - w.taken; n > 0 {
		w.taken++
		return free[n-1]
	}
	w.keys++
	return w.keys - 1
}

// skipRecord is for people, so it is text.
func skipRecord(partition int32, s Skip) (Record, error) {
	value, err := json.Marshal(struct {
		Version   int   `json:"version"`
		Partition int32 `json:"partition"`
		Skip
	}{version, partition, s})
	if err != nil {
		return Record{}, fmt.Errorf("encode the skip of offset %d: %w", s.Offset, err)
	}
	return Record{binary.BigEndian.AppendUint64([]byte{kindSkip}, uint64(s.Offset)), value}, nil
}

// Start gives the offset in the changelog from which a restore can begin once this is committed; offsets are those that its records were given.
func (w *Write) Start(offsets []int64) int64 {
	p := w.o.p
	taken := map[int]int64{}
	for i, n := range w.snapshots {
		if n >= 0 {
			taken[n] = offsets[i]
		}
	}
	if len(taken) == 0 {
		return p.start()
	}
	least := int64(-1)
	for n := range p.slots {
		at, now := taken[n]
		if !now {
			if p.slots[n].covered == 0 {
				return 0
			}
			at = p.slots[n].at
		}
		if least < 0 || at < least {
			least = at
		}
	}
	return least
}

// Commit merges the transaction into the partition: the Kafka transaction with the records, at these offsets, was committed. The overlay is done with.
func (w *Write) Commit(offsets []int64) {
	p := w.o.p
	for i, n := range w.snapshots {
		if n >= 0 {
			p.slots[n].covered, p.slots[n].at = p.last, offsets[i]
		}
	}
	for k, h := range w.o.holdings {
		p.setHolding(k, h)
	}
	for k, c := range w.o.trades {
		if c.dropped {
			p.dropTrade(k)
		} else {
			p.setTrade(k, c.Trade)
		}
	}
	for _, s := range w.o.skips {
		p.addSkip(s)
	}
	p.free = p.free[:len(p.free)-w.taken]
	for _, d := range p.live[:w.freed] {
		p.free = append(p.free, d.key)
	}
	p.live = append(p.live[w.freed:], w.deltas...)
	p.last = w.deltas[len(w.deltas)-1].number
	p.keys, p.credit, p.position = w.keys, w.credit, w.position
	p.cursor = (p.cursor + w.turns) % Slots
}
