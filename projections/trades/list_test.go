package trades_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/trades"
	"github.com/bkledger/bk/projections/trades/lifetest"
)

// long makes a ledger of several blocks of lists: some 500 trades a day, a few of which are booked days late, or cancelled.
func long(t testing.TB) *lifetest.Ledger {
	t.Helper()
	rng := rand.New(rand.NewPCG(31, 1))
	l := lifetest.New(t, rng, shard, 40, 6)
	days := []ledger.Date{20131007}
	for l.Head() < 2*trades.BlockEntries+8000 {
		if len(l.Trades) >= 500*len(days) {
			days = append(days, days[len(days)-1].Next())
		}
		c := l.NewTrade()
		c.TradeDate, c.SettleDate = days[len(days)-1], 0
		if rng.IntN(200) == 0 {
			c.TradeDate = days[max(0, len(days)-1-rng.IntN(5))]
		}
		l.Book(c)
		if rng.IntN(20) == 0 {
			l.TryBook(&ledger.Command{Kind: ledger.KindCancel, Target: &ledger.Target{Trade: l.Trades[rng.IntN(len(l.Trades))]}})
		}
	}
	return l
}

// TestBlocks: lists of several blocks, all filters, at any place, in pages of any size; rows do not depend on where chunks end.
func TestBlocks(t *testing.T) {
	t.Parallel()
	l := long(t)
	f := fold(t, l, 5000)
	if r := f.verifyNow(t, l); r.Breaches.Count != 0 {
		t.Errorf("%+v", r.Breaches)
	}
	whole := fold(t, l, 32768)
	for _, table := range []string{"trades_life", "trades_list"} {
		equalText(t, table, f.dump(t, table), whole.dump(t, table))
	}
	var queries []trades.Query
	last := l.Lives[l.Trades[len(l.Trades)-1]][0].TradeDate
	for _, account := range []int64{0, foldtest.FirstCustomer, foldtest.FirstCustomer + 7, l.Firm} {
		for _, instrument := range []int64{0, l.Security(0), l.Security(5)} {
			for _, dates := range [][2]ledger.Date{{}, {20131007, 20131007}, {20131101, 20131103}, {last, last}, {0, 20131009}, {last, 0}} {
				queries = append(queries, trades.Query{Account: account, Instrument: instrument, From: dates[0], To: dates[1]})
			}
		}
	}
	rng := rand.New(rand.NewPCG(31, 2))
	for i, q := range queries {
		q.Limit = []int{trades.MaxLimit, 999, 37}[i%3]
		if i%2 == 0 {
			q.KnownAt = 1 + rng.Uint64N(l.Head())
		}
		if i%5 == 0 {
			q.States = []ledger.TradeState{ledger.TradeCanceled}
		}
		q.After = []ledger.ID{0, l.Trades[rng.IntN(len(l.Trades))]}[i%2]
		want := slices.DeleteFunc(model(l, q), func(r trades.Row) bool { return r.Trade <= q.After })
		if len(want) > 500 && q.Limit == 37 {
			q.Limit = 500
		}
		same(t, q, f.all(t, q), want)
	}
}

// TestListedTwice: a trade with itself is in its account's list once.
func TestListedTwice(t *testing.T) {
	t.Parallel()
	l := random(t, 32, 0)
	booked := *l.Book(l.NewTrade())[0]
	trade := *booked.Trade
	trade.Target = trade.Account
	booked.Trade = &trade
	l.Journal.Truncate(booked.ID.Seq() - 1)
	l.Journal.Append(&booked)
	f := fold(t, l, 100)
	for _, q := range []trades.Query{{Account: trade.Account.ID, Limit: 10}, {Limit: 10}} {
		if rows := f.all(t, q); len(rows) != 1 || rows[0].Account != rows[0].Target {
			t.Errorf("%+v", rows)
		}
	}
	l.Lives[booked.ID] = ledger.Life{&booked}
	if r := f.verifyNow(t, l); r.Breaches.Count != 0 {
		t.Errorf("%+v", r.Breaches)
	}
}

// TestBoundedRows: a page looks at a bounded number of a list's rows, and gets on.
func TestBoundedRows(t *testing.T) {
	t.Parallel()
	l := random(t, 33, 300)
	f := fold(t, l, 1000)
	const blocks = 5000
	account, instrument := l.Customers[0], l.Security(0)
	f.stop()
	// As if the account had traded in all of those blocks, and the instrument been traded in the last one.
	for _, sql := range []string{
		`INSERT INTO ` + f.table(t, "trades_list") + fmt.Sprintf(` SELECT %d, b, 20131007, 20131007, 'p', '\x0005' FROM generate_series(1, %d) AS b`,
			account, blocks),
		`INSERT INTO ` + f.table(t, "trades_list") + fmt.Sprintf(` VALUES (%d, %d, 20131007, 20131007, 'i', '\x0005')`, instrument, blocks),
		fmt.Sprintf(`UPDATE bk_read.projection SET seq = %d`, blocks*trades.BlockEntries+100),
	} {
		if _, err := f.pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	q := trades.Query{Account: account, Instrument: instrument, After: l.Trades[len(l.Trades)-1], Limit: 10}
	page, err := f.Trades(t.Context(), q)
	if err != nil || len(page.Rows) != 0 || !page.More || page.Next.Seq() < 4000*trades.BlockEntries || page.Next.Seq() > 4200*trades.BlockEntries {
		t.Fatalf("%d rows, more %v, next %d, %v", len(page.Rows), page.More, page.Next.Seq(), err)
	}
	q.After = page.Next
	// It gets to the trade that both lists name, and there is none.
	if _, err := f.Trades(t.Context(), q); err == nil || !contains(err.Error(), fmt.Sprintf("no row for trade %d", ledger.MakeID(shard, blocks*trades.BlockEntries+5))) {
		t.Errorf("%v", err)
	}
}

// holey is a journal that misses an entry, and one that is late to know what is defined.
type holey struct {
	*foldtest.Journal
	hole   uint64
	waited chan uint64
}

func (h *holey) EntriesBySeq(ctx context.Context, seqs []uint64) ([]*ledger.Entry, error) {
	entries, err := h.Journal.EntriesBySeq(ctx, seqs)
	if i := slices.Index(seqs, h.hole); err == nil && i >= 0 {
		entries[i] = nil
	}
	return entries, err
}

func (h *holey) Wait(ctx context.Context, after uint64) error {
	if h.waited == nil {
		return context.DeadlineExceeded
	}
	h.waited <- after
	return nil
}

// late are books that know the instruments once the journal was waited for.
type late struct {
	trades.Books
	waited chan uint64
}

func (l *late) Instrument(id ledger.Identifier) (ledger.Instrument, bool) {
	if len(l.waited) == 0 {
		return ledger.Instrument{}, false
	}
	return l.Books.Instrument(id)
}

// TestJournal: what the journal does not give is an error, and what is not known here yet is waited for.
func TestJournal(t *testing.T) {
	t.Parallel()
	l := random(t, 34, 50)
	f := fold(t, l, 1000)
	q := trades.Query{Limit: 100}
	gone := &holey{Journal: l.Journal, hole: l.Trades[3].Seq()}
	if page, err := trades.NewReader(f.runner, gone, l.Directory).Trades(t.Context(), q); err == nil || len(page.Rows) != 0 ||
		!contains(err.Error(), fmt.Sprintf("does not give entry %d", gone.hole)) {
		t.Errorf("%+v, %v", page, err)
	}
	waited := make(chan uint64, 1)
	page, err := trades.NewReader(f.runner, &holey{Journal: l.Journal, waited: waited}, &late{l.Directory, waited}).Trades(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	same(t, q, page.Rows, model(l, q))
	if after := <-waited; after != l.Trades[0].Seq()-1 {
		t.Errorf("waited for what is after %d", after)
	}
	_, err = trades.NewReader(f.runner, &holey{Journal: l.Journal}, &late{Books: l.Directory}).Trades(t.Context(), q)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited in vain: %v", err)
	}
}

// older is the projection as if of the version before.
type older struct{ trades.Projection }

func (older) Version() int { return trades.Projection{}.Version() - 1 }

// TestOtherVersion: a generation of another version can't be read; once that of this version is built it is, and the other's tables are dropped.
func TestOtherVersion(t *testing.T) {
	t.Parallel()
	l := random(t, 12, 400)
	pool := foldtest.Pool(t, pgtest.New(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	runner := func(p projections.Projection) *projections.Runner {
		r, err := projections.New(projections.Config{
			Pool: pool, Source: l.Journal, Shard: shard, Projections: []projections.Projection{p}, Pace: time.Millisecond, Grace: time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	run := func(r *projections.Runner) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	before := runner(older{trades.Projection{Books: l.Directory}})
	stop := run(before)
	err := before.WaitFor(ctx, trades.Name, l.Head())
	stop()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, `CREATE TABLE bk_read.trades_1 (trade bigint)`); err != nil { // as earlier versions had
		t.Fatal(err)
	}
	now := runner(trades.Projection{Books: l.Directory})
	reader := trades.NewReader(now, l.Journal, l.Directory)
	q := trades.Query{Limit: trades.MaxLimit}
	if _, err := reader.Trades(ctx, q); !errors.Is(err, projections.ErrNotBuilt) || !contains(err.Error(), "version 2") {
		t.Errorf("trades: %v", err)
	}
	if _, err := reader.DueToSettle(ctx, ledger.MaxDate, 0, 10, l.Head()); !errors.Is(err, projections.ErrNotBuilt) {
		t.Errorf("due: %v", err)
	}
	defer run(now)()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for old := true; old; {
		page, err := reader.Trades(ctx, q)
		if err == nil {
			same(t, q, page.Rows, model(l, q))
			err = pool.QueryRow(ctx, `SELECT count(*) > 0 FROM pg_class WHERE relname LIKE 'trades%\_1'`).Scan(&old)
		}
		if err != nil && !errors.Is(err, projections.ErrNotBuilt) {
			t.Fatal(err)
		}
		<-tick.C
	}
}
