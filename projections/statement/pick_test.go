package statement_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/statement"
)

// TestChosenEntries: the lines of some entries alone are those that they have among all, whichever entries these are, on pages of any size.
func TestChosenEntries(t *testing.T) {
	t.Parallel()
	const entries = 9000
	j := dated(11, entries, 30)
	reader := folded(t, j)
	rng := rand.New(rand.NewPCG(12, 12))
	choose := func(n, most int) (seqs []uint64) {
		for range n {
			seqs = append(seqs, uint64(1+rng.IntN(most)))
		}
		slices.Sort(seqs)
		return slices.Compact(seqs)
	}
	lines := 0
	for i := range 60 {
		q := statement.Query{Account: []int64{foldtest.Street, foldtest.FirstCustomer + int64(rng.IntN(30)), 42}[i%3], AtLeast: entries, Limit: 1 + rng.IntN(50)}
		switch rng.IntN(4) {
		case 0:
			q.Entries = choose(1, entries)
		case 1:
			q.Entries = choose(statement.MaxEntries, 2*entries) // half of them aren't there
		case 2:
			q.Entries = choose(300, 4200)
		default:
			q.Entries = []uint64{4095, 4096, 4097, 8191, 8192, entries, entries + 1}
		}
		at := uint64(entries)
		if rng.IntN(3) == 0 {
			q.KnownAt = uint64(1 + rng.IntN(entries))
			at = q.KnownAt
		}
		if rng.IntN(3) == 0 {
			q.Instrument = int64(1 + rng.IntN(5))
		}
		want := slices.DeleteFunc(model(j, q), func(l statement.Line) bool { return !slices.Contains(q.Entries, l.Entry.ID.Seq()) })
		if got := read(t, reader, q, at); !slices.Equal(got, want) {
			t.Fatalf("%+v: %d lines, should be %d", q, len(got), len(want))
		}
		lines += len(want)
	}
	if lines < 2000 {
		t.Errorf("only %d lines were compared", lines)
	}
	for _, q := range []statement.Query{
		{Entries: []uint64{2, 1}}, {Entries: []uint64{2, 2}}, {Entries: []uint64{1}, AsOf: 20131010}, {Entries: []uint64{1}, From: 20131010},
		{Entries: []uint64{1}, To: 20131010}, {Entries: make([]uint64, statement.MaxEntries+1)},
	} {
		q.Account, q.Limit = foldtest.Street, 1
		if _, err := reader.Statement(t.Context(), q); !errors.Is(err, statement.ErrEntries) {
			t.Errorf("%d entries, %+v: %v", len(q.Entries), q, err)
		}
	}
}

// TestChosenEntriesCost: what a page loads are the entries of the account before the chosen ones in their blocks, wherever these are, and never more
// than a page may.
func TestChosenEntriesCost(t *testing.T) {
	t.Parallel()
	const entries = 30_000
	j := foldtest.NewJournal(1)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(13, 13)), entries, 10, 2, false)...)
	pool := foldtest.Pool(t, pgtest.New(t))
	if _, err := foldedIn(t, pool, j).Statement(t.Context(), statement.Query{Account: foldtest.Street, Limit: 1, AtLeast: entries}); err != nil {
		t.Fatal(err)
	}
	source := &counting{Journal: j}
	standby, err := projections.New(projections.Config{Pool: pool, Source: j, Shard: 1, Projections: []projections.Projection{statement.Projection{}}})
	if err != nil {
		t.Fatal(err)
	}
	reader := statement.NewReader(standby, source)
	page, err := reader.Statement(t.Context(), statement.Query{Account: foldtest.Street, Entries: []uint64{6*4096 + 9}, Limit: 10})
	if err != nil || len(page.Lines) != 2 || page.More || source.loaded > 10 {
		t.Errorf("the tenth entry of a block: %d lines, more %t, after %d entries, %v", len(page.Lines), page.More, source.loaded, err)
	}
	var last []uint64 // of each block: all of the account has to be gone through
	for seq := uint64(4095); seq <= entries; seq += 4096 {
		last = append(last, seq)
	}
	q := statement.Query{Account: foldtest.Street, Entries: last, Limit: statement.MaxLimit}
	pages, seen := 0, map[ledger.ID]bool{}
	for more := true; more; pages++ {
		source.loaded = 0
		page, err := reader.Statement(t.Context(), q)
		if err != nil || source.loaded > 2*4096 {
			t.Fatalf("%d entries loaded for a page, %v", source.loaded, err)
		}
		for _, l := range page.Lines {
			seen[l.Entry.ID] = true
		}
		more, q.After = page.More, page.Next
	}
	if len(seen) != len(last) || pages < entries/(2*4096) {
		t.Errorf("%d of %d entries on %d pages", len(seen), len(last), pages)
	}
}
