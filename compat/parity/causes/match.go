package causes

import "strconv"

// match finds each row's mate on the other side, and names what has none.
func (a *account) match() {
	groups := map[key]*[2][]*row{}
	var keys []key
	for _, s := range [...]Side{Bank, BK} {
		for _, r := range a.rows[s] {
			g := groups[r.key()]
			if g == nil {
				g = new([2][]*row)
				groups[r.key()] = g
				keys = append(keys, r.key())
			}
			g[s] = append(g[s], r)
		}
	}
	var left [2][]*row
	for _, k := range keys {
		g := groups[k]
		if len(g[Bank]) == 1 && len(g[BK]) == 1 {
			pair(g[Bank][0], g[BK][0])
			continue
		}
		for mateBest(g) {
		}
		for s, rows := range g {
			for _, r := range rows {
				if r.mate == nil {
					left[s] = append(left[s], r)
					r.twin = firstMated(rows)
				}
			}
		}
	}
	left = a.wrongIDs(left)
	left = a.wrongEvents(left)
	for _, s := range [...]Side{Bank, BK} {
		for _, r := range left[s] {
			a.alone(r)
		}
	}
}

func pair(l, r *row) { l.mate, r.mate = r, l }

func firstMated(rows []*row) *row {
	for _, r := range rows {
		if r.mate != nil {
			return r
		}
	}
	return nil
}

// mateBest pairs the two rows of a group that fit best, and tells whether there were two.
func mateBest(g *[2][]*row) bool {
	var l, r *row
	best := -1
	for _, x := range g[Bank] {
		for _, y := range g[BK] {
			if x.mate != nil || y.mate != nil {
				continue
			}
			fit := 0
			switch {
			case x.Hash == y.Hash:
				fit = 4
			case x.alike(y.Event) && x.sameTotals(y.Event):
				fit = 3
			case x.sameTotals(y.Event):
				fit = 2
			case x.alike(y.Event):
				fit = 1
			}
			if fit > best {
				best, l, r = fit, x, y
			}
		}
	}
	if l == nil {
		return false
	}
	pair(l, r)
	return true
}

// byClient names an event of an account by the client's id.
type byClient struct {
	cash         bool
	client, kind string
}

// wrongIDs finds events whose id is another one's, by the client's id: among what is left over and pairs whose clients' ids differ.
func (a *account) wrongIDs(left [2][]*row) [2][]*row {
	var loose [2][]*row // may change their mates
	for _, r := range a.rows[Bank] {
		if r.mate != nil && r.Client != r.mate.Client {
			loose[Bank] = append(loose[Bank], r)
			loose[BK] = append(loose[BK], r.mate)
		}
	}
	if len(left[Bank])+len(loose[Bank]) == 0 || len(left[BK])+len(loose[BK]) == 0 {
		return left
	}
	named := map[byClient]*row{}
	for _, rows := range [...][]*row{left[BK], loose[BK]} {
		for _, r := range rows {
			named[byClient{r.Cash, r.Client, r.Kind}] = r
		}
	}
	for _, rows := range [...][]*row{left[Bank], loose[Bank]} {
		for _, l := range rows {
			r := named[byClient{l.Cash, l.Client, l.Kind}]
			if r == nil || r.marked || r.Number == l.Number || !l.alike(r.Event) {
				continue
			}
			for _, was := range [...]*row{l.mate, r.mate} { // its former mate is free
				if was != nil {
					was.mate = nil
				}
			}
			pair(l, r)
			l.marked, r.marked = true, true
			column := "trade_id"
			if l.Cash {
				column = "cash_id"
			}
			f := a.finding(WrongField+column, l)
			f.BankValue, f.BKValue = strconv.FormatInt(l.Number, 10), strconv.FormatInt(r.Number, 10)
			f.touches, f.Money = true, stake(l.Event)
			f.With = &Other{r.Account, r.Number, r.Kind}
		}
	}
	var rest [2][]*row
	seen := map[*row]bool{}
	for s := range left {
		for _, rows := range [...][]*row{left[s], loose[s]} {
			for _, r := range rows {
				if r.mate == nil && !seen[r] {
					seen[r] = true
					rest[s] = append(rest[s], r)
				}
			}
		}
	}
	// Those that lost their mates and still have the same name go together again.
	for _, l := range rest[Bank] {
		for _, r := range rest[BK] {
			if l.mate == nil && r.mate == nil && l.key() == r.key() {
				pair(l, r)
			}
		}
	}
	return unmated(rest)
}

func unmated(rows [2][]*row) (rest [2][]*row) {
	for s := range rows {
		for _, r := range rows[s] {
			if r.mate == nil {
				rest[s] = append(rest[s], r)
			}
		}
	}
	return rest
}

// wrongEvents finds events under another name: same trade, same totals.
func (a *account) wrongEvents(left [2][]*row) [2][]*row {
	if len(left[Bank]) == 0 || len(left[BK]) == 0 {
		return left
	}
	byNumber := map[key][]*row{}
	for _, r := range left[BK] {
		k := key{r.Cash, r.Number, ""}
		byNumber[k] = append(byNumber[k], r)
	}
	for _, l := range left[Bank] {
		for _, r := range byNumber[key{l.Cash, l.Number, ""}] {
			if r.mate != nil || l.Kind == r.Kind || !l.alike(r.Event) || !l.sameTotals(r.Event) || l.Pending || r.Pending {
				continue
			}
			pair(l, r)
			f := a.finding(WrongEvent, l)
			f.Side, f.touches, f.Money = BK.String(), true, stake(l.Event)
			f.BankValue, f.BKValue = l.Kind, r.Kind
			f.With = &Other{r.Account, r.Number, r.Kind}
			break
		}
	}
	return unmated(left)
}

// alone names a row without a mate.
func (a *account) alone(r *row) {
	if r.Pending {
		r.cause = &Finding{touches: true} // explains what follows, and is none
		return
	}
	kind, side := Extra, r.side
	switch {
	case r.twin != nil && (r.Hash == r.twin.Hash || r.alike(r.twin.Event)):
		kind = Doubled
		if r.Hash == r.twin.Hash {
			a.n.Surplus++
		}
	case r.side == Bank:
		kind, side = Missing, BK
	}
	w := way{r.Cash, r.Number, kind, r.side}
	if first := a.byWay[w]; first != nil && kind != Doubled {
		r.cause = first
		first.Follows++
		return
	}
	f := a.finding(kind, r)
	f.Side, f.touches, f.Money = side.String(), true, stake(r.Event)
	f.held = kind != Doubled || r.Hash != r.twin.Hash
	a.byWay[w] = f
}
