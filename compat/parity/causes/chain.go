package causes

import (
	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// chain names the events that add to the same totals.
type chain struct {
	money bool
	name  string // symbol or currency
}

func (r *row) chain(money bool) (chain, bool) {
	if money {
		return chain{true, r.Currency}, true
	}
	return chain{false, r.Symbol}, !r.Cash
}

// links is what one side has of a chain.
type links struct {
	rows [2][]*row
	// gap is, of a row, the cause at rows of its own side that have no place on the other and stand before it, since the last that has one.
	gap map[*row]*Finding
	// changed has the rows at which the level of a total changes.
	changed [nTotals]map[*row]bool
}

// chains looks at the running totals.
func (a *account) chains() {
	byName := map[chain]*links{}
	var all []chain
	for _, money := range [...]bool{false, true} {
		for s := range a.rows {
			for _, r := range a.rows[s] {
				if c, ok := r.chain(money); ok {
					l := byName[c]
					if l == nil {
						l = &links{gap: map[*row]*Finding{}}
						byName[c] = l
						all = append(all, c)
					}
					l.rows[s] = append(l.rows[s], r)
				}
			}
		}
	}
	opened := a.opened()
	for _, c := range all {
		l := byName[c]
		l.gaps(c)
		for total := Position; total < nTotals; total++ {
			if (total == Balance || total == SettledBalance) == c.money {
				a.levels(c, l, total)
			}
		}
	}
	for _, c := range all {
		for total := Position; total < nTotals; total++ {
			if (total == Balance || total == SettledBalance) == c.money {
				for _, s := range [...]Side{Bank, BK} {
					a.addUp(c, byName[c], s, total, opened)
				}
			}
		}
	}
	a.remainder()
}

// stands tells whether a row has its mate in the same chain, in its place.
func (r *row) stands(c chain) bool {
	if r.mate == nil || r.cause != nil && r.cause.order {
		return false
	}
	other, ok := r.mate.chain(c.money)
	return ok && other == c
}

func (l *links) gaps(c chain) {
	for _, rows := range l.rows {
		var cause *Finding
		for _, r := range rows {
			if cause != nil {
				l.gap[r] = cause
			}
			if r.stands(c) {
				cause = nil
			} else if r.cause != nil {
				cause = r.cause
			}
		}
	}
}

// level is a difference of both sides' totals, and what made it.
type level struct {
	height decimal.Decimal
	cause  *Finding
}

// levels walks a total through the pairs, in Bank's order.
func (a *account) levels(c chain, l *links, total int) {
	stack := []level{{}}
	var last *row // the pair before
	for _, x := range l.rows[Bank] {
		if other, ok := x.chainOfMate(c.money); !ok || other != c {
			continue
		}
		y, now := x.mate, &stack[len(stack)-1]
		height := y.Totals[total].Sub(x.Totals[total])
		if height.Equal(now.height) {
			if !height.IsZero() {
				a.follows(x, now.cause)
			}
			last = x
			continue
		}
		l.change(total, x)
		own := x.touched()
		earlier := -1
		for i := len(stack) - 2; i >= 0; i-- {
			if stack[i].height.Equal(height) {
				earlier = i
				break
			}
		}
		switch {
		case own != nil:
			stack = append(stack, level{height, own})
		case earlier >= 0:
			stack = stack[:earlier+1]
			if !height.IsZero() {
				a.follows(x, stack[earlier].cause)
			}
		default:
			cause := l.gap[x]
			if cause == nil || !cause.touches {
				cause = l.gap[y]
			}
			if cause == nil || !cause.touches {
				cause = last.touched()
			}
			if cause == nil || !cause.touches {
				cause = a.wrongTotal(x, total, "")
			} else {
				a.follows(x, cause)
			}
			stack = append(stack, level{height, cause})
		}
		last = x
	}
}

func (l *links) change(total int, x *row) {
	if l.changed[total] == nil {
		l.changed[total] = map[*row]bool{}
	}
	l.changed[total][x], l.changed[total][x.mate] = true, true
}

func (r *row) chainOfMate(money bool) (chain, bool) {
	if r.mate == nil {
		return chain{}, false
	}
	return r.mate.chain(money)
}

// follows counts a row once as following from a cause.
func (a *account) follows(x *row, cause *Finding) {
	if x.follow != nil || cause == nil || x.cause == cause || x.mate.cause == cause && x.mate.cause != nil {
		return
	}
	x.follow = cause
	if x.mate != nil {
		x.mate.follow = cause
	}
	cause.Follows++
}

// wrongTotal names a total. Where something else has been found at the event already, that is told there.
func (a *account) wrongTotal(x *row, total int, side string) *Finding {
	if x.cause != nil {
		x.cause.touches = true
		if x.cause.Note == "" {
			x.cause.Note = "with it: " + totalNames[total]
		}
		return x.cause
	}
	f := a.finding(WrongRunningTotal, x)
	f.Side, f.touches, f.Note = side, true, totalNames[total]
	l, r := x, x.mate
	if x.side == BK {
		l, r = x.mate, x
	}
	if l != nil {
		f.BankValue = bank.Decimal{Decimal: l.Totals[total]}.String()
	}
	if r != nil {
		f.BKValue = bank.Decimal{Decimal: r.Totals[total]}.String()
	}
	if l != nil && r != nil {
		f.Money = difference(l, r)
	}
	return f
}

// opened says of each side which trades have opened in the account.
func (a *account) opened() (all [2]map[int64]bool) {
	for s := range a.rows {
		all[s] = map[int64]bool{}
		for _, r := range a.rows[s] {
			if r.Kind == bank.EventOpened {
				all[s][r.Number] = true
			}
		}
	}
	return all
}

// granted tells whether a total follows from what was before the landing began, and both sides agree on it: the first one, or one after a cancel of a trade that opened before.
func (a *account) granted(r *row, total int, first bool, was decimal.Decimal, opened [2]map[int64]bool) bool {
	if !a.n.cfg.Opening || r.mate == nil || !r.mate.Totals[total].Equal(r.Totals[total]) {
		return false
	}
	return first || r.Kind == bank.EventCanceled && !opened[Bank][r.Number] && !opened[BK][r.Number] && r.Totals[total].Equal(was.Add(r.effect(total, true)))
}

// addUp adds one side's events up and compares that with what they say.
func (a *account) addUp(c chain, l *links, s Side, total int, opened [2]map[int64]bool) {
	before, should := decimal.Zero, decimal.Zero
	for i, r := range l.rows[s] {
		was, shouldHave := before, should
		effect := r.effect(total, opened[s][r.Number])
		before, should = r.Totals[total], was.Add(effect)
		if before.Equal(should) || i > 0 && before.Equal(shouldHave.Add(effect)) { // or it goes on as if the total before, which was named, had been right
			continue
		}
		if a.granted(r, total, i == 0, was, opened) {
			a.grants++
			continue
		}
		switch own, gap, lack := r.touched(), l.gap[r], l.gap[r.mate]; {
		case own != nil:
			own.self = own.self || r.mate == nil
		case gap != nil && gap.touches:
			gap.self = true
		case r.mate != nil && lack != nil && lack.touches:
			lack.lacked = true
		case l.changed[total][r]: // named, or followed, when the level was
		case r.Kind == bank.EventCanceled && opened[Bank][r.Number] != opened[BK][r.Number] && before.Equal(was.Add(r.effect(total, !opened[s][r.Number]))):
			// That opening it is missing, or extra, has been found.
		default:
			f := a.wrongTotal(r, total, s.String())
			f.Money = Money{decimal.Max(f.Money.Decimal, before.Sub(should).Abs())}
			if f.BankValue == f.BKValue && f.Kind == WrongRunningTotal {
				f.Note += ": the events before add up to " + bank.Decimal{Decimal: should}.String()
			}
		}
	}
}

// blame says of what one side has and the other has not on which side the mistake is, where running totals tell: a side that jumps where it lacks an event has lost it; one
// whose totals don't have what the event adds should not have it.
func (a *account) blame() {
	for _, f := range a.found {
		switch {
		case f.Kind == Extra && f.BK != nil && f.lacked && !f.self:
			f.Kind, f.Side = Missing, Bank.String()
		case f.Kind == Missing && f.Bank != nil && f.self && !f.lacked:
			f.Kind, f.Side = Extra, Bank.String()
		}
	}
}

// remainder names pairs that differ and were not named by any step before.
func (a *account) remainder() {
	for _, l := range a.rows[Bank] {
		if l.mate == nil || l.Hash == l.mate.Hash || l.cause != nil || l.follow != nil {
			continue
		}
		f := a.finding(Unnamed, l)
		f.Money = difference(l, l.mate)
		if f.Note = a.n.naming(l.Cash).list(l.mate.differs(l.Place), ""); f.Note == "" {
			f.Note = "content_hash"
		}
	}
}
