package daily_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/statement"
)

// light hides that days are heavy, so that a chunk has many.
type light struct{ daily.Projection }

func (l light) Open(ctx context.Context, tx pgx.Tx, g projections.Generation) (projections.Fold, error) {
	fold, err := l.Projection.Open(ctx, tx, g)
	return struct{ projections.Fold }{fold}, err
}

// TestChunks: however the journal is cut into chunks, the rows are the same to the byte, and equal a plain fold.
func TestChunks(t *testing.T) {
	t.Parallel()
	b := newBank(1, 12, 60, true)
	want := ""
	for _, c := range []struct {
		entries int
		p       projections.Projection
	}{{1, daily.Projection{}}, {7, daily.Projection{}}, {50, light{}}, {2000, daily.Projection{}}, {2000, light{}}} {
		pool := foldtest.Pool(t, pgtest.New(t))
		r := newRunner(t, pool, b, func(cfg *projections.Config) {
			cfg.MaxChunkEntries, cfg.Projections = c.entries, []projections.Projection{c.p}
		})
		start(t, r)
		waitFor(t, r, b.Head().Seq, daily.Name)
		verifySound(t, pool, b.Journal)
		got := rows(t, pool)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("chunks of %d, %T: the rows are others", c.entries, c.p)
		}
	}
}

// watched notes how many day entries a transaction has at most.
type watched struct {
	daily.Projection
	most chan int // capacity 1
}

type watchedFold struct {
	projections.Heavy
	most chan int
	days int
}

func (w watched) Open(ctx context.Context, tx pgx.Tx, g projections.Generation) (projections.Fold, error) {
	fold, err := w.Projection.Open(ctx, tx, g)
	if err != nil {
		return nil, err
	}
	return &watchedFold{Heavy: fold.(projections.Heavy), most: w.most}, nil
}

func (f *watchedFold) Add(e *ledger.Entry) error {
	if e.Day != nil {
		f.days++
	}
	return f.Heavy.Add(e)
}

func (f *watchedFold) Store(ctx context.Context, tx pgx.Tx) error {
	f.most <- max(<-f.most, f.days)
	f.days = 0
	return f.Heavy.Store(ctx, tx)
}

// TestOneDayAtATime: a backlog of many days is not one transaction.
func TestOneDayAtATime(t *testing.T) {
	t.Parallel()
	b := newBank(11, 20, 5, true)
	w := watched{most: make(chan int, 1)}
	w.most <- 0
	r := newRunner(t, foldtest.Pool(t, pgtest.New(t)), b, func(c *projections.Config) { c.Projections = []projections.Projection{w} })
	start(t, r)
	waitFor(t, r, b.Head().Seq, daily.Name)
	if most := <-w.most; most != 1 {
		t.Errorf("a transaction has %d day entries", most)
	}
}

// TestRestarts: a process that ends between the beginning and the end of a day, or anywhere else, leaves the business date behind.
func TestRestarts(t *testing.T) {
	t.Parallel()
	b := newBank(2, 8, 40, true)
	pool := foldtest.Pool(t, pgtest.New(t))
	part := foldtest.NewJournal(1)
	rest := b.All()
	for len(rest) > 0 {
		n := 1 + b.rng.IntN(10)
		if i := slices.IndexFunc(rest, func(e *ledger.Entry) bool { return e.Day != nil }); i >= 0 {
			n = i + 1 // just after each day entry
		}
		n = min(n, len(rest))
		part.Append(rest[:n]...)
		rest = rest[n:]
		r := newRunner(t, pool, part, nil)
		stop := start(t, r)
		waitFor(t, r, part.Head().Seq, daily.Name)
		stop()
	}
	verifySound(t, pool, part)
	whole := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, whole, part, nil)
	start(t, r)
	waitFor(t, r, part.Head().Seq, daily.Name)
	if rows(t, pool) != rows(t, whole) {
		t.Error("the rows are not those of a fold in one go")
	}
}

// TestRebuild: a generation that is filled and swapped in has the same rows.
func TestRebuild(t *testing.T) {
	t.Parallel()
	b := newBank(3, 10, 40, false)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, b, nil)
	start(t, r)
	waitFor(t, r, b.Head().Seq, daily.Name)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.Rebuild(ctx, daily.Name, nil); err != nil {
		t.Fatal(err)
	}
	if result := verify(t, pool, b.Journal); result.Breaches.Count != 0 || result.Generation.Number != 2 {
		t.Errorf("%+v", result)
	}
	b.end()
	waitFor(t, r, b.Head().Seq, daily.Name)
	if result := verify(t, pool, b.Journal); result.Breaches.Count != 0 {
		t.Errorf("%+v", result)
	}
}

// TestBalances: as of any day and known at any place, the balances are the plain sums of the entries that count.
func TestBalances(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			compareBalances(t, newBank(40+seed, 10, 60, seed > 0))
		})
	}
}

func compareBalances(t *testing.T, b *bank) {
	reader, _ := folded(t, b.Journal)
	head := b.Head().Seq
	accounts := []int64{foldtest.Street, foldtest.Firm, foldtest.Location, 42}
	for i := range 12 {
		accounts = append(accounts, int64(foldtest.FirstCustomer+i))
	}
	compared := 0
	for range 30 {
		q := daily.Query{AsOf: ledger.DateOf(firstDay.Time().AddDate(0, 0, b.rng.IntN(30)-10)), KnownAt: uint64(1 + b.rng.IntN(int(head)))}
		switch b.rng.IntN(4) {
		case 0:
			q.AsOf = 0
		case 1:
			q.KnownAt = 0
		case 2:
			q.KnownAt = head - uint64(b.rng.IntN(2))
		}
		if b.rng.IntN(4) == 0 {
			q.Instrument = int64(1 + b.rng.IntN(4))
		}
		want, at := known(b.All(), q.AsOf, q.KnownAt).sorted(), head
		if q.KnownAt != 0 {
			at = q.KnownAt
		}
		for _, q.Account = range accounts {
			mine := slices.DeleteFunc(slices.Clone(want), func(r daily.Row) bool {
				return r.Account != q.Account || q.Instrument != 0 && r.Instrument != q.Instrument
			})
			got, token, err := reader.Balances(t.Context(), q)
			if err != nil || token != (ledger.Token{Shard: 1, Seq: at}) || !slices.Equal(got, mine) {
				t.Fatalf("%+v: %+v at %s, %v; should be %+v", q, got, token, err, mine)
			}
			compared += len(got)
		}
	}
	if compared < 500 {
		t.Errorf("only %d balances were compared", compared)
	}
	if _, _, err := reader.Balances(t.Context(), daily.Query{}); !errors.Is(err, daily.ErrAccount) {
		t.Errorf("no account: %v", err)
	}
}

// TestCheckpointsApart: what was known is exact while the posting lists are behind the movements, which are waited for, and ahead.
func TestCheckpointsApart(t *testing.T) {
	t.Parallel()
	b := newBank(5, 6, 60, true)
	pool := foldtest.Pool(t, pgtest.New(t))
	head := b.Head().Seq
	only := func(p projections.Projection, upTo uint64) {
		r := newRunner(t, pool, beginning(b.Journal, upTo), func(c *projections.Config) { c.Projections = []projections.Projection{p} })
		stop := start(t, r)
		waitFor(t, r, upTo, p.Name())
		stop()
	}
	reader := daily.NewReader(newRunner(t, pool, b, nil), b)
	q := daily.Query{Account: foldtest.Street, AsOf: b.today, KnownAt: head / 2}
	check := func() {
		t.Helper()
		got, at, err := reader.Balances(t.Context(), q)
		want := slices.DeleteFunc(known(b.All(), q.AsOf, q.KnownAt).sorted(), func(r daily.Row) bool { return r.Account != q.Account })
		if err != nil || at.Seq != q.KnownAt || !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%+v at %s, %v; should be %+v", got, at, err, want)
		}
	}

	only(daily.Projection{}, head/2+20)
	only(statement.Projection{}, head/2-20)
	behind := (*projections.BehindError)(nil)
	for short := 50 * time.Millisecond; behind == nil; short *= 2 { // until it is long enough to come as far as the wait
		ctx, cancel := context.WithTimeout(t.Context(), short)
		_, _, err := reader.Balances(ctx, q)
		cancel()
		if !errors.As(err, &behind) && short > 30*time.Second || err == nil {
			t.Fatalf("the posting lists are behind: %v", err)
		}
	}
	if behind.Projection != statement.Name || behind.Want != head/2+20 {
		t.Errorf("the posting lists are behind: %v", behind)
	}
	only(statement.Projection{}, head)
	check()
	only(daily.Projection{}, head)
	check()
	q.KnownAt = 20 // nearer to the beginning
	check()
}

// beginning copies the beginning of a journal.
func beginning(j *foldtest.Journal, n uint64) *foldtest.Journal {
	part := foldtest.NewJournal(1)
	for _, e := range j.All()[:n] {
		c := *e
		part.Append(&c)
	}
	return part
}

// TestCuts: each day's cut is the plain sums as of the day when it ended, what was booked late afterwards notwithstanding; and it is
// what Cut foretells.
func TestCuts(t *testing.T) {
	t.Parallel()
	b := newBank(6, 5, 50, true)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, b, nil)
	reader := daily.NewReader(r, b)
	start(t, r)

	day := b.today.Next()
	if _, _, err := reader.Cut(t.Context(), b.today, b.Head().Seq); !errors.Is(err, daily.ErrDay) || !strings.Contains(err.Error(), "over") {
		t.Errorf("a cut of a day that is over: %v", err)
	}
	b.begin(day)
	b.book(30)
	rows, hash, err := reader.Cut(t.Context(), day, b.Head().Seq)
	wantRows, wantHash := cutOf(day, known(b.All(), day, 0))
	if err != nil || rows != wantRows || hash != wantHash || rows == 0 {
		t.Errorf("%d rows, hash %x, %v; should be %d, %x", rows, hash, err, wantRows, wantHash)
	}
	if _, _, err := reader.Cut(t.Context(), day.Next(), 0); !errors.Is(err, daily.ErrDay) {
		t.Errorf("a cut of a day to come: %v", err)
	}
	b.Append(dayEntry(ledger.KindDayEnd, ledger.Day{Date: day, To: day, CutRows: rows, CutHash: hash}))
	b.book(30) // late: changes no cut

	cuts, err := reader.Cuts(t.Context(), 0, 100, b.Head().Seq)
	if err != nil || len(cuts) != 6 {
		t.Fatalf("%+v, %v", cuts, err)
	}
	ends := slices.DeleteFunc(slices.Clone(b.All()), func(e *ledger.Entry) bool { return e.Kind != ledger.KindDayEnd })
	begun := slices.DeleteFunc(slices.Clone(b.All()), func(e *ledger.Entry) bool { return e.Kind != ledger.KindDayBegin })
	for i, e := range ends {
		want := daily.Cut{Day: e.Day.Date, Begin: ledger.Token{Shard: 1, Seq: begun[i].ID.Seq()}, Token: ledger.Token{Shard: 1, Seq: e.ID.Seq()}, Rows: e.Day.CutRows, Hash: e.Day.CutHash, BookedAt: e.BookedAt}
		if cuts[i] != want {
			t.Errorf("cut %+v, should be %+v", cuts[i], want)
		}
		var got []daily.Row
		var after projections.Key
		for more := true; more; {
			page, err := reader.CutRows(t.Context(), want.Day, after, 7)
			if err != nil || page.Cut != want || len(page.Rows) > 7 {
				t.Fatalf("%+v, %v", page, err)
			}
			got, more, after = append(got, page.Rows...), page.More, page.Next
		}
		if should := known(b.All(), e.Day.Date, e.ID.Seq()).sorted(); !slices.Equal(got, should) {
			t.Errorf("cut of %s: %+v, should be %+v", want.Day, got, should)
		}
	}
	if part, err := reader.Cuts(t.Context(), cuts[1].Day, 2, 0); err != nil || !slices.Equal(part, cuts[2:4]) {
		t.Errorf("two cuts after %s: %+v, %v", cuts[1].Day, part, err)
	}
	if _, err := reader.CutRows(t.Context(), day.Next(), projections.Key{}, 1); !errors.Is(err, daily.ErrNoCut) {
		t.Errorf("rows of no cut: %v", err)
	}
	for _, limit := range []int{0, daily.MaxLimit + 1} {
		if _, err := reader.CutRows(t.Context(), day, projections.Key{}, limit); !errors.Is(err, daily.ErrLimit) {
			t.Errorf("limit %d: %v", limit, err)
		}
		if _, err := reader.Cuts(t.Context(), day, limit, 0); !errors.Is(err, daily.ErrLimit) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// TestEmptyCut: a day on which nobody has anything has a cut of no rows.
func TestEmptyCut(t *testing.T) {
	t.Parallel()
	b := &bank{Journal: foldtest.NewJournal(1), rng: rand.New(rand.NewPCG(7, 7))}
	b.begin(firstDay)
	b.end()
	reader, pool := folded(t, b.Journal)
	cuts, err := reader.Cuts(t.Context(), 0, 10, 2)
	if err != nil || len(cuts) != 1 || cuts[0].Rows != 0 {
		t.Errorf("%+v, %v", cuts, err)
	}
	if page, err := reader.CutRows(t.Context(), firstDay, projections.Key{}, 10); err != nil || len(page.Rows) != 0 || page.More {
		t.Errorf("%+v, %v", page, err)
	}
	verifySound(t, pool, b.Journal)
}

// TestHasher holds the hash fast: the journal states it.
func TestHasher(t *testing.T) {
	t.Parallel()
	h := daily.NewHasher(20131007)
	if rows, hash := h.Sum(); rows != 0 || fmt.Sprintf("%x", hash) != emptyGolden {
		t.Errorf("an empty cut: %d rows, %x", rows, hash)
	}
	for _, row := range []struct {
		account, instrument int64
		unsettled, settled  string
	}{{100018, 1, "-1005", "0"}, {100018, 2, "100", "0.0000000001"}, {1 << 40, 2, "-100.50", "-999999999999999999.9999999999"}} {
		h.Add(projections.Key{Account: row.account, Instrument: row.instrument},
			projections.Holding{Unsettled: ledger.MustAmount(row.unsettled), Settled: ledger.MustAmount(row.settled)})
	}
	if rows, hash := h.Sum(); rows != 3 || fmt.Sprintf("%x", hash) != threeGolden {
		t.Errorf("three rows: %d rows, %x", rows, hash)
	}
}

// Made with sha256sum of
//
//	bk cut v1 20131007
//	100018:1:-1005:0
//	100018:2:100:0.0000000001
//	1099511627776:2:-100.5:-999999999999999999.9999999999
//
// and of the first line alone.
const (
	emptyGolden = "56eaf19169258f78fdd832f9ba038792283b51523511e7c82382760f18db8a88"
	threeGolden = "d9efe575a2d6c959eb2e5ef842a2991cd5f067015ff870dea18b8f6dd5fe4b35"
)
