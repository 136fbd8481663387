package sample

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

func row(i int) Divergence {
	return Divergence{Replica: "r", Epoch: 1, Mode: mode.BankPrimary, Route: "/trades", Request: fmt.Sprint("GET /trades?i=", i), Kind: Value, Path: "$.a"}
}

func TestPruning(t *testing.T) {
	t.Parallel()
	pool := database(t)
	s := newStore(pool, 5, 1000)
	for i := range 12 {
		must(t, s.insert(t.Context(), []Divergence{row(2 * i), row(2*i + 1)}))
	}
	var first, last string
	var n int
	must(t, pool.QueryRow(t.Context(), `SELECT count(*), (array_agg(request ORDER BY id))[1], (array_agg(request ORDER BY id DESC))[1] FROM facade.divergence`).Scan(&n, &first, &last))
	if n != 5 || first != "GET /trades?i=19" || last != "GET /trades?i=23" {
		t.Errorf("%d rows from %q to %q", n, first, last)
	}
	// One that is started with less room keeps the latest.
	must(t, newStore(pool, 2, 1000).prune(t.Context()))
	must(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM facade.divergence`).Scan(&n))
	if n != 2 {
		t.Errorf("%d rows", n)
	}
}

func TestWritesAreBounded(t *testing.T) {
	t.Parallel()
	s := newStore(nil, 100, 3)
	now := time.Now()
	by := func(rule string) Divergence {
		d := row(0)
		d.ExplainedBy = rule
		return d
	}
	for i, c := range []struct {
		d    Divergence
		at   time.Duration
		want bool
	}{
		{by("a"), 0, true}, {by("a"), time.Second, false}, {by("b"), time.Second, true}, {by(""), 2 * time.Second, true}, {by(""), 3 * time.Second, false},
		{by("c"), 59 * time.Second, false}, {by("a"), time.Minute, true}, {by(""), time.Minute, true}, {by(""), time.Minute, true}, {by(""), time.Minute, false},
	} {
		if got := s.room(c.d, now.Add(c.at)); got != c.want {
			t.Errorf("row %d: %t", i, got)
		}
	}
}

func TestRestartKeepsRows(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	must(t, schema.Up(t.Context(), dsn, nil))
	primary, secondary := says(200, `{"a":1}`), says(200, `{"a":2}`)
	s, err := New(config(t, connect(t, dsn), primary, secondary))
	must(t, err)
	stop := run(t, s)
	s.read(primary, all(), "/trades/1")
	first := s.kept(t, 1)[0]
	stop()

	must(t, schema.Up(t.Context(), dsn, nil))
	s = start(t, config(t, connect(t, dsn), primary, secondary))
	s.read(primary, all(), "/trades/2")
	if list := s.kept(t, 2); list[1] != first || list[0].Request != "GET /trades/2" {
		t.Errorf("%+v", list)
	}
}

// Without its database it goes on to compare and to count.
func TestDatabaseIsAway(t *testing.T) {
	t.Parallel()
	pool := database(t)
	primary, secondary := says(200, `{"a":1}`), says(200, `{"a":2}`)
	s := start(t, config(t, pool, primary, secondary))
	pool.Close()
	s.read(primary, all(), "/trades/1")
	s.read(primary, all(), "/trades/1")
	s.ends(t, different, 2)
	if s.Stats().Divergences[Value] != 2 {
		t.Errorf("%+v", s.Stats())
	}
	if _, err := s.List(context.Background(), Filter{}); err == nil {
		t.Error("lists without a database")
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Timeout: -1, Workers: 1000, Pages: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Pool:", "Bank:", "BK:", "Replica:", "Timeout:", "Workers:", "Pages:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}
