package owner

import (
	"sort"

	"github.com/bkledger/bk/compat/facade/mode"
)

// part is a stretch of BK's journal that the stream publishes on Bank's topics.
type part struct {
	epoch       int64 // the first of it
	first, last int64 // sequences; last is open while it goes on
	base        int64
}

const open = int64(1<<63 - 1)

// from is the place at which Bank's relay was held for it: the event id of the stream's first.
func (p part) from() int64 { return p.base + 2*p.first }

// parts gives those of a façade's history, in order.
func parts(history []mode.Epoch) (all []part) {
	going := false
	for _, e := range history {
		switch {
		case e.Stream && !going:
			all = append(all, part{epoch: e.Epoch, first: e.FirstSequence, last: open, base: e.EventID})
		case !e.Stream && going:
			all[len(all)-1].last = e.FirstSequence - 1
		}
		going = e.Stream
	}
	return all
}

// find gives the part that has an entry; ok is false if none has.
func find(all []part, sequence int64) (p part, ok bool) {
	i := sort.Search(len(all), func(i int) bool { return all[i].last >= sequence })
	if i == len(all) || all[i].first > sequence {
		return p, false
	}
	return all[i], true
}

// changing reports whether a step to another primary is under way: who gets what is booked now is not decided.
func changing(history []mode.Epoch, latest *mode.Attempt) bool {
	return latest != nil && latest.Ended == nil && latest.To.Primary() != history[len(history)-1].Mode.Primary()
}
