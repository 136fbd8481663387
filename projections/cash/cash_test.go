package cash_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/cash"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/trades/lifetest"
)

const shard = 2

func TestMain(m *testing.M) { pgtest.Main(m) }

// folded is a ledger's cash, folded by a runner.
type folded struct {
	*cash.Reader
	runner *projections.Runner
	pool   *pgxpool.Pool
}

func fold(t testing.TB, l *lifetest.Ledger, chunk int) *folded {
	t.Helper()
	return foldInto(t, foldtest.Pool(t, pgtest.New(t)), l, chunk)
}

func foldInto(t testing.TB, pool *pgxpool.Pool, l *lifetest.Ledger, chunk int) *folded {
	t.Helper()
	r, err := projections.New(projections.Config{
		Pool: pool, Source: l.Journal, Shard: shard, Projections: []projections.Projection{cash.Projection{Books: l.Directory}},
		MaxChunkEntries: chunk, Pace: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	wait, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := r.WaitFor(wait, cash.Name, l.Head()); err != nil {
		t.Fatal(err)
	}
	return &folded{cash.NewReader(r), r, pool}
}

func random(t testing.TB, seed uint64, steps int) *lifetest.Ledger {
	t.Helper()
	l := lifetest.New(t, rand.New(rand.NewPCG(seed, 40)), shard, 6, 3)
	for range steps {
		l.Step()
	}
	return l
}

// all gives all rows of a query, page by page.
func (f *folded) all(t testing.TB, q cash.Query) []cash.Row {
	t.Helper()
	var rows []cash.Row
	for more := true; more; {
		page, err := f.Cash(t.Context(), q)
		if err != nil || len(page.Rows) > q.Limit || page.More && page.Next == q.After {
			t.Fatalf("%+v: %+v, %v", q, page, err)
		}
		rows, more, q.After = append(rows, page.Rows...), page.More, page.Next
	}
	return rows
}

// model answers a query without limit from the journal: balances from the postings, sides from the open trades' lives.
func model(l *lifetest.Ledger, q cash.Query) []cash.Row {
	rows := map[projections.Key]*cash.Row{}
	for _, e := range l.Journal.All() {
		for _, p := range e.Postings {
			in, _ := l.Directory.InstrumentByID(p.Instrument)
			a, _ := l.Directory.Account(ledger.AccountRef{ID: p.Account})
			if in.Kind != ledger.KindCurrency || a.Kind != ledger.KindCustomer && a.Kind != ledger.KindFirm || q.Account != 0 && a.ID != q.Account {
				continue
			}
			k := projections.Key{Account: p.Account, Instrument: p.Instrument}
			if rows[k] == nil {
				rows[k] = &cash.Row{Key: k}
			}
			if p.Bucket == ledger.Settled {
				rows[k].Settled = rows[k].Settled.Add(p.Quantity)
			} else {
				rows[k].Unsettled = rows[k].Unsettled.Add(p.Quantity)
			}
		}
	}
	for _, trade := range l.Trades {
		life := l.Lives[trade]
		if life.State() != ledger.TradeOpen {
			continue
		}
		for _, p := range life.Made() {
			row := rows[projections.Key{Account: p.Account, Instrument: p.Instrument}]
			if row == nil || p.Bucket != ledger.Unsettled {
				continue
			}
			sides := cash.Sides{Credits: p.Quantity}
			if p.Quantity.Sign() < 0 {
				sides = cash.Sides{Debits: p.Quantity.Neg()}
			}
			row.Sides = row.Sides.Plus(sides)
			i, found := slices.BinarySearchFunc(row.Dates, life[0].SettleDate, func(d cash.DateRow, on ledger.Date) int { return int(d.SettleDate - on) })
			if !found {
				row.Dates = slices.Insert(row.Dates, i, cash.DateRow{SettleDate: life[0].SettleDate})
			}
			row.Dates[i].Sides = row.Dates[i].Plus(sides)
		}
	}
	var out []cash.Row
	for _, row := range rows {
		if !q.NonZero || !row.Unsettled.IsZero() || !row.Settled.IsZero() || len(row.Dates) > 0 {
			out = append(out, *row)
		}
	}
	slices.SortFunc(out, func(a, b cash.Row) int { return a.Compare(b.Key) })
	return out
}

func equal(a, b cash.Row) bool {
	return a.Key == b.Key && a.Holding == b.Holding && a.Sides == b.Sides && slices.Equal(a.Dates, b.Dates)
}

func (f *folded) same(t *testing.T, l *lifetest.Ledger, q cash.Query) []cash.Row {
	t.Helper()
	got, want := f.all(t, q), model(l, q)
	if !slices.EqualFunc(got, want, equal) {
		t.Fatalf("%+v:\n%+v, should be\n%+v", q, got, want)
	}
	return got
}

// TestCashEqualsModel: in the midst of random journals, whatever the chunks and the pages.
func TestCashEqualsModel(t *testing.T) {
	t.Parallel()
	l := random(t, 1, 0)
	f := fold(t, l, 13)
	dates := 0
	for range 25 {
		for range 20 {
			l.Step()
		}
		for _, q := range []cash.Query{{Limit: 2}, {Limit: 1000, NonZero: true}, {Limit: 5, Account: foldtest.FirstCustomer + 2}, {Limit: 5, Account: l.Firm}, {Limit: 1, Account: 42}} {
			q.AtLeast = l.Head()
			for _, row := range f.same(t, l, q) {
				dates += len(row.Dates)
			}
		}
	}
	if dates < 500 {
		t.Errorf("only %d dates", dates)
	}
}

// dump gives all rows of both tables as text.
func (f *folded) dump(t *testing.T) (text []string) {
	t.Helper()
	for _, name := range []string{"cash", "cash_totals"} {
		rows, err := f.pool.Query(t.Context(), `SELECT t::text FROM `+f.table(t, name)+` AS t ORDER BY t`)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, lines...)
	}
	return text
}

func (f *folded) table(t *testing.T, name string) (table string) {
	t.Helper()
	err := f.runner.View(t.Context(), cash.Name, 0, func(_ pgx.Tx, g projections.Generation) error {
		table = g.Table(name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestChunks: the rows do not depend on how the journal is cut, not even between the reversal and the cancel of a settled trade.
func TestChunks(t *testing.T) {
	t.Parallel()
	l := random(t, 2, 600)
	want := fold(t, l, 32768).dump(t)
	for _, chunk := range []int{1, 3, 100} {
		if got := fold(t, l, chunk).dump(t); !slices.Equal(got, want) || len(want) < 20 {
			t.Errorf("in chunks of %d: %d rows, %d in one, not the same", chunk, len(got), len(want))
		}
	}
}

// TestDaysGo: what has settled leaves no rows behind.
func TestDaysGo(t *testing.T) {
	t.Parallel()
	l := random(t, 3, 0)
	l.Roll(20131008, false)
	f := fold(t, l, 10)
	for range 50 {
		c := l.NewTrade()
		c.TradeDate, c.SettleDate = 20131008, 20131009
		l.Book(c)
	}
	count := func() (n int) {
		t.Helper()
		if _, err := f.Cash(t.Context(), cash.Query{Limit: 1, AtLeast: l.Head()}); err != nil {
			t.Fatal(err)
		}
		if err := f.pool.QueryRow(t.Context(), `SELECT count(*) FROM `+f.table(t, "cash")).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n < 6 {
		t.Errorf("%d rows before settlement", n)
	}
	l.Roll(20131009, true)
	if n := count(); n != 0 {
		t.Errorf("%d rows after settlement", n)
	}
	f.same(t, l, cash.Query{Limit: 100})
}

// verify compares the tables, as tx sees them, with a fold of the journal.
func verify(t *testing.T, l *lifetest.Ledger, tx pgx.Tx) projections.Result {
	t.Helper()
	v, err := projections.NewVerifier(t.Context(), tx, shard, []projections.Projection{cash.Projection{Books: l.Directory}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.Journal.All() {
		if err := v.Add(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	results, err := v.Finish(t.Context())
	if err != nil || len(results) != 1 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	return results[0]
}

// TestTampering: whatever is altered in the tables is found and named.
func TestTampering(t *testing.T) {
	t.Parallel()
	l := random(t, 4, 400)
	for range 10 {
		l.Book(l.NewTrade())
	}
	f := fold(t, l, 50)
	rows := f.same(t, l, cash.Query{Limit: 100, NonZero: true})
	row := rows[slices.IndexFunc(rows, func(r cash.Row) bool { return len(r.Dates) > 0 })]
	for _, c := range []struct{ sql, want string }{
		{"", ""},
		{"UPDATE days SET debits = debits + 0.0000000001", "to receive, should be"},
		{"UPDATE days SET credits = credits + 1", "to receive, should be"},
		{"UPDATE days SET settle_date = 20011231", "is missing"},
		{"UPDATE days SET settle_date = 20011231", "no open trade has it"},
		{"DELETE FROM days", "is missing"},
		{"UPDATE totals SET settled = settled + 1", "settled, should be"},
		{"UPDATE totals SET unsettled = -unsettled - 7", "settled, should be"},
		{"DELETE FROM totals", "is missing"},
	} {
		tx, err := f.pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
		if err != nil {
			t.Fatal(err)
		}
		if c.sql != "" {
			sql := strings.NewReplacer(" days", " "+f.table(t, "cash"), " totals", " "+f.table(t, "cash_totals")).Replace(c.sql) + ` WHERE account = $1 AND instrument = $2`
			args := []any{row.Account, row.Instrument}
			if strings.Contains(c.sql, " days") {
				sql, args = sql+` AND settle_date = $3`, append(args, row.Dates[0].SettleDate)
			}
			if tag, err := tx.Exec(t.Context(), sql, args...); err != nil || tag.RowsAffected() != 1 {
				t.Fatalf("%s: %s, %v", sql, tag, err)
			}
		}
		r := verify(t, l, tx)
		named := slices.ContainsFunc(r.Breaches.First, func(b projections.Breach) bool { return strings.Contains(b.What, c.want) })
		if c.sql == "" && (r.Breaches.Count != 0 || r.Rows < int64(len(rows))) || c.sql != "" && (!named || r.Breaches.Count > 2) {
			t.Errorf("%s: %d rows, %+v", c.sql, r.Rows, r.Breaches)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStablePages: a reader that pages while trades are booked and settle sees each balance at most once, in order.
func TestStablePages(t *testing.T) {
	t.Parallel()
	l := random(t, 5, 60)
	f := fold(t, l, 5)
	q := cash.Query{Limit: 1}
	var keys []projections.Key
	for more := true; more; {
		page, err := f.Cash(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Rows {
			keys = append(keys, row.Key)
		}
		l.Step()
		more, q.After, q.AtLeast = page.More, page.Next, l.Head()
	}
	for i := 1; i < len(keys); i++ {
		if keys[i-1].Compare(keys[i]) >= 0 {
			t.Errorf("%+v after %+v", keys[i], keys[i-1])
		}
	}
	if len(keys) < 10 {
		t.Errorf("%d rows", len(keys))
	}
}

func TestBadQueriesAndFaults(t *testing.T) {
	t.Parallel()
	l := random(t, 6, 0)
	f := fold(t, l, 10)
	for _, limit := range []int{-1, 0, cash.MaxLimit + 1} {
		if _, err := f.Cash(t.Context(), cash.Query{Limit: limit}); !errors.Is(err, cash.ErrLimit) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	behind := (*projections.BehindError)(nil)
	if _, err := f.Cash(short, cash.Query{Limit: 1, AtLeast: l.Head() + 1}); !errors.As(err, &behind) {
		t.Errorf("a read of what is not there yet: %v", err)
	}
	if _, err := (cash.Projection{}).Open(t.Context(), nil, projections.Generation{}); err == nil {
		t.Error("a fold without books")
	}
	for want, p := range map[string]ledger.Posting{
		"no instrument 77":     {Account: l.Firm, Instrument: 77, Bucket: ledger.Settled, Quantity: ledger.AmountOf(1)},
		"no account 5":         {Account: 5, Instrument: 1, Bucket: ledger.Settled, Quantity: ledger.AmountOf(1)},
		`is on the bucket "x"`: {Account: l.Firm, Instrument: 1, Bucket: 'x', Quantity: ledger.AmountOf(1)},
	} {
		fold, err := cash.Projection{Books: l.Directory}.Open(t.Context(), nil, projections.Generation{})
		if err != nil {
			t.Fatal(err)
		}
		back := p
		back.Quantity = p.Quantity.Neg()
		if err := fold.Add(&ledger.Entry{Postings: []ledger.Posting{p, back}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, should say %s", err, want)
		}
		if err := fold.Add(&ledger.Entry{Postings: []ledger.Posting{p}}); err == nil || !strings.Contains(err.Error(), "add up to zero") {
			t.Errorf("one posting: %v", err)
		}
	}
}

// BenchmarkRunner folds trades of 1000 customers in 50 securities, which are then settled in a roll, from memory.
func BenchmarkRunner(b *testing.B) {
	l := lifetest.New(b, rand.New(rand.NewPCG(1, 1)), shard, 1000, 50)
	l.Roll(20131008, true)
	for range 200_000 {
		c := l.NewTrade()
		c.TradeDate, c.SettleDate = 20131008, 20131009
		l.Book(c)
	}
	l.Roll(20131009, true)
	n := 0
	for b.Loop() {
		b.StopTimer()
		pool := foldtest.Pool(b, pgtest.New(b))
		b.StartTimer()
		foldInto(b, pool, l, 32768)
		n++
	}
	b.ReportMetric(float64(n)*float64(l.Head())/b.Elapsed().Seconds(), "entries/s")
}
