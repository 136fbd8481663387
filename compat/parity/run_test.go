package parity_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/faults"
	"github.com/bkledger/bk/compat/parity/generate"
)

func small(t testing.TB) *sql.DB {
	t.Helper()
	return warehouse(t, generate.Config{Seed: 5, Events: 6000, Accounts: 40, Symbols: 12, DayTrades: 500})
}

func exec(t testing.TB, db *sql.DB, statement string, args ...any) (changed int64) {
	t.Helper()
	result, err := db.ExecContext(context.Background(), statement, args...)
	must(t, err)
	changed, err = result.RowsAffected()
	must(t, err)
	return changed
}

// kinds counts findings by kind.
func kinds(r parity.Report) map[string]int64 {
	all := map[string]int64{}
	for _, c := range r.Causes {
		all[c.Kind] += c.Findings
	}
	return all
}

func wantKinds(t *testing.T, what string, r parity.Report, want map[string]int64) {
	t.Helper()
	got := kinds(r)
	for kind, n := range want {
		if got[kind] != n {
			t.Errorf("%s: %d of %s, not %d", what, got[kind], kind, n)
		}
		delete(got, kind)
	}
	for kind, n := range got {
		t.Errorf("%s: %d of %s: %+v", what, n, kind, r.Findings[0])
	}
}

// TestLag: what only one side has is pending until the lag is over, and until the other side's landing has caught up since.
func TestLag(t *testing.T) {
	t.Parallel()
	db := small(t)
	landed := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, table := range []string{dialect.TradeEvents, dialect.CashEvents, dialect.DateEvents} {
		exec(t, db, "UPDATE "+table+" SET landed_at = ?", landed)
	}
	exec(t, db, "UPDATE landing_offsets SET caught_up_at = ?", landed.Add(10*time.Second))
	// The last 100 events of BK's have not come yet.
	const late = 100
	var from int64
	must(t, db.QueryRow("SELECT MIN(event_id) FROM (SELECT event_id FROM trade_events WHERE side = 'bk' ORDER BY event_id DESC LIMIT ?)", late).Scan(&from))
	gone := exec(t, db, "DELETE FROM trade_events WHERE side = 'bk' AND event_id >= ?", from)
	gone += exec(t, db, "DELETE FROM cash_events WHERE side = 'bk' AND event_id >= ?", from)
	run := func(now, caughtUp time.Time) parity.Report {
		exec(t, db, "UPDATE landing_offsets SET caught_up_at = ? WHERE side = 'bk'", caughtUp)
		return compare(t, db, func(c *parity.Config) { c.Lag, c.Now = time.Minute, func() time.Time { return now } })
	}
	for what, c := range map[string]struct{ now, caughtUp time.Time }{
		"young":                  {landed.Add(30 * time.Second), landed.Add(20 * time.Second)},
		"the loader stood still": {landed.Add(time.Hour), landed.Add(20 * time.Second)},
	} {
		if r := run(c.now, c.caughtUp); r.Pending != gone || r.Unexplained != 0 || !r.PendingFrom.Equal(landed) {
			t.Errorf("%s: %d pending of %d, %d unexplained, since %v", what, r.Pending, gone, r.Unexplained, r.PendingFrom)
		}
	}
	if r := run(landed.Add(time.Hour), landed.Add(2*time.Minute)); r.Pending != 0 || r.Unexplained == 0 || kinds(r)[causes.Missing] != r.Unexplained {
		t.Errorf("the lag is over: %d pending, %v", r.Pending, kinds(r))
	}
	exec(t, db, "UPDATE landing_offsets SET caught_up_at = NULL WHERE side = 'bk' AND partition = 0")
	if r := compare(t, db, func(c *parity.Config) { c.Lag, c.Now = time.Minute, func() time.Time { return landed.Add(time.Hour) } }); r.Pending != gone || r.Unexplained != 0 {
		t.Errorf("a partition never caught up: %d pending, %d unexplained", r.Pending, r.Unexplained)
	}
	if r := compare(t, db); r.Pending != 0 || r.Unexplained == 0 {
		t.Errorf("without a lag: %d pending, %d unexplained", r.Pending, r.Unexplained)
	}
}

// TestOrdinary has what is no difference: a relay's repeats, and topics that change with who owns them.
func TestOrdinary(t *testing.T) {
	t.Parallel()
	db := small(t)
	exec(t, db, `UPDATE trade_events SET topic = 'legacy.bank.trades', "offset" = "offset" - 300 WHERE side = 'bank' AND "offset" BETWEEN 400 AND 600`)
	if r := compare(t, db); r.Unexplained != 0 || r.Equal != r.Compared || r.Sides[0].Repeats != 0 {
		t.Errorf("another topic: %d unexplained, %d of %d equal", r.Unexplained, r.Equal, r.Compared)
	}
	again := exec(t, db, `INSERT INTO trade_events SELECT * REPLACE ("offset" + 100000 AS "offset") FROM trade_events WHERE side = 'bank' AND event_id BETWEEN 1000 AND 1100`)
	again += exec(t, db, `INSERT INTO cash_events SELECT * REPLACE ("offset" + 100000 AS "offset") FROM cash_events WHERE side = 'bank' AND event_id BETWEEN 1000 AND 1100`)
	if r := compare(t, db); r.Unexplained != 0 || r.Sides[0].Repeats != again || r.Sides[1].Repeats != 0 || r.Compared != 6000 || r.Equal != 6000 {
		t.Errorf("%d repeats: %d counted, %d unexplained: %v", again, r.Sides[0].Repeats, r.Unexplained, kinds(r))
	}
}

// TestOwnSide: what both sides say alike is wrong all the same, if it does not add up.
func TestOwnSide(t *testing.T) {
	t.Parallel()
	db := small(t)
	var trade, account int64
	must(t, db.QueryRow("SELECT trade_id, account_id FROM trade_events WHERE side = 'bank' AND event = 'opened' AND event_id > 2000 ORDER BY event_id LIMIT 1").Scan(&trade, &account))
	if n := exec(t, db, "UPDATE trade_events SET balance = balance + 5, content_hash = content_hash + 1 WHERE trade_id = ? AND account_id = ? AND event = 'opened'", trade, account); n != 2 {
		t.Fatalf("%d rows", n)
	}
	r := compare(t, db)
	wantKinds(t, "one balance", r, map[string]int64{causes.WrongRunningTotal: 1})
	if f := r.Findings[0]; f.Number != trade || f.Account != account || f.Money.String() != "5" {
		t.Errorf("%+v", f)
	}
}

// TestLargeNumbers has ids, accounts and offsets that need 64 bits: what is found does not hang on how narrow a column was made.
func TestLargeNumbers(t *testing.T) {
	t.Parallel()
	db := small(t)
	check := func(what string) {
		t.Helper()
		if r := compare(t, db); r.Unexplained != 0 || r.Compared != 6000 || r.Equal != 6000 || r.AccountsCompared != 40 {
			t.Errorf("%s: %d unexplained, %d of %d equal, %d accounts: %v", what, r.Unexplained, r.Equal, r.Compared, r.AccountsCompared, kinds(r))
		}
	}
	const most = 1 << 31
	for _, c := range []struct{ what, trades, cash string }{
		{"offsets", `"offset" = "offset" + ?`, `"offset" = "offset" + ?`},
		{"ids", "event_id = event_id + ?", "event_id = event_id + ?"},
		{"accounts", "account_id = account_id + ?1, trade_account_id = trade_account_id + ?1", "account_id = account_id + ?"},
	} {
		exec(t, db, "UPDATE trade_events SET "+c.trades, most)
		exec(t, db, "UPDATE cash_events SET "+c.cash, most)
		check(c.what)
	}
	if n := exec(t, db, `DELETE FROM trade_events WHERE side = 'bk' AND event_id = (SELECT MAX(event_id) FROM trade_events WHERE side = 'bk')`); n != 1 {
		t.Fatalf("%d rows", n)
	}
	r := compare(t, db)
	wantKinds(t, "the last one is gone", r, map[string]int64{causes.Missing: 1})
	if r.Compared != 6000 || r.Equal != 5999 {
		t.Errorf("%d of %d equal", r.Equal, r.Compared)
	}
}

func TestDatesAndLimits(t *testing.T) {
	t.Parallel()
	db := small(t)
	exec(t, db, "DELETE FROM date_events WHERE side = 'bk' AND to_date = (SELECT MAX(to_date) FROM date_events)")
	wantKinds(t, "a roll", compare(t, db), map[string]int64{causes.Missing: 1})
	exec(t, db, "UPDATE trade_events SET price = price + 1, content_hash = content_hash + 1 WHERE side = 'bk' AND event = 'opened'")
	r := compare(t, db, func(c *parity.Config) { c.Keep = 5 })
	if len(r.Findings) != 5 || r.LeftOut != r.Unexplained-5 || r.Causes[0].Kind != causes.WrongDecimal+"price" || r.AccountsDiffering != 40 {
		t.Errorf("%d findings, %d left out, %d unexplained, %s, %d accounts", len(r.Findings), r.LeftOut, r.Unexplained, r.Causes[0].Kind, r.AccountsDiffering)
	}
	if f := r.Causes[0].First; f.BankValue == "" || f.BankValue == f.BKValue || f.Column != "price" {
		t.Errorf("values: %+v", f)
	}
	r = compare(t, db, func(c *parity.Config) { c.MaxExamined = 1 })
	if n := kinds(r)[causes.NotExamined]; n != 1 || r.Unexplained < 2 {
		t.Errorf("%v", kinds(r))
	}
	if exec(t, db, "DELETE FROM trade_events WHERE side = 'bk'") == 0 {
		t.Fatal("nothing of BK's")
	}
	if r = compare(t, db); kinds(r)[causes.Missing] < 1000 {
		t.Errorf("a side that is away: %v", kinds(r))
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	db := small(t)
	m, err := faults.Inject(t.Context(), faults.Config{DB: db, Dialect: dialect.DuckDB(), Count: 20, Kinds: []string{faults.WrongSettle, faults.WrongClientID}})
	must(t, err)
	file := filepath.Join(t.TempDir(), "rules.yaml")
	must(t, os.WriteFile(file, []byte(`
rules:
  - {name: dates, owner: anna, reason: a calendar of its own (CHG-1), expires: 2099-12-31, kind: "wrong_field:settle_*", side: ""}
  - {name: ids, owner: ben, reason: was mended, expires: 2020-12-31, kind: wrong_field:client_trade_id, from: 20010101}
  - {name: nobody, owner: ben, reason: another account, expires: 2099-12-31, account: 4711}
`), 0o600))
	rules, err := parity.ReadRules(file)
	must(t, err)
	r := compare(t, db, func(c *parity.Config) { c.Rules = rules })
	if r.Explained != 10 || r.Unexplained != 10 || len(m.Faults) != 20 {
		t.Errorf("%d explained, %d not", r.Explained, r.Unexplained)
	}
	if c := r.Causes[0]; c.Kind != causes.WrongField+"client_trade_id" || c.ExplainedBy != "" || c.ExpiredRule != "ids" {
		t.Errorf("%+v", c)
	}
	if c := r.Causes[1]; c.ExplainedBy != "dates" || c.Findings != 10 {
		t.Errorf("%+v", c)
	}
	if u := r.Rules[1]; !u.Expired || u.WouldHave != 10 || u.Explained != 0 || !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "ids") }) {
		t.Errorf("%+v %q", u, r.Notes)
	}
	for text, want := range map[string]string{
		"{rules: [{name: a, owner: o, reason: r, expires: 2099-01-01}]}":                    "one of kind, side",
		"{rules: [{name: a, owner: o, reason: r, expires: 2099-01-01, side: left}]}":        "rules[0].side",
		"{rules: [{name: a, owner: o, reason: r, expires: 2099-01-01, account: five}]}":     "rules[0].account",
		"{rules: [{name: a, owner: o, reason: r, expires: 2099-01-01, until: 20131399}]}":   "rules[0].until",
		"{rules: [{name: a, owner: o, reason: r, expires: 2099-01-01, kind: \"[\"}]}":       "rules[0].kind",
		"{rules: [{name: a, owner: o, reason: r, expires: 2099-01-01, color: red}]}":        "color: no such field",
		"{rules: [{name: a, owner: o, reason: r, kind: x}]}":                                "rules[0].expires",
		"{rules: [{name: a, owner: o, reason: \"\", expires: 2099-01-01, kind: x}]}":        "rules[0].reason",
		"{rules: [{name: a, owner: o, reason: r, expires: 2099-01-01, account: -1}]}":       "rules[0].account",
		"{rules: [{name: a, owner: o, reason: r, expires: 2099-01-01, kind: x}], more: []}": "more: no such field",
	} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := parity.ReadRules(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := parity.Run(t.Context(), parity.Config{Lag: -1, Keep: -1, MaxExamined: -1})
	for _, want := range []string{"DB: needed", "Lag: -1ns", "Keep: -1", "MaxExamined: -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := parity.Run(ctx, parity.Config{DB: small(t), Dialect: dialect.DuckDB()}); err == nil {
		t.Error("a comparison that was cancelled has a report")
	}
}

// TestOthers: findings of the books come into the same report, by the same rules.
func TestOthers(t *testing.T) {
	t.Parallel()
	db := small(t)
	r := compare(t, db, func(c *parity.Config) {
		c.Findings, c.Compared = []causes.Finding{{Kind: "books:wrong_position", Account: 100_001, Currency: "USD"}}, 50
	})
	if r.Unexplained != 1 || r.Compared != 6050 || r.Equal != 6049 || r.Causes[0].Kind != "books:wrong_position" {
		t.Errorf("%d unexplained, %d of %d equal, %v", r.Unexplained, r.Equal, r.Compared, kinds(r))
	}
	text, err := json.Marshal(r)
	must(t, err)
	var back parity.Report
	must(t, json.Unmarshal(text, &back))
	if back.Unexplained != 1 || back.Causes[0].First.Account != 100_001 {
		t.Errorf("%s", text)
	}
}
