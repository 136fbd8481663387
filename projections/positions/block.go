package positions

import (
	"fmt"
	"slices"
)

// maxRecords is how many records a block has at most: what an insert in the middle rewrites, and what a question replays, against the number of
// rows. Changing it needs a new version.
const maxRecords = 128

// block is a run of a line's records in order: those from its bound on, up to the next block's bound. A line's first block has the zero bound.
type block struct {
	bound   place
	records []record
	mark
	stored, changed bool // it has a row; its records are not the row's
}

// mark is what is known of a block without its records: where it ends.
type mark struct {
	count  int
	last   place
	latest uint64 // the last entry that its records know of
	end    state
}

// run is a line's blocks from one of them on, in order.
type run []*block

// find gives the block that a place belongs to.
func (b run) find(p place) int {
	i, found := slices.BinarySearchFunc(b, p, func(b *block, p place) int { return b.bound.compare(p) })
	if found {
		return i
	}
	return i - 1
}

// do applies an op, without its effect on marks, and gives the first block that it changed. ends says that the run goes up to the line's end.
// What becomes of the blocks depends on the ops and on their order alone: they are done one by one as they came.
func (b run) do(o *op, ends bool) (after run, from int, err error) {
	i := b.find(o.place)
	if i < 0 {
		return b, 0, fmt.Errorf("entry %d has no block to go to", o.seq)
	}
	at := b[i]
	n, found := slices.BinarySearchFunc(at.records, o.place, func(r record, p place) int { return r.compare(p) })
	if o.cancel {
		switch {
		case !found || !at.records[n].fill:
			return b, i, fmt.Errorf("entry %d cancels entry %d, which did nothing there", o.canceled, o.seq)
		case at.records[n].canceled != 0:
			return b, i, fmt.Errorf("entry %d cancels entry %d, as %d did before", o.canceled, o.seq, at.records[n].canceled)
		}
		at.records[n].canceled, at.changed = o.canceled, true
		return b, i, nil
	}
	if found {
		return b, i, fmt.Errorf("entry %d is there already", o.seq)
	}
	if ends && i == len(b)-1 && n == maxRecords { // the usual way to grow: full blocks stay full
		return append(b, &block{bound: o.place, records: []record{o.record}, changed: true}), i + 1, nil
	}
	at.records, at.changed = slices.Insert(at.records, n, o.record), true
	if len(at.records) > maxRecords {
		const half = maxRecords / 2
		upper := &block{bound: at.records[half].place, records: slices.Clone(at.records[half:]), changed: true}
		at.records = at.records[:half]
		b = slices.Insert(b, i+1, upper)
	}
	return b, i, nil
}

// derive works the mark out anew, and leaves the end in st.
func (b *block) derive(st *state) error {
	m := mark{count: len(b.records)}
	if m.count > 0 {
		m.last = b.records[m.count-1].place
	}
	for i := range b.records {
		m.latest = max(m.latest, b.records[i].latest())
	}
	if _, err := st.applyAll(b.records, view{}); err != nil {
		return err
	}
	m.end = *st
	b.mark = m
	return nil
}
