package parity

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// landed is what is known of both sides before anything is compared.
type landed struct {
	sides  [2]Side
	topics map[string][2][]string // by table
	ready  [2]time.Time           // until when a side's rows are judged where the other has none
}

func sideOf(name string) (causes.Side, error) {
	switch name {
	case dialect.SideBank:
		return causes.Bank, nil
	case dialect.SideBK:
		return causes.BK, nil
	}
	return 0, fmt.Errorf("the warehouse has a side %q", name)
}

func (r *run) landed(ctx context.Context) error {
	l := landed{topics: map[string][2][]string{}}
	for s := range l.sides {
		l.sides[s].Side = causes.Side(s).String()
	}
	query := ""
	for i, table := range []string{dialect.TradeEvents, dialect.CashEvents, dialect.DateEvents} {
		if i > 0 {
			query += " UNION ALL "
		}
		query += r.q.fill("SELECT {name} AS tab, {side} AS sd, topic, COUNT(*) AS n, MIN(landed_at) AS l0, MAX(landed_at) AS l1 FROM {table} GROUP BY {side}, topic",
			"{name}", r.q.d.Literal(table), "{table}", table)
	}
	err := r.each(ctx, query+" ORDER BY tab, sd, topic", func(rows *sql.Rows) error {
		var table, side, topic string
		var n int64
		var first, last time.Time
		if err := rows.Scan(&table, &side, &topic, &n, &first, &last); err != nil {
			return err
		}
		s, err := sideOf(side)
		if err != nil {
			return err
		}
		one := &l.sides[s]
		switch table {
		case dialect.TradeEvents:
			one.Trades += n
		case dialect.CashEvents:
			one.Cash += n
		default:
			one.Dates += n
		}
		one.Topics = append(one.Topics, topic)
		topics := l.topics[table]
		topics[s] = append(topics[s], topic)
		l.topics[table] = topics
		if one.FirstLanded.IsZero() || first.Before(one.FirstLanded) {
			one.FirstLanded = first
		}
		if last.After(one.LastLanded) {
			one.LastLanded = last
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look at what was landed: %w", err)
	}
	if err := r.standing(ctx, &l); err != nil {
		return err
	}
	for s := range l.sides {
		slices.Sort(l.sides[s].Topics)
	}
	r.land = l
	return nil
}

// standing reads how far the landing of each side is.
func (r *run) standing(ctx context.Context, l *landed) error {
	var partitions, behind [2]int64
	err := r.each(ctx, r.q.fill("SELECT {side}, caught_up_at FROM "+dialect.Offsets), func(rows *sql.Rows) error {
		var side string
		var at sql.NullTime
		if err := rows.Scan(&side, &at); err != nil {
			return err
		}
		s, err := sideOf(side)
		if err != nil {
			return err
		}
		one := &l.sides[s]
		partitions[s]++
		switch {
		case !at.Valid:
			behind[s]++
		case partitions[s] == 1 || one.CaughtUp.IsZero() || at.Time.Before(one.CaughtUp):
			one.CaughtUp = at.Time
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look at how far the landing is: %w", err)
	}
	err = r.each(ctx, r.q.fill("SELECT {side}, COUNT(*) FROM "+dialect.Gaps+" GROUP BY {side}"), func(rows *sql.Rows) error {
		var side string
		var n int64
		if err := rows.Scan(&side, &n); err != nil {
			return err
		}
		s, err := sideOf(side)
		if err == nil {
			l.sides[s].Gaps = n
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look for gaps in what was landed: %w", err)
	}
	for s := range l.sides {
		// Rows of this side are judged as far as the other side's landing is known to be.
		other := 1 - s
		ready := r.now
		switch {
		case behind[other] > 0:
			ready = time.Time{}
			l.sides[other].CaughtUp = time.Time{}
		case partitions[other] > 0 && l.sides[other].CaughtUp.Before(ready):
			ready = l.sides[other].CaughtUp
		}
		l.ready[s] = ready.Add(-r.cfg.Lag)
		if r.cfg.Lag == 0 {
			l.ready[s] = r.now.AddDate(100, 0, 0)
		}
	}
	return nil
}

// pending tells whether the other side may not have a row yet.
func (r *run) pending(s causes.Side, landed time.Time) bool { return landed.After(r.land.ready[s]) }
