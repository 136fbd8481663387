package backlog

import (
	"container/heap"
	"maps"
	"slices"
)

// item is a row in memory.
type item struct {
	row     Row
	waits   int     // for so many rows before it
	freed   int     // of these, those in the batch that is being put together
	behind  []*item // rows that wait for it
	running bool
	blocked bool // rejected, and not to be tried again yet
	queued  bool // in the heap of ready ones
}

// plan holds rows in memory and says which are ready. It is not safe for concurrent use.
type plan struct {
	items   map[int64]*item // by position
	last    map[int64]*item // the last row of a key
	all     *item           // the last row about everything
	ready   readyItems      // that wait for nobody
	size    int             // the sum of the sizes of those that are not blocked: what takes memory
	stopped map[int64]*item // that are blocked
}

func newPlan() *plan {
	return &plan{items: map[int64]*item{}, last: map[int64]*item{}, stopped: map[int64]*item{}}
}

// put takes a row, behind all that it has with the same keys: rows come in the order of their positions.
func (p *plan) put(it *item) {
	p.items[it.row.Position] = it
	if slices.Contains(it.row.Keys, All) {
		for _, other := range p.items {
			if other != it {
				p.tie(other, it)
			}
		}
		p.all = it
		clear(p.last) // whoever comes waits for this one
	} else {
		for _, key := range it.row.Keys {
			if before := p.last[key]; before != nil {
				p.tie(before, it)
			} else if p.all != nil {
				p.tie(p.all, it)
			}
			p.last[key] = it
		}
	}
	if it.blocked {
		p.blocks(it)
		return
	}
	p.size += it.row.Size
	if it.waits == 0 {
		p.push(it)
	}
}

// stop blocks a row.
func (p *plan) stop(it *item) {
	it.blocked = true
	p.size -= it.row.Size
	p.blocks(it)
}

// blocks notes a blocked row, of which only the place is kept in memory.
func (p *plan) blocks(it *item) {
	it.row.Request, it.row.Answer = nil, nil
	p.stopped[it.row.Position] = it
}

// resume has a blocked row tried again, with its content as it is in the table.
func (p *plan) resume(it *item, c content) {
	it.blocked = false
	it.row.Request, it.row.Answer = c.Request, c.Answer
	p.size += it.row.Size
	delete(p.stopped, it.row.Position)
	if it.waits == 0 {
		p.push(it)
	}
}

func (p *plan) tie(before, behind *item) {
	if n := len(before.behind); n > 0 && before.behind[n-1] == behind {
		return // over another key already
	}
	before.behind = append(before.behind, behind)
	behind.waits++
}

func (p *plan) push(it *item) {
	if !it.queued {
		it.queued = true
		heap.Push(&p.ready, it)
	}
}

// batch takes rows that are ready, and rows that wait only for rows that are in the batch before them, in order, up to a sum of sizes. A row that is alone
// makes a batch of its own.
func (p *plan) batch(most int, alone func(kind string) bool) []*item {
	var batch, touched []*item
	var next readyItems // which the batch itself makes ready
	size := 0
	for {
		from := &p.ready
		if len(p.ready) == 0 || len(next) > 0 && next[0].row.Position < p.ready[0].row.Position {
			from = &next
		}
		if len(*from) == 0 {
			break
		}
		it := (*from)[0]
		single := alone(it.row.Kind)
		if len(batch) > 0 && (single || size+it.row.Size > most) {
			break
		}
		heap.Pop(from)
		it.queued, it.running = false, true
		batch, size = append(batch, it), size+it.row.Size
		if single {
			break
		}
		for _, b := range it.behind {
			if b.freed++; b.freed == 1 {
				touched = append(touched, b)
			}
			if b.freed == b.waits {
				heap.Push(&next, b)
			}
		}
	}
	for _, b := range touched {
		b.freed = 0
	}
	return batch
}

// done takes a row out, and makes those ready that waited for it alone.
func (p *plan) done(it *item) {
	p.forget(it)
	for _, b := range it.behind {
		if b.waits--; b.waits == 0 && !b.running && !b.blocked {
			p.push(b)
		}
	}
}

func (p *plan) forget(it *item) {
	delete(p.items, it.row.Position)
	if !it.blocked {
		p.size -= it.row.Size
	}
	delete(p.stopped, it.row.Position)
	for _, key := range it.row.Keys {
		if p.last[key] == it {
			delete(p.last, key)
		}
	}
	if p.all == it {
		p.all = nil
	}
}

// reset drops all rows that were never rejected and don't run: they come again from the table. One that is to be tried again stays: it would come as a blocked one, and by that drop the next
// that is due, so that two could keep each other from ever being tried. All that was before it on its keys was done when it was tried first.
func (p *plan) reset() {
	var keep []*item
	for _, position := range slices.Sorted(maps.Keys(p.items)) {
		if it := p.items[position]; it.running || it.blocked || it.row.Attempts > 0 {
			keep = append(keep, it)
		}
	}
	*p = *newPlan()
	for _, it := range keep {
		it.waits, it.behind, it.queued = 0, nil, false
		if it.running {
			// What runs waits for nobody any more, whatever it was put behind.
			p.hold(it)
			continue
		}
		p.put(it)
	}
}

// hold puts a running row back.
func (p *plan) hold(it *item) {
	p.items[it.row.Position] = it
	p.size += it.row.Size
	if slices.Contains(it.row.Keys, All) {
		p.all = it
		clear(p.last)
		return
	}
	for _, key := range it.row.Keys {
		p.last[key] = it
	}
}

// readyItems is a heap by position.
type readyItems []*item

func (r readyItems) Len() int           { return len(r) }
func (r readyItems) Less(i, j int) bool { return r[i].row.Position < r[j].row.Position }
func (r readyItems) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *readyItems) Push(x any)        { *r = append(*r, x.(*item)) }
func (r *readyItems) Pop() any {
	old := *r
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*r = old[:len(old)-1]
	return it
}
