package bulk

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/bkledger/bk/ledger"
)

// lives are all trades, with what happened to them, as bytes: a few hundred a trade, whether open or not, and nothing for the garbage collector to look at.
// An entry is kept in the journal's encoding without what rules don't ask for: key, source and notes, and the trade in all but the booking.
type lives struct {
	shard  uint16
	states []ledger.TradeState // by the byte that stands for one
	trades []trade             // by the sequence number of the booking, ascending
	slabs  [][]byte
	toOpen map[ledger.Date][]uint32 // places in trades, ascending, of what was new when it was put there
	settle map[ledger.Date][]uint32 // and of what was open
	buf    []byte
}

// trade is a booking and where its last entry is kept.
type trade struct {
	seq  uint64
	last uint64 // slab and place in it
}

const (
	slabBytes = 1 << 20
	noEntry   = 1<<64 - 1
	headBytes = 13 // before an entry: where the one before it is, its length, the trade's state
)

func newLives(shard uint16) lives {
	return lives{shard: shard, states: ledger.TradeStates(), toOpen: map[ledger.Date][]uint32{}, settle: map[ledger.Date][]uint32{}}
}

// find gives a trade's place by the sequence number of its booking.
func (l *lives) find(seq uint64) (place int, ok bool) {
	return slices.BinarySearchFunc(l.trades, seq, func(t trade, seq uint64) int { return cmp.Compare(t.seq, seq) })
}

// add takes in an entry about a trade.
func (l *lives) add(e *ledger.Entry) {
	place, last := len(l.trades), uint64(noEntry)
	if e.Links.Trade == e.ID {
		l.trades = append(l.trades, trade{seq: e.ID.Seq()})
	} else {
		var ok bool
		if place, ok = l.find(e.Links.Trade.Seq()); !ok {
			panic(fmt.Sprintf("bulk: entry %d is about %d, which is no trade", e.ID, e.Links.Trade))
		}
		last = l.trades[place].last
	}
	l.trades[place].last = l.keep(e, last)
	switch e.State {
	case ledger.TradeNew:
		l.toOpen[e.TradeDate] = append(l.toOpen[e.TradeDate], uint32(place))
	case ledger.TradeOpen:
		if e.Kind == ledger.KindTradeOpen || e.Links.Trade == e.ID {
			l.settle[e.SettleDate] = append(l.settle[e.SettleDate], uint32(place))
		}
	}
}

// keep stores an entry behind the one at prev.
func (l *lives) keep(e *ledger.Entry, prev uint64) (at uint64) {
	small := *e
	small.Key, small.Source, small.Metadata = "", "", nil
	if prev != noEntry {
		small.Trade = nil
	}
	l.buf = binary.BigEndian.AppendUint64(l.buf[:0], prev)
	l.buf = append(l.buf, 0, 0, 0, 0, byte(slices.Index(l.states, e.State)))
	l.buf = ledger.AppendEntry(l.buf, &small)
	binary.BigEndian.PutUint32(l.buf[8:], uint32(len(l.buf)-headBytes))
	n := len(l.slabs) - 1
	if n < 0 || len(l.slabs[n])+len(l.buf) > cap(l.slabs[n]) {
		l.slabs = append(l.slabs, make([]byte, 0, max(slabBytes, len(l.buf))))
		n++
	}
	at = uint64(n)<<32 | uint64(len(l.slabs[n]))
	l.slabs[n] = append(l.slabs[n], l.buf...)
	return at
}

// life gives a trade with all entries about it.
func (l *lives) life(place int) ledger.Life {
	var life ledger.Life
	for at := l.trades[place].last; at != noEntry; {
		var e *ledger.Entry
		e, at = l.entry(at)
		life = append(life, e)
	}
	slices.Reverse(life)
	for _, e := range life[1:] {
		e.Trade = life[0].Trade
	}
	return life
}

// at gives the bytes of an entry that is kept, and what is behind it.
func (l *lives) at(at uint64) []byte { return l.slabs[at>>32][at&(1<<32-1):] }

// state gives where a trade stands, without reading its entries.
func (l *lives) state(place int) ledger.TradeState {
	return l.states[l.at(l.trades[place].last)[headBytes-1]]
}

func (l *lives) entry(at uint64) (e *ledger.Entry, prev uint64) {
	b := l.at(at)
	size := binary.BigEndian.Uint32(b[8:])
	e, err := ledger.DecodeEntry(b[headBytes : headBytes+size])
	if err != nil {
		panic(fmt.Sprintf("bulk: an entry in memory can't be read: %v", err)) // what keep wrote
	}
	return e, binary.BigEndian.Uint64(b)
}

// due takes out the trades with a date up to day that stand where they stood when they were put there, by id.
func (l *lives) due(dates map[ledger.Date][]uint32, day ledger.Date, state ledger.TradeState) []ledger.ID {
	var places []uint32
	for date, on := range dates {
		if date <= day {
			places = append(places, on...)
			delete(dates, date)
		}
	}
	slices.Sort(places)
	ids := make([]ledger.ID, 0, len(places))
	for _, place := range places {
		if l.state(int(place)) == state {
			ids = append(ids, ledger.MakeID(l.shard, l.trades[place].seq))
		}
	}
	return ids
}
