package ledger

import "slices"

// TradeState is where a trade is in its life.
type TradeState string

// The states of a trade. A new trade has done nothing to the books yet; an open one is in the unsettled bucket, a settled one in the
// settled bucket, of its parties.
const (
	TradeNew      TradeState = "new"     // its trade date is after the business date
	TradeOpen     TradeState = "open"    // in force
	TradeSettled  TradeState = "settled" // settled with its parties (the street side may be outstanding)
	TradeCanceled TradeState = "canceled"
)

// TradeStates lists all states in the order of a trade's life.
func TradeStates() []TradeState {
	return []TradeState{TradeNew, TradeOpen, TradeSettled, TradeCanceled}
}

// The kinds of entry that take a trade through its life, besides the one that books it and [KindCancel]. All of them carry the trade
// and its dates.
const (
	KindTradeOpen    Kind = "trade.open"          // a new trade comes into force on its trade date; effective then
	KindSettle       Kind = "trade.settle"        // the parties' unsettled bucket becomes settled, and, if the roll does so, the street side; effective on the settlement date
	KindSettleStreet Kind = "trade.settle_street" // the street side alone, booked by itself; effective as its command says
	KindReverse      Kind = "trade.reverse"       // negates a settlement, or what else came after, as a part of the trade's cancel; effective as what it negates
	KindLink         Kind = "trade.link"          // another trade is booked in place of one that is cancelled already; right before that one, effective as the booking
)

// Life is a trade with all entries about it, in journal order; the first booked it.
type Life []*Entry

// State gives where the trade stands after its entries.
func (l Life) State() TradeState { return l[len(l)-1].State }

// Made gives the sum of the postings that the trade has made so far, by account, instrument and bucket in order of first
// appearance, without zeros.
func (l Life) Made() []Posting {
	var sum []Posting
	for _, e := range l {
		for _, p := range e.Postings {
			i := slices.IndexFunc(sum, func(q Posting) bool {
				return q.Account == p.Account && q.Instrument == p.Instrument && q.Bucket == p.Bucket
			})
			if i < 0 {
				sum = append(sum, p)
			} else {
				sum[i].Quantity = sum[i].Quantity.Add(p.Quantity)
			}
		}
	}
	return slices.DeleteFunc(sum, func(p Posting) bool { return p.Quantity.IsZero() })
}

// later gives the entries that moved anything after the trade came into force, its settlements above all, the last one first.
func (l Life) later() []*Entry {
	opened := l.opened()
	var out []*Entry
	for _, e := range slices.Backward(l) {
		if e.ID > opened.ID && len(e.Postings) > 0 {
			out = append(out, e)
		}
	}
	return out
}

// opened gives the entry that brought the trade into force: its booking, or a later one; the booking if none has.
func (l Life) opened() *Entry {
	for _, e := range l[1:] {
		if e.Kind == KindTradeOpen {
			return e
		}
	}
	return l[0]
}

// about makes an entry of the trade's life, without what its rule adds: it carries the trade, its dates and links.
func (l Life) about(e *Entry) {
	booked := l[0]
	e.Trade, e.TradeDate, e.SettleDate, e.EffectiveDate = booked.Trade, booked.TradeDate, booked.SettleDate, booked.EffectiveDate
	e.Links.Trade, e.Links.Corrects, e.Links.Root = booked.ID, booked.Links.Corrects, booked.Links.Root
}
