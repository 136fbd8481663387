package parity

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// maxValues is of how many findings the values are looked up.
const maxValues = 1000

// values fills in what both sides say, in the report's findings that are of one column.
func (r *run) values(ctx context.Context) error {
	type both struct{ bank, bk causes.Place }
	wanted := map[bool]map[both][]*causes.Finding{false: {}, true: {}}
	n := 0
	want := func(f *causes.Finding) {
		if f.Column == "" || f.Bank == nil || f.BK == nil || f.BankValue != "" || f.BKValue != "" {
			return
		}
		at := both{*f.Bank, *f.BK}
		if _, ok := wanted[f.Cash][at]; !ok {
			if n++; n > maxValues {
				return
			}
		}
		wanted[f.Cash][at] = append(wanted[f.Cash][at], f)
	}
	for i := range r.rep.Causes {
		want(&r.rep.Causes[i].First)
	}
	for i := range r.rep.Accounts {
		want(&r.rep.Accounts[i].First)
	}
	for i := range r.rep.Findings {
		want(&r.rep.Findings[i])
	}
	for cash, of := range wanted {
		if len(of) == 0 {
			continue
		}
		table := dialect.TradeEvents
		if cash {
			table = dialect.CashEvents
		}
		columns := map[string]bool{}
		var rows []string
		var order [][]*causes.Finding
		for at, list := range of {
			rows = append(rows, fmt.Sprintf("(%d, %s, %s, %d, %d, %s, %d, %d)", len(order), r.q.d.Literal(list[0].Column), r.q.d.Literal(at.bank.Topic), at.bank.Partition, at.bank.Offset,
				r.q.d.Literal(at.bk.Topic), at.bk.Partition, at.bk.Offset))
			columns[list[0].Column] = true
			order = append(order, list)
		}
		err := r.each(ctx, r.q.values(table, slices.Sorted(maps.Keys(columns)), rows), func(row *sql.Rows) error {
			var at int
			var bank, bk sql.NullString
			if err := row.Scan(&at, &bank, &bk); err != nil {
				return err
			}
			for _, f := range order[at] {
				f.BankValue, f.BKValue = bank.String, bk.String
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// values reads one column each of rows at some places of both sides.
func (q queries) values(table string, columns, rows []string) string {
	of := dialect.Lookup(table)
	pick := func(side string) string {
		cases := "CASE v.col"
		for _, name := range columns {
			value := side + "." + q.d.Quote(name)
			if of.Columns[of.Column(name)].Type == dialect.Decimal {
				value = q.d.DecimalText(value)
			} else {
				value = q.d.Cast(value, dialect.Text)
			}
			cases += " WHEN " + q.d.Literal(name) + " THEN " + value
		}
		return cases + " END"
	}
	return q.fill(`SELECT v.idx, {l}, {r} FROM (VALUES {rows}) AS v (idx, col, ltopic, lpart, loff, rtopic, rpart, roff)
JOIN {table} AS l ON l.{side} = {bank} AND l.topic = v.ltopic AND l.{partition} = v.lpart AND l.{offset} = v.loff
JOIN {table} AS r ON r.{side} = {bk} AND r.topic = v.rtopic AND r.{partition} = v.rpart AND r.{offset} = v.roff`,
		"{l}", pick("l"), "{r}", pick("r"), "{rows}", strings.Join(rows, ", "), "{table}", table)
}
