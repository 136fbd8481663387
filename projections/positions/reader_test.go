package positions_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/positions"
)

// pages reads a list to its end.
func pages(t *testing.T, ask asker, q positions.Query) (rows []positions.Row) {
	t.Helper()
	for more := true; more; {
		page, err := ask(q)
		if err != nil || len(page.Rows) > q.Limit || page.More && page.Next == q.After {
			t.Fatalf("%+v: %+v, %v", q, page, err)
		}
		for _, r := range page.Rows {
			if r.Compare(q.After) <= 0 || len(rows) > 0 && r.Compare(rows[len(rows)-1].Key) <= 0 {
				t.Fatalf("%+v: %+v is out of order", q, r)
			}
			rows = append(rows, r)
		}
		more, q.After = page.More, page.Next
	}
	return rows
}

// TestPages: pages of any size, with any filter, hold what the book in memory has.
func TestPages(t *testing.T) {
	t.Parallel()
	const customers, securities = 120, 5
	w := newWorld(customers, securities)
	rng := rand.New(rand.NewPCG(21, 21))
	w.random(rng, 2500, customers, securities)
	for len(w.live) > 150 { // many lines come back to nothing
		w.cancel(w.live[0], false)
	}
	book, head := booked(t, w), w.Head().Seq
	r := newRunner(t, foldtest.Pool(t, pgtest.New(t)), w.Journal, w.dir, 400)
	start(t, r)
	waitFor(t, r, head)
	reader := positions.NewReader(r)
	ask := func(q positions.Query) (positions.Page, error) { return reader.Positions(t.Context(), q) }
	zeros := 0
	for _, q := range []positions.Query{
		{}, {NonZero: true}, {Instrument: firstSecurity + 1}, {Account: firm}, {Account: firm, NonZero: true}, {Account: firm, Instrument: firstSecurity}, {Account: 42},
		{Account: firm, AsOf: 20240305}, {Account: firm, AsOf: 20240305, KnownAt: head / 2, NonZero: true}, {Account: firm, KnownAt: 40},
		{Account: firm, AsOf: 20230101}, {Account: firm, KnownAt: head}, {Account: alice, KnownAt: head - 1, Instrument: firstSecurity},
	} {
		for _, limit := range []int{1, 2, 100, positions.MaxLimit} {
			q.Limit = limit
			got, want := pages(t, ask, q), pages(t, book.Positions, q)
			if len(got) != len(want) {
				t.Fatalf("%+v: %d rows, should be %d", q, len(got), len(want))
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%+v: %+v, should be %+v", q, got[i], want[i])
				}
				if got[i].Holding.IsZero() {
					zeros++
					if q.NonZero {
						t.Errorf("%+v: %+v is there", q, got[i])
					}
				}
			}
		}
	}
	if zeros == 0 {
		t.Error("no line came back to nothing")
	}
	for _, c := range []struct {
		q    positions.Query
		want error
	}{
		{positions.Query{}, positions.ErrLimit}, {positions.Query{Limit: positions.MaxLimit + 1}, positions.ErrLimit}, {positions.Query{Limit: 1, AsOf: day}, positions.ErrAccount},
	} {
		if _, err := reader.Positions(t.Context(), c.q); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
	page, err := reader.Positions(t.Context(), positions.Query{Account: alice, KnownAt: 10, Limit: 1})
	if want := (ledger.Token{Shard: shard, Seq: 10}); err != nil || page.At != want {
		t.Errorf("at %s, %v", page.At, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	behind := (*projections.BehindError)(nil)
	if _, err := reader.Positions(short, positions.Query{Account: alice, KnownAt: head + 1, Limit: 1}); !errors.As(err, &behind) || behind.Have != head {
		t.Errorf("what will be known: %v", err)
	}
}

// TestFaults: what can't be stops the projection before it, whether the fold sees it at once or only when it stores.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, want string
		alter      func(w *world)
	}{
		{"an account that nobody knows", "no account 77", func(w *world) {
			w.book(&ledger.Entry{Kind: "x", EffectiveDate: day, Postings: []ledger.Posting{{Account: 77, Instrument: share, Bucket: ledger.Settled, Quantity: ledger.AmountOf(1)}}})
		}},
		{"a cancel of what is not there", "account 1001, instrument 3, USD: entry 4 cancels entry 9", func(w *world) {
			of := *w.live[0]
			of.ID = ledger.MakeID(shard, 9)
			w.cancel(&of, false)
		}},
		{"a sum that overflows", "overflow", func(w *world) {
			for range 20 { // ten times the largest amount, twenty times
				e := terms{day: day, account: alice, instrument: share, quantity: "1", price: "1"}.entry()
				large := ledger.MustAmount("999999999999999999")
				for range 30 {
					large = large.Add(large)
				}
				e.Postings[0].Quantity = large
				w.bookTrade(e, nil)
			}
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(2, 1)
			for range 3 {
				w.trade(terms{day: day, account: alice, instrument: share, quantity: "10", price: "10"})
			}
			r := newRunner(t, foldtest.Pool(t, pgtest.New(t)), w.Journal, w.dir, 100)
			start(t, r)
			waitFor(t, r, 3)
			c.alter(w)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := r.WaitFor(ctx, positions.Name, w.Head().Seq)
			fault := (*projections.Fault)(nil)
			if !errors.As(err, &fault) || !strings.Contains(fault.What, c.want) || fault.Seq < 4 {
				t.Errorf("%v; should say %q", err, c.want)
			}
			page, err := positions.NewReader(r).Positions(t.Context(), positions.Query{Limit: 10})
			if err != nil || len(page.Rows) != 1 || page.Rows[0].Long() != ledger.AmountOf(30) {
				t.Errorf("what was there before: %+v, %v", page, err)
			}
		})
	}
}
