package trades_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/trades"
	"github.com/bkledger/bk/projections/trades/lifetest"
)

const shard = 3

func TestMain(m *testing.M) { pgtest.Main(m) }

// folded is a ledger's trades, folded by a runner.
type folded struct {
	*trades.Reader
	runner *projections.Runner
	pool   *pgxpool.Pool
	stop   func() // the fold, for good
}

func fold(t testing.TB, l *lifetest.Ledger, chunk int) *folded {
	t.Helper()
	pool := foldtest.Pool(t, pgtest.New(t))
	r, err := projections.New(projections.Config{
		Pool: pool, Source: l.Journal, Shard: shard, Projections: []projections.Projection{trades.Projection{Books: l.Directory}},
		MaxChunkEntries: chunk, Pace: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	f := &folded{trades.NewReader(r, l.Journal, l.Directory), r, pool, stop}
	f.wait(t, l.Head())
	return f
}

func (f *folded) wait(t testing.TB, seq uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := f.runner.WaitFor(ctx, trades.Name, seq); err != nil {
		t.Fatal(err)
	}
}

// table gives the name of one of the tables of the active generation.
func (f *folded) table(t testing.TB, name string) (table string) {
	t.Helper()
	err := f.runner.View(t.Context(), trades.Name, 0, func(_ pgx.Tx, g projections.Generation) error {
		table = g.Table(name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// dump gives a table's rows as text, in their order.
func (f *folded) dump(t testing.TB, name string) []string {
	t.Helper()
	rows, err := f.pool.Query(t.Context(), `SELECT t::text FROM `+f.table(t, name)+` AS t ORDER BY t`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// all gives all rows of a query, page by page.
func (f *folded) all(t testing.TB, q trades.Query) []trades.Row {
	t.Helper()
	var rows []trades.Row
	for more := true; more; {
		page, err := f.Trades(t.Context(), q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		if len(page.Rows) > q.Limit || page.More && page.Next == q.After {
			t.Fatalf("%+v: %d rows, next %d", q, len(page.Rows), page.Next)
		}
		rows, more, q.After = append(rows, page.Rows...), page.More, page.Next
	}
	return rows
}

// random makes a ledger with so many random steps behind it, and some trades that were replaced more than once.
func random(t testing.TB, seed uint64, steps int) *lifetest.Ledger {
	t.Helper()
	l := lifetest.New(t, rand.New(rand.NewPCG(seed, 1)), shard, 6, 4)
	for i := range steps {
		l.Step()
		if i%16 != 0 || len(l.Trades) == 0 {
			continue
		}
		if old := l.Trades[i%len(l.Trades)]; l.Lives[old].State() == ledger.TradeCanceled {
			for range 2 {
				c := l.NewTrade()
				c.Replaces = &ledger.Target{Trade: old, Link: true}
				l.Book(c)
			}
		}
	}
	return l
}

// model answers a query without limit from the trades' lives, entry by entry.
func model(l *lifetest.Ledger, q trades.Query) []trades.Row {
	var out []trades.Row
	for _, id := range l.Trades {
		if row, known := rowOf(l, l.Lives[id], q); known && fits(row, q) {
			out = append(out, row)
		}
	}
	return out
}

func rowOf(l *lifetest.Ledger, life ledger.Life, q trades.Query) (row trades.Row, known bool) {
	b := life[0]
	if q.KnownAt != 0 && b.ID.Seq() > q.KnownAt {
		return row, false
	}
	in, _ := l.Directory.Instrument(b.Trade.Instrument)
	t := b.Trade
	row = trades.Row{
		Trade: b.ID, State: ledger.TradeNew, Account: t.Account.ID, Target: t.Target.ID, Instrument: in.ID, Kind: b.Kind, Direction: t.Direction,
		Currency: t.Currency, ClientTradeID: t.ClientTradeID, Quantity: t.Quantity, Price: t.Price, Gross: t.Gross, Net: t.Net,
		Commission: t.Commission, SECFee: t.SECFee, TAFFee: t.TAFFee, Accrued: t.Accrued, TradeDate: b.TradeDate, SettleDate: b.SettleDate,
		EffectiveDate: b.EffectiveDate, BookedAt: b.BookedAt, Corrects: b.Links.Corrects,
	}
	for _, e := range life {
		if q.KnownAt != 0 && e.ID.Seq() > q.KnownAt {
			break
		}
		if e.Kind == ledger.KindCancel {
			row.State, row.Canceled, row.Street = ledger.TradeCanceled, e.ID, false
		}
		if r := e.Links.ReplacedBy; r != 0 && (q.KnownAt == 0 || r.Seq() <= q.KnownAt) {
			row.ReplacedBy = r
		}
		if row.State == ledger.TradeCanceled {
			continue
		}
		if q.AsOf != 0 && e.EffectiveDate > q.AsOf {
			continue
		}
		switch {
		case e.Kind == ledger.KindTradeOpen, e.Kind.IsTrade() && len(e.Postings) > 0:
			row.State, row.Opened = ledger.TradeOpen, e.ID
		case e.Kind == ledger.KindSettle:
			row.State, row.Settled = ledger.TradeSettled, e.ID
		}
		if e.Kind == ledger.KindSettle || e.Kind == ledger.KindSettleStreet {
			for _, p := range e.Postings {
				row.Street = row.Street || p.Bucket == ledger.Settled && p.Account != row.Account && p.Account != row.Target
			}
		}
	}
	return row, true
}

func fits(row trades.Row, q trades.Query) bool {
	return (q.Account == 0 || row.Account == q.Account || row.Target == q.Account) && (q.Instrument == 0 || row.Instrument == q.Instrument) &&
		(len(q.States) == 0 || slices.Contains(q.States, row.State)) && (q.From == 0 || row.TradeDate >= q.From) && (q.To == 0 || row.TradeDate <= q.To)
}

func same(t testing.TB, q trades.Query, got, want []trades.Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%+v: %d rows, should be %d", q, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%+v: row %d is\n%+v, should be\n%+v", q, i, got[i], want[i])
		}
	}
}

func equalText(t testing.TB, what string, a, b []string) {
	t.Helper()
	if !slices.Equal(a, b) {
		t.Errorf("%s: %d rows and %d, not the same", what, len(a), len(b))
	}
}
