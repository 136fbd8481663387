package statement_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/statement"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// folded gives a reader of the journal's statements; the fold takes small chunks, so that blocks are put together of many.
func folded(t *testing.T, j *foldtest.Journal) *statement.Reader {
	t.Helper()
	return foldedIn(t, foldtest.Pool(t, pgtest.New(t)), j)
}

func foldedIn(t *testing.T, pool *pgxpool.Pool, j *foldtest.Journal) *statement.Reader {
	t.Helper()
	r, err := projections.New(projections.Config{
		Pool: pool, Source: j, Shard: 1, Projections: []projections.Projection{statement.Projection{}}, MaxChunkEntries: 700,
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
	return statement.NewReader(r, j)
}

// model gives the lines that a query without limit should give.
func model(j *foldtest.Journal, q statement.Query) []statement.Line {
	var lines []statement.Line
	balance := map[int64]projections.Holding{}
	for _, e := range j.All() {
		if q.KnownAt != 0 && e.ID.Seq() > q.KnownAt || q.AsOf != 0 && e.EffectiveDate > q.AsOf {
			continue
		}
		for i, p := range e.Postings {
			if p.Account != q.Account {
				continue
			}
			h := balance[p.Instrument]
			if p.Bucket == ledger.Unsettled {
				h.Unsettled = h.Unsettled.Add(p.Quantity)
			} else {
				h.Settled = h.Settled.Add(p.Quantity)
			}
			balance[p.Instrument] = h
			if (q.Instrument == 0 || q.Instrument == p.Instrument) && (q.From == 0 || e.EffectiveDate >= q.From) && (q.To == 0 || e.EffectiveDate <= q.To) {
				lines = append(lines, statement.Line{Entry: e, Index: i, Posting: p, Balance: h})
			}
		}
	}
	return lines
}

func TestStatementEqualsModel(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(1)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(1, 1)), 7000, 40, 5, true)...)
	reader := folded(t, j)
	for _, account := range []int64{foldtest.FirstCustomer + 7, foldtest.Street, foldtest.Location, 42} {
		for _, filter := range []statement.Query{
			{}, {Instrument: 3}, {Instrument: foldtest.Dollar}, {From: 20131008}, {To: 20131008}, {From: 20131008, To: 20131008, Instrument: 2}, {Instrument: 999},
		} {
			for _, limit := range []int{97, 10_000} {
				q := filter
				q.Account, q.Limit, q.AtLeast = account, limit, 7000
				want := model(j, q)
				var got []statement.Line
				for more := true; more; {
					page, err := reader.Statement(t.Context(), q)
					if err != nil || len(page.Lines) > limit || page.At != j.Head() {
						t.Fatalf("%+v: %+v, %v", q, page, err)
					}
					if page.More && page.Next == q.After {
						t.Fatalf("%+v: the page does not get on", q)
					}
					got, more, q.After = append(got, page.Lines...), page.More, page.Next
				}
				if len(got) != len(want) {
					t.Fatalf("%+v: %d lines, should be %d", q, len(got), len(want))
				}
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%+v: line %d is %+v, should be %+v", q, i, got[i], want[i])
					}
				}
			}
		}
	}
}

// TestStablePages: a reader that pages with a limit of one sees each line once, in order, while entries are booked; who goes on from
// the last page's Next later gets what came since.
func TestStablePages(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(1)
	all := foldtest.Trades(rand.New(rand.NewPCG(2, 2)), 1500, 10, 2, true)
	j.Append(all[:100]...)
	reader := folded(t, j)
	q := statement.Query{Account: foldtest.FirstCustomer + 3, Limit: 1, AtLeast: 100}
	booked := 100
	var got []statement.Line
	for {
		page, err := reader.Statement(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, q.After = append(got, page.Lines...), page.Next
		if booked < len(all) {
			n := min(len(all), booked+7)
			j.Append(all[booked:n]...)
			booked, q.AtLeast = n, uint64(n)
		} else if !page.More && page.At.Seq == uint64(len(all)) {
			break
		}
	}
	want := model(j, q)
	if len(got) != len(want) || len(want) < 100 {
		t.Fatalf("%d lines, should be %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] || got[i].Running() == (ledger.Amount{}) && !want[i].Balance.Unsettled.IsZero() && want[i].Bucket == ledger.Unsettled {
			t.Fatalf("line %d is %+v, should be %+v", i, got[i], want[i])
		}
	}
}

// counting counts the entries that pages load.
type counting struct {
	*foldtest.Journal
	loaded int
}

func (c *counting) EntriesBySeq(ctx context.Context, seqs []uint64) ([]*ledger.Entry, error) {
	c.loaded += len(seqs)
	return c.Journal.EntriesBySeq(ctx, seqs)
}

// TestBoundedPages: a filter that finds nothing on a hot account does not read all of it for one page, and one by an instrument that
// the account seldom touches reads only the blocks that do.
func TestBoundedPages(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(1)
	all := foldtest.Trades(rand.New(rand.NewPCG(3, 3)), 30_000, 10, 2, false)
	for i := range all[25_000].Postings[:2] {
		all[25_000].Postings[i].Instrument = 77
	}
	for i := 0; i < len(all); i += 500 { // so that no block can be ruled out by its dates
		all[i].EffectiveDate = 20300101
	}
	j.Append(all...)
	source := &counting{Journal: j}
	r, err := projections.New(projections.Config{
		Pool: foldtest.Pool(t, pgtest.New(t)), Source: j, Shard: 1, Projections: []projections.Projection{statement.Projection{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go r.Run(ctx) //nolint:errcheck // ends with the context
	reader := statement.NewReader(r, source)

	q := statement.Query{Account: foldtest.Street, From: 20200101, To: 20250101, Limit: 10, AtLeast: 30_000}
	pages := 0
	for more := true; more; pages++ {
		source.loaded = 0
		page, err := reader.Statement(t.Context(), q)
		if err != nil || len(page.Lines) != 0 {
			t.Fatalf("%+v, %v", page, err)
		}
		if source.loaded > 2*4096 {
			t.Errorf("%d entries loaded for a page", source.loaded)
		}
		more, q.After = page.More, page.Next
	}
	if pages < 30_000/(2*4096) {
		t.Errorf("%d pages", pages)
	}

	source.loaded = 0
	page, err := reader.Statement(t.Context(), statement.Query{Account: foldtest.Street, Instrument: 77, Limit: 10})
	if err != nil || len(page.Lines) != 1 || page.Lines[0].Entry.ID.Seq() != 25_001 || source.loaded > 4096 {
		t.Errorf("%+v after %d entries, %v", page, source.loaded, err)
	}

	// The blocks' dates rule the others out.
	source.loaded = 0
	page, err = reader.Statement(t.Context(), statement.Query{Account: foldtest.Street, From: 20310101, Limit: 10})
	if err != nil || len(page.Lines) != 0 || page.More || source.loaded != 0 {
		t.Errorf("%+v after %d entries, %v", page, source.loaded, err)
	}
}

// dated makes a journal whose effective dates go on with it, but for some that are late or early.
func dated(seed uint64, n, customers int) *foldtest.Journal {
	rng := rand.New(rand.NewPCG(seed, seed))
	all := foldtest.Trades(rng, n, customers, 4, true)
	day := func(i int) ledger.Date {
		return ledger.DateOf(time.Date(2013, 10, 1+max(i, 0)*20/n, 0, 0, 0, 0, time.UTC))
	}
	for i, e := range all {
		switch rng.IntN(40) {
		case 0:
			e.EffectiveDate = day(i - n/4)
		case 1:
			e.EffectiveDate = day(i + n/10)
		default:
			e.EffectiveDate = day(i)
		}
	}
	j := foldtest.NewJournal(1)
	j.Append(all...)
	return j
}

// read gives all lines, page by page, and checks that the pages are as of one place.
func read(t *testing.T, reader *statement.Reader, q statement.Query, at uint64) []statement.Line {
	t.Helper()
	var got []statement.Line
	for more := true; more; {
		page, err := reader.Statement(t.Context(), q)
		if err != nil || len(page.Lines) > q.Limit || page.At.Seq != at {
			t.Fatalf("%+v: %+v, %v", q, page, err)
		}
		if page.More && page.Next == q.After {
			t.Fatalf("%+v: the page does not get on", q)
		}
		got, more, q.After = append(got, page.Lines...), page.More, page.Next
	}
	return got
}

// TestAsOfKnownAt: lines and running balances as of a day and known at a place are those of a journal that has only these entries.
func TestAsOfKnownAt(t *testing.T) {
	t.Parallel()
	const entries = 8000
	j := dated(5, entries, 30)
	pool := foldtest.Pool(t, pgtest.New(t))
	reader := foldedIn(t, pool, j)
	rng := rand.New(rand.NewPCG(6, 6))
	queries := []statement.Query{{AsOf: 20130901}, {AsOf: 20991231}, {KnownAt: 1}, {KnownAt: entries}, {AsOf: 20131010, From: 20131008, To: 20131009}}
	for range 20 {
		q := statement.Query{AsOf: ledger.Date(20131001 + rng.IntN(22)), KnownAt: uint64(1 + rng.IntN(entries))}
		switch rng.IntN(3) {
		case 0:
			q.AsOf = 0
		case 1:
			q.KnownAt = 0
		}
		if rng.IntN(3) == 0 {
			q.Instrument = int64(1 + rng.IntN(5))
		}
		queries = append(queries, q)
	}
	check := func(reader *statement.Reader) (lines int) {
		for _, q := range queries {
			for _, account := range []int64{foldtest.FirstCustomer + 7, foldtest.Street} {
				q.Account, q.AtLeast, q.Limit = account, entries, 500
				at := uint64(entries)
				if q.KnownAt != 0 {
					at = q.KnownAt
				}
				got, want := read(t, reader, q, at), model(j, q)
				if len(got) != len(want) {
					t.Fatalf("%+v: %d lines, should be %d", q, len(got), len(want))
				}
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%+v: line %d is %+v, should be %+v", q, i, got[i], want[i])
					}
				}
				lines += len(got)
			}
		}
		return lines
	}
	if lines := check(reader); lines < 10_000 {
		t.Errorf("only %d lines were compared", lines)
	}

	// A page deep in the list: it reads what may have left something out before it, not the account from its beginning.
	source := &counting{Journal: j}
	standby, err := projections.New(projections.Config{Pool: pool, Source: j, Shard: 1, Projections: []projections.Projection{statement.Projection{}}})
	if err != nil {
		t.Fatal(err)
	}
	deep := statement.Query{Account: foldtest.Street, AsOf: 20131018, After: statement.Place{Seq: 7000}, Limit: 10}
	page, err := statement.NewReader(standby, source).Statement(t.Context(), deep)
	if err != nil || len(page.Lines) != 10 || source.loaded > 3000 {
		t.Errorf("%+v after %d entries, %v", page, source.loaded, err)
	}

	// A generation of an older version is not read; the new one is being built.
	if _, err := pool.Exec(t.Context(), `UPDATE bk_read.projection SET version = 2`); err != nil {
		t.Fatal(err)
	}
	if _, err := statement.NewReader(standby, j).Statement(t.Context(), deep); !errors.Is(err, projections.ErrNotBuilt) {
		t.Errorf("a read of version 2: %v", err)
	}
}

// TestKnownLater: what is known at a place that is not there yet is waited for.
func TestKnownLater(t *testing.T) {
	t.Parallel()
	j := dated(7, 100, 3)
	reader := folded(t, j)
	q := statement.Query{Account: foldtest.Street, KnownAt: 101, Limit: 1000}
	short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	behind := (*projections.BehindError)(nil)
	if _, err := reader.Statement(short, q); !errors.As(err, &behind) || behind.Want != 101 {
		t.Errorf("a read of what is not there yet: %v", err)
	}
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(8, 8)), 50, 3, 2, false)...)
	if got, want := read(t, reader, q, 101), model(j, q); !slices.Equal(got, want) {
		t.Errorf("%d lines, should be %d", len(got), len(want))
	}
}

// holey is a journal that has lost an entry.
type holey struct {
	*foldtest.Journal
	lost uint64
}

func (h *holey) EntriesBySeq(ctx context.Context, seqs []uint64) ([]*ledger.Entry, error) {
	entries, err := h.Journal.EntriesBySeq(ctx, seqs)
	if i := slices.Index(seqs, h.lost); i >= 0 {
		entries[i] = nil
	}
	return entries, err
}

func TestLostEntry(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(1)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(4, 4)), 50, 3, 2, false)...)
	r, err := projections.New(projections.Config{
		Pool: foldtest.Pool(t, pgtest.New(t)), Source: j, Shard: 1, Projections: []projections.Projection{statement.Projection{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go r.Run(ctx) //nolint:errcheck // ends with the context
	reader := statement.NewReader(r, &holey{j, 30})
	_, err = reader.Statement(t.Context(), statement.Query{Account: foldtest.Street, Limit: 100, AtLeast: 50})
	if err == nil || !strings.Contains(err.Error(), "does not give entry 30") {
		t.Errorf("a lost entry: %v", err)
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	reader := folded(t, foldtest.NewJournal(1))
	for _, c := range []struct {
		q    statement.Query
		want error
	}{
		{statement.Query{Limit: 1}, statement.ErrAccount},
		{statement.Query{Account: 1}, statement.ErrLimit},
		{statement.Query{Account: 1, Limit: statement.MaxLimit + 1}, statement.ErrLimit},
	} {
		if _, err := reader.Statement(t.Context(), c.q); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	behind := (*projections.BehindError)(nil)
	if _, err := reader.Statement(ctx, statement.Query{Account: 1, Limit: 1, AtLeast: 1}); !errors.As(err, &behind) {
		t.Errorf("a read of what is not there yet: %v", err)
	}
}
