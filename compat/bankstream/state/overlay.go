package state

// Overlay is what a transaction sees of its partition and changes on it, a [View]. It is for one goroutine.
type Overlay struct {
	p        *Partition
	holdings map[HoldingKey]Holding
	trades   map[TradeKey]change
	skips    []Skip

	// What to do to get back to the mark, newest last.
	undoHoldings []undoHolding
	undoTrades   []undoTrade
}

// change is a trade as a transaction leaves it.
type change struct {
	Trade
	dropped bool
}

type undoHolding struct {
	key     HoldingKey
	before  Holding
	changed bool // it was in the overlay before
}

type undoTrade struct {
	key     TradeKey
	before  change
	changed bool
}

// keepChanges is how many changes of one kind an overlay has room for when the next transaction begins.
const keepChanges = 4 << 10

// Overlay begins a transaction: one at a time. It has the memory of the one before, which is done with.
func (p *Partition) Overlay() *Overlay {
	o := &p.overlay
	*o = Overlay{p: p, holdings: emptied(o.holdings), trades: emptied(o.trades), undoHoldings: o.undoHoldings[:0], undoTrades: o.undoTrades[:0]}
	return o
}

func emptied[K comparable, V any](m map[K]V) map[K]V {
	if m == nil || len(m) > keepChanges {
		return map[K]V{}
	}
	clear(m)
	return m
}

// Holding implements [View].
func (o *Overlay) Holding(k HoldingKey) Holding {
	if h, ok := o.holdings[k]; ok {
		return h
	}
	return o.p.holding(k)
}

// SetHolding implements [View].
func (o *Overlay) SetHolding(k HoldingKey, h Holding) {
	before, changed := o.holdings[k]
	o.undoHoldings = append(o.undoHoldings, undoHolding{k, before, changed})
	o.holdings[k] = h
}

// Trade implements [View].
func (o *Overlay) Trade(k TradeKey) (Trade, bool) {
	if c, ok := o.trades[k]; ok {
		return c.Trade, !c.dropped
	}
	return o.p.trade(k)
}

// SetTrade implements [View].
func (o *Overlay) SetTrade(k TradeKey, t Trade) { o.changeTrade(k, change{Trade: t}) }

// DropTrade implements [View].
func (o *Overlay) DropTrade(k TradeKey) { o.changeTrade(k, change{dropped: true}) }

func (o *Overlay) changeTrade(k TradeKey, c change) {
	before, changed := o.trades[k]
	o.undoTrades = append(o.undoTrades, undoTrade{k, before, changed})
	o.trades[k] = c
}

// Skip notes that an event is left out.
func (o *Overlay) Skip(s Skip) { o.skips = append(o.skips, s) }

// Mark makes what was changed so far stay when [Overlay.Rollback] is called.
func (o *Overlay) Mark() {
	o.undoHoldings, o.undoTrades = o.undoHoldings[:0], o.undoTrades[:0]
}

// Rollback undoes what was changed since the last mark: an event whose translation failed half-way has changed nothing.
func (o *Overlay) Rollback() {
	for i := len(o.undoHoldings) - 1; i >= 0; i-- {
		if u := &o.undoHoldings[i]; u.changed {
			o.holdings[u.key] = u.before
		} else {
			delete(o.holdings, u.key)
		}
	}
	for i := len(o.undoTrades) - 1; i >= 0; i-- {
		if u := &o.undoTrades[i]; u.changed {
			o.trades[u.key] = u.before
		} else {
			delete(o.trades, u.key)
		}
	}
	o.Mark()
}
