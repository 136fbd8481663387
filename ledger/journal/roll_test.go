package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations/pgtest"
)

// roll books commands of the roll under a hold of their own.
func roll(t testing.TB, r *running, commands ...*ledger.Command) {
	t.Helper()
	hold, err := r.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Release()
	for _, c := range commands {
		if o := hold.BookAsync(t.Context(), []*ledger.Command{c}).Wait(t.Context())[0]; o.Err != nil {
			t.Fatalf("%s: %v", c.Kind, o.Err)
		}
	}
}

func beginDay(date, to ledger.Date, street bool) *ledger.Command {
	return &ledger.Command{Kind: ledger.KindDayBegin, Day: &ledger.Day{Date: date, To: to, Street: street}}
}

func endDay(date, to ledger.Date) *ledger.Command {
	return &ledger.Command{Kind: ledger.KindDayEnd, Day: &ledger.Day{Date: date, To: to}}
}

// kinds names the entries behind a place.
func kinds(t testing.TB, r *running, after uint64) (out []ledger.Kind) {
	t.Helper()
	for _, e := range entries(t, r)[after:] {
		out = append(out, e.Kind)
	}
	return out
}

// TestBusinessDate follows trades through their states as the business date moves.
func TestBusinessDate(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{})
	early := book(t, r, trade("early", "100"))
	if early.Entry.State != ledger.TradeOpen || early.Entry.SettleDate != 20131010 {
		t.Errorf("before the first roll: %s, settles %s", early.Entry.State, early.Entry.SettleDate)
	}
	settle := &ledger.Command{Kind: ledger.KindSettle, Target: &ledger.Target{Trade: early.Entry.ID}}
	roll(t, r, beginDay(20131010, 20131010, true), settle, endDay(20131010, 20131010))
	if day, err := r.BusinessDay(t.Context()); err != nil || day.Date != 20131010 || day.Rolling() {
		t.Fatalf("business day %+v, %v", day, err)
	}
	life, err := r.Life(t.Context(), early.Entry.ID)
	if err != nil || life.State() != ledger.TradeSettled || life[1].EffectiveDate != 20131010 {
		t.Fatalf("after the roll: %s, %v", life.State(), err)
	}
	for _, p := range life.Made() {
		if p.Bucket != ledger.Settled {
			t.Errorf("after settlement %+v is left", p)
		}
	}

	// Booked late: open and settled in one step, and the receipt says how far that goes.
	late := book(t, r, trade("late", "10"))
	if late.UpTo != late.Entry.ID.Seq()+1 || late.Entry.State != ledger.TradeOpen {
		t.Errorf("a late trade: up to %d, entry %d, %s", late.UpTo, late.Entry.ID, late.Entry.State)
	}
	if again := book(t, r, trade("late", "10")); !again.Repeat || again.UpTo < late.UpTo {
		t.Errorf("the late trade again: %+v", again)
	}
	if life, _ := r.Life(t.Context(), late.Entry.ID); life.State() != ledger.TradeSettled || life[1].ID.Seq() != late.UpTo {
		t.Errorf("the late trade is %s", life.State())
	}

	// Of a later date: nothing in the books until its day.
	future := trade("future", "20")
	future.TradeDate = 20131011
	booked := book(t, r, future)
	if booked.Entry.State != ledger.TradeNew || len(booked.Entry.Postings) != 0 {
		t.Errorf("a trade of tomorrow: %+v", booked.Entry)
	}
	rejects(t, r, &ledger.Command{Kind: ledger.KindSettleStreet, Key: "street", Target: &ledger.Target{Key: "future"}}, ledger.ReasonTradeNotOpen)
	open := &ledger.Command{Kind: ledger.KindTradeOpen, Target: &ledger.Target{Trade: booked.Entry.ID}}
	roll(t, r, beginDay(20131011, 20131011, false), open, endDay(20131011, 20131011))
	life, err = r.Life(t.Context(), booked.Entry.ID)
	if err != nil || life.State() != ledger.TradeOpen || len(life.Made()) != 5 {
		t.Errorf("opened: %s, %v, %v", life.State(), life.Made(), err)
	}
	street := book(t, r, &ledger.Command{Kind: ledger.KindSettleStreet, Key: "street", Target: &ledger.Target{Key: "future"}})
	if street.Entry.EffectiveDate != 20131011 || street.Entry.State != ledger.TradeOpen || len(street.Entry.Postings) != 4 {
		t.Errorf("the street side by itself: %+v", street.Entry)
	}
	rejects(t, r, &ledger.Command{Kind: ledger.KindSettleStreet, Key: "street2", Target: &ledger.Target{Key: "future"}}, ledger.ReasonTradeSettled)

	// A cancel takes back settlements first, each with its own date; a correction after settlement settles on the day it is processed.
	before := r.Head().Seq
	corrected := book(t, r, correctionOf("early2", "early", false))
	want := []ledger.Kind{ledger.KindReverse, ledger.KindCancel, ledger.KindExchangeTrade, ledger.KindSettle}
	if got := kinds(t, r, before); len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
		t.Fatalf("a correction after settlement: %v, want %v", got, want)
	}
	group := entries(t, r)[before:]
	if group[0].Links.Reverses != early.Entry.ID+1 && group[0].EffectiveDate != 20131010 || group[1].EffectiveDate != 20131007 ||
		group[1].Links.ReplacedBy != corrected.Entry.ID || group[2].Links.Corrects != early.Entry.ID || group[2].Links.Root != early.Entry.ID ||
		group[2].SettleDate != 20131011 || corrected.UpTo != group[3].ID.Seq() {
		t.Errorf("the group: %+v", group)
	}
	if life, _ := r.Life(t.Context(), early.Entry.ID); len(life.Made()) != 0 || life.State() != ledger.TradeCanceled {
		t.Errorf("the corrected trade has %v left", life.Made())
	}
	again := book(t, r, correctionOf("early3", "early2", false))
	if again.Entry.Links.Root != early.Entry.ID || again.Entry.Place() != early.Entry.ID {
		t.Errorf("the second correction stands in the place of %d, want %d", again.Entry.Place(), early.Entry.ID)
	}
}

// TestAtomicGroupAcrossADay: a group that fails leaves nothing behind, settlements included.
func TestAtomicGroupAcrossADay(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{})
	book(t, r, trade("a", "1"))
	roll(t, r, beginDay(20131101, 20131101, true), endDay(20131101, 20131101))
	before := r.Head()
	outcomes := r.Book(t.Context(), []*ledger.Command{trade("b", "1"), correctionOf("c", "a", false), cancelOf("d", "nothing")}, journal.BookOptions{Atomic: true})
	if rej := ledger.AsRejection(outcomes[2].Err); rej == nil || rej.Reason != ledger.ReasonTradeNotFound || !errors.Is(outcomes[0].Err, journal.ErrGroupRejected) {
		t.Errorf("outcomes %+v", outcomes)
	}
	if r.Head() != before {
		t.Errorf("the head moved from %s to %s", before, r.Head())
	}
	book(t, r, correctionOf("c", "a", false))
	entries(t, r)
}

// TestHold: while a roll holds bookings back, they wait; what is accepted goes on afterwards, in order.
func TestHold(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{})
	hold, err := r.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan journal.Outcome, 1)
	go func() { waiting <- r.Book(t.Context(), []*ledger.Command{trade("k", "1")}, journal.BookOptions{})[0] }()
	impatient, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if o := r.Book(impatient, []*ledger.Command{trade("impatient", "1")}, journal.BookOptions{})[0]; !errors.Is(o.Err, journal.ErrUnavailable) {
		t.Errorf("who doesn't wait hears %v", o.Err)
	}
	if o := hold.BookAsync(t.Context(), []*ledger.Command{beginDay(20131008, 20131008, false)}).Wait(t.Context())[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	if o := hold.BookAsync(t.Context(), []*ledger.Command{beginDay(20131009, 20131009, false)}).Wait(t.Context())[0]; ledger.AsRejection(o.Err) == nil {
		t.Errorf("a day within a day: %v", o.Err)
	}
	if o := hold.BookAsync(t.Context(), []*ledger.Command{endDay(20131008, 20131008)}).Wait(t.Context())[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	select {
	case o := <-waiting:
		t.Fatalf("booked under the hold: %+v", o)
	default:
	}
	hold.Release()
	hold.Release()
	if o := <-waiting; o.Err != nil || o.Receipt.Entry.ID.Seq() != r.Head().Seq {
		t.Errorf("after the hold: %+v", o)
	}
	if day, err := r.BusinessDay(t.Context()); err != nil || day.Date != 20131008 {
		t.Errorf("business day %+v, %v", day, err)
	}
}

// TestInternalKinds: nobody but the roll books its entries.
func TestInternalKinds(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{})
	book(t, r, trade("a", "1"))
	for _, c := range []*ledger.Command{
		beginDay(20131008, 20131008, false), endDay(20131008, 20131008),
		{Kind: ledger.KindSettle, Target: &ledger.Target{Key: "a"}}, {Kind: ledger.KindTradeOpen, Target: &ledger.Target{Key: "a"}},
		{Kind: ledger.KindReverse, Target: &ledger.Target{Key: "a"}}, {Kind: ledger.KindLink, Target: &ledger.Target{Key: "a"}},
	} {
		rejects(t, r, c, ledger.ReasonInvalid)
	}
}

// TestUnfinishedRoll: a process that takes over in the middle of a day holds all bookings until its roll is finished.
func TestUnfinishedRoll(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	r := startLedger(t, journal.Config{DSN: dsn})
	if r.Unfinished() != nil {
		t.Error("a new ledger has an unfinished roll")
	}
	book(t, r, trade("a", "1"))
	roll(t, r, beginDay(20131008, 20131009, false), endDay(20131008, 20131009)) // and 20131009 is missing
	r.Stop(t)

	held, proceed := make(chan *journal.Hold, 1), make(chan struct{})
	next := start(t, journal.Config{DSN: dsn, Term: func(ctx context.Context, j *journal.Journal) {
		hold := j.Unfinished()
		held <- hold
		<-proceed
		for _, c := range []*ledger.Command{beginDay(20131009, 20131009, false), endDay(20131009, 20131009)} {
			if o := hold.BookAsync(ctx, []*ledger.Command{c}).Wait(ctx)[0]; o.Err != nil {
				t.Error(o.Err)
			}
		}
		hold.Release()
		<-ctx.Done()
	}})
	if hold := <-held; hold == nil {
		t.Fatal("the next term doesn't know of the unfinished roll")
	}
	waiting := make(chan journal.Outcome, 1)
	go func() {
		waiting <- next.Book(t.Context(), []*ledger.Command{trade("b", "1")}, journal.BookOptions{})[0]
	}()
	select {
	case o := <-waiting:
		t.Errorf("booked in the middle of a roll: %+v", o)
	case <-time.After(50 * time.Millisecond): // it is the absence of an answer that is looked for
	}
	close(proceed)
	if o := <-waiting; o.Err != nil {
		t.Fatal(o.Err)
	}
	if day, err := next.BusinessDay(t.Context()); err != nil || day.Date != 20131009 || day.Rolling() {
		t.Errorf("business day %+v, %v", day, err)
	}
	all := entries(t, next)
	if last := all[len(all)-1]; last.Key != "b" {
		t.Errorf("the last entry is %s", last.Kind)
	}
}

// TestRollHasRoomInTheWindow: however few commands may be in flight, a roll's own fit into what the sequencer remembers while a commit hangs.
func TestRollHasRoomInTheWindow(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	r := startLedger(t, journal.Config{DSN: dsn, MaxInFlight: 64})
	var ids []ledger.ID
	for i := range journal.MaxHeld {
		c := trade(fmt.Sprintf("trade %0200d", i), "1")
		c.Trade.OrderID = strings.Repeat("o", 250)
		o := r.Book(t.Context(), []*ledger.Command{c}, journal.BookOptions{Wait: true})[0]
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		ids = append(ids, o.Receipt.Entry.ID)
	}
	hold, err := r.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Release()
	if o := hold.BookAsync(t.Context(), []*ledger.Command{beginDay(20131010, 20131010, true)}).Wait(t.Context())[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	conn := owner(t, dsn)
	exec(t, conn, "BEGIN")
	exec(t, conn, "SELECT * FROM bk.shard FOR UPDATE") // the fence waits
	var pages []*journal.Pending
	for part := range slices.Chunk(ids, ledger.MaxBatch) {
		commands := make([]*ledger.Command, len(part))
		for i, id := range part {
			commands[i] = &ledger.Command{Kind: ledger.KindSettle, Target: &ledger.Target{Trade: id}}
		}
		pages = append(pages, hold.BookAsync(t.Context(), commands))
	}
	exec(t, conn, "COMMIT")
	for _, page := range pages {
		for _, o := range page.Wait(t.Context()) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
	}
	entries(t, r)
}
