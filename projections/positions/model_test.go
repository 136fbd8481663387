package positions_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/positions"
)

// modelLine is a line as the model has it: all numbers are exact.
type modelLine struct{ u, s, cost, realised *big.Rat }

// model works one account's lines out from scratch, from the entries alone: quantities are sums of all postings, cost is carried along the trades that
// stand and the movements, in order.
func model(entries []*ledger.Entry, account int64, asOf ledger.Date, knownAt uint64) map[positions.Key]*modelLine {
	type step struct {
		date  ledger.Date
		place ledger.ID
		seq   uint64
		key   positions.Key
		q     *big.Rat
		price *big.Rat // nil: no trade
		value *big.Rat // gross, or the cost given
	}
	lines := map[positions.Key]*modelLine{}
	dead := map[ledger.ID]bool{} // entries that brought cancelled trades into force
	var steps []step
	for _, e := range entries {
		if knownAt != 0 && e.ID.Seq() > knownAt || asOf != 0 && e.EffectiveDate > asOf {
			continue
		}
		if e.Kind == ledger.KindCancel {
			dead[e.Links.Reverses] = true
		}
		net := map[positions.Key]*big.Rat{}
		for _, p := range e.Postings {
			if p.Account != account || p.Instrument < firstSecurity {
				continue
			}
			k := positions.Key{Account: account, Instrument: p.Instrument, Currency: "USD"}
			if e.Trade != nil {
				k.Currency = e.Trade.Currency
			} else if e.Fields["currency"] == "EUR" {
				k.Currency = "EUR"
			}
			l := lines[k]
			if l == nil {
				l = &modelLine{new(big.Rat), new(big.Rat), new(big.Rat), new(big.Rat)}
				lines[k] = l
			}
			if net[k] == nil {
				net[k] = new(big.Rat)
			}
			net[k].Add(net[k], rat(p.Quantity.String()))
			if p.Bucket == ledger.Unsettled {
				l.u.Add(l.u, rat(p.Quantity.String()))
			} else {
				l.s.Add(l.s, rat(p.Quantity.String()))
			}
		}
		for k, q := range net {
			if q.Sign() == 0 || e.Kind == ledger.KindCancel {
				continue
			}
			st := step{e.EffectiveDate, e.ID, e.ID.Seq(), k, q, nil, new(big.Rat)}
			if e.Trade != nil {
				st.price, st.value, st.place = rat(e.Trade.Price.String()), rat(e.Trade.Gross.String()), e.Links.Trade
				if e.Links.Root != 0 {
					st.place = e.Links.Root
				}
			} else if v, ok := new(big.Rat).SetString(e.Fields["cost"]); ok {
				st.value = v
			}
			steps = append(steps, st)
		}
	}
	steps = slices.DeleteFunc(steps, func(s step) bool { return dead[ledger.MakeID(shard, s.seq)] })
	sort.Slice(steps, func(i, j int) bool {
		a, b := steps[i], steps[j]
		if a.date != b.date {
			return a.date < b.date
		}
		if a.place != b.place {
			return a.place < b.place
		}
		return a.seq < b.seq
	})
	held := map[positions.Key]*big.Rat{}
	for _, s := range steps {
		if held[s.key] == nil {
			held[s.key] = new(big.Rat)
		}
		l, had := lines[s.key], held[s.key]
		closing := new(big.Rat) // units, above zero
		if had.Sign()*s.q.Sign() < 0 {
			closing.Abs(s.q)
			if all := new(big.Rat).Abs(had); all.Cmp(closing) < 0 {
				closing.Set(all)
			}
		}
		opening := new(big.Rat).Sub(new(big.Rat).Abs(s.q), closing)
		openingValue := s.value
		if closing.Sign() > 0 {
			// What is carried for the part that closes, as a number above zero: paid, or received.
			carried := new(big.Rat).Abs(l.cost)
			released := carried
			if closing.Cmp(new(big.Rat).Abs(had)) != 0 {
				released = round(new(big.Rat).Quo(new(big.Rat).Mul(carried, closing), new(big.Rat).Abs(had)))
			}
			closingValue := s.value
			if opening.Sign() > 0 && s.price != nil {
				closingValue = round(new(big.Rat).Mul(closing, s.price))
				openingValue = new(big.Rat).Sub(s.value, closingValue)
			}
			left := new(big.Rat).Sub(carried, released)
			if had.Sign() > 0 { // sells what was bought
				l.cost.Set(left)
				if s.price != nil {
					l.realised.Add(l.realised, new(big.Rat).Sub(closingValue, released))
				}
			} else { // buys back what was sold
				l.cost.Neg(left)
				if s.price != nil {
					l.realised.Add(l.realised, new(big.Rat).Sub(released, closingValue))
				}
			}
		}
		if opening.Sign() > 0 {
			if s.q.Sign() > 0 {
				l.cost.Add(l.cost, openingValue)
			} else {
				l.cost.Sub(l.cost, openingValue)
			}
		}
		had.Add(had, s.q)
	}
	return lines
}

func rat(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic(s)
	}
	return r
}

// round rounds a number not below zero to ten digits, half to even.
func round(r *big.Rat) *big.Rat {
	unit := new(big.Rat).SetInt64(10_000_000_000)
	scaled := new(big.Rat).Mul(r, unit)
	whole, rest := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	switch c := new(big.Int).Lsh(rest, 1).Cmp(scaled.Denom()); {
	case c > 0, c == 0 && whole.Bit(0) == 1:
		whole.Add(whole, big.NewInt(1))
	}
	return new(big.Rat).Quo(new(big.Rat).SetInt(whole), unit)
}

type asker func(q positions.Query) (positions.Page, error)

// compare asks for an account's lines and compares each with the model.
func compare(t testing.TB, what string, ask asker, entries []*ledger.Entry, q positions.Query) {
	t.Helper()
	want := model(entries, q.Account, q.AsOf, q.KnownAt)
	q.Limit = 3
	seen := 0
	for more := true; more; {
		page, err := ask(q)
		if err != nil {
			t.Fatalf("%s: %+v: %v", what, q, err)
		}
		for _, row := range page.Rows {
			seen++
			l := want[row.Key]
			if l == nil {
				t.Fatalf("%s: %+v: %+v is there", what, q, row)
			}
			average := new(big.Rat)
			if pos := new(big.Rat).Add(l.u, l.s); pos.Sign() != 0 {
				average = round(new(big.Rat).Abs(new(big.Rat).Quo(l.cost, pos)))
			}
			got := []ledger.Amount{row.Unsettled, row.Settled, row.Cost, row.Realised, row.AverageCost()}
			for i, w := range []*big.Rat{l.u, l.s, l.cost, l.realised, average} {
				if rat(got[i].String()).Cmp(w) != 0 {
					t.Fatalf("%s: %+v: %+v: number %d is %s, should be %s", what, q, row, i, got[i], w.FloatString(12))
				}
			}
		}
		more, q.After = page.More, page.Next
	}
	if seen != len(want) {
		t.Fatalf("%s: %+v: %d lines, should be %d", what, q, seen, len(want))
	}
}

func randomQuery(rng *rand.Rand, customers int, head uint64) positions.Query {
	q := positions.Query{Account: int64(firstCustomer + rng.IntN(customers))}
	if rng.IntN(4) == 0 {
		q.Account = firm
	}
	if rng.IntN(3) > 0 {
		q.AsOf = ledger.Date(20240300 + rng.IntN(25))
	}
	if rng.IntN(3) > 0 {
		q.KnownAt = 1 + rng.Uint64N(head)
	}
	return q
}

// TestBookEqualsModel: many small journals and a few that need several blocks a line.
func TestBookEqualsModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(330) {
		rng := rand.New(rand.NewPCG(seed, 7))
		customers, securities, n, every := 3, 2, 60, 7
		if seed >= 300 {
			customers, securities, n, every = 1, 1, 1200, 150
		}
		w := newWorld(customers, securities)
		book := positions.NewBook(w.dir)
		for i := range n {
			before := len(w.All())
			w.random(rng, 1, customers, securities)
			for _, e := range w.All()[before:] {
				if err := book.Add(e); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			if i%every == every-1 {
				compare(t, fmt.Sprintf("seed %d", seed), book.Positions, w.All(), randomQuery(rng, customers, w.Head().Seq))
			}
		}
	}
}

// TestReaderEqualsModel folds one journal in chunks of many sizes: the rows of all are the same to the byte, also those of a rebuild, they
// verify, and every question at random times is answered as the model does.
func TestReaderEqualsModel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                          string
		customers, securities, events int
		chunks                        []int
	}{
		{"lines of some blocks", 2, 2, 4000, []int{1, 7, 256, 1000, 65536}},
		{"one line of many blocks", 1, 1, 5000, []int{50, 2000, 65536}},
		{"many lines of one block", 150, 5, 3000, []int{90, 65536}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(c.customers, c.securities)
			rng := rand.New(rand.NewPCG(5, 5))
			w.random(rng, c.events, c.customers, c.securities)
			var first string
			for _, chunk := range c.chunks {
				if rows := foldedRows(t, w, rng, c.customers, chunk); first == "" {
					first = rows
				} else if rows != first {
					t.Errorf("chunks of %d give other rows", chunk)
				}
			}
		})
	}
}

// foldedRows folds the world in chunks, compares answers with the model, and gives a hash of the rows.
func foldedRows(t *testing.T, w *world, rng *rand.Rand, customers, chunk int) string {
	pool := foldtest.Pool(t, pgtest.New(t))
	head := w.Head().Seq
	r := newRunner(t, pool, w.Journal, w.dir, chunk)
	if chunk == 1 { // a transaction an entry: a part will do, and is gone on with in large chunks by another process
		beginning := newRunner(t, pool, &until{Journal: w.Journal, end: 600}, w.dir, chunk)
		stop := start(t, beginning)
		waitFor(t, beginning, 600)
		stop()
		r = newRunner(t, pool, w.Journal, w.dir, 900)
	}
	defer start(t, r)()
	waitFor(t, r, head)
	rows := dump(t, pool)
	if chunk == 256 {
		if err := r.Rebuild(t.Context(), positions.Name, nil); err != nil {
			t.Fatal(err)
		}
		if dump(t, pool) != rows {
			t.Error("a rebuild gives other rows")
		}
	}
	if got := verify(t, pool, w.Journal, w.dir); got.Breaches.Count != 0 || got.Rows < 10 {
		t.Errorf("chunks of %d: %d rows, %d breaches: %+v", chunk, got.Rows, got.Breaches.Count, got.Breaches.First)
	}
	reader := positions.NewReader(r)
	ask := func(q positions.Query) (positions.Page, error) { return reader.Positions(t.Context(), q) }
	for range 60 {
		compare(t, fmt.Sprintf("chunks of %d", chunk), ask, w.All(), randomQuery(rng, customers, head))
	}
	return rows
}

// dump gives a hash of all rows of the active generation.
func dump(t testing.TB, pool *pgxpool.Pool) string {
	t.Helper()
	var all strings.Builder
	for _, table := range []string{"positions", "positions_fills"} {
		var text string
		sql := fmt.Sprintf(`SELECT coalesce(string_agg(x::text, E'\n' ORDER BY x::text), '') FROM %s AS x`, tableName(t, pool, table))
		if err := pool.QueryRow(t.Context(), sql).Scan(&text); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %d rows %x\n", table, strings.Count(text, "\n"), sha256.Sum256([]byte(text)))
	}
	return all.String()
}

func tableName(t testing.TB, pool *pgxpool.Pool, table string) string {
	t.Helper()
	var generation int64
	err := pool.QueryRow(context.Background(), `SELECT generation FROM bk_read.projection WHERE name = 'positions' AND state = 'active'`).Scan(&generation)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("bk_read.%s_%d", table, generation)
}
