package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// kind is what a fault hits, as -faults names it.
type kind string

const (
	serve    kind = "serve"
	postgres kind = "postgres"
	kafka    kind = "kafka"
)

// shares are how often each kind comes up, relative to the others.
var shares = []struct {
	kind  kind
	share int
}{{serve, 2}, {postgres, 1}, {kafka, 1}}

// fault is what one round does.
type fault struct {
	kind kind
	what string
}

// The faults. A serve fault in three rounds of four starts the server again, in the others a second one takes over.
var (
	restart      = fault{serve, "bk serve killed, started again"}
	restartTwice = fault{serve, "bk serve killed, and again while it starts"}
	takeover     = fault{serve, "bk serve killed, a standby takes over"}
	dropPostgres = fault{postgres, "Postgres stopped at once, started again"}
	mutePostgres = fault{postgres, "Postgres stopped, its last answers lost"}
	dropKafka    = fault{kafka, "broker killed, started again"}

	variants = map[kind][]fault{
		serve:    {restart, takeover, restart, restartTwice},
		postgres: {mutePostgres, dropPostgres},
		kafka:    {dropKafka},
	}
)

// parseKinds reads -faults.
func parseKinds(text string) ([]kind, error) {
	var kinds []kind
	for name := range strings.SplitSeq(text, ",") {
		k := kind(strings.TrimSpace(name))
		if variants[k] == nil {
			return nil, fmt.Errorf("faults: %q is none of serve, postgres, kafka", name)
		}
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds, nil
}

// newDeck gives the faults of all rounds: each kind as often as its share says, to the next whole number, shuffled by rng.
func newDeck(rounds int, kinds []kind, rng *rand.Rand) []fault {
	type part struct {
		kind        kind
		count, rest int
	}
	var parts []part
	sum := 0
	for _, s := range shares {
		if slices.Contains(kinds, s.kind) {
			sum += s.share
			parts = append(parts, part{kind: s.kind, count: s.share})
		}
	}
	left := rounds
	for i := range parts {
		p := &parts[i]
		p.count, p.rest = rounds*p.count/sum, rounds*p.count%sum
		left -= p.count
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.rest, a.rest) })
	var deck []fault
	for i, p := range parts {
		if i < left {
			p.count++
		}
		of := variants[p.kind]
		for n := range p.count {
			deck = append(deck, of[n%len(of)])
		}
	}
	rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}
