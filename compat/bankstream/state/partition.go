package state

import "time"

// Slots is how many hash ranges a partition's keys fall into. It is part of the changelog's format.
const Slots = 256

// Position says how far the input is in the state. The zero value is the input's beginning.
type Position struct {
	Next   int64  // offset of the next event
	Offset int64  // of the last one; there is none while Next is 0
	Entry  int64  // the last one's entry id
	Leg    int    // and leg
	Sum    uint64 // and the hash of its value, xxHash64
}

// Skip is an event that a person left out.
type Skip struct {
	Offset int64     `json:"offset"` // in the input
	Entry  int64     `json:"entry"`
	Leg    int       `json:"leg"`
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	Why    string    `json:"why"`
	Error  string    `json:"error"` // what it stopped at
}

// keepSkips is how many skips a partition lists; the changelog keeps the record of each for ever.
const keepSkips = 100

// slot is the state of one hash range.
type slot struct {
	holdings map[HoldingKey]Holding
	trades   map[TradeKey]Trade
	covered  uint64 // number of the last delta that is in its latest snapshot; 0: there is no snapshot
	at       int64  // that snapshot's offset in the changelog
}

// Partition is the committed state of one partition. It is for one goroutine at a time.
type Partition struct {
	id       int32
	position Position
	slots    [Slots]slot
	holdings int
	trades   int
	bytes    int64 // about, of all slots' snapshots
	skips    []Skip
	skipped  int64

	last   uint64      // number of the last delta
	keys   uint32      // of deltas, so far: 0 to keys-1
	live   []liveDelta // ascending
	free   []uint32    // keys that can be used again
	cursor int         // the slot that is written next
	credit int64       // bytes of snapshots that are due

	overlay Overlay // of the transaction under way
}

// liveDelta is a delta that a restore needs.
type liveDelta struct {
	number uint64
	key    uint32
}

// New gives the empty state of a partition.
func New(id int32) *Partition { return &Partition{id: id} }

// Position says how far the input is in the state.
func (p *Partition) Position() Position { return p.position }

// Sizes gives how many holdings and live trades there are.
func (p *Partition) Sizes() (holdings, trades int) { return p.holdings, p.trades }

// Skips gives the latest events that were left out, and how many ever were.
func (p *Partition) Skips() ([]Skip, int64) { return p.skips, p.skipped }

// mix spreads the bits of a pair of ids over 64 (the finaliser of SplitMix64). It is part of the changelog's format.
func mix(a, b int64) int {
	x := uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return int((x ^ x>>31) % Slots)
}

func (k HoldingKey) slot() int { return mix(k.Account, k.Instrument) }
func (k TradeKey) slot() int   { return mix(k.Account, k.Trade) }

// What an entry takes in a snapshot, about.
const (
	holdingBytes = 32
	tradeBytes   = 40
)

func (p *Partition) holding(k HoldingKey) Holding { return p.slots[k.slot()].holdings[k] }

func (p *Partition) setHolding(k HoldingKey, h Holding) {
	s := &p.slots[k.slot()]
	before := len(s.holdings)
	if h.IsZero() {
		delete(s.holdings, k)
	} else {
		if s.holdings == nil {
			s.holdings = map[HoldingKey]Holding{}
		}
		s.holdings[k] = h
	}
	more := len(s.holdings) - before
	p.holdings += more
	p.bytes += int64(more) * holdingBytes
}

func (p *Partition) trade(k TradeKey) (Trade, bool) {
	t, ok := p.slots[k.slot()].trades[k]
	return t, ok
}

func (p *Partition) setTrade(k TradeKey, t Trade) {
	p.dropTrade(k)
	s := &p.slots[k.slot()]
	if s.trades == nil {
		s.trades = map[TradeKey]Trade{}
	}
	s.trades[k] = t
	p.trades++
	p.bytes += tradeBytes + int64(len(t.Extras))
}

func (p *Partition) dropTrade(k TradeKey) {
	s := &p.slots[k.slot()]
	if old, ok := s.trades[k]; ok {
		delete(s.trades, k)
		p.trades--
		p.bytes -= tradeBytes + int64(len(old.Extras))
	}
}

// clear empties a slot.
func (p *Partition) clear(n int) {
	s := &p.slots[n]
	p.holdings -= len(s.holdings)
	p.bytes -= int64(len(s.holdings)) * holdingBytes
	for _, t := range s.trades {
		p.trades--
		p.bytes -= tradeBytes + int64(len(t.Extras))
	}
	*s = slot{}
}

func (p *Partition) addSkip(s Skip) {
	p.skips = append(p.skips, s)
	if len(p.skips) > keepSkips {
		p.skips = append([]Skip(nil), p.skips[len(p.skips)-keepSkips:]...)
	}
	p.skipped++
}

// needed is the number of the first delta that a restore needs: the one behind the oldest of the slots' latest snapshots.
func (p *Partition) needed() uint64 {
	least := p.slots[0].covered
	for i := range p.slots {
		least = min(least, p.slots[i].covered)
	}
	return least + 1
}

// start is the offset in the changelog from which a restore can begin: of the oldest of the slots' latest snapshots; 0 while a slot has none.
func (p *Partition) start() int64 {
	least := p.slots[0].at
	for i := range p.slots {
		if p.slots[i].covered == 0 {
			return 0
		}
		least = min(least, p.slots[i].at)
	}
	return least
}
