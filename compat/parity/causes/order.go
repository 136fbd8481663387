package causes

import (
	"slices"
	"sort"
)

// order finds events that stand elsewhere than on the other side, or elsewhere in Kafka than their event ids say.
func (a *account) order() {
	for _, cash := range [...]bool{false, true} {
		for _, s := range [...]Side{Bank, BK} {
			a.delivered(s, cash)
		}
		var pairs []*row
		for _, l := range a.rows[Bank] {
			if l.Cash == cash && l.mate != nil {
				pairs = append(pairs, l)
			}
		}
		a.displaced(pairs, BK, func(r *row) int64 { return r.mate.EventID })
	}
}

// delivered looks at a side by itself: as it stands in Kafka its event ids must ascend.
func (a *account) delivered(s Side, cash bool) {
	type log struct {
		topic     string
		partition int32
	}
	logs := map[log][]*row{}
	var all []log
	for _, r := range a.rows[s] {
		if r.Cash == cash {
			k := log{r.Topic, r.Partition}
			if logs[k] == nil {
				all = append(all, k)
			}
			logs[k] = append(logs[k], r)
		}
	}
	for _, k := range all {
		rows := logs[k]
		// Rows are in the order of ids. As it was delivered is what is looked at.
		if !slices.IsSortedFunc(rows, func(x, y *row) int { return int(sign(x.Offset - y.Offset)) }) {
			a.displaced(rows, s, func(r *row) int64 { return r.Offset })
		}
	}
}

func sign(d int64) int64 {
	switch {
	case d < 0:
		return -1
	case d > 0:
		return 1
	}
	return 0
}

// displaced names the rows, which are in their right order, that are not in the longest run whose places ascend.
func (a *account) displaced(rows []*row, side Side, place func(*row) int64) {
	stays := longestRun(rows, place)
	if len(stays) == len(rows) {
		return
	}
	actual := slices.Clone(rows)
	slices.SortStableFunc(actual, func(x, y *row) int { return int(sign(place(x) - place(y))) })
	at := make(map[*row]int, len(rows))
	for i, r := range actual {
		at[r] = i
	}
	for i, r := range rows {
		if stays[r] {
			continue
		}
		if r.cause != nil { // it was named for something else that moved it: a second of the same, a wrong id
			r.cause.order = true
			continue
		}
		kind := OutOfOrder
		if at[r]-i >= 2 {
			kind = Late
		}
		f := a.finding(kind, r)
		f.Side, f.touches, f.order = side.String(), true, true
		// The neighbour whose place it has crossed.
		for _, j := range [...]int{at[r] - 1, at[r] + 1} {
			if j >= 0 && j < len(actual) {
				f.With = &Other{actual[j].Account, actual[j].Number, actual[j].Kind}
				if kind == Late || at[r] > i {
					break
				}
			}
		}
		f.Money = stake(r.Event)
	}
}

// longestRun gives the rows of the longest subsequence whose places ascend.
func longestRun(rows []*row, place func(*row) int64) map[*row]bool {
	var tails []int // by length: the row with the least place at which a run of that length ends
	before := make([]int, len(rows))
	for i, r := range rows {
		n := sort.Search(len(tails), func(k int) bool { return place(rows[tails[k]]) >= place(r) })
		before[i] = -1
		if n > 0 {
			before[i] = tails[n-1]
		}
		if n == len(tails) {
			tails = append(tails, i)
		} else {
			tails[n] = i
		}
	}
	run := map[*row]bool{}
	if len(tails) > 0 {
		for i := tails[len(tails)-1]; i >= 0; i = before[i] {
			run[rows[i]] = true
		}
	}
	return run
}
