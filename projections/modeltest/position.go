package modeltest

import (
	"cmp"
	"math/big"
	"slices"
)

// Position is what an account has of a security in one currency: its cost is above zero if it is long, below if it is short.
type Position struct {
	Account, Instrument, Currency      string
	Unsettled, Settled, Cost, Realised *big.Rat
}

// Net is the trade-date position, below zero if it is short.
func (p *Position) Net() *big.Rat { return plus(p.Unsettled, p.Settled) }

// AverageCost is a unit's, 0 of no position.
func (p *Position) AverageCost() *big.Rat {
	if p.Net().Sign() != 0 {
		return rounded(over(p.Cost, p.Net()))
	}
	return zero()
}

// move is a change of a position: a fill, which has a price, or something else that came in or went out.
type move struct {
	entry  *Entry
	shares *big.Rat // signed
	value  *big.Rat // signed as the shares are: what is paid or received for them; what the movement says they cost
	price  *big.Rat // nil if it is no fill
}

// Positions derives all positions of customers and of the firm from nothing.
func (m *Model) Positions(at Time) map[string]*Position {
	all := map[string]*Position{}
	moves := map[string][]move{}
	for _, e := range m.Entries {
		if !at.counts(e) {
			continue
		}
		currency := "USD"
		if e.Trade != nil {
			currency = e.Trade.Terms.Currency
		} else if e.Fields["currency"] != "" {
			currency = e.Fields["currency"]
		}
		for _, p := range e.Postings {
			if !IsOwner(p.Account) || m.Instruments[p.Instrument].Currency == "" {
				continue
			}
			key := p.Account + " " + p.Instrument + " " + currency
			if all[key] == nil {
				all[key] = &Position{p.Account, p.Instrument, currency, zero(), zero(), zero(), zero()}
			}
			if p.Bucket == "u" {
				all[key].Unsettled = plus(all[key].Unsettled, p.Quantity)
			} else {
				all[key].Settled = plus(all[key].Settled, p.Quantity)
			}
			if e.Trade != nil && (e != e.Trade.Step("open", at) || e.Trade.State(at) == "canceled") {
				continue // settlements change no position; a cancelled trade counts as if it had not been
			}
			if n := len(moves[key]); n > 0 && moves[key][n-1].entry == e {
				moves[key][n-1].shares = plus(moves[key][n-1].shares, p.Quantity)
			} else {
				moves[key] = append(moves[key], move{entry: e, shares: p.Quantity})
			}
		}
	}
	for key, position := range all {
		position.carry(moves[key])
	}
	return all
}

// Place is where an entry's trade stands among those of a date; an entry about no trade stands for itself.
func (e *Entry) Place() uint64 {
	if e.Trade != nil {
		return e.Trade.Place()
	}
	return e.Seq
}

// carry works out cost and realised P&L.
func (p *Position) carry(moves []move) {
	slices.SortFunc(moves, func(a, b move) int {
		return cmp.Or(cmp.Compare(a.entry.Effective, b.entry.Effective), cmp.Compare(a.entry.Place(), b.entry.Place()), cmp.Compare(a.entry.Seq, b.entry.Seq))
	})
	had := zero()
	for _, mv := range moves {
		if mv.shares.Sign() == 0 {
			continue
		}
		if t := mv.entry.Trade; t != nil {
			mv.price, mv.value = t.Price, t.Gross
		} else {
			mv.value = orZero(mv.entry.Fields["cost"])
		}
		if mv.shares.Sign() < 0 {
			mv.value = opposite(mv.value)
		}
		p.take(had, mv)
		had = plus(had, mv.shares)
	}
}

// take adds one move to a position of so many shares.
func (p *Position) take(had *big.Rat, mv move) {
	if had.Sign() == 0 || had.Sign() == mv.shares.Sign() { // an opening
		p.Cost = plus(p.Cost, mv.value)
		return
	}
	closing, open := absolute(mv.shares), absolute(had)
	released, paid := p.Cost, mv.value // the last close takes all that is left
	crosses := closing.Cmp(open) > 0
	switch {
	case crosses && mv.price != nil: // a close at the fill's price, and an opening of the rest
		paid = rounded(times(open, mv.price))
		if mv.shares.Sign() < 0 {
			paid = opposite(paid)
		}
	case crosses:
		paid = zero()
	case closing.Cmp(open) < 0:
		released = rounded(over(times(p.Cost, closing), open))
	}
	p.Cost = minus(p.Cost, released)
	if mv.price != nil {
		p.Realised = minus(minus(p.Realised, paid), released) // proceeds − released cost: of a purchase, the proceeds are what is paid, below zero
	}
	if crosses {
		p.Cost = minus(mv.value, paid)
	}
}
