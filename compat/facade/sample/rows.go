package sample

import (
	"slices"
	"strconv"
	"strings"
)

// keyed are the rows of a page by what tells them apart; rows that it doesn't tell apart are numbered.
type keyed struct {
	rows  []map[string]any
	keys  []string
	index map[string]int
}

func newKeyed(key []string, rows []map[string]any) keyed {
	k := keyed{rows, make([]string, len(rows)), make(map[string]int, len(rows))}
	times := map[string]int{}
	for i, row := range rows {
		var b strings.Builder
		for _, name := range key {
			b.WriteString(spell(row[name]))
			b.WriteByte(' ')
		}
		base := b.String()
		times[base]++
		b.WriteString(strconv.Itoa(times[base]))
		k.keys[i] = b.String()
		k.index[b.String()] = i
	}
	return k
}

// only gives the places of rows that the other page doesn't have: those before its last common row, and those behind.
func (k keyed) only(other keyed) (inside, behind []int) {
	for i, key := range k.keys {
		if _, ok := other.index[key]; ok {
			inside = append(inside, behind...)
			behind = nil
			continue
		}
		behind = append(behind, i)
	}
	return inside, behind
}

// rows compares two pages of a list. A row that one lacks moves one in from the next page at the end: that is no difference of its own.
func (d *differ) rows(key []string, a, b []map[string]any, aGoesOn, bGoesOn bool) {
	primary, secondary := newKeyed(key, a), newKeyed(key, b)
	missing, missingBehind := primary.only(secondary)
	extra, extraBehind := secondary.only(primary)
	shiftedOut, shiftedIn := len(extra), len(missing)
	if bGoesOn {
		missingBehind = missingBehind[min(shiftedOut, len(missingBehind)):]
	}
	if aGoesOn {
		extraBehind = extraBehind[min(shiftedIn, len(extraBehind)):]
	}
	at := path{{text: "data"}}
	where := func(k keyed, i int) path {
		if len(key) == 1 {
			if text, ok := k.rows[i][key[0]].(string); ok {
				return at.with(step{key[0] + "=" + text, true})
			}
		}
		return at.with(step{strconv.Itoa(i), true})
	}
	for _, i := range append(missing, missingBehind...) {
		d.add(MissingRow, where(primary, i), a[i], nil)
	}
	for _, i := range append(extra, extraBehind...) {
		d.add(ExtraRow, where(secondary, i), nil, b[i])
	}
	var places []int
	for i, k := range primary.keys {
		if j, ok := secondary.index[k]; ok {
			places = append(places, j)
			d.resource(where(primary, i), a[i], b[j])
		}
	}
	if !slices.IsSorted(places) {
		d.add(Order, at, strings.Join(primary.keys, "; "), strings.Join(secondary.keys, "; "))
	}
}
