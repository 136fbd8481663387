package parity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// run is one comparison.
type run struct {
	cfg  Config
	q    queries
	conn *sql.Conn
	now  time.Time
	land landed
	rep  *Report
	to   *gatherer

	bad      int64 // what SQL has counted
	missed   int64 // events of accounts that were not examined
	pendings map[causes.Side]int64
}

// Run compares. An error means that nothing is known; that something differs is none.
func Run(ctx context.Context, cfg Config) (report Report, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return report, fmt.Errorf("parity: %w", err)
	}
	began := time.Now()
	conn, err := cfg.DB.Conn(ctx)
	if err != nil {
		return report, fmt.Errorf("parity: connect to the warehouse: %w", err)
	}
	r := &run{cfg: cfg, q: queries{d: cfg.Dialect, moments: !cfg.AnyMoments}, conn: conn, now: cfg.Now().UTC(), rep: &Report{Notes: []string{}}, pendings: map[causes.Side]int64{}}
	defer func() {
		if fault := errors.Join(r.clean(), conn.Close()); fault != nil && err == nil {
			err = fmt.Errorf("parity: %w", fault)
		}
	}()
	r.rep.At, r.rep.LagSeconds = r.now, cfg.Lag.Seconds()
	r.to = newGatherer(r.rep, cfg.Rules, cfg.Keep, r.now)
	for _, step := range []func(context.Context) error{r.landed, r.detect, r.examine, r.dates, r.others} {
		if err := step(ctx); err != nil {
			return report, fmt.Errorf("parity: %w", err)
		}
	}
	r.to.finish()
	if err := r.values(ctx); err != nil {
		return report, fmt.Errorf("parity: read the values that differ: %w", err)
	}
	r.rep.Sides = r.land.sides[:]
	r.rep.Seconds.Total = time.Since(began).Seconds()
	return *r.rep, nil
}

// clean drops the session's tables: the connection goes back to a pool.
func (r *run) clean() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, table := range []string{accountsTable, suspectsTable, differsTable} {
		if _, err := r.conn.ExecContext(ctx, "DROP TABLE IF EXISTS "+table); err != nil {
			return fmt.Errorf("drop %s: %w", table, err)
		}
	}
	return nil
}

func (r *run) exec(ctx context.Context, what, statement string) error {
	began := time.Now()
	if _, err := r.conn.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	r.cfg.Log.Debug(what, "took", time.Since(began))
	return nil
}

// each runs a query and gives each row to one.
func (r *run) each(ctx context.Context, query string, one func(*sql.Rows) error) (err error) {
	rows, err := r.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := one(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// detect finds by SQL over all rows which accounts are not as they should be.
func (r *run) detect(ctx context.Context) error {
	began := time.Now()
	if err := r.sizes(ctx); err != nil {
		return err
	}
	for _, step := range []struct{ what, statement string }{
		{"compare events, order and totals", r.q.accounts(r.land.topics)},
		{"choose accounts", r.q.suspects(r.cfg.MaxExamined)},
	} {
		if err := r.exec(ctx, step.what, step.statement); err != nil {
			return err
		}
	}
	var n sql.NullInt64
	err := r.each(ctx, "SELECT COUNT(*), CAST(SUM(n) AS BIGINT), CAST(SUM(bad) AS BIGINT) FROM "+accountsTable, func(rows *sql.Rows) error {
		var bad sql.NullInt64
		err := rows.Scan(&r.rep.AccountsCompared, &n, &bad)
		r.bad = bad.Int64
		return err
	})
	if err != nil {
		return fmt.Errorf("count what was compared: %w", err)
	}
	r.rep.Equal, r.rep.Compared = n.Int64, n.Int64
	if r.bad > 0 {
		for _, table := range [...]string{dialect.TradeEvents, dialect.CashEvents} {
			if err := r.each(ctx, r.q.alone(table), func(rows *sql.Rows) error {
				var alone int64
				err := rows.Scan(&alone)
				r.rep.Compared += alone
				return err
			}); err != nil {
				return fmt.Errorf("count what only one side has: %w", err)
			}
		}
	}
	if err := r.sums(ctx); err != nil {
		return fmt.Errorf("add up by day: %w", err)
	}
	r.rep.Seconds.SQL = time.Since(began).Seconds()
	return nil
}

// sizes finds out how narrow the columns can be that are joined and sorted.
func (r *run) sizes(ctx context.Context) error {
	var account, id [2]sql.NullInt64
	var partition, offset sql.NullInt64
	err := r.each(ctx, r.q.bounds(), func(rows *sql.Rows) error {
		return rows.Scan(&account[0], &account[1], &id[0], &id[1], &partition, &offset)
	})
	if err != nil {
		return fmt.Errorf("look at how large numbers are: %w", err)
	}
	fits := func(of [2]sql.NullInt64) bool { return of[0].Int64 >= math.MinInt32 && of[1].Int64 <= math.MaxInt32 }
	r.q.size = sizes{accounts: fits(account), ids: fits(id), partitionBits: bitsFor(partition.Int64), offsetBits: bitsFor(offset.Int64)}
	for _, topics := range r.land.topics {
		for _, names := range topics {
			if n := r.q.size.placeBits(len(names)); n > 63 {
				return fmt.Errorf("a side has %d topics of a kind, partitions up to %d and offsets up to %d: too many", len(names), partition.Int64, offset.Int64)
			}
		}
	}
	return nil
}

// sums adds up by day, and notes what is not the same.
func (r *run) sums(ctx context.Context) error {
	type sum struct {
		date            bank.Date
		event, currency string
	}
	all := map[sum]*Sum{}
	err := r.each(ctx, r.q.sums()+" ORDER BY business_date, event, curr, sd", func(rows *sql.Rows) error {
		var side, total string
		var of sum
		var date, n int64
		if err := rows.Scan(&side, &date, &of.event, &of.currency, &n, &total); err != nil {
			return err
		}
		s, err := sideOf(side)
		if err != nil {
			return err
		}
		of.date = bank.Date(date)
		one := all[of]
		if one == nil {
			one = &Sum{Event: of.event, Currency: of.currency}
			all[of] = one
		}
		amount, err := parse(total)
		if err != nil {
			return fmt.Errorf("a sum: %w", err)
		}
		one.Count[s] += n
		if s == causes.Bank {
			one.Bank = bank.Decimal{Decimal: amount}
		} else {
			one.BK = bank.Decimal{Decimal: amount}
		}
		r.to.day(of.date).Events[s] += n
		return nil
	})
	for of, one := range all {
		if one.Count[0] != one.Count[1] || !one.Bank.Equal(one.BK.Decimal) {
			d := r.to.day(of.date)
			d.Differing = append(d.Differing, *one)
		}
	}
	return err
}

// others takes the findings of other comparisons, and checks that what was counted twice agrees.
func (r *run) others(context.Context) error {
	r.rep.Compared += r.cfg.Compared
	r.rep.Equal += r.cfg.Compared - int64(len(r.cfg.Findings))
	for i := range r.cfg.Findings {
		f := r.cfg.Findings[i]
		r.to.take(&f)
	}
	if r.missed > 0 {
		r.to.take(&causes.Finding{Kind: causes.NotExamined, Follows: r.missed - 1, Note: "more differs than was to be looked at"})
	}
	r.rep.Pending = r.pendings[causes.Bank] + r.pendings[causes.BK]
	if n := r.rep.Unexplained + r.rep.Explained; n == 0 && r.rep.Pending == 0 && r.land.sides[0].Repeats+r.land.sides[1].Repeats == 0 {
		for _, d := range r.to.days {
			for _, sum := range d.Differing {
				r.to.take(&causes.Finding{
					Kind: causes.Unnamed, BusinessDate: d.Date, Event: sum.Event, Currency: sum.Currency, BankValue: sum.Bank.String(), BKValue: sum.BK.String(),
					Money: causes.Money{Decimal: sum.Bank.Sub(sum.BK.Decimal).Abs()}, Note: "the sums of the day differ, and no event does",
				})
			}
		}
	}
	for _, s := range r.land.sides {
		if s.Events() == 0 {
			r.rep.Notes = append(r.rep.Notes, "nothing of the side "+s.Side+" was landed")
		}
		if s.Gaps > 0 {
			r.rep.Notes = append(r.rep.Notes, fmt.Sprintf("the landing of the side %s has gaps that were accepted: %d", s.Side, s.Gaps))
		}
	}
	if r.rep.LeftOut > 0 {
		r.rep.Notes = append(r.rep.Notes, fmt.Sprintf("%d findings are counted, but not listed", r.rep.LeftOut))
	}
	var expired []string
	for _, u := range r.to.uses {
		if u.Expired {
			expired = append(expired, u.Name)
		}
	}
	if len(expired) > 0 {
		r.rep.Notes = append(r.rep.Notes, "rules that have expired explain nothing: "+strings.Join(expired, ", "))
	}
	return nil
}
