package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func count(deck []fault, k kind) (n int) {
	for _, f := range deck {
		if f.kind == k {
			n++
		}
	}
	return n
}

func TestDeckHasItsShares(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		faults                 string
		rounds                 int
		serve, postgres, kafka int
	}{
		{"serve,postgres,kafka", 50, 25, 13, 12},
		{"serve,postgres,kafka", 8, 4, 2, 2},
		{"serve,postgres,kafka", 6, 3, 2, 1},
		{"serve,postgres,kafka", 1, 1, 0, 0},
		{"kafka, serve", 5, 3, 0, 2},
		{"postgres,postgres", 3, 0, 3, 0},
	} {
		kinds, err := parseKinds(test.faults)
		if err != nil {
			t.Fatal(err)
		}
		deck := newDeck(test.rounds, kinds, rand.New(rand.NewPCG(1, 0)))
		if s, p, k := count(deck, serve), count(deck, postgres), count(deck, kafka); s != test.serve || p != test.postgres || k != test.kafka || len(deck) != test.rounds {
			t.Errorf("%d rounds of %s: %d serve, %d postgres, %d kafka; want %d, %d, %d", test.rounds, test.faults, s, p, k, test.serve, test.postgres, test.kafka)
		}
	}
}

func TestDeckIsTheSeeds(t *testing.T) {
	t.Parallel()
	kinds := []kind{serve, postgres, kafka}
	deck := func(seed uint64) []fault { return newDeck(50, kinds, rand.New(rand.NewPCG(seed, 0))) }
	if !slices.Equal(deck(1), deck(1)) {
		t.Error("a seed gives two decks")
	}
	if slices.Equal(deck(1), deck(2)) {
		t.Error("two seeds give the same deck")
	}
	for _, f := range []fault{restart, restartTwice, takeover, dropPostgres, mutePostgres, dropKafka} {
		if !slices.Contains(deck(1), f) {
			t.Errorf("50 rounds have none of: %s", f.what)
		}
	}
}

func TestParseKindsNamesTheWrongOne(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "disk", "serve,,kafka"} {
		if kinds, err := parseKinds(text); err == nil {
			t.Errorf("%q gives %v", text, kinds)
		}
	}
}
