package daily_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/statement"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const patience = time.Minute

func all() []projections.Projection {
	return []projections.Projection{daily.Projection{}, statement.Projection{}}
}

func newRunner(t testing.TB, pool *pgxpool.Pool, source projections.Source, change func(*projections.Config)) *projections.Runner {
	t.Helper()
	cfg := projections.Config{
		Pool: pool, Source: source, Shard: 1, Projections: all(),
		Pace: time.Millisecond, Grace: 50 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	r, err := projections.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start runs a runner until stop is called, or the test ends.
func start(t testing.TB, r *projections.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func waitFor(t testing.TB, r *projections.Runner, seq uint64, names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, name := range names {
		if err := r.WaitFor(ctx, name, seq); err != nil {
			t.Fatal(err)
		}
	}
}

// folded gives a running reader of a whole journal.
func folded(t testing.TB, j *foldtest.Journal) (*daily.Reader, *pgxpool.Pool) {
	t.Helper()
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, j, nil)
	start(t, r)
	waitFor(t, r, j.Head().Seq, daily.Name, statement.Name)
	return daily.NewReader(r, j), pool
}

// bank makes a journal with days in it.
type bank struct {
	*foldtest.Journal
	rng   *rand.Rand
	today ledger.Date
}

const firstDay ledger.Date = 20131007

// book books n entries: most effective today, some before and some later, some without postings.
func (b *bank) book(n int) {
	if n == 0 {
		return
	}
	entries := foldtest.Trades(b.rng, n, 12, 3, true)
	today := b.today
	if today == 0 {
		today = firstDay
	}
	for _, e := range entries {
		e.EffectiveDate = today
		switch b.rng.IntN(6) {
		case 0:
			e.EffectiveDate = ledger.DateOf(today.Time().AddDate(0, 0, -b.rng.IntN(9)))
		case 1:
			e.EffectiveDate = ledger.DateOf(today.Time().AddDate(0, 0, b.rng.IntN(6)))
		}
	}
	b.Append(entries...)
	if b.rng.IntN(2) == 0 { // something that comes back to zero
		e := *entries[n-1]
		e.Postings = slices.Clone(e.Postings)
		for i := range e.Postings {
			e.Postings[i].Quantity = e.Postings[i].Quantity.Neg()
		}
		b.Append(&e)
	}
}

func dayEntry(kind ledger.Kind, d ledger.Day) *ledger.Entry {
	return &ledger.Entry{Kind: kind, BookedAt: time.Now().UTC().Truncate(time.Microsecond), EffectiveDate: d.Date, Day: &d}
}

func (b *bank) begin(day ledger.Date) {
	b.today = day
	b.Append(dayEntry(ledger.KindDayBegin, ledger.Day{Date: day, To: day}))
}

func (b *bank) end() {
	rows, hash := cutOf(b.today, known(b.All(), b.today, 0))
	b.Append(dayEntry(ledger.KindDayEnd, ledger.Day{Date: b.today, To: b.today, CutRows: rows, CutHash: hash}))
}

// newBank makes a journal with that many days, about perDay entries each; the last day has ended if ended is set.
func newBank(seed uint64, days, perDay int, ended bool) *bank {
	b := &bank{Journal: foldtest.NewJournal(1), rng: rand.New(rand.NewPCG(seed, seed))}
	b.book(perDay)
	for i := range days {
		day := firstDay
		if i > 0 {
			day = b.today.Next()
		}
		b.begin(day)
		b.book(b.rng.IntN(perDay/2 + 1))
		if i < days-1 || ended {
			b.end()
			b.book(b.rng.IntN(perDay + 1)) // sometimes none: a roll of several days
		}
	}
	return b
}

type holdings map[projections.Key]projections.Holding

// known sums plainly: all postings of the entries up to a sequence number, effective up to a day; 0 is no bound.
func known(entries []*ledger.Entry, asOf ledger.Date, upTo uint64) holdings {
	sums := holdings{}
	for _, e := range entries {
		if upTo != 0 && e.ID.Seq() > upTo || asOf != 0 && e.EffectiveDate > asOf {
			continue
		}
		for _, p := range e.Postings {
			k := projections.Key{Account: p.Account, Instrument: p.Instrument}
			h := sums[k]
			if p.Bucket == ledger.Unsettled {
				h.Unsettled = h.Unsettled.Add(p.Quantity)
			} else {
				h.Settled = h.Settled.Add(p.Quantity)
			}
			sums[k] = h
		}
	}
	maps.DeleteFunc(sums, func(_ projections.Key, h projections.Holding) bool { return h == projections.Holding{} })
	return sums
}

func (h holdings) sorted() []daily.Row {
	rows := make([]daily.Row, 0, len(h))
	for k, holding := range h {
		rows = append(rows, daily.Row{Key: k, Holding: holding})
	}
	slices.SortFunc(rows, func(a, b daily.Row) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Instrument, b.Instrument))
	})
	return rows
}

func cutOf(day ledger.Date, h holdings) (int64, [32]byte) {
	hasher := daily.NewHasher(day)
	for _, row := range h.sorted() {
		hasher.Add(row.Key, row.Holding)
	}
	return hasher.Sum()
}

// rows gives all rows of the projection as text, for comparing two databases to the byte.
func rows(t testing.TB, pool *pgxpool.Pool) string {
	t.Helper()
	var all bytes.Buffer
	for _, table := range []string{"daily_1", "daily_totals_1", "daily_cut_1", "daily_day_1"} {
		var text string
		err := pool.QueryRow(t.Context(), fmt.Sprintf(`SELECT coalesce(string_agg(x::text, E'\n' ORDER BY x::text), '') FROM bk_read.%s AS x`, table)).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s\n%s\n", table, text)
	}
	return all.String()
}

// verify runs the checker over the journal.
func verify(t testing.TB, pool *pgxpool.Pool, j *foldtest.Journal) projections.Result {
	t.Helper()
	var results []projections.Result
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(t.Context(), pool, opts, func(tx pgx.Tx) error {
		v, err := projections.NewVerifier(t.Context(), tx, 1, []projections.Projection{daily.Projection{}})
		if err != nil {
			return err
		}
		for _, e := range j.All() {
			if err := v.Add(t.Context(), e); err != nil {
				return err
			}
		}
		results, err = v.Finish(t.Context())
		return err
	})
	if err != nil || len(results) != 1 {
		t.Fatalf("%+v, %v", results, err)
	}
	return results[0]
}

func verifySound(t testing.TB, pool *pgxpool.Pool, j *foldtest.Journal) {
	t.Helper()
	r := verify(t, pool, j)
	if r.Breaches.Count != 0 || r.Generation.Checkpoint.Seq != j.Head().Seq || r.Rows == 0 {
		t.Errorf("at %d, %d rows, breaches %+v", r.Generation.Checkpoint.Seq, r.Rows, r.Breaches)
	}
}
