package causes

import (
	"math/bits"
	"strconv"

	"github.com/shopspring/decimal"
)

// pairs names what differs in content.
func (a *account) pairs() {
	for _, l := range a.rows[Bank] {
		r := l.mate
		if r == nil || l.cause != nil {
			continue
		}
		if l.Hash != r.Hash {
			a.pair(l, r)
		}
		if a.n.cfg.Moments && l.cause == nil && (l.BookedAt != r.BookedAt || l.CanceledAt != r.CanceledAt) {
			column, was, is := "booked_at", l.BookedAt, r.BookedAt
			if was == is {
				column, was, is = "canceled_at", l.CanceledAt, r.CanceledAt
			}
			if f := a.wrong(WrongField+column, l); f != nil {
				f.Column, f.BankValue, f.BKValue = column, strconv.FormatInt(was, 10), strconv.FormatInt(is, 10)
			}
		}
	}
}

// wrong begins a finding about a pair, or takes the pair for one that follows from the same about an earlier event of the trade: then it is nil.
func (a *account) wrong(kind string, l *row) *Finding {
	w := way{l.Cash, l.Number, kind, BK}
	if first := a.byWay[w]; first != nil {
		l.cause, l.mate.cause = first, first
		first.Follows++
		return nil
	}
	f := a.finding(kind, l)
	a.byWay[w] = f
	return f
}

func (a *account) pair(l, r *row) {
	n := a.n.naming(l.Cash)
	differs := r.differs(l.Place)
	content := n.content(differs)
	if content == 0 {
		return // totals: a matter of the chain
	}
	kind, column := n.kind(content)
	f := a.wrong(kind, l)
	if f == nil {
		return
	}
	f.Column = column
	f.touches = content&n.moving != 0 || differs&n.totals != 0
	f.Money = difference(l, r)
	if bits.OnesCount64(uint64(differs)) > 1 {
		f.Note = "with it: " + n.list(differs, column)
	}
}

// differs gives the columns in which it differs from a row of Bank's.
func (r *row) differs(bank Place) Fields {
	for _, d := range r.Differs {
		if d.Bank == bank {
			return d.Fields
		}
	}
	return 0
}

func (n *naming) list(f Fields, without string) string {
	text := ""
	for rest := f; rest != 0; rest &= rest - 1 {
		if name := n.names[bits.TrailingZeros64(uint64(rest))]; name != without {
			if text != "" {
				text += ", "
			}
			text += name
		}
	}
	return text
}

// difference is what is at stake in a pair: in cash, else in quantity times price.
func difference(l, r *row) Money {
	most := l.Amount.Sub(r.Amount).Abs()
	for _, total := range [...]int{Balance, SettledBalance} {
		most = decimal.Max(most, l.Totals[total].Sub(r.Totals[total]).Abs())
	}
	if !most.IsZero() {
		return Money{most}
	}
	most = l.Quantity.Sub(r.Quantity).Abs()
	for _, total := range [...]int{Position, SettledPosition} {
		most = decimal.Max(most, l.Totals[total].Sub(r.Totals[total]).Abs())
	}
	return Money{most.Mul(l.Price)}
}
