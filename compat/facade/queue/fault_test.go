package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/backlog"
)

// cut ends a call as a process that dies does: its connection is gone, nobody is told.
func (h *Held) cut() {
	h.ended = true
	drop(h.conn)
	h.q.turns.give(h.locks)
}

// Calls that wait for one hot account leave connections to the others, come to it in their order, and don't wait for ever.
func TestHotAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	cfg := w.config("a")
	cfg.Calls, cfg.WaitFor = 2, 20*time.Second
	q := w.open(cfg)
	holder, err := q.Begin(ctx, 1, Trades([]bank.Trade{trade(1, "holder")}))
	if err != nil {
		t.Fatal(err)
	}
	waits := func() int {
		q.turns.mu.Lock()
		defer q.turns.mu.Unlock()
		return len(q.turns.lines[lockOf(1)])
	}
	var calls sync.WaitGroup
	var order []int
	for i := range 8 {
		calls.Go(func() {
			h, err := q.Begin(ctx, 1, Trades([]bank.Trade{trade(1, fmt.Sprint(i))}))
			if err != nil {
				t.Error(err)
				return
			}
			order = append(order, i) // one at a time
			if err := h.Refused(ctx); err != nil {
				t.Error(err)
			}
		})
		eventually(t, "it waits", func() bool { return waits() == i+2 })
	}
	gone, leave := context.WithCancel(ctx)
	left := make(chan error)
	go func() {
		_, err := q.Begin(gone, 1, Trades([]bank.Trade{transfer(1, 2, "gives up")}))
		left <- err
	}()
	eventually(t, "it waits", func() bool { return waits() == 10 })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("a call whose client gave up: %v", err)
	}
	for id := bank.ID(2); id <= 4; id++ { // while the others wait
		h, err := q.Begin(ctx, 1, Trades([]bank.Trade{trade(id, "beside")}))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Refused(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := holder.Refused(ctx); err != nil {
		t.Fatal(err)
	}
	calls.Wait()
	if fmt.Sprint(order) != "[0 1 2 3 4 5 6 7]" {
		t.Errorf("they came in the order %v", order)
	}
	if len(q.turns.lines) != 0 {
		t.Errorf("lines are left: %v", q.turns.lines)
	}
}

// A call that waits too long fails, with nothing written down.
func TestWaitFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	cfg := w.config("a")
	cfg.WaitFor = 100 * time.Millisecond
	q, other := w.open(cfg), w.open(w.config("b"))
	for _, holding := range []*Queue{q, other} { // in this replica, or another
		h, err := holding.Begin(ctx, 1, Trades([]bank.Trade{trade(1, "holder")}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Begin(ctx, 1, Trades([]bank.Trade{trade(1, "x")})); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited beyond the bound: %v", err)
		}
		if err := h.Refused(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if len(q.turns.lines) != 0 {
		t.Errorf("lines are left: %v", q.turns.lines)
	}
}

// A sweep goes through all intents, in pages, and one that fails keeps it from none.
func TestEach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := w.open(w.config("a"))
	const many = 2*sweepRows + 5
	_, err := q.pool.Exec(t.Context(), `INSERT INTO facade.intent_given_up (id, epoch, kind, keys, size, request) SELECT i, 1, 'trades', '{1}', 1, '[]' FROM generate_series(1, $1::int) AS i`, many)
	if err != nil {
		t.Fatal(err)
	}
	var seen []int64
	err = q.each(t.Context(), `SELECT id, kind, keys, request, 0::float8 AS left FROM facade.intent_given_up WHERE id > $1 ORDER BY id LIMIT $2`, func(_ context.Context, in *intent) error {
		if seen = append(seen, in.ID); in.ID <= 7 {
			return errors.New("away")
		}
		return nil
	})
	if len(seen) != many || seen[0] != 1 || seen[many-1] != many {
		t.Errorf("%d intents of %d were seen", len(seen), many)
	}
	if err == nil || !strings.Contains(err.Error(), "intent 5: away") || strings.Contains(err.Error(), "intent 6") || !strings.Contains(err.Error(), "and 2 more") {
		t.Errorf("what is told: %v", err)
	}
}

// A call's process dies before Bank is asked, after Bank has booked, or with Bank still at it: the next call on the account goes on only when it is resolved, and in
// the queue it is behind it.
func TestDeadCalls(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, test := range map[string]struct {
		call   func(*legacy.Bank) Call
		do     func(*legacy.Bank) error // what Bank does of it
		after  time.Duration            // that much later
		booked bool
	}{
		"trades, Bank was not asked": {func(*legacy.Bank) Call { return Trades([]bank.Trade{trade(1, "x")}) }, nil, 0, false},
		"trades, booked": {
			func(*legacy.Bank) Call { return Trades([]bank.Trade{trade(1, "x"), trade(2, "y")}) },
			func(b *legacy.Bank) error {
				_, err := b.BookTrades(ctx, []bank.Trade{trade(1, "x"), trade(2, "y")})
				return err
			}, 0, true,
		},
		"trades, Bank still at it": {
			func(*legacy.Bank) Call { return Trades([]bank.Trade{trade(1, "x")}) },
			func(b *legacy.Bank) error { _, err := b.BookTrades(ctx, []bank.Trade{trade(1, "x")}); return err }, 700 * time.Millisecond, true,
		},
		"trades, others under the same id": {
			func(*legacy.Bank) Call {
				other := trade(1, "old")
				other.Quantity = amount("7")
				return Trades([]bank.Trade{other})
			}, nil, 0, false,
		},
		"cancel, done": {
			func(*legacy.Bank) Call { return Cancel(bank.TradeRef{AccountID: 1, ClientTradeID: "old"}, 1) },
			func(b *legacy.Bank) error {
				return b.CancelTrade(ctx, bank.TradeRef{AccountID: 1, ClientTradeID: "old"})
			}, 0, true,
		},
		"cancel, Bank was not asked": {func(*legacy.Bank) Call { return Cancel(bank.TradeRef{AccountID: 1, ClientTradeID: "old"}, 1) }, nil, 0, false},
		"cancel of nothing":          {func(*legacy.Bank) Call { return Cancel(bank.TradeRef{TradeID: 99}, 1) }, nil, 0, false},
		"cash": {func(*legacy.Bank) Call {
			return Cash(bank.Cash{ClientID: "c", AccountID: 1, Currency: "USD", Amount: amount("5"), Kind: bank.Deposit})
		}, nil, 0, true}, // it is asked for again, and so it is there
		"cash of no account": {func(*legacy.Bank) Call {
			return Cash(bank.Cash{ClientID: "c", AccountID: 99, TargetAccountID: 1, Currency: "USD", Amount: amount("5"), Kind: bank.CashJournal})
		}, nil, 0, false},
		"roll":    {func(*legacy.Bank) Call { return Roll(20131007) }, nil, 0, true},
		"entity":  {func(*legacy.Bank) Call { return Entity(bank.Entity{EntityID: 2, ClientCode: "x", LegalName: "y"}) }, nil, 0, true},
		"account": {func(*legacy.Bank) Call { return Account(bank.NewAccount{AccountID: 50, EntityID: 1, Name: "n"}) }, nil, 0, true},
	} {
		for _, sweeper := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/sweeper=%t", name, sweeper), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				q, _ := w.run(w.config("a"))
				if _, err := book(ctx, q, w.bank, []bank.Trade{trade(1, "old")}); err != nil {
					t.Fatal(err)
				}
				call := test.call(w.bank)
				h, err := q.Begin(ctx, 1, call)
				if err != nil {
					t.Fatal(err)
				}
				id := h.ID()
				var working sync.WaitGroup
				working.Go(func() {
					time.Sleep(test.after) // Bank's own slowness
					if test.do != nil {
						if err := test.do(w.bank); err != nil {
							t.Error(err)
						}
					}
				})
				if test.after == 0 {
					working.Wait()
				}
				h.cut()
				if !sweeper { // the next call does it
					if _, err := book(ctx, q, w.bank, []bank.Trade{trade(1, "next")}); err != nil {
						t.Fatal(err)
					}
				}
				w.drained(q)
				working.Wait()
				var booked bool
				if err := q.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM facade.queue WHERE origin = $1)`, id).Scan(&booked); err != nil || booked != test.booked {
					t.Errorf("in the queue: %t (%v), want %t", booked, err, test.booked)
				}
				w.same()
			})
		}
	}
}

// slowBank answers outcome_unknown and books a while later, or never.
type slowBank struct {
	*legacy.Bank
	later time.Duration
}

func (b *slowBank) BookTrades(ctx context.Context, trades []bank.Trade) ([]bank.Booked, error) {
	if b.later >= 0 {
		time.AfterFunc(b.later, func() {
			if _, err := b.Bank.BookTrades(context.WithoutCancel(ctx), trades); err != nil {
				panic(err)
			}
		})
	}
	return nil, bank.Errorf(bank.OutcomeUnknown, "who knows")
}

// An answer that never came: the accounts stay held until Bank tells. What it does much later still comes into the queue.
func TestUnknown(t *testing.T) {
	t.Parallel()
	const never, veryLate = -1, 800 * time.Millisecond
	for name, later := range map[string]time.Duration{"at once": 0, "soon": 150 * time.Millisecond, "never": never, "very late": veryLate} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			cfg := w.config("a")
			if later != never && later != veryLate {
				cfg.SettleAfter = time.Minute // a busy machine may take its time with what comes soon
			}
			q, _ := w.run(cfg)
			slow := &slowBank{w.bank, later}
			trades := []bank.Trade{trade(1, "x")}
			h, err := q.Begin(t.Context(), 1, Trades(trades))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := slow.BookTrades(t.Context(), trades); bank.TypeOf(err) != bank.OutcomeUnknown {
				t.Fatal(err)
			}
			h.Unknown()
			short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if held, err := q.Begin(short, 1, Trades(trades)); err == nil && later != 0 {
				t.Error("the account is free although nobody knows")
				_ = held.Refused(t.Context())
			} else if err == nil {
				_ = held.Refused(t.Context())
			}
			if _, err := book(t.Context(), q, w.bank, []bank.Trade{trade(1, "next")}); err != nil {
				t.Fatal(err)
			}
			if later != never {
				eventually(t, "the trade is in BK", func() bool {
					_, err := w.bk.Trade(t.Context(), bank.TradeRef{AccountID: 1, ClientTradeID: "x"})
					return err == nil
				})
			}
			w.drained(q)
			if later != veryLate { // then only the order differs
				w.same()
			}
		})
	}
}

// The façade's database goes away between Bank's answer and the queue: the client has its answer, and the row comes.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q, _ := w.run(w.config("a"))
	h, err := q.Begin(t.Context(), 1, Trades([]bank.Trade{trade(1, "x")}))
	if err != nil {
		t.Fatal(err)
	}
	booked, err := w.bank.BookTrades(t.Context(), []bank.Trade{trade(1, "x")})
	if err != nil {
		t.Fatal(err)
	}
	w.terminate(`application_name = 'hotswap-calls'`)
	if err := h.Accepted(t.Context(), Answer{Trades: booked}); err == nil {
		t.Error("the outcome was written over a connection that was cut")
	}
	if _, err := book(t.Context(), q, w.bank, []bank.Trade{trade(1, "next")}); err != nil {
		t.Fatal(err)
	}
	w.drained(q)
	if rows := w.same(); rows != 2 {
		t.Errorf("%d rows", rows)
	}
}

// terminate cuts connections to the façade's database.
func (w *world) terminate(which string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(w.t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND `+which); err != nil {
		w.t.Fatal(err)
	}
}

// A client that goes away while it waits for an account leaves nothing behind.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := w.open(w.config("a"))
	h, err := q.Begin(t.Context(), 1, Trades([]bank.Trade{trade(1, "x")}))
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := q.Begin(short, 1, Trades([]bank.Trade{trade(1, "y")})); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second call: %v", err)
	}
	if err := h.Refused(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no locks, no intents", func() bool {
		var left int
		err := q.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM facade.intent) + (SELECT count(*) FROM facade.intent_key) +
			(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&left)
		return err == nil && left == 0
	})
}

// What BK refuses holds up its accounts, those that depend on it, and a roll; others go on. It can be retried and skipped.
func TestBlocked(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	var refusing atomic.Bool
	refusing.Store(true)
	w.bk.failing(func(r bank.Replay) error {
		if r.Request != nil && strings.HasPrefix(r.Request.ClientTradeID, "bad") && refusing.Load() {
			return bank.Errorf(bank.Conflict, "BK does not want it")
		}
		return nil
	})
	q, stop := w.run(w.config("a"))
	must := func(trades ...bank.Trade) {
		t.Helper()
		if _, err := book(ctx, q, w.bank, trades); err != nil {
			t.Fatal(err)
		}
	}
	must(trade(1, "bad"))
	must(trade(1, "behind"))
	must(transfer(1, 2, "behind, too"))
	must(trade(2, "behind over another"))
	must(trade(3, "beside"))
	if err := rollTo(ctx, q, w.bank, 20131007); err != nil {
		t.Fatal(err)
	}
	must(trade(4, "behind the roll"))
	has := func(account bank.ID, client string) bool {
		_, err := w.bk.Trade(ctx, bank.TradeRef{AccountID: account, ClientTradeID: client})
		return err == nil
	}
	eventually(t, "others go on", func() bool { return has(3, "beside") })
	var blocked []backlog.Row
	eventually(t, "it is blocked", func() bool {
		var err error
		blocked, err = q.Rows().List(ctx, 0, 10, true)
		return err == nil && len(blocked) == 1 && blocked[0].Attempts >= 2
	})
	if !strings.Contains(blocked[0].Reason, "BK does not want it") {
		t.Errorf("reason: %q", blocked[0].Reason)
	}
	stop() // another worker sees it the same way
	q, _ = w.run(w.config("b"))
	must(trade(3, "after the restart")) // behind the roll
	for account, client := range map[bank.ID]string{1: "behind", 2: "behind over another", 4: "behind the roll"} {
		if has(account, client) {
			t.Errorf("account %d: %s is booked", account, client)
		}
	}
	if err := q.Rows().Skip(ctx, blocked[0].Position+1, "ann", "x"); !errors.Is(err, backlog.ErrNotWaiting) {
		t.Errorf("skip of a row that is not blocked: %v", err)
	}
	if err := q.Rows().Skip(ctx, blocked[0].Position, "", ""); err == nil {
		t.Error("skip without a reason")
	}
	refusing.Store(false)
	if err := q.Rows().Retry(ctx, blocked[0].Position); err != nil {
		t.Fatal(err)
	}
	w.drained(q)
	w.same()

	refusing.Store(true)
	must(trade(5, "bad again"))
	must(trade(5, "goes on"))
	eventually(t, "it is blocked", func() bool {
		var err error
		blocked, err = q.Rows().List(ctx, 0, 10, true)
		return err == nil && len(blocked) == 1
	})
	if err := q.Rows().Skip(ctx, blocked[0].Position, "ann", "booked by hand"); err != nil {
		t.Fatal(err)
	}
	w.drained(q)
	if !has(5, "goes on") || has(5, "bad again") {
		t.Error("skipped wrongly")
	}
}

// BK is away, or faulty, for a while: nothing is blocked, and all comes in order. The worker's session is cut meanwhile: another one works.
func TestAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var away atomic.Pointer[error]
	set := func(err error) { away.Store(&err) }
	w.bk.failing(func(bank.Replay) error { return *away.Load() })
	set(errors.New("connection refused"))
	a, _ := w.run(w.config("a"))
	b, _ := w.run(w.config("b"))
	for i := range 60 {
		if _, err := book(t.Context(), a, w.bank, []bank.Trade{trade(bank.ID(1+i%accounts), fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 20:
			eventually(t, "it says that BK is away", func() bool { return a.Worker().Away != "" || b.Worker().Away != "" })
			set(bank.Errorf(bank.Internal, "no leader"))
		case 40:
			w.terminate(`query LIKE '%pg_try_advisory_lock%' OR query = 'SELECT 1'`)
		}
	}
	blocked, err := a.Rows().List(t.Context(), 0, 10, true)
	if err != nil || len(blocked) > 0 {
		t.Errorf("blocked: %+v, %v", blocked, err)
	}
	set(nil)
	w.drained(b)
	if rows := w.same(); rows != 60 {
		t.Errorf("%d rows", rows)
	}
	// The one whose session was cut says that it works until it has looked at its session.
	eventually(t, "one works", func() bool { return a.Worker().Working != b.Worker().Working })
}

// A delivery is on its way to BK when its worker's session is cut. Another worker does all that there is, of the same accounts, too; then it lands, and changes nothing.
func TestLateDelivery(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	var once sync.Once
	begun, land, landed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.bk.failing(func(bank.Replay) error {
		held := false
		once.Do(func() { held = true })
		if held {
			close(begun)
			<-land
		}
		return nil
	})
	w.bk.landed = func(r bank.Replay) {
		if r.Request != nil && r.Request.ClientTradeID == "0" {
			select {
			case <-land:
				close(landed)
			default:
			}
		}
	}
	q, _ := w.run(w.config("a"))
	for i := range 3 { // one batch may have them all, or they come behind it
		if _, err := book(ctx, q, w.bank, []bank.Trade{trade(1, fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	<-begun
	other, _ := w.run(w.config("b"))
	w.terminate(`query LIKE '%pg_try_advisory_lock%' OR query = 'SELECT 1'`)
	h, err := q.Begin(ctx, 1, Cancel(bank.TradeRef{AccountID: 1, ClientTradeID: "0"}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.bank.CancelTrade(ctx, bank.TradeRef{AccountID: 1, ClientTradeID: "0"}), h.Accepted(ctx, Answer{})); err != nil {
		t.Fatal(err)
	}
	for _, more := range []bank.Trade{transfer(1, 2, "to 2"), trade(2, "behind it")} {
		if _, err := book(ctx, q, w.bank, []bank.Trade{more}); err != nil {
			t.Fatal(err)
		}
	}
	if err := rollTo(ctx, q, w.bank, 20131007); err != nil {
		t.Fatal(err)
	}
	w.drained(other)
	before := w.same()
	close(land)
	<-landed
	if rows := w.same(); rows != before || rows < 7 {
		t.Errorf("%d rows, %d before it landed", rows, before)
	}
	eventually(t, "one works", func() bool { return q.Worker().Working != other.Worker().Working })
}

// At the limit the façade is told; a write that can't be read is there for people to see.
func TestFullAndUnread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bk.failing(func(bank.Replay) error { return errors.New("away") })
	cfg := w.config("a")
	full := make(chan int, 100)
	cfg.Limit, cfg.Full = 3, func(n int) { full <- n }
	q, _ := w.run(cfg)
	for i := range 3 {
		if _, err := book(t.Context(), q, w.bank, []bank.Trade{trade(1, fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case n := <-full:
		if s := q.Stats(); n != 3 || s.Waiting != 3 || s.Age <= 0 {
			t.Errorf("full at %d, %+v", n, s)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
	w.bk.failing(func(bank.Replay) error { return nil })
	w.drained(q)
	if err := q.Unread(t.Context(), 1, "POST /trades", []byte("\xff{")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is blocked", func() bool {
		rows, err := q.Rows().List(t.Context(), 0, 10, true)
		return err == nil && len(rows) == 1 && rows[0].Kind == KindUnread
	})
	if _, err := book(t.Context(), q, w.bank, []bank.Trade{trade(1, "goes on")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "others go on", func() bool {
		_, err := w.bk.Trade(t.Context(), bank.TradeRef{AccountID: 1, ClientTradeID: "goes on"})
		return err == nil
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Config{Calls: -1, Limit: -1})
	for _, field := range []string{"Postgres", "Replica", "Bank", "Calls", "Limit"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("nothing is said of %s: %v", field, err)
		}
	}
}
