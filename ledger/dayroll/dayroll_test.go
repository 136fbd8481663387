package dayroll_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/dayroll"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/statement"
	"github.com/bkledger/bk/projections/trades"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const patience = 60 * time.Second

// process is what a server is to a roll: a journal with the projections that a roll asks, and a roller, from start to stop.
type process struct {
	*journal.Journal
	runner *projections.Runner
	roller *dayroll.Roller
	stop   func()
}

func start(t *testing.T, dsn string) *process {
	t.Helper()
	p := &process{}
	cfg := journal.Config{DSN: dsn, Term: func(ctx context.Context, _ *journal.Journal) {
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := p.runner.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { p.roller.Run(ctx) })
		wg.Wait()
	}}
	var err error
	if p.Journal, err = journal.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	p.runner, err = projections.New(projections.Config{Pool: p.Pool(), Source: p.Journal, Projections: []projections.Projection{
		balances.Projection{}, statement.Projection{}, trades.Projection{Books: p.Directory()}, daily.Projection{},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.roller = dayroll.New(dayroll.Config{Journal: p.Journal, Due: trades.NewReader(p.runner, p.Journal, p.Directory()), Cuts: daily.NewReader(p.runner, p.Journal)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		p.Journal.Close()
	})
	t.Cleanup(p.stop)
	for deadline := time.Now().Add(patience); !p.Leading(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("does not lead")
		}
	}
	return p
}

var ibm = ledger.Identifier{Type: ledger.Ticker, Value: "IBM", Country: "USA", Currency: "USD"}

// fill books n trades of three days in October 2013 between ten customers and the street, and cancels some.
func fill(t *testing.T, p *process, n int) {
	t.Helper()
	usd := ledger.Currency("USD")
	commands := []*ledger.Command{
		{Kind: ledger.KindInstrument, Define: &usd},
		{Kind: ledger.KindInstrument, Define: &ledger.Instrument{Symbol: "IBM", Identifiers: []ledger.Identifier{ibm}}},
	}
	for id := int64(100001); id <= 100010; id++ {
		commands = append(commands, &ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{ID: id, Code: fmt.Sprint("cust:", id)}})
	}
	book(t, p, commands)
	commands = nil
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		trade := &ledger.Trade{
			ExecutedAt: time.UnixMilli(1381132800464), Account: ledger.AccountRef{ID: 100001 + rng.Int64N(10)}, Direction: ledger.Buy,
			Quantity: ledger.AmountOf(1 + rng.Int64N(1000)), Price: ledger.MustAmount("182.5"), Instrument: ibm, Capacity: "agency", MIC: "XNYS", ExecMPID: "CLST",
		}
		if rng.IntN(2) == 0 {
			trade.Direction = ledger.Sell
		}
		date := []ledger.Date{20131007, 20131009, 20131010}[rng.IntN(3)]
		commands = append(commands, &ledger.Command{Kind: ledger.KindExchangeTrade, Key: fmt.Sprint("trade ", i), TradeDate: date, Trade: trade})
		if rng.IntN(50) == 0 {
			commands = append(commands, &ledger.Command{Kind: ledger.KindCancel, Key: fmt.Sprint("cancel ", i), Target: &ledger.Target{Key: fmt.Sprint("trade ", i)}})
		}
	}
	book(t, p, commands)
}

func book(t *testing.T, p *process, commands []*ledger.Command) {
	t.Helper()
	for part := range slices.Chunk(commands, ledger.MaxBatch) {
		for i, o := range p.Book(t.Context(), part, journal.BookOptions{Wait: true}) {
			if o.Err != nil {
				t.Fatalf("%s: %v", part[i].Key, o.Err)
			}
		}
	}
}

// days gives the entries that ended days, without what differs from run to run.
func days(t *testing.T, p *process) (ended []ledger.Day, open int) {
	t.Helper()
	state := map[ledger.ID]ledger.TradeState{}
	for after := uint64(0); ; {
		entries, err := p.Read(t.Context(), after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			if e.Kind == ledger.KindDayEnd {
				ended = append(ended, *e.Day)
			}
			if e.Links.Trade != 0 {
				if before := state[e.Links.Trade]; e.Kind == ledger.KindSettle && before != ledger.TradeOpen || e.Kind == ledger.KindTradeOpen && before != ledger.TradeNew {
					t.Errorf("entry %d, a %s, finds trade %d %s", e.ID, e.Kind, e.Links.Trade, before)
				}
				state[e.Links.Trade] = e.State
			}
		}
		after = entries[len(entries)-1].ID.Seq()
	}
	for _, s := range state {
		if s == ledger.TradeOpen || s == ledger.TradeNew {
			open++
		}
	}
	return ended, open
}

func rollTo(t *testing.T, p *process, to ledger.Date, street bool) (told []ledger.Date) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := p.roller.Roll(ctx, to, street, func(pr dayroll.Progress) {
		if pr.End != nil {
			told = append(told, pr.Date)
		}
	})
	if err != nil {
		t.Fatalf("roll to %s: %v", to, err)
	}
	return told
}

// TestRoll rolls over a bank holiday to the day on which all is settled, day by day and in one go, and again.
func TestRoll(t *testing.T) {
	t.Parallel()
	p := start(t, pgtest.New(t))
	fill(t, p, 3000)
	if told := rollTo(t, p, 20131009, true); !slices.Equal(told, []ledger.Date{20131009}) {
		t.Errorf("the first roll ended %v", told)
	}
	if told := rollTo(t, p, 20131009, true); told != nil {
		t.Errorf("the same day again ended %v", told)
	}
	future := &ledger.Command{Kind: ledger.KindExchangeTrade, Key: "future", TradeDate: 20131011, Trade: &ledger.Trade{
		ExecutedAt: time.UnixMilli(1381132800464), Account: ledger.AccountRef{ID: 100001}, Direction: ledger.Buy,
		Quantity: ledger.AmountOf(5), Price: ledger.AmountOf(3), Instrument: ibm, Capacity: "agency", MIC: "XNYS", ExecMPID: "CLST",
	}}
	if o := p.Book(t.Context(), []*ledger.Command{future}, journal.BookOptions{})[0]; o.Err != nil || o.Receipt.Entry.State != ledger.TradeNew {
		t.Fatalf("a trade of the day after tomorrow: %+v", o)
	}
	told := rollTo(t, p, 20131017, true)
	if len(told) != 8 || told[0] != 20131010 || told[7] != 20131017 {
		t.Errorf("the roll ended %v", told)
	}
	err := p.roller.Roll(t.Context(), 20131016, true, func(dayroll.Progress) {})
	if rej := ledger.AsRejection(err); rej == nil || rej.Reason != ledger.ReasonDayPassed || rej.Field != "to" {
		t.Errorf("a roll back: %v", err)
	}
	err = p.roller.Roll(t.Context(), 20131032, true, func(dayroll.Progress) {})
	if rej := ledger.AsRejection(err); rej == nil || rej.Reason != ledger.ReasonInvalid || rej.Field != "to" {
		t.Errorf("a roll to no day: %v", err)
	}
	ended, open := days(t, p)
	if open != 0 {
		t.Errorf("%d trades are not settled", open)
	}
	var opened, settled int64
	for _, d := range ended {
		opened, settled = opened+d.Opened, settled+d.Settled
		if due := map[ledger.Date]bool{20131010: true, 20131015: true, 20131016: true, 20131017: true}[d.Date]; d.Settled > 0 != due {
			t.Errorf("on %s %d trades settle", d.Date, d.Settled)
		}
	}
	if opened != 1 || settled < 2800 {
		t.Errorf("%d trades opened, %d settled", opened, settled)
	}
}

// TestRollIsResumed stops the process again and again in the middle of a roll: the entries, counts and cuts are those of a roll that nobody
// disturbed.
func TestRollIsResumed(t *testing.T) {
	t.Parallel()
	undisturbed := start(t, pgtest.New(t))
	fill(t, undisturbed, 8_000)
	rollTo(t, undisturbed, 20131008, false)
	rollTo(t, undisturbed, 20131016, true)
	want, _ := days(t, undisturbed)
	undisturbed.stop()

	dsn := pgtest.New(t)
	p := start(t, dsn)
	fill(t, p, 8_000)
	rollTo(t, p, 20131008, false)
	const mostStops = 10
	stops := 0
	for done := false; !done; {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		rolled := make(chan error, 1)
		go func() { rolled <- p.roller.Roll(ctx, 20131016, true, func(dayroll.Progress) {}) }()
		stop := make(<-chan time.Time)
		if stops < mostStops {
			stop = time.After(time.Duration(20+rand.IntN(300)) * time.Millisecond) // where in the roll the stop hits is chance
		}
		select {
		case err := <-rolled:
			if err != nil && !errors.Is(err, journal.ErrNotLeader) { // it leads, and the roller is about to hear of it
				t.Fatal(err)
			}
			done = err == nil
		case <-stop:
			p.stop()
			<-rolled
			stops++
			p = start(t, dsn)
		}
		cancel()
	}
	got, open := days(t, p)
	t.Logf("%d stops", stops)
	if !slices.Equal(got, want) {
		t.Errorf("after %d stops the days ended with\n%+v, want\n%+v", stops, got, want)
	}
	if open != 0 {
		t.Errorf("%d trades are not settled", open)
	}
}

// TestRollNeedsALeader: without a term there is nobody to roll.
func TestRollNeedsALeader(t *testing.T) {
	t.Parallel()
	p := start(t, pgtest.New(t))
	roller := dayroll.New(dayroll.Config{Journal: p.Journal})
	if err := roller.Roll(t.Context(), 20131008, true, func(dayroll.Progress) {}); err == nil {
		t.Error("rolled without a term")
	}
}

// TestRollsAtOnce: a roll whose day another's roll has passed while it waited did what it was asked for.
func TestRollsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, pgtest.New(t))
	fill(t, p, 1000)
	rollTo(t, p, 20131007, true)
	ended := make(chan error, 4)
	for _, to := range []ledger.Date{20131012, 20131009, 20131012, 20131010} {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			ended <- p.roller.Roll(ctx, to, true, func(dayroll.Progress) {})
		}()
	}
	late := 0
	for range 4 {
		if err := <-ended; ledger.AsRejection(err) != nil {
			late++ // it was asked for when the day had passed
		} else if err != nil {
			t.Error(err)
		}
	}
	if day, err := p.BusinessDay(t.Context()); err != nil || day.Date != 20131012 || day.Rolling() {
		t.Errorf("business day %+v, %v (%d came late)", day, err, late)
	}
	if got, _ := days(t, p); len(got) != 6 {
		t.Errorf("%d days ended", len(got))
	}
}
