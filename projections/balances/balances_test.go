package balances_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/foldtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// folded gives a reader of the journal's balances.
func folded(t *testing.T, j *foldtest.Journal) (*balances.Reader, *projections.Runner) {
	t.Helper()
	r, err := projections.New(projections.Config{
		Pool: foldtest.Pool(t, pgtest.New(t)), Source: j, Shard: 1, Projections: []projections.Projection{balances.Projection{}},
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
	if head := j.Head().Seq; head > 0 {
		wait, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.WaitFor(wait, balances.Name, head); err != nil {
			t.Fatal(err)
		}
	}
	return balances.NewReader(r), r
}

// model folds plainly.
func model(j *foldtest.Journal) map[projections.Key]projections.Holding {
	m := map[projections.Key]projections.Holding{}
	for _, e := range j.All() {
		for _, p := range e.Postings {
			k := projections.Key{Account: p.Account, Instrument: p.Instrument}
			h := m[k]
			if p.Bucket == ledger.Unsettled {
				h.Unsettled = h.Unsettled.Add(p.Quantity)
			} else {
				h.Settled = h.Settled.Add(p.Quantity)
			}
			m[k] = h
		}
	}
	return m
}

func TestBalancesEqualModel(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(1)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(1, 1)), 3000, 300, 4, true)...)
	reader, _ := folded(t, j)
	want := model(j)

	for _, limit := range []int{1, 7, 100, 5000} {
		for _, account := range []int64{0, foldtest.FirstCustomer + 5, foldtest.Street, 42} {
			var got []balances.Row
			q := balances.Query{Account: account, Limit: limit}
			if limit == 1 && account == 0 {
				continue // a page for each row says nothing new
			}
			for more := true; more; {
				page, err := reader.Balances(t.Context(), q)
				if err != nil || len(page.Rows) > limit || page.At != j.Head() {
					t.Fatalf("%+v: %d rows at %s, %v", q, len(page.Rows), page.At, err)
				}
				got, more, q.After = append(got, page.Rows...), page.More, page.Next
			}
			count := 0
			for k := range want {
				if account == 0 || k.Account == account {
					count++
				}
			}
			if len(got) != count || !slices.IsSortedFunc(got, func(a, b balances.Row) int { return a.Compare(b.Key) }) {
				t.Errorf("account %d, limit %d: %d rows, should be %d in order", account, limit, len(got), count)
			}
			for _, row := range got {
				if want[row.Key] != row.Holding {
					t.Errorf("%+v is %+v, should be %+v", row.Key, row.Holding, want[row.Key])
				}
			}
		}
	}
}

// TestNonZero: balances that came back to zero are left out where asked, and pages go on behind them.
func TestNonZero(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(1)
	all := foldtest.Trades(rand.New(rand.NewPCG(2, 2)), 2000, 1000, 4, false)
	for _, e := range all[:1950] { // all but fifty are cancelled
		back := *e
		back.Kind, back.Postings = ledger.KindCancel, slices.Clone(e.Postings)
		for i := range back.Postings {
			back.Postings[i].Quantity = back.Postings[i].Quantity.Neg()
		}
		all = append(all, &back)
	}
	j.Append(all...)
	reader, _ := folded(t, j)
	want := model(j)
	count := 0
	for _, h := range want {
		if !h.IsZero() {
			count++
		}
	}
	var got []balances.Row
	q := balances.Query{NonZero: true, Limit: 10}
	for more := true; more; {
		page, err := reader.Balances(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, more, q.After = append(got, page.Rows...), page.More, page.Next
	}
	if len(got) != count || count == 0 || count == len(want) {
		t.Errorf("%d rows, should be %d of %d", len(got), count, len(want))
	}
	for _, row := range got {
		if row.IsZero() || want[row.Key] != row.Holding {
			t.Errorf("%+v is %+v, should be %+v", row.Key, row.Holding, want[row.Key])
		}
	}
}

func TestTrialBalance(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(1)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(3, 3)), 1000, 50, 3, true)...)
	reader, runner := folded(t, j)
	class := func(account int64) string {
		if account < foldtest.Street {
			return "customer"
		}
		return "house"
	}
	trial, err := reader.TrialBalance(t.Context(), 1000, class)
	if err != nil || trial.At != j.Head() {
		t.Fatalf("at %s, %v", trial.At, err)
	}
	type key struct {
		instrument int64
		class      string
	}
	want := map[key]balances.TrialLine{}
	for k, h := range model(j) {
		at := key{k.Instrument, class(k.Account)}
		l := want[at]
		l.Instrument, l.Class = at.instrument, at.class
		switch b := h.TradeDate(); b.Sign() {
		case 1:
			l.Positive, l.Accounts = l.Positive.Add(b), l.Accounts+1
		case -1:
			l.Negative, l.Accounts = l.Negative.Add(b), l.Accounts+1
		}
		want[at] = l
	}
	if len(trial.Lines) != len(want) || len(trial.Lines) != 8 {
		t.Errorf("%d lines, should be %d", len(trial.Lines), len(want))
	}
	for _, l := range trial.Lines {
		if want[key{l.Instrument, l.Class}] != l {
			t.Errorf("%+v, should be %+v", l, want[key{l.Instrument, l.Class}])
		}
	}
	if off := trial.Off(); len(off) != 0 {
		t.Errorf("off by %v", off)
	}
	trial.Lines[0].Positive = trial.Lines[0].Positive.Add(ledger.AmountOf(1))
	if off := trial.Off(); len(off) != 1 || off[trial.Lines[0].Instrument] != ledger.AmountOf(1) {
		t.Errorf("off by %v, should be 1", off)
	}

	short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	behind := (*projections.BehindError)(nil)
	if _, err := reader.TrialBalance(short, 1001, nil); !errors.As(err, &behind) || behind.Have != 1000 {
		t.Errorf("a read of what is not there yet: %v", err)
	}
	if status, err := runner.Status(t.Context()); err != nil || !status[0].Running {
		t.Errorf("status %+v, %v", status, err)
	}
}

// TestExact: the largest and the smallest amounts add up without rounding, beyond what a single amount may have.
func TestExact(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(1)
	large := ledger.MustAmount("999999999999999999.9999999999")
	var sum ledger.Amount
	for range 500 {
		j.Append(&ledger.Entry{Kind: "journal", BookedAt: time.Now().UTC(), Postings: []ledger.Posting{
			{Account: 1, Instrument: 1, Bucket: ledger.Settled, Quantity: large},
			{Account: 2, Instrument: 1, Bucket: ledger.Settled, Quantity: large.Neg()},
		}})
		sum = sum.Add(large)
	}
	reader, _ := folded(t, j)
	page, err := reader.Balances(t.Context(), balances.Query{Limit: 10})
	if err != nil || len(page.Rows) != 2 || page.Rows[0].Settled != sum || page.Rows[1].Settled != sum.Neg() {
		t.Errorf("%+v, %v; should be %s", page.Rows, err, sum)
	}
}

// TestByInstrument: the stock record finds an instrument's balances without reading the others.
func TestByInstrument(t *testing.T) {
	t.Parallel()
	pool := foldtest.Pool(t, pgtest.New(t))
	g := projections.Generation{Projection: balances.Name, Number: 7}
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if err := (balances.Projection{}).Create(t.Context(), tx, g); err != nil {
			return err
		}
		var definition string
		if err := tx.QueryRow(t.Context(), `SELECT indexdef FROM pg_indexes WHERE indexname = 'balances_7_instrument'`).Scan(&definition); err != nil {
			return err
		}
		if !strings.HasSuffix(definition, " (instrument, account)") {
			t.Errorf("the index is %s", definition)
		}
		return (balances.Projection{}).Drop(t.Context(), tx, g)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	reader, _ := folded(t, foldtest.NewJournal(1))
	for _, limit := range []int{-1, 0, balances.MaxLimit + 1} {
		if _, err := reader.Balances(t.Context(), balances.Query{Limit: limit}); !errors.Is(err, balances.ErrLimit) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}
