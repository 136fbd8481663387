package daily_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/statement"
)

// TestFaults: a cut that is not the one that the journal states, and days that don't follow each other, stop the projection, which says
// why; the others go on. Nothing of the day is frozen, and a rebuild does not help.
func TestFaults(t *testing.T) {
	t.Parallel()
	day := ledger.Day{Date: firstDay + 1, To: firstDay + 1}
	for name, c := range map[string]struct {
		days  func(b *bank)
		says  string
		begun bool // the second day
	}{
		"hash":    {func(b *bank) { b.falseEnd(func(d *ledger.Day) { d.CutHash[31] ^= 1 }) }, "states a cut of ", true},
		"rows":    {func(b *bank) { b.falseEnd(func(d *ledger.Day) { d.CutRows++ }) }, "the entries before it make one of ", true},
		"no hash": {func(b *bank) { b.falseEnd(func(d *ledger.Day) { d.CutHash = [32]byte{} }) }, fmt.Sprintf("hash %064d;", 0), true},
		"left out": {func(b *bank) { // the cut is right but for what was booked last
			b.begin(firstDay + 1)
			rows, hash := cutOf(b.today, known(b.All(), b.today, 0))
			b.book(1)
			for b.All()[len(b.All())-1].Postings == nil || b.All()[len(b.All())-1].EffectiveDate > b.today {
				b.book(1)
			}
			b.Append(dayEntry(ledger.KindDayEnd, ledger.Day{Date: b.today, To: b.today, CutRows: rows, CutHash: hash}))
		}, "the end of day 2013-10-08", true},
		"end without begin":   {func(b *bank) { b.Append(dayEntry(ledger.KindDayEnd, day)) }, "is not the day that is under way", false},
		"begin twice":         {func(b *bank) { b.begin(firstDay + 1); b.begin(firstDay + 2) }, "does not follow", false},
		"a day is left out":   {func(b *bank) { b.begin(firstDay + 2) }, "does not follow", false},
		"which day":           {func(b *bank) { b.Append(&ledger.Entry{Kind: ledger.KindDayBegin}) }, "does not say which day", false},
		"a day with postings": {func(b *bank) { e := dayEntry(ledger.KindDayBegin, day); e.Postings = b.All()[0].Postings; b.Append(e) }, "has postings", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBank(8, 1, 30, true)
			sound := b.Head().Seq
			if b.All()[0].Postings == nil {
				t.Fatal("the first entry has no postings")
			}
			pool := foldtest.Pool(t, pgtest.New(t))
			r := newRunner(t, pool, b, nil)
			stop := start(t, r)
			waitFor(t, r, sound, daily.Name)
			stop()
			c.days(b)
			head := b.Head().Seq
			b.book(5)
			r = newRunner(t, pool, b, nil)
			start(t, r)
			waitFor(t, r, b.Head().Seq, statement.Name)
			err := r.WaitFor(t.Context(), daily.Name, b.Head().Seq)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v; should say %q", err, c.says)
			}
			if c.begun && !strings.Contains(err.Error(), fmt.Sprintf("entry %d", head)) {
				t.Errorf("%v; should name entry %d", err, head)
			}
			reader := daily.NewReader(r, b)
			if cuts, err := reader.Cuts(t.Context(), 0, 10, 0); err != nil || len(cuts) != 1 {
				t.Errorf("%d cuts, %v", len(cuts), err)
			}
			if err := r.Rebuild(t.Context(), daily.Name, nil); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("a rebuild: %v", err)
			}
			var stored int
			if err := pool.QueryRow(t.Context(), `SELECT count(DISTINCT day) FROM bk_read.daily_cut_1`).Scan(&stored); err != nil || stored != 1 {
				t.Errorf("%d days frozen, %v", stored, err)
			}
		})
	}
}

// falseEnd is a day whose end states another cut.
func (b *bank) falseEnd(change func(*ledger.Day)) {
	b.begin(b.today.Next())
	b.book(10)
	d := ledger.Day{Date: b.today, To: b.today}
	d.CutRows, d.CutHash = cutOf(b.today, known(b.All(), b.today, 0))
	change(&d)
	b.Append(dayEntry(ledger.KindDayEnd, d))
}

// TestTampering: whatever is altered in the tables is found and named.
func TestTampering(t *testing.T) {
	t.Parallel()
	b := newBank(9, 4, 80, false)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, b, func(c *projections.Config) { c.Projections = []projections.Projection{daily.Projection{}} })
	stop := start(t, r)
	waitFor(t, r, b.Head().Seq, daily.Name)
	stop()
	verifySound(t, pool, b.Journal)

	street := `account = 1099511627776 AND instrument = 1`
	for _, c := range []struct{ name, table, alter, says string }{
		{"movement changed", "daily_1", `UPDATE %s SET settled = settled + 0.0000000001 WHERE ` + street + ` AND effective_date = 20131007`, "account 1099511627776, instrument 1, effective 2013-10-07 is"},
		{"movement missing", "daily_1", `DELETE FROM %s WHERE ` + street + ` AND effective_date = 20131007`, "effective 2013-10-07 is missing"},
		{"movement extra", "daily_1", `INSERT INTO %s VALUES (77, 1, 20131007, 0, 0)`, "account 77, instrument 1, effective 2013-10-07 is there"},
		{"movement on another day", "daily_1", `UPDATE %s SET effective_date = 20300101 WHERE ` + street + ` AND effective_date = 20131007`, "effective 2030-01-01 is there"},
		{"total changed", "daily_totals_1", `UPDATE %s SET unsettled = -unsettled WHERE ` + street, "account 1099511627776, instrument 1 is"},
		{"total missing", "daily_totals_1", `DELETE FROM %s WHERE ` + street, "is missing"},
		{"cut row changed", "daily_cut_1", `UPDATE %s SET unsettled = unsettled + 1 WHERE day = 20131008 AND ` + street, "day 2013-10-08, account 1099511627776, instrument 1 is"},
		{"cut row missing", "daily_cut_1", `DELETE FROM %s WHERE day = 20131008 AND ` + street, "day 2013-10-08, account 1099511627776, instrument 1 is missing"},
		{"cut row extra", "daily_cut_1", `INSERT INTO %s VALUES (20131008, 77, 1, 1, 0)`, "day 2013-10-08, account 77, instrument 1 is there"},
		{"cut row of zero", "daily_cut_1", `INSERT INTO %s VALUES (20131008, 77, 1, 0, 0)`, "day 2013-10-08, account 77, instrument 1 is there"},
		{"cut row of another account", "daily_cut_1", `UPDATE %s SET account = 77 WHERE day = 20131008 AND ` + street, "day 2013-10-08, account 77, instrument 1 is there"},
		{"cut of another day", "daily_cut_1", `INSERT INTO %s VALUES (20131010, 77, 1, 1, 0)`, "day 2013-10-10 has 1 rows, no entry ends it"},
		{"day's hash", "daily_day_1", `UPDATE %s SET hash = sha256(hash) WHERE day = 20131008`, "the end of day 2013-10-08 is entry"},
		{"day's rows", "daily_day_1", `UPDATE %s SET rows = rows + 1 WHERE day = 20131008`, "the end of day 2013-10-08 is entry"},
		{"day's entry", "daily_day_1", `UPDATE %s SET seq = seq + 1 WHERE day = 20131008`, "the end of day 2013-10-08 is entry"},
		{"day's time", "daily_day_1", `UPDATE %s SET booked_at = booked_at + interval '1 microsecond' WHERE day = 20131008`, "the end of day 2013-10-08 is entry"},
		{"day reopened", "daily_day_1", `UPDATE %s SET seq = NULL, hash = NULL, rows = NULL, booked_at = NULL WHERE day = 20131008`, "is entry null, null rows"},
		{"day's beginning", "daily_day_1", `UPDATE %s SET begun = begun - 1 WHERE day = 20131008`, "day 2013-10-08 begins with entry"},
		{"day ended early", "daily_day_1", `UPDATE %s SET seq = begun + 1 WHERE day = 20131010`, "day 2013-10-10 has ended, no entry ends it"},
		{"day missing", "daily_day_1", `DELETE FROM %s WHERE day = 20131008`, "day 2013-10-08 is missing"},
		{"day extra", "daily_day_1", `INSERT INTO %s VALUES (20131011, 1)`, "day 2013-10-11 is there, no entry begins it"},
	} {
		table := "bk_read." + c.table
		exec := func(sql string) {
			t.Helper()
			if tag, err := pool.Exec(t.Context(), sql); err != nil || tag.RowsAffected() == 0 && strings.HasPrefix(sql, c.alter[:6]) {
				t.Fatalf("%s: %s: %d rows, %v", c.name, sql, tag.RowsAffected(), err)
			}
		}
		exec(`CREATE TABLE bk_read.saved AS TABLE ` + table)
		exec(fmt.Sprintf(c.alter, table))
		breaches := verify(t, pool, b.Journal).Breaches
		found := false
		for _, breach := range breaches.First {
			found = found || strings.Contains(breach.What, c.says) && strings.Contains(breach.What, c.table) && breach.Seq > 0
		}
		if !found {
			t.Errorf("%s: breaches %+v", c.name, breaches)
		}
		for _, sql := range []string{`TRUNCATE ` + table, `INSERT INTO ` + table + ` TABLE bk_read.saved`, `DROP TABLE bk_read.saved`} {
			if _, err := pool.Exec(t.Context(), sql); err != nil {
				t.Fatalf("%s: %s: %v", c.name, sql, err)
			}
		}
	}
	verifySound(t, pool, b.Journal)
}

// TestFalseJournal: a cut that the journal states wrongly is found by the checker on its own, should a fold ever take it.
func TestFalseJournal(t *testing.T) {
	t.Parallel()
	b := newBank(10, 2, 30, true)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, b, func(c *projections.Config) { c.Projections = []projections.Projection{daily.Projection{}} })
	stop := start(t, r)
	waitFor(t, r, b.Head().Seq, daily.Name)
	stop()
	other := foldtest.NewJournal(1)
	for _, e := range b.All() {
		c := *e
		if c.Kind == ledger.KindDayEnd {
			d := *c.Day
			d.CutHash[0] ^= 1
			c.Day = &d
		}
		other.Append(&c)
	}
	var results []projections.Result
	err := pgx.BeginTxFunc(t.Context(), pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		v, err := projections.NewVerifier(t.Context(), tx, 1, []projections.Projection{daily.Projection{}})
		for _, e := range other.All() {
			if err == nil {
				err = v.Add(t.Context(), e)
			}
		}
		if err == nil {
			results, err = v.Finish(t.Context())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if bad := fmt.Sprint(results[0].Breaches); !strings.Contains(bad, "the end of day 2013-10-07 states a cut of") {
		t.Error(bad)
	}
}

// TestUnbalancedCut: totals that were altered are not frozen into the journal.
func TestUnbalancedCut(t *testing.T) {
	t.Parallel()
	b := newBank(11, 2, 60, false)
	reader, pool := folded(t, b.Journal)
	head := b.Head().Seq
	if _, _, err := reader.Cut(t.Context(), b.today, head); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE bk_read.daily_totals_1 SET settled = settled + 0.0000000001 WHERE account = 1099511627776 AND instrument = 1`); err != nil {
		t.Fatal(err)
	}
	_, _, err := reader.Cut(t.Context(), b.today, head)
	if !errors.Is(err, daily.ErrUnbalanced) || !strings.Contains(err.Error(), "0.0000000001 is left of instrument 1") {
		t.Errorf("the cut of altered totals: %v", err)
	}
}
