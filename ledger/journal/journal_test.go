package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// running is a journal that runs, and the way to stop it.
type running struct {
	*journal.Journal
	stop context.CancelFunc
	end  chan error
}

func start(t testing.TB, cfg journal.Config) *running {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	j, err := journal.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Journal: j, stop: cancel, end: make(chan error, 1)}
	go func() { r.end <- j.Run(ctx) }()
	t.Cleanup(func() { r.Stop(t); j.Close() })
	return r
}

func (r *running) Stop(t testing.TB) {
	t.Helper()
	r.stop()
	select {
	case err := <-r.end:
		r.end <- err
		if err != nil && !t.Failed() {
			t.Error("Run:", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Run did not return within a minute")
	}
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond) // between two looks at the condition
	}
}

// startLedger starts a journal with two customers, USD and one stock, and waits until it leads.
func startLedger(t testing.TB, cfg journal.Config) *running {
	t.Helper()
	if cfg.DSN == "" {
		cfg.DSN = pgtest.New(t)
	}
	r := start(t, cfg)
	eventually(t, "leading", r.Leading)
	define(t, r)
	return r
}

func define(t testing.TB, r *running) {
	t.Helper()
	usd := ledger.Currency("USD")
	var commands []*ledger.Command
	for id := int64(100001); id <= 100010; id++ {
		commands = append(commands, &ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{ID: id, Code: fmt.Sprint("cust:", id), Entity: 1}})
	}
	commands = append(commands,
		&ledger.Command{Kind: ledger.KindInstrument, Define: &usd},
		&ledger.Command{Kind: ledger.KindInstrument, Define: &ledger.Instrument{Symbol: "IBM", Identifiers: []ledger.Identifier{ibm}}})
	for i, o := range r.Book(t.Context(), commands, journal.BookOptions{}) {
		if o.Err != nil {
			t.Fatalf("command %d: %v", i, o.Err)
		}
	}
}

var ibm = ledger.Identifier{Type: ledger.Ticker, Value: "IBM", Country: "USA", Currency: "USD"}

func trade(key, quantity string) *ledger.Command {
	return &ledger.Command{Kind: ledger.KindExchangeTrade, Key: key, TradeDate: 20131007, Trade: &ledger.Trade{
		ExecutedAt: time.UnixMilli(1381132800464), ClientTradeID: key, Account: ledger.AccountRef{ID: 100001}, Direction: ledger.Buy,
		Quantity: ledger.MustAmount(quantity), Price: ledger.MustAmount("182.5"), Instrument: ibm, Capacity: "agency", MIC: "XNYS", ExecMPID: "CLST",
		Commission: ledger.MustAmount("1"),
	}}
}

func cancelOf(key, target string) *ledger.Command {
	return &ledger.Command{Kind: ledger.KindCancel, Key: key, Target: &ledger.Target{Key: target}}
}

func correctionOf(key, target string, link bool) *ledger.Command {
	c := trade(key, "70")
	c.Replaces = &ledger.Target{Key: target, Link: link}
	return c
}

func book(t testing.TB, r *running, c *ledger.Command) journal.Receipt {
	t.Helper()
	o := r.Book(t.Context(), []*ledger.Command{c}, journal.BookOptions{})[0]
	if o.Err != nil {
		t.Fatalf("%s: %v", c.Key, o.Err)
	}
	return o.Receipt
}

func rejects(t testing.TB, r *running, c *ledger.Command, want ledger.Reason) {
	t.Helper()
	o := r.Book(t.Context(), []*ledger.Command{c}, journal.BookOptions{})[0]
	if rej := ledger.AsRejection(o.Err); rej == nil || rej.Reason != want {
		t.Errorf("%s: got %v, want %s", c.Key, o.Err, want)
	}
}

// entries reads the whole journal and checks its order and its hash chain.
func entries(t testing.TB, r *running) []*ledger.Entry {
	t.Helper()
	var all []*ledger.Entry
	for {
		part, err := r.Read(t.Context(), uint64(len(all)), 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(part) == 0 {
			break
		}
		all = append(all, part...)
	}
	for i, e := range all {
		if e.ID.Seq() != uint64(i)+1 {
			t.Fatalf("entry %d stands at %d", e.ID.Seq(), i+1)
		}
		if instrument, ok := ledger.Balanced(e.Postings); !ok {
			t.Errorf("entry %d: instrument %d does not add up to zero", i+1, instrument)
		}
		if i > 0 && e.BookedAt.Before(all[i-1].BookedAt) {
			t.Errorf("entry %d was booked before entry %d", i+1, i)
		}
	}
	return all
}

func TestTradeCancelCorrect(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{})
	bought := book(t, r, trade("a", "100"))
	if got := len(bought.Entry.Postings); got != 5 || bought.Repeat {
		t.Fatalf("a trade made %d postings, repeat %v", got, bought.Repeat)
	}
	canceled := book(t, r, cancelOf("a-cancel", "a"))
	if canceled.Entry.Links.Reverses != bought.Entry.ID || canceled.Entry.TradeDate != 20131007 {
		t.Errorf("cancel: %+v", canceled.Entry)
	}
	for i, p := range canceled.Entry.Postings {
		if p.Quantity.Add(bought.Entry.Postings[i].Quantity) != (ledger.Amount{}) {
			t.Errorf("posting %d is not negated: %v", i, p)
		}
	}
	rejects(t, r, cancelOf("a-cancel-2", "a"), ledger.ReasonTradeCanceled)
	rejects(t, r, cancelOf("x-cancel", "x"), ledger.ReasonTradeNotFound)
	rejects(t, r, correctionOf("a2", "a", false), ledger.ReasonTradeCanceled)

	linked := book(t, r, correctionOf("a3", "a", true))
	if linked.Entry.Links.Corrects != bought.Entry.ID || linked.Entry.ID.Seq() != canceled.Entry.ID.Seq()+2 {
		t.Errorf("a correction of a cancelled trade: %+v", linked.Entry.Links)
	}
	if again := book(t, r, correctionOf("a3", "a", true)); !again.Repeat || again.Entry.ID != linked.Entry.ID || again.UpTo < linked.UpTo {
		t.Errorf("the same again: %+v", again)
	}
	again := book(t, r, correctionOf("a3-again", "a", true))
	old, err := r.Life(t.Context(), bought.Entry.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(old) != 4 || old[2].Kind != ledger.KindLink || old[2].Links.ReplacedBy != linked.Entry.ID || old[2].Key != "" || old[3].Links.ReplacedBy != again.Entry.ID ||
		old.State() != ledger.TradeCanceled || len(old.Made()) != 0 {
		t.Errorf("the cancelled trade has %d entries, the last %+v", len(old), old[len(old)-1])
	}
	rejects(t, r, cancelOf("a-cancel-3", "a"), ledger.ReasonTradeCanceled)
	corrected := book(t, r, correctionOf("a4", "a3", false))
	life, err := r.Life(t.Context(), linked.Entry.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(life) != 2 || life.State() != ledger.TradeCanceled || life[1].Links.ReplacedBy != corrected.Entry.ID ||
		corrected.Entry.Links.Corrects != linked.Entry.ID || len(life.Made()) != 0 {
		t.Errorf("after the correction: %d entries, %s, made %v", len(life), life.State(), life.Made())
	}
	entries(t, r)
}

// TestKeyBeforeID: a target with both is the trade that was booked with the key, in the same batch or long before; if there is none, the one with the id.
func TestKeyBeforeID(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{})
	both := func(key, target string, id ledger.ID) *ledger.Command {
		c := trade(key, "70")
		c.Replaces = &ledger.Target{Key: target, Trade: id, Link: true}
		return c
	}
	deposit := &ledger.Command{Kind: ledger.KindDeposit, Key: "cash", Fields: map[string]string{"account": "100001", "currency": "USD", "amount": "1"}}
	cash := book(t, r, deposit).Entry.ID
	one, two := book(t, r, trade("one", "1")).Entry.ID, book(t, r, trade("two", "1")).Entry.ID
	corrects := func(c *ledger.Command, want ledger.ID) ledger.ID {
		t.Helper()
		e := book(t, r, c).Entry
		if e.Links.Corrects != want {
			t.Errorf("%s: in place of %d, want %d", c.Key, e.Links.Corrects, want)
		}
		return e.ID
	}
	three := corrects(both("three", "one", two), one)
	corrects(both("four", "nothing", two), two)
	corrects(both("five", "cash", three), three)
	rejects(t, r, both("six", "nothing", cash), ledger.ReasonTradeNotFound)
	rejects(t, r, both("six", "nothing", ledger.MakeID(9, two.Seq())), ledger.ReasonTradeNotFound)
	cancel := cancelOf("cancel", "six")
	cancel.Target.Trade = one
	rejects(t, r, cancel, ledger.ReasonTradeCanceled)

	// What stands earlier in a batch counts, by key and by id, though the caller's goroutine has found another one.
	next := ledger.MakeID(one.Shard(), r.Head().Seq+1)
	outcomes := r.Book(t.Context(), []*ledger.Command{
		trade("b1", "1"), both("b2", "b1", two), both("b3", "nothing", next), both("b4", "b2", next), cancelOf("b5", "b4"),
	}, journal.BookOptions{Atomic: true})
	for i, o := range outcomes {
		if o.Err != nil {
			t.Fatalf("command %d: %v", i, o.Err)
		}
	}
	for i, want := range []ledger.ID{0, next, next, outcomes[1].Receipt.Entry.ID, outcomes[1].Receipt.Entry.ID} {
		if got := outcomes[i].Receipt.Entry.Links.Corrects; got != want {
			t.Errorf("command %d: in place of %d, want %d", i, got, want)
		}
	}
	if life, err := r.Life(t.Context(), next); err != nil || len(life) != 3 || life[1].Kind != ledger.KindCancel || life[2].Kind != ledger.KindLink {
		t.Errorf("the first of the batch: %d entries, %v", len(life), err)
	}
	entries(t, r)
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	r := startLedger(t, journal.Config{DSN: dsn})
	first := book(t, r, trade("k", "100"))
	same := trade("k", "100.00")
	same.Trade.Account = ledger.AccountRef{Code: "cust:100001"}
	for range 2 {
		again := book(t, r, same)
		if !again.Repeat || again.Entry.ID != first.Entry.ID || !again.Entry.BookedAt.Equal(first.Entry.BookedAt) {
			t.Errorf("again: %+v", again)
		}
	}
	rejects(t, r, trade("k", "101"), ledger.ReasonKeyConflict)
	unknown := trade("k", "100")
	unknown.Trade.Account.ID = 55
	rejects(t, r, unknown, ledger.ReasonKeyConflict) // a conflict goes before an unknown account
	unknown.Key = "k2"
	rejects(t, r, unknown, ledger.ReasonUnknownAccount)
	head := r.Head()

	outcomes := r.Book(t.Context(), []*ledger.Command{trade("m", "1"), trade("m", "1"), trade("m", "2")}, journal.BookOptions{})
	if outcomes[0].Err != nil || !outcomes[1].Receipt.Repeat || ledger.AsRejection(outcomes[2].Err) == nil {
		t.Errorf("in one batch: %+v", outcomes)
	}
	if got := r.Head().Seq; got != head.Seq+1 {
		t.Errorf("%d entries were booked, want 1", got-head.Seq)
	}
	r.Stop(t)
	again := startLedger(t, journal.Config{DSN: dsn})
	if receipt := book(t, again, trade("k", "100")); !receipt.Repeat || receipt.Entry.ID != first.Entry.ID {
		t.Errorf("after a restart: %+v", receipt)
	}
	rejects(t, again, trade("k", "101"), ledger.ReasonKeyConflict)
	if got := again.Head().Seq; got != head.Seq+1 {
		t.Errorf("the restart and repeated definitions booked %d entries", got-head.Seq-1)
	}
}

func TestAtomicGroups(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{})
	head := r.Head().Seq
	outcomes := r.Book(t.Context(), []*ledger.Command{
		trade("1", "1"), cancelOf("2", "1"), {Kind: ledger.KindOpen, Account: &ledger.Account{Code: "cust:new"}}, cancelOf("3", "nothing"), trade("4", "1"),
	}, journal.BookOptions{Atomic: true})
	for i, o := range outcomes {
		if i == 3 != (ledger.AsRejection(o.Err) != nil) || i != 3 && !errors.Is(o.Err, journal.ErrGroupRejected) {
			t.Errorf("command %d: %v", i, o.Err)
		}
	}
	if _, there := r.Directory().Account(ledger.AccountRef{Code: "cust:new"}); there {
		t.Error("an account of a rejected group is there")
	}
	// street:cns and firm:commission are opened by the attempt; nothing else is.
	if got := r.Head().Seq - head; got != 2 {
		t.Errorf("%d entries were booked, want the 2 house accounts", got)
	}
	outcomes = r.Book(t.Context(), []*ledger.Command{
		trade("1", "1"), cancelOf("2", "1"), {Kind: ledger.KindOpen, Account: &ledger.Account{Code: "cust:new"}}, correctionOf("3", "1", true),
	}, journal.BookOptions{Atomic: true})
	for i, o := range outcomes {
		if o.Err != nil {
			t.Errorf("command %d: %v", i, o.Err)
		}
	}
	if got := entries(t, r); got[len(got)-1].Links.Corrects != outcomes[0].Receipt.Entry.ID {
		t.Errorf("last entry: %+v", got[len(got)-1])
	}
}

// TestConcurrentCallers books from many goroutines, every key twice, and checks that each is there once.
func TestConcurrentCallers(t *testing.T) {
	t.Parallel()
	for _, connections := range []int{1, 3} {
		t.Run(fmt.Sprint(connections, " connections"), func(t *testing.T) {
			t.Parallel()
			r := startLedger(t, journal.Config{Connections: connections, MaxBatch: 64})
			var wg sync.WaitGroup
			for caller := range 16 {
				wg.Go(func() {
					for i := range 100 {
						var commands []*ledger.Command
						for n := range 7 {
							commands = append(commands, trade(fmt.Sprintf("%d-%d-%d", caller/2, i, n), "5"))
						}
						commands = append(commands, cancelOf(fmt.Sprintf("%d-%d-c", caller/2, i), commands[0].Key))
						for _, o := range r.Book(t.Context(), commands, journal.BookOptions{Atomic: i%2 == 0}) {
							if o.Err != nil {
								t.Error(o.Err)
							}
						}
					}
				})
			}
			wg.Wait()
			seen := map[string]bool{}
			for _, e := range entries(t, r) {
				if e.Key != "" && seen[e.Key] {
					t.Errorf("%s is booked twice", e.Key)
				}
				seen[e.Key] = true
			}
			if want := 8*100*8 + 1; len(seen) != want {
				t.Errorf("%d keys, want %d", len(seen), want)
			}
		})
	}
}

func TestOverloadIsRefused(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{MaxInFlight: 64})
	var refused, booked int
	var pending []*journal.Pending
	for i := range 2000 {
		pending = append(pending, r.BookAsync(t.Context(), []*ledger.Command{trade(fmt.Sprint(i), "1")}, journal.BookOptions{}))
	}
	for _, p := range pending {
		switch o := p.Wait(t.Context())[0]; {
		case errors.Is(o.Err, journal.ErrOverloaded):
			refused++
		case o.Err != nil:
			t.Fatal(o.Err)
		default:
			booked++
		}
	}
	if refused == 0 || booked < 64 {
		t.Errorf("%d refused, %d booked", refused, booked)
	}
	for i := range 200 { // with Wait, callers wait for room
		p := r.BookAsync(t.Context(), []*ledger.Command{trade(fmt.Sprint("w", i), "1")}, journal.BookOptions{Wait: true})
		pending = append(pending, p)
	}
	for _, p := range pending[2000:] {
		if o := p.Wait(t.Context())[0]; o.Err != nil {
			t.Error(o.Err)
		}
	}
}

// TestHouseAccountOpenedMeanwhile: a trade needs a house account that another caller opens at the same moment, under a name of its own.
func TestHouseAccountOpenedMeanwhile(t *testing.T) {
	t.Parallel()
	for range 5 {
		r := startLedger(t, journal.Config{})
		opening := r.BookAsync(t.Context(), []*ledger.Command{
			{Kind: ledger.KindOpen, Account: &ledger.Account{Code: ledger.CodeStreetCNS, Name: "CNS clearing"}},
			{Kind: ledger.KindOpen, Account: &ledger.Account{Code: ledger.CodeCommission, Name: "Commissions"}},
		}, journal.BookOptions{})
		receipt := book(t, r, trade("a", "100"))
		for _, p := range receipt.Entry.Postings {
			if p.Account == 0 || p.Instrument == 0 {
				t.Errorf("posting %+v", p)
			}
		}
		for _, o := range opening.Wait(t.Context()) {
			if rej := ledger.AsRejection(o.Err); o.Err != nil && (rej == nil || rej.Reason != ledger.ReasonAccountExists) {
				t.Error(o.Err)
			}
		}
	}
}

func TestTargetOfAnotherShard(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{})
	booked := book(t, r, trade("a", "100")).Entry.ID
	r.Stop(t) // so that the trade is found in Postgres, not in the window
	cancel := func(key string, id ledger.ID) *ledger.Command {
		return &ledger.Command{Kind: ledger.KindCancel, Key: key, Target: &ledger.Target{Trade: id}}
	}
	again := start(t, journal.Config{DSN: r.Pool().Config().ConnString()})
	eventually(t, "leading", again.Leading)
	outcomes := again.Book(t.Context(), []*ledger.Command{cancel("1", ledger.MakeID(1, booked.Seq())), cancel("2", booked)}, journal.BookOptions{})
	if rej := ledger.AsRejection(outcomes[0].Err); rej == nil || rej.Reason != ledger.ReasonTradeNotFound || outcomes[1].Err != nil {
		t.Errorf("cancel of another shard's trade: %v; of this one's: %v", outcomes[0].Err, outcomes[1].Err)
	}
}

// TestTooMuchAtOnce: a group that could never be in flight is refused, in clear words and without harm.
func TestTooMuchAtOnce(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{MaxInFlight: 64})
	heavy := trade("heavy", "1")
	heavy.Metadata = map[string]string{"notes": strings.Repeat("x", 60<<10)}
	for what, commands := range map[string][]*ledger.Command{
		"many commands":  slices.Repeat([]*ledger.Command{trade("k", "1")}, ledger.MaxBatch+1),
		"heavy commands": slices.Repeat([]*ledger.Command{heavy}, 50),
	} {
		for _, o := range r.Book(t.Context(), commands, journal.BookOptions{}) {
			if rej := ledger.AsRejection(o.Err); rej == nil || rej.Reason != ledger.ReasonTooLarge {
				t.Fatalf("%s: %v", what, o.Err)
			}
		}
	}
	book(t, r, heavy)
}
