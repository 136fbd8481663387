package parity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// parse reads a decimal as the warehouse writes it, of any size.
func parse(text string) (decimal.Decimal, error) {
	d, err := bank.ParseDecimal(text)
	if errors.Is(err, bank.ErrDecimalRange) {
		return decimal.NewFromString(text)
	}
	return d.Decimal, err
}

// examine reads the accounts in which something was found, and names it.
func (r *run) examine(ctx context.Context) error {
	began := time.Now()
	found := map[int64]int64{}  // by account
	excused := map[int64]bool{} // accounts with what is pending, repeated, or granted
	namer, err := causes.New(causes.Config{Moments: !r.cfg.AnyMoments, Opening: r.cfg.Opening, Emit: func(f *causes.Finding) {
		found[f.Account]++
		if f.With != nil {
			found[f.With.Account]++
		}
		r.to.take(f)
	}})
	if err != nil {
		return err
	}
	if err := r.rejects(ctx, namer); err != nil {
		return fmt.Errorf("read what could not be read as events: %w", err)
	}
	if r.bad > 0 {
		if err := r.exec(ctx, "compare column by column", r.q.d.CreateAs(differsTable, r.q.differs(dialect.TradeEvents)+" UNION ALL "+r.q.differs(dialect.CashEvents))); err != nil {
			return err
		}
		if err := r.accounts(ctx, namer, excused); err != nil {
			return fmt.Errorf("read the accounts that differ: %w", err)
		}
	}
	namer.Finish()
	r.land.sides[causes.Bank].Repeats, r.land.sides[causes.BK].Repeats = namer.Repeats[causes.Bank], namer.Repeats[causes.BK]
	r.rep.Ends.Differing = namer.EndsDiffering
	// The join has a row for each side of a pair that differs, and one for each copy of what is there more than once.
	repeats := namer.Repeats[causes.Bank] + namer.Repeats[causes.BK]
	r.rep.Compared -= namer.Unequal + repeats
	r.rep.Equal -= namer.Surplus + repeats
	if r.bad > 0 {
		if err := r.unnamed(ctx, found, excused); err != nil {
			return fmt.Errorf("look for what has no name: %w", err)
		}
	}
	r.rep.Seconds.Examine = time.Since(began).Seconds()
	return nil
}

// accounts gives the namer account by account.
func (r *run) accounts(ctx context.Context, namer *causes.Namer, excused map[int64]bool) error {
	var current int64
	var events [2][]causes.Event
	flush := func() {
		if len(events[0])+len(events[1]) > 0 {
			waits := r.markPending(events)
			repeats, granted := namer.Account(events[causes.Bank], events[causes.BK])
			if waits || repeats > 0 || granted > 0 {
				excused[current] = true
			}
		}
		events = [2][]causes.Event{} // the namer keeps some
	}
	err := r.each(ctx, r.q.events(), func(rows *sql.Rows) error {
		s, e, landed, err := scanEvent(rows)
		if err != nil {
			return err
		}
		if e.Account != current {
			flush()
			current = e.Account
		}
		list := events[s]
		if n := len(list); n > 0 && list[n-1].Place == e.Place { // it differs from more than one
			list[n-1].Differs = append(list[n-1].Differs, e.Differs...)
			return nil
		}
		e.Pending = r.pending(s, landed)
		if e.Pending && (r.rep.PendingFrom.IsZero() || landed.Before(r.rep.PendingFrom)) {
			r.rep.PendingFrom = landed
		}
		events[s] = append(list, e)
		return nil
	})
	if err == nil {
		flush()
	}
	return err
}

// markPending counts what only one side has and is pending; what both have is not.
func (r *run) markPending(events [2][]causes.Event) (any bool) {
	type key struct {
		cash   bool
		number int64
		kind   string
	}
	var has [2]map[key]bool
	for s, list := range events {
		has[s] = make(map[key]bool, len(list))
		for i := range list {
			has[s][key{list[i].Cash, list[i].Number, list[i].Kind}] = true
		}
	}
	for s, list := range events {
		for i := range list {
			e := &list[i]
			e.Pending = e.Pending && !has[1-s][key{e.Cash, e.Number, e.Kind}]
			if e.Pending {
				r.pendings[causes.Side(s)]++
				any = true
			}
		}
	}
	return any
}

func scanEvent(rows *sql.Rows) (s causes.Side, e causes.Event, landed time.Time, err error) {
	var side string
	var date int64
	var numbers [3 + 4]string
	var canceled sql.NullInt64
	var topic sql.NullString
	var partition, offset, eventID, fields sql.NullInt64
	err = rows.Scan(&side, &e.Topic, &e.Partition, &e.Offset, &landed, &e.EventID, &e.Kind, &date, &e.Account, &e.Hash, &e.Canonical, &e.Cash, &e.Number, &e.Client, &e.Symbol,
		&e.Currency, &numbers[0], &numbers[1], &numbers[2], &numbers[3], &numbers[4], &numbers[5], &numbers[6], &e.BookedAt, &canceled, &topic, &partition, &offset, &eventID, &fields)
	if err != nil {
		return s, e, landed, err
	}
	if s, err = sideOf(side); err != nil {
		return s, e, landed, err
	}
	e.BusinessDate, e.CanceledAt = bank.Date(date), canceled.Int64
	for i, to := range [...]*decimal.Decimal{&e.Quantity, &e.Amount, &e.Price, &e.Totals[0], &e.Totals[1], &e.Totals[2], &e.Totals[3]} {
		if *to, err = parse(numbers[i]); err != nil {
			return s, e, landed, fmt.Errorf("%s: a decimal: %w", e.Place, err)
		}
	}
	if topic.Valid {
		e.Differs = []causes.Difference{{
			Bank:   causes.Place{Topic: topic.String, Partition: int32(partition.Int64), Offset: offset.Int64, EventID: eventID.Int64},
			Fields: causes.Fields(fields.Int64),
		}}
	}
	return s, e, landed, nil
}

// rejects gives the namer what was landed and is no event.
func (r *run) rejects(ctx context.Context, namer *causes.Namer) error {
	return r.each(ctx, r.q.fill("SELECT {side}, topic, {partition}, {offset}, reason, record_key, {value} FROM "+dialect.Rejects+" ORDER BY {side}, topic, {partition}, {offset}",
		"{value}", r.q.d.Quote("value")), func(rows *sql.Rows) error {
		var side string
		var one causes.Reject
		if err := rows.Scan(&side, &one.Place.Topic, &one.Place.Partition, &one.Place.Offset, &one.Reason, &one.Key, &one.Value); err != nil {
			return err
		}
		s, err := sideOf(side)
		if err != nil {
			return err
		}
		one.Side = s
		r.land.sides[s].Rejects++
		namer.Reject(one)
		return nil
	})
}

// unnamed makes sure that there is a finding, or something pending, repeated or granted, in each account in which SQL has found something; and counts what was not examined.
func (r *run) unnamed(ctx context.Context, found map[int64]int64, excused map[int64]bool) error {
	return r.each(ctx, "SELECT acct, CAST(n AS BIGINT), CAST(bad AS BIGINT), examined FROM "+suspectsTable+" ORDER BY acct", func(rows *sql.Rows) error {
		var account, n, bad int64
		var looked bool
		if err := rows.Scan(&account, &n, &bad, &looked); err != nil {
			return err
		}
		switch {
		case !looked:
			r.missed += bad
		case found[account] == 0 && !excused[account]:
			r.to.take(&causes.Finding{Kind: causes.Unnamed, Account: account, Follows: bad - 1, Note: "SQL has found what does not fit, and no event was found that is wrong"})
		}
		return nil
	})
}
