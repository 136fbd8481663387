package books_test

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	facadebooks "github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/parity/books"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/pgtest"
)

var (
	requests = flag.Int("requests", 1500, "requests that are played before the books are compared")
	seed     = flag.Uint64("seed", 1, "seed of what is drawn")
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// world is a façade with both systems behind it, and a comparison of their books.
type world struct {
	stage.Set
	cfg books.Config
}

func newWorld(t *testing.T, in mode.Mode) *world {
	t.Helper()
	w := &world{Set: stage.StartSet(t, in)}
	to, err := client.New(w.BK.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(to.Close)
	pool, err := pgxpool.New(t.Context(), w.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	names, err := facadebooks.NewStream(facadebooks.StreamConfig{Client: to, Pool: pool, Log: stage.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(names.Close)
	warehouse, err := duck.Open(filepath.Join(t.TempDir(), "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := warehouse.Close(); err != nil {
			t.Error(err)
		}
	})
	w.cfg = books.Config{Warehouse: warehouse, Dialect: dialect.DuckDB(), Append: duck.Append, Bank: w.Bank.DSN, BK: to, Names: names, Log: stage.Log(t)}
	return w
}

func (w *world) compare(t *testing.T) books.Report {
	t.Helper()
	r, err := books.Compare(t.Context(), w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) traffic(requests int) shadow.Traffic {
	return shadow.Traffic{Target: shadow.System{Name: "façade", API: w.API, Operations: w.Operations}, Seed: *seed, Requests: requests, Rolls: 8, Accounts: 60}
}

func (w *world) drain(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := w.Drained(ctx); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, r books.Report) {
	t.Helper()
	if r.Differing > 0 || len(r.Causes) > 0 || len(r.Findings) > 0 {
		t.Errorf("books that are the same differ:\n%s", r)
		for _, f := range r.Findings[:min(len(r.Findings), 20)] {
			t.Log(f)
		}
	}
	for _, what := range []string{
		"accounts", "business dates", "trades", "journal rows", "sums of days", "holdings in cuts", "positions", "balances", "Bank's holdings against its journal", "BK's holdings against its journal",
	} {
		if r.Compared[what] == 0 {
			t.Errorf("%s: none was compared", what)
		}
	}
}

// TestBooks: after traffic through either dual mode the books are the same; rows of Bank's, and of BK's, that are changed by hand are found, each under its own name, and nothing else.
func TestBooks(t *testing.T) {
	for _, in := range []mode.Mode{mode.BankPrimary, mode.BKPrimary} {
		t.Run(string(in), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, in)
			played, err := shadow.Play(t.Context(), w.traffic(*requests))
			if err != nil || played.Surprised > 0 {
				t.Fatal(played, err)
			}
			w.drain(t)
			r := w.compare(t)
			t.Log(r)
			equal(t, r)
			if in == mode.BankPrimary {
				w.plant(t)
			}
		})
	}
}

// TestUnderLoad: while clients write, lag is waited out.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mode.BankPrimary)
	w.cfg.Wait = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		p, err := shadow.Play(ctx, w.traffic(*requests/2))
		if err == nil && p.Surprised > 0 {
			err = fmt.Errorf("%s", p)
		}
		ended <- err
	}()
	defer cancel()
	deadline := time.Now().Add(time.Minute)
	for looks := 0; ; {
		if w.count(t, w.Bank.DSN, "SELECT count(*) FROM bank.trade") > 100 {
			r := w.compare(t)
			if r.Differing > 0 {
				t.Errorf("while clients write: %s", r)
			}
			looks++
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			if looks == 0 {
				t.Error("nothing was compared while clients wrote")
			}
			w.drain(t)
			equal(t, w.compare(t))
			return
		case <-time.After(10 * time.Millisecond):
			if time.Now().After(deadline.Add(5 * time.Minute)) {
				t.Fatal("the play does not end")
			}
		}
	}
}

func (w *world) connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) }) //nolint:errcheck // the test is over
	return conn
}

func (w *world) count(t *testing.T, dsn, sql string, args ...any) (n int64) {
	t.Helper()
	conn := w.connect(t, dsn)
	defer conn.Close(t.Context()) //nolint:errcheck // it was read
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// alteration is a row of Bank's that is changed by hand. The statement finds it in an account that is not among $1, of a trade that is not among $2, and gives both.
type alteration struct{ kind, sql string }

const one = " AND account_id <> ALL ($1) AND 0 <> ALL ($2) ORDER BY 1 LIMIT 1"

var alterations = []alteration{
	{books.WrongPosition, `UPDATE bank.position p SET quantity = quantity + 1 FROM (SELECT account_id, symbol FROM bank.position WHERE quantity <> 0` + one + `) x
		WHERE (p.account_id, p.symbol) = (x.account_id, x.symbol) RETURNING p.account_id, 0::bigint`},
	{books.WrongBalance + "settled_cash", `UPDATE bank.balance b SET settled_cash = settled_cash + 0.01 FROM (SELECT account_id, currency FROM bank.balance WHERE settled_cash <> 0` + one + `) x
		WHERE (b.account_id, b.currency) = (x.account_id, x.currency) RETURNING b.account_id, 0::bigint`},
	{books.WrongBalance + "unsettled_debits", `UPDATE bank.balance b SET unsettled_debits = unsettled_debits + 5 FROM (SELECT account_id, currency FROM bank.balance WHERE true` + one + `) x
		WHERE (b.account_id, b.currency) = (x.account_id, x.currency) RETURNING b.account_id, 0::bigint`},
	{books.WrongTrade + "state", `UPDATE bank.trade SET state = 'settled' WHERE trade_id = (SELECT trade_id FROM bank.trade WHERE state = 'open' AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongTrade + "price", `UPDATE bank.trade SET price = price + 0.0000000001 WHERE trade_id = (SELECT trade_id FROM bank.trade WHERE account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongTrade + "booked_at", `UPDATE bank.trade SET booked_at = booked_at + 1 WHERE trade_id = (SELECT trade_id FROM bank.trade WHERE account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongTrade + "canceled_at", `UPDATE bank.trade SET canceled_at = canceled_at + 1 WHERE trade_id = (SELECT trade_id FROM bank.trade WHERE state = 'canceled' AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongTrade + "replaced_by", `UPDATE bank.trade SET replaced_by = replaced_by + 1 WHERE trade_id = (SELECT trade_id FROM bank.trade WHERE replaced_by IS NOT NULL AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongTrade + "request.order_id", `UPDATE bank.trade SET request = replace(request::text, '"order_id":"order-', '"order_id":"orders-')::json
		WHERE trade_id = (SELECT trade_id FROM bank.trade WHERE request ->> 'order_id' LIKE 'order-%' AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.ExtraTrade, `DELETE FROM bank.trade WHERE trade_id = (SELECT trade_id FROM bank.trade WHERE account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.MissingTrade, `INSERT INTO bank.trade SELECT 9000001, account_id, client_trade_id || '-2', target_account_id, trade_date, settle_date, state, symbol, currency, sell, quantity, price, gross_amount, sec_fee,
		taf_fee, net_amount, running, target_running, booked_at, canceled_at, replaced_by, replaces, request FROM bank.trade WHERE account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY trade_id LIMIT 1 RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongRow + "td_amount", `UPDATE bank.journal SET td_amount = td_amount + 1 WHERE journal_id = (SELECT journal_id FROM bank.journal WHERE memo = 'open' AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongRow + "sd_quantity", `UPDATE bank.journal SET sd_quantity = -sd_quantity WHERE journal_id = (SELECT journal_id FROM bank.journal WHERE sd_quantity <> 0 AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongRow + "business_date", `UPDATE bank.journal SET date = 20131008 WHERE journal_id = (SELECT journal_id FROM bank.journal WHERE date > 20131008 AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongRow + "symbol", `UPDATE bank.journal SET symbol = 'WRONG' WHERE journal_id = (SELECT journal_id FROM bank.journal WHERE memo = 'open' AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.ExtraRow, `DELETE FROM bank.journal WHERE journal_id = (SELECT journal_id FROM bank.journal WHERE memo = 'settle' AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.MissingRow, `INSERT INTO bank.journal (account_id, date, trade_id, cash_id, symbol, currency, memo, td_quantity, td_amount, sd_quantity, sd_amount)
		SELECT account_id, date, trade_id, cash_id, symbol, currency, memo, td_quantity, td_amount, sd_quantity, sd_amount FROM bank.journal WHERE memo = 'open' AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY journal_id LIMIT 1 RETURNING account_id, coalesce(trade_id, 0)`},
	{books.WrongRow + "td_amount", `UPDATE bank.journal SET td_amount = td_amount * 2 WHERE journal_id = (SELECT journal_id FROM bank.journal WHERE cash_id IS NOT NULL AND account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) ORDER BY 1 LIMIT 1) RETURNING account_id, coalesce(trade_id, 0)`},
	{books.OutOfOrder, `UPDATE bank.journal SET journal_id = -1 WHERE journal_id = (SELECT max(journal_id) FROM bank.journal JOIN (
			SELECT account_id FROM bank.journal WHERE account_id <> ALL ($1) AND coalesce(trade_id, 0) <> ALL ($2) GROUP BY 1 HAVING count(DISTINCT trade_id) > 3 ORDER BY 1 LIMIT 1) x USING (account_id)) RETURNING account_id, coalesce(trade_id, 0)`},
}

// plant changes rows by hand, and expects each to be found.
func (w *world) plant(t *testing.T) {
	t.Helper()
	conn := w.connect(t, w.Bank.DSN)
	used, trades := []int64{}, []int64{}
	want := map[string]int{}
	for _, a := range alterations {
		var account, trade int64
		if err := conn.QueryRow(t.Context(), a.sql, used, trades).Scan(&account, &trade); err != nil {
			t.Fatalf("%s: %v", a.kind, err)
		}
		used = append(used, account)
		if trade != 0 {
			trades = append(trades, trade)
		}
		want[fmt.Sprintf("%d %s", account, a.kind)]++
	}
	var account int64
	if err := conn.QueryRow(t.Context(), `WITH e AS (INSERT INTO bank.entity VALUES (777, 'X', 'X')) SELECT account_id FROM bank.account WHERE account_id <> ALL ($1) LIMIT 1`, used).Scan(&account); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{fmt.Sprintf(`UPDATE bank.account SET entity_id = 777 WHERE account_id = %d`, account), `UPDATE bank.business_date SET date = date + 1`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	used = append(used, account)
	want[fmt.Sprintf("%d %s", account, books.WrongAccount)]++
	want["0 "+books.WrongDate]++
	want[fmt.Sprintf("%d %s", w.spoilCut(t, used), books.WrongCut)]++

	r := w.compare(t)
	t.Log(r)
	got := map[string]int{}
	for i, f := range r.Findings {
		if f.Cause == i {
			got[fmt.Sprintf("%d %s", f.Account, f.Kind)]++
		} else if f.Cause < 0 {
			t.Errorf("%s: its cause was not kept", f)
		}
	}
	for what, n := range want {
		if got[what] != n {
			t.Errorf("%s: found %d, want %d", what, got[what], n)
		}
	}
	for what, n := range got {
		if want[what] == 0 {
			t.Errorf("%s: found %d, planted none", what, n)
		}
	}
	if t.Failed() {
		for i, f := range r.Findings[:min(len(r.Findings), 60)] {
			t.Logf("%d <- %d: %s", f.Cause, i, f)
		}
	}
	said, err := r.ForParity()
	if err != nil || len(said) != len(alterations)+3 {
		t.Errorf("%d causes for the report, %v", len(said), err)
	}
	following := int64(len(said))
	for _, f := range said {
		following += f.Follows + f.EndsOfDays
	}
	if following != r.Differing {
		t.Errorf("%d causes and what follows from them, of %d rows", following, r.Differing)
	}
	var rows, causes int64
	kinds := map[string]bool{}
	for _, c := range r.Causes {
		rows, causes = rows+c.Rows, causes+c.Causes
		kinds[c.Kind] = true
	}
	if rows != r.Differing || causes != int64(len(alterations)+3) {
		t.Errorf("%d rows and %d causes by kind, of %d and %d", rows, causes, r.Differing, len(alterations)+3)
	}
	if slices.ContainsFunc(alterations, func(a alteration) bool { return !kinds[a.kind] }) {
		t.Errorf("kinds: %v", kinds)
	}
}

// spoilCut changes a frozen cut of BK's by hand, in an account that is not used, and gives the account.
func (w *world) spoilCut(t *testing.T, used []int64) (account int64) {
	t.Helper()
	conn := w.connect(t, w.BK.DSN)
	var table string
	if err := conn.QueryRow(t.Context(), `SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_name ~ '^daily_cut_[0-9]+$' ORDER BY table_name DESC LIMIT 1`).Scan(&table); err != nil {
		t.Fatal(err)
	}
	where := "(SELECT ctid FROM " + table + " WHERE account <> ALL ($1) AND account BETWEEN 500001 AND 600000 ORDER BY day, account LIMIT 1)"
	err := conn.QueryRow(t.Context(), strings.Join([]string{"UPDATE", table, "SET settled = settled + 1 WHERE ctid =", where, "RETURNING account"}, " "), used).Scan(&account)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// TestConfigReportsEverything: all that is wrong with a configuration is told at once.
func TestConfigReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := books.Compare(t.Context(), books.Config{Wait: -1, Keep: -1, Parallel: 65, Patience: -1})
	for _, field := range []string{"Warehouse: ", "Bank: ", "BK: ", "Names: ", "Wait: ", "Keep: ", "Parallel: ", "Patience: "} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not among %v", field, err)
		}
	}
}
