package causes

import "github.com/bkledger/bk/compat/bank"

// ends compares positions and balances at the end of each day: the totals of the chain's last event of the day.
func (a *account) ends() {
	type end struct {
		of   chain
		date bank.Date
	}
	last := map[end]*[2]*row{}
	var all []end
	for _, money := range [...]bool{false, true} {
		for s := range a.rows {
			for _, r := range a.rows[s] {
				c, ok := r.chain(money)
				if !ok {
					continue
				}
				e := end{c, r.BusinessDate}
				if last[e] == nil {
					last[e] = new([2]*row)
					all = append(all, e)
				}
				last[e][s] = r
			}
		}
	}
	for _, e := range all {
		l, r := last[e][Bank], last[e][BK]
		same := l != nil && r != nil
		for total := range l.totals(r) {
			if (total == Balance || total == SettledBalance) == e.of.money {
				same = same && l.Totals[total].Equal(r.Totals[total])
			}
		}
		if same {
			continue
		}
		cause := firstCause(l, r)
		if cause == nil { // the other side's last event is not this side's
			cause = firstCause(l.mateOf(), r.mateOf())
		}
		if cause == nil && len(a.found) > 0 {
			cause = a.found[0]
		}
		if cause == nil {
			continue // what is pending
		}
		if cause.Kind != "" {
			cause.EndsOfDays++
			a.n.EndsDiffering++
		}
	}
}

// totals gives as many totals as there are, none if a row is missing.
func (r *row) totals(other *row) int {
	if r == nil || other == nil {
		return 0
	}
	return nTotals
}

func (r *row) mateOf() *row {
	if r == nil {
		return nil
	}
	return r.mate
}

func firstCause(rows ...*row) *Finding {
	for _, r := range rows {
		if r != nil && r.cause != nil {
			return r.cause
		}
	}
	for _, r := range rows {
		if r != nil && r.follow != nil {
			return r.follow
		}
	}
	return nil
}

// spelling names events that are right but not written as the contract says.
func (a *account) spelling() {
	for s := range a.rows {
		for _, r := range a.rows[s] {
			switch {
			case r.Canonical:
			case r.cause != nil && r.cause.Kind != "":
				if r.cause.Note != "" {
					r.cause.Note += "; "
				}
				r.cause.Note += "not written as the contract says"
			default:
				alone := *r
				alone.mate, alone.cause = nil, nil
				a.finding(NotCanonical, &alone).Side = r.side.String()
			}
		}
	}
}
