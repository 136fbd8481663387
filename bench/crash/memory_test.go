package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

func remember() *memory { return newMemory(rand.New(rand.NewPCG(1, 1)), &tally{}) }

func said(entry, micro int64, repeat bool) *bkv1.Receipt {
	return &bkv1.Receipt{EntryId: entry, Token: fmt.Sprintf("0:%d", entry+1), BookedAt: timestamppb.New(time.UnixMicro(micro)), Repeat: repeat}
}

// refuse gives a memory a refusal that is not for good.
func refuse(m *memory, o *order, reason string) error {
	final, err := m.refused(o, reason, "for a reason")
	if final {
		return fmt.Errorf("%s is taken for final", reason)
	}
	return err
}

// wantBreach checks that an answer was taken for a breach, and said why.
func wantBreach(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no breach, want one that says %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the breach %q doesn't say %q", err, word)
		}
	}
}

func TestMemoryTakesGoodAnswers(t *testing.T) {
	t.Parallel()
	m := remember()
	o := &order{key: "1/a", trade: true}
	refused := func(reason string) func() error { return func() error { return refuse(m, o, reason) } }
	steps := []func() error{
		refused("not_leader"),
		refused("overloaded"),
		func() error { m.lost(o); return nil },
		refused("unavailable"),
		func() error { return m.answered(o, said(7, 100, true)) }, // the lost one was booked
		refused("not_leader"),
		func() error { return m.answered(o, said(7, 100, true)) },
	}
	for i, step := range steps {
		m.sending(o)
		if err := step(); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
	c := m.tally
	if c.acknowledged.Load() != 1 || c.retries.Load() != 4 || c.repeats.Load() != 1 || c.resolved.Load() != 1 || c.head.Load() != 8 {
		t.Errorf("the tally says %+v", c)
	}
	if len(m.sample) != 1 {
		t.Errorf("%d orders in the sample, want the one acknowledged", len(m.sample))
	}
}

func TestMemoryFindsContradictions(t *testing.T) {
	t.Parallel()
	known := func() (*memory, *order) {
		m, o := remember(), &order{key: "1/a"}
		if err := m.answered(o, said(7, 100, false)); err != nil {
			t.Fatal(err)
		}
		return m, o
	}
	m, o := known()
	wantBreach(t, m.answered(o, said(8, 100, true)), "1/a", "entry 7", "entry 8")
	m, o = known()
	wantBreach(t, m.answered(o, said(7, 101, true)), "1/a", "101")
	m, o = known()
	wantBreach(t, m.answered(o, said(7, 100, false)), "1/a", "as if it were new")
	m, o = known()
	wantBreach(t, refuse(m, o, "key_conflict"), "1/a", "acknowledged as entry 7", "key_conflict")
	m, _ = known()
	wantBreach(t, refuse(m, &order{key: "1/c", target: "1/a"}, "trade_not_found"), "1/c", "trade 1/a was acknowledged as entry 7")

	m, o = known()
	wantBreach(t, m.answered(o, &bkv1.Receipt{EntryId: 7, Token: "0:7", BookedAt: said(7, 100, true).BookedAt, Repeat: true}), "1/a", "the token 8, and again with 7")
	wantBreach(t, remember().answered(o, &bkv1.Receipt{EntryId: 7, Token: "0:6"}), "1/a", "which is before it")

	m, o = remember(), &order{key: "1/b"}
	if err := refuse(m, o, "not_leader"); err != nil {
		t.Fatal(err)
	}
	wantBreach(t, m.answered(o, said(9, 100, true)), "1/b", "nothing was booked")
	wantBreach(t, remember().answered(&order{key: "1/b"}, &bkv1.Receipt{}), "1/b", "without an entry id")
	wantBreach(t, refuse(remember(), &order{key: "1/b"}, "internal"), "1/b", "never acknowledged", "internal")
}

func TestMemoryWaitsForTheTrade(t *testing.T) {
	t.Parallel()
	m := remember()
	if err := refuse(m, &order{key: "1/c", target: "1/a"}, "trade_not_found"); err != nil {
		t.Errorf("a cancel whose trade isn't acknowledged: %v", err)
	}
	for reason, unsure := range map[string]bool{"outcome_unknown": true, "deadline_exceeded": true, "canceled": true, "not_leader": false, "overloaded": false, "unavailable": false} {
		o := &order{key: "1/d"}
		if err := refuse(m, o, reason); err != nil || o.unsure != unsure {
			t.Errorf("%s: %v, unsure %v; want %v", reason, err, o.unsure, unsure)
		}
	}
}

func TestMemoryTakesRefusalsOfTheStreetSide(t *testing.T) {
	t.Parallel()
	m := remember()
	trade := &order{key: "1/a", trade: true}
	if err := m.answered(trade, said(7, 100, false)); err != nil {
		t.Fatal(err)
	}
	o := streetOrder(trade)
	for _, reason := range []string{"trade_not_open", "trade_settled", "trade_already_canceled"} {
		if final, err := m.refused(o, reason, ""); !final || err != nil {
			t.Errorf("%s: final %v, %v", reason, final, err)
		}
		wantBreach(t, refuse(m, trade, reason), "1/a", reason)
	}
	wantBreach(t, refuse(m, o, "trade_not_found"), o.key, "trade 1/a was acknowledged as entry 7")
	if err := m.answered(o, said(9, 101, false)); err != nil || m.tally.refused.Load() != 3 {
		t.Errorf("%d refusals, then a receipt: %v", m.tally.refused.Load(), err)
	}
	wantBreach(t, refuse(m, o, "trade_settled"), o.key, "acknowledged as entry 9 before")
}

func TestWholeOrNot(t *testing.T) {
	t.Parallel()
	open := []*order{{key: "1/a"}, {key: "1/b"}}
	fresh, again, refused := outcome{receipt: said(1, 1, false)}, outcome{receipt: said(1, 1, true)}, outcome{reason: "not_leader"}
	for _, good := range [][]outcome{{fresh, fresh}, {again, again}, {refused, refused}, {{}, {}}} {
		if err := wholeOrNot(open, good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range [][]outcome{{fresh, again}, {fresh, refused}, {{}, again}} {
		wantBreach(t, wholeOrNot(open, bad), "1/a", "1/b")
	}
}

func TestSampleIsBounded(t *testing.T) {
	t.Parallel()
	m := remember()
	early := 0
	for i := range 5 * sampleSize {
		m.keep(&order{tries: i})
	}
	for _, o := range m.sample {
		if o.tries < sampleSize {
			early++
		}
	}
	if len(m.sample) != sampleSize || early < sampleSize/10 || early > sampleSize/2 {
		t.Errorf("%d in the sample, %d of them from the first fifth", len(m.sample), early)
	}
}
