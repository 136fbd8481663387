package parity

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// rolled is an event of bank.business-date.
type rolled struct {
	causes.Place
	from, to  bank.Date
	canonical bool
	landed    time.Time
}

// dates compares bank.business-date: the same rolls, once each, in order.
func (r *run) dates(ctx context.Context) error {
	var days [2][]rolled
	seen := map[[2]int64]bool{} // side and event id: repeats
	err := r.each(ctx, r.q.fill("SELECT {side}, topic, {partition}, {offset}, event_id, from_date, to_date, canonical, landed_at FROM "+dialect.DateEvents+
		" ORDER BY {side}, event_id, topic, {partition}, {offset}"), func(rows *sql.Rows) error {
		var side string
		var one rolled
		var from, to int64
		if err := rows.Scan(&side, &one.Topic, &one.Partition, &one.Offset, &one.EventID, &from, &to, &one.canonical, &one.landed); err != nil {
			return err
		}
		s, err := sideOf(side)
		if err != nil {
			return err
		}
		one.from, one.to = bank.Date(from), bank.Date(to)
		if id := [2]int64{int64(s), one.EventID}; seen[id] {
			r.land.sides[s].Repeats++
		} else {
			seen[id] = true
			days[s] = append(days[s], one)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", dialect.DateEvents, err)
	}
	r.compareDates(days)
	return nil
}

func (r *run) compareDates(days [2][]rolled) {
	finding := func(kind string, s causes.Side, d *rolled) *causes.Finding {
		place := d.Place
		f := &causes.Finding{Kind: kind, Side: s.String(), Event: bank.EventRolled, BusinessDate: d.to, Note: strconv.Itoa(int(d.from)) + " to " + strconv.Itoa(int(d.to))}
		if slices.ContainsFunc(days[causes.Bank], func(o rolled) bool { return o.Place == place }) {
			f.Bank = &place
		} else {
			f.BK = &place
		}
		return f
	}
	type roll struct{ from, to bank.Date }
	var has [2]map[roll]int
	for s, list := range days {
		has[s] = map[roll]int{}
		for i := range list {
			d := &list[i]
			if has[s][roll{d.from, d.to}]++; has[s][roll{d.from, d.to}] > 1 {
				r.to.take(finding(causes.Doubled, causes.Side(s), d))
			}
			if i > 0 && d.from != list[i-1].to && !slices.ContainsFunc(slices.Concat(days[0], days[1]), func(o rolled) bool { return o.to == d.from }) {
				r.to.take(finding(causes.WrongDay, causes.Side(s), d)) // of a day that neither side has come to
			}
			if !d.canonical {
				r.to.take(finding(causes.NotCanonical, causes.Side(s), d))
			}
		}
	}
	for s, list := range days {
		for i := range list {
			d := &list[i]
			r.rep.Compared++
			if has[1-s][roll{d.from, d.to}] > 0 {
				if s == int(causes.Bank) {
					r.rep.Compared-- // counted with BK's
					r.rep.Equal++
				}
				continue
			}
			switch {
			case r.pending(causes.Side(s), d.landed):
				r.pendings[causes.Side(s)]++
			case s == int(causes.Bank):
				r.to.take(finding(causes.Missing, causes.BK, d))
			default:
				r.to.take(finding(causes.Extra, causes.BK, d))
			}
		}
	}
}
