package stockrecord_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/stockrecord"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	liability = foldtest.Location + 1
	control   = foldtest.Location + 2
)

// directory has the accounts of the tests' entries.
func directory(t *testing.T, customers int) *ledger.Directory {
	t.Helper()
	d := ledger.NewDirectory()
	add := func(id int64, code string, kind ledger.AccountKind) {
		d.Apply(&ledger.Entry{ID: ledger.MakeID(1, uint64(id)&0xffff+1), Kind: ledger.KindOpen, Account: &ledger.Account{ID: id, Code: code, Kind: kind}})
	}
	for i := range customers {
		add(int64(foldtest.FirstCustomer+i), fmt.Sprintf("cust:%d", i), ledger.KindCustomer)
	}
	add(foldtest.Street, "street:cns", ledger.KindStreet)
	add(foldtest.Firm, "firm:commission", ledger.KindFirm)
	add(foldtest.Location, "location:dtc", ledger.KindLocation)
	add(liability, "liability:sec", ledger.KindLiability)
	add(control, "control:split:1", ledger.KindControl)
	return d
}

// journal has trades, settlements, a tax, and a half-done split.
func journal(seed uint64, n, customers int) *foldtest.Journal {
	j := foldtest.NewJournal(1)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(seed, seed)), n, customers, 6, true)...)
	j.Append(&ledger.Entry{Kind: "split", BookedAt: time.Now().UTC(), Postings: []ledger.Posting{
		{Account: foldtest.FirstCustomer, Instrument: foldtest.FirstSecurity, Bucket: ledger.Settled, Quantity: ledger.AmountOf(100)},
		{Account: control, Instrument: foldtest.FirstSecurity, Bucket: ledger.Settled, Quantity: ledger.AmountOf(-100)},
		{Account: foldtest.FirstCustomer, Instrument: foldtest.Dollar, Bucket: ledger.Settled, Quantity: ledger.MustAmount("-0.02")},
		{Account: liability, Instrument: foldtest.Dollar, Bucket: ledger.Settled, Quantity: ledger.MustAmount("0.02")},
	}})
	return j
}

func folded(t testing.TB, j *foldtest.Journal, books stockrecord.Books) (*stockrecord.Reader, *pgxpool.Pool) {
	t.Helper()
	pool := foldtest.Pool(t, pgtest.New(t))
	r, err := projections.New(projections.Config{Pool: pool, Source: j, Shard: 1, Projections: []projections.Projection{balances.Projection{}}})
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
	return stockrecord.NewReader(r, books), pool
}

// model folds plainly, by instrument and account.
func model(j *foldtest.Journal) map[int64]map[int64]projections.Holding {
	m := map[int64]map[int64]projections.Holding{}
	for _, e := range j.All() {
		for _, p := range e.Postings {
			if m[p.Instrument] == nil {
				m[p.Instrument] = map[int64]projections.Holding{}
			}
			h := m[p.Instrument][p.Account]
			if p.Bucket == ledger.Unsettled {
				h.Unsettled = h.Unsettled.Add(p.Quantity)
			} else {
				h.Settled = h.Settled.Add(p.Quantity)
			}
			m[p.Instrument][p.Account] = h
		}
	}
	return m
}

func TestRecordEqualsModel(t *testing.T) {
	t.Parallel()
	j := journal(1, 3000, 200)
	all := j.All()
	for i := range 20 { // what comes back to zero
		e := *all[i]
		e.Postings = slices.Clone(e.Postings)
		for k := range e.Postings {
			e.Postings[k].Quantity, e.Postings[k].Instrument = e.Postings[k].Quantity.Neg(), 50
		}
		back := e
		back.Postings = slices.Clone(all[i].Postings)
		for k := range back.Postings {
			back.Postings[k].Instrument = 50
		}
		j.Append(&e, &back)
	}
	reader, _ := folded(t, j, nil)
	compared := 0
	for instrument, want := range model(j) {
		for _, nonZero := range []bool{false, true} {
			var accounts []int64
			for account, h := range want {
				if !nonZero || !h.IsZero() {
					accounts = append(accounts, account)
				}
			}
			slices.Sort(accounts)
			for _, limit := range []int{7, 10_000} {
				q := stockrecord.Query{Instrument: instrument, NonZero: nonZero, Limit: limit, AtLeast: j.Head().Seq}
				var got []stockrecord.Row
				for more := true; more; {
					page, err := reader.Record(t.Context(), q)
					if err != nil || len(page.Rows) > limit || page.At != j.Head() {
						t.Fatalf("%+v: %+v, %v", q, page, err)
					}
					got, more, q.After = append(got, page.Rows...), page.More, page.Next
				}
				if len(got) != len(accounts) {
					t.Fatalf("%+v: %d rows, should be %d", q, len(got), len(accounts))
				}
				for i, row := range got {
					if row.Account != accounts[i] || row.Holding != want[row.Account] {
						t.Errorf("%+v: %+v, should be account %d, %+v", q, row, accounts[i], want[accounts[i]])
					}
				}
				compared += len(got)
			}
		}
	}
	if compared < 2000 {
		t.Errorf("only %d rows were compared", compared)
	}
}

func TestTotalsEqualModel(t *testing.T) {
	t.Parallel()
	j := journal(2, 2000, 100)
	books := directory(t, 100)
	reader, pool := folded(t, j, books)
	want := model(j)
	read := func(limit int) (lines []stockrecord.Line) {
		q := stockrecord.TotalsQuery{Limit: limit, AtLeast: j.Head().Seq}
		for more := true; more; {
			page, err := reader.Totals(t.Context(), q)
			if err != nil || len(page.Lines) > limit || page.At != j.Head() {
				t.Fatalf("%+v, %v", page, err)
			}
			lines, more, q.After = append(lines, page.Lines...), page.More, page.Next
		}
		return lines
	}
	for _, limit := range []int{1, 2, 7, 1000} {
		lines := read(limit)
		if len(lines) != len(want) || !slices.IsSortedFunc(lines, func(a, b stockrecord.Line) int { return int(a.Instrument - b.Instrument) }) {
			t.Fatalf("%d lines, should be %d in order", len(lines), len(want))
		}
		for _, l := range lines {
			compareLine(t, l, want[l.Instrument], books)
			if one, err := reader.Totals(t.Context(), stockrecord.TotalsQuery{Instrument: l.Instrument, Limit: 1}); err != nil ||
				one.More || len(one.Lines) != 1 || !slices.Equal(one.Lines[0].Kinds, l.Kinds) {
				t.Errorf("instrument %d alone: %+v, %v", l.Instrument, one, err)
			}
		}
	}
	dollars := read(1000)[0]
	if got := dollars.Of(ledger.KindLiability); got.Net() != ledger.MustAmount("0.02") || got.Accounts != 1 {
		t.Errorf("liabilities %+v", got)
	}
	if none, err := reader.Totals(t.Context(), stockrecord.TotalsQuery{Instrument: 999, Limit: 1}); err != nil || len(none.Lines) != 0 {
		t.Errorf("an instrument that nobody has: %+v, %v", none, err)
	}

	if _, err := pool.Exec(t.Context(), `UPDATE bk_read.balances_1 SET settled = settled + 1 WHERE account = $1 AND instrument = 3`, foldtest.Street); err != nil {
		t.Fatal(err)
	}
	for _, l := range read(3) {
		if tampered := l.Instrument == 3; l.Difference().IsZero() == tampered {
			t.Errorf("instrument %d: difference %s", l.Instrument, l.Difference())
		}
	}
}

func compareLine(t *testing.T, l stockrecord.Line, want map[int64]projections.Holding, books stockrecord.Books) {
	t.Helper()
	sums := map[ledger.AccountKind]stockrecord.KindSum{}
	var long, short, located ledger.Amount
	for id, h := range want {
		account, _ := books.Account(ledger.AccountRef{ID: id})
		s, b := sums[account.Kind], h.TradeDate()
		s.Kind = account.Kind
		owner := account.Kind == ledger.KindCustomer || account.Kind == ledger.KindFirm
		switch {
		case b.Sign() > 0:
			s.Long, s.Accounts = s.Long.Add(b), s.Accounts+1
			if owner {
				long = long.Add(b)
			}
		case b.Sign() < 0:
			s.Short, s.Accounts = s.Short.Add(b.Neg()), s.Accounts+1
			if owner {
				short = short.Add(b.Neg())
			}
		}
		if account.Kind == ledger.KindStreet || account.Kind == ledger.KindLocation {
			located = located.Add(b)
		}
		sums[account.Kind] = s
	}
	kinds := slices.Sorted(maps.Keys(sums))
	if len(kinds) != len(l.Kinds) {
		t.Errorf("instrument %d: %+v, should be %+v", l.Instrument, l.Kinds, sums)
	}
	for _, s := range l.Kinds {
		if sums[s.Kind] != s {
			t.Errorf("instrument %d: %+v, should be %+v", l.Instrument, s, sums[s.Kind])
		}
	}
	if !l.Difference().IsZero() || l.Long() != long || l.Short() != short || l.Located() != located {
		t.Errorf("instrument %d: long %s, short %s, located %s, difference %s; should be %s, %s, %s, 0",
			l.Instrument, l.Long(), l.Short(), l.Located(), l.Difference(), long, short, located)
	}
}

// TestUnknownAccount: what the directory does not know can't be put into a class.
func TestUnknownAccount(t *testing.T) {
	t.Parallel()
	j := journal(3, 200, 20)
	reader, _ := folded(t, j, directory(t, 5))
	_, err := reader.Totals(t.Context(), stockrecord.TotalsQuery{Limit: 10, AtLeast: j.Head().Seq})
	if err == nil || !strings.Contains(err.Error(), "the directory does not know it") {
		t.Errorf("an account that nobody opened: %v", err)
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	reader, _ := folded(t, foldtest.NewJournal(1), nil)
	if _, err := reader.Record(t.Context(), stockrecord.Query{Limit: 1}); !errors.Is(err, stockrecord.ErrInstrument) {
		t.Errorf("no instrument: %v", err)
	}
	for _, limit := range []int{-1, 0, stockrecord.MaxLimit + 1} {
		if _, err := reader.Record(t.Context(), stockrecord.Query{Instrument: 1, Limit: limit}); !errors.Is(err, stockrecord.ErrLimit) {
			t.Errorf("limit %d: %v", limit, err)
		}
		if _, err := reader.Totals(t.Context(), stockrecord.TotalsQuery{Limit: limit}); !errors.Is(err, stockrecord.ErrLimit) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	behind := (*projections.BehindError)(nil)
	if _, err := reader.Totals(short, stockrecord.TotalsQuery{Limit: 1, AtLeast: 1}); !errors.As(err, &behind) {
		t.Errorf("a read of what is not there yet: %v", err)
	}
}
