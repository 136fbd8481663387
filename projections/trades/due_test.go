package trades_test

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/trades"
	"github.com/bkledger/bk/projections/trades/lifetest"
)

// due gives what is due in the trades' lives.
func due(l *lifetest.Ledger, state ledger.TradeState, day ledger.Date) (ids []ledger.ID) {
	for _, trade := range l.Trades {
		life := l.Lives[trade]
		date := life[0].TradeDate
		if state == ledger.TradeOpen {
			date = life[0].SettleDate
		}
		if life.State() == state && date <= day {
			ids = append(ids, trade)
		}
	}
	return ids
}

// sameDue reads all that is due, page by page, and compares; it gives the number.
func (f *folded) sameDue(t *testing.T, l *lifetest.Ledger, day ledger.Date, limit int) (n int) {
	t.Helper()
	for _, state := range []ledger.TradeState{ledger.TradeNew, ledger.TradeOpen} {
		read := f.DueToOpen
		if state == ledger.TradeOpen {
			read = f.DueToSettle
		}
		var got []ledger.ID
		for after := ledger.ID(0); ; after = got[len(got)-1] {
			page, err := read(t.Context(), day, after, limit, l.Head())
			if err != nil || len(page) > limit {
				t.Fatalf("%d trades, %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
		}
		if want := due(l, state, day); !slices.Equal(got, want) {
			t.Fatalf("%s up to %s: %d trades, should be %d", state, day, len(got), len(want))
		}
		n += len(got)
	}
	return n
}

func TestDue(t *testing.T) {
	t.Parallel()
	l := random(t, 20, 0)
	f := fold(t, l, 50)
	n := 0
	for range 15 {
		for range 30 {
			l.Step()
		}
		day := max(l.Day.Date, lifetest.FirstDay)
		for range 5 {
			n += f.sameDue(t, l, day, 7)
			day = day.Next()
		}
		n += f.sameDue(t, l, ledger.MaxDate, trades.MaxLimit)
	}
	if n < 500 {
		t.Errorf("%d trades were due", n)
	}
}

// TestDueFirstRoll: before the first day, trades of any number of days wait for their settlement.
func TestDueFirstRoll(t *testing.T) {
	t.Parallel()
	for _, days := range []int{60, 100} {
		l := lifetest.New(t, rand.New(rand.NewPCG(21, uint64(days))), shard, 4, 2)
		for i := range 400 {
			c := l.NewTrade()
			c.TradeDate, c.SettleDate = 20130901, 20130901
			for range i * 7 % days {
				c.SettleDate = c.SettleDate.Next()
			}
			l.Book(c)
		}
		f := fold(t, l, 1000)
		if n := f.sameDue(t, l, ledger.MaxDate, 33); n != 400 {
			t.Errorf("%d due", n)
		}
		if n := f.sameDue(t, l, 20130903, 33); n == 0 || n == 400 {
			t.Errorf("%d due", n)
		}
	}
}

var actualRows = regexp.MustCompile(`Index.* using (\S+) .*actual.* rows=(\d+)`)

// TestDuePlan: with many trades open, of which few are due, no more index entries are read than are due, without sorting.
func TestDuePlan(t *testing.T) {
	t.Parallel()
	l := lifetest.New(t, rand.New(rand.NewPCG(22, 1)), shard, 50, 5)
	l.Roll(20131008, false)
	const all = 20_000
	for i := range all {
		c := l.NewTrade()
		c.TradeDate, c.SettleDate = l.Day.Date, 20131009+ledger.Date(i%4)
		if i%5 == 0 {
			c.TradeDate, c.SettleDate = 20131009+ledger.Date(i%2), 20131010
		}
		l.Book(c)
	}
	f := fold(t, l, 32768)
	if n := f.sameDue(t, l, 20131009, 3000); n < all/10 || n > all*2/5 {
		t.Errorf("%d due", n)
	}
	err := f.runner.View(t.Context(), trades.Name, 0, func(tx pgx.Tx, g projections.Generation) error {
		if err := trades.ByIndex(t.Context(), tx); err != nil {
			return err
		}
		for _, c := range []struct {
			sql, index string
			args       []any
			most       int
		}{
			{trades.DueSQL(g, "settle_date", trades.IsOpen, []int32{20131009}), "open", []any{20131009, 0, 100}, 100},
			{trades.DueSQL(g, "settle_date", trades.IsOpen, []int32{20131009, 20131010}), "open", []any{20131010, 5000, 100}, 102},
			{trades.DueSQL(g, "trade_date", trades.IsNew, []int32{20131009}), "new", []any{20131009, 0, 100}, 100},
			{trades.DueDatesSQL(g, "settle_date", trades.IsOpen), "open", []any{20131231, 100}, 5},
		} {
			rows, err := tx.Query(t.Context(), `EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF) `+c.sql, c.args...)
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			plan, read := strings.Join(lines, "\n"), 0
			for _, m := range actualRows.FindAllStringSubmatch(plan, -1) {
				n, err := strconv.Atoi(m[2])
				if err != nil || !strings.HasSuffix(m[1], "_"+c.index) {
					t.Errorf("%v of\n%s", m, plan)
				}
				read += n
			}
			if read == 0 || read > c.most || strings.Contains(plan, "Seq Scan on trades") || strings.Contains(plan, "Sort  ") {
				t.Errorf("%d read, %d allowed:\n%s", read, c.most, plan)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
