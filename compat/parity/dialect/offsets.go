package dialect

import "strings"

// offsetKey is how many columns of landing_offsets name a partition; they come first.
const offsetKey = 3

// SelectOffsets reads where the landing stands.
func (d Dialect) SelectOffsets() string {
	return "SELECT " + d.Columns("", Lookup(Offsets).Names()) + " FROM " + Offsets + " ORDER BY " + d.Columns("", []string{"side", "topic", "partition"})
}

// InsertOffset inserts a partition that is not there yet: a literal for each column.
func (d Dialect) InsertOffset(row []string) string {
	names := Lookup(Offsets).Names()
	var key []string
	for i := range offsetKey {
		key = append(key, names[i], row[i])
	}
	return d.InsertOne(Offsets, names, row, d.Where(key...))
}

// UpdateOffsets changes the partitions that stand where they are thought to: rows of a literal for each column, and one for next_offset as it was. However many there are, it is one statement: in some
// warehouses each costs a tenth of a second. (A literal NULL has to have its type.)
func (d Dialect) UpdateOffsets(rows [][]string) string {
	names := Lookup(Offsets).Names()
	var b strings.Builder
	b.WriteString("UPDATE " + Offsets + " SET ")
	for i, name := range names[offsetKey:] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.Quote(name) + " = v." + d.Quote(name))
	}
	b.WriteString(" FROM (")
	for i, row := range rows {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT ")
		for n, value := range row {
			if n > 0 {
				b.WriteString(", ")
			}
			b.WriteString(value)
			if i == 0 && n < len(names) {
				b.WriteString(" AS " + d.Quote(names[n]))
			} else if i == 0 {
				b.WriteString(" AS was")
			}
		}
	}
	b.WriteString(") AS v WHERE ")
	for i := range offsetKey {
		b.WriteString(Offsets + "." + d.Quote(names[i]) + " = v." + d.Quote(names[i]) + " AND ")
	}
	b.WriteString(Offsets + "." + d.Quote("next_offset") + " = v.was")
	return b.String()
}
