package legacy_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/bank/legacy"
)

// TestHotAccounts lets two Banks on one database book, allocate both ways, replace, cancel, move cash and roll on four accounts at once: nothing is lost, no deadlock
// reaches a caller, ids ascend with each account's work.
func TestHotAccounts(t *testing.T) {
	t.Parallel()
	b := open(t)
	banks := []*books{b, reopen(t, b.dsn)}
	b.roll(t, 20131007)
	const workers, rounds = 16, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			use := banks[w%2]
			for n := range rounds {
				client := fmt.Sprintf("%d-%d", w, n)
				one, other := 1+random.IntN(4), 1+random.IntN(3)
				if other >= one {
					other++
				}
				pair := parse(t, fmt.Sprintf(`{"type":"transfer_trade","timestamp":1381132800,"client_trade_id":"p%s","date":%d,"account_id":%d,"target_account_id":%d,
					"quantity":"3","price":"10","instrument":{"identifier":"XYZ","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"sell"}}`,
					client, 20131007+random.IntN(3), one, other))
				call := []bank.Trade{exchange(t, "a"+client, one, "buy", "10", "5", 20131007, ""), exchange(t, "b"+client, other, "sell", "1", "5", 20131008, ""), pair,
					exchange(t, "c"+client, one, "buy", "10", "6", 20131007, `,"cancel_trade_id":"a`+client+`"`)}
				booked, err := use.BookTrades(t.Context(), call)
				if err != nil {
					t.Error(err)
					return
				}
				again, err := banks[(w+1)%2].BookTrades(t.Context(), call)
				if err != nil || again[3] != booked[3] {
					t.Errorf("again: %v, %v; want %v", again, err, booked)
				}
				if err := use.CancelTrade(t.Context(), bank.TradeRef{TradeID: booked[2].TradeID}); err != nil {
					t.Error(err)
				}
				if _, err := use.MoveCash(t.Context(), bank.Cash{ClientID: client, AccountID: bank.ID(one), TargetAccountID: bank.ID(other), Currency: "USD",
					Amount: amount(t, "7"), Kind: bank.CashJournal}); err != nil {
					t.Error(err)
				}
				if w == 0 && n == rounds/2 {
					if err := use.Roll(t.Context(), 20131008); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	var quantity, cash decimal.Decimal
	for account := bank.ID(1); account <= 4; account++ {
		p, err := b.Position(t.Context(), account, "XYZ", false)
		if err != nil {
			t.Fatal(err)
		}
		quantity = quantity.Add(p.Quantity.Decimal)
		m, err := b.Balances(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		cash = cash.Add(m[0].TradeCash.Decimal)
	}
	// All sales of the 8th opened with the roll; pairs and journals cancel out; sales carry SEC 0.01 and TAF 0.01.
	const calls = workers * rounds
	want(t, "quantity", quantity.String(), fmt.Sprint(calls*(10-1)))
	want(t, "cash", cash.String(), decimal.NewFromInt(calls).Mul(decimal.RequireFromString("-55.02")).String())
	var disordered int
	err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM (
		SELECT trade_id, lag(trade_id) OVER (PARTITION BY account_id ORDER BY journal_id) AS before FROM bank.journal WHERE memo = 'open' AND date = 20131007 AND account_id BETWEEN 1 AND 4) j
		WHERE before > trade_id`).Scan(&disordered)
	if err != nil || disordered != 0 {
		t.Errorf("%d rows out of order, %v", disordered, err)
	}
	var deadlocks int
	if err := b.pool.QueryRow(t.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&deadlocks); err != nil || deadlocks != 0 {
		t.Errorf("%d deadlocks, %v", deadlocks, err)
	}
}

// TestRollIsInterrupted cuts the roll's connection, and the whole Bank, in the middle; whoever comes next finishes it first.
func TestRollIsInterrupted(t *testing.T) {
	t.Parallel()
	b := open(t)
	const calls = 5
	for c := range calls {
		trades := make([]bank.Trade, legacy.RollChunk)
		for i := range trades {
			trades[i] = exchange(t, fmt.Sprint(c, "-", i), 1+i%9, "buy", "1", "1", 20131007, "")
		}
		b.book(t, trades...)
	}
	// The first chunk's events are held up by a lock of ours on one row that the second needs.
	blocker, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blocker.Exec(t.Context(), `SELECT 1 FROM bank.trade WHERE trade_id = (SELECT min(trade_id) + $1 FROM bank.trade) FOR UPDATE`, 2*legacy.RollChunk); err != nil {
		t.Fatal(err)
	}
	dying := reopen(t, b.dsn)
	failed := make(chan error, 1)
	go func() { failed <- dying.Roll(t.Context(), 20131010) }()
	settled := func() (n int) {
		if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM bank.trade WHERE state = 'settled'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	await(t, func() bool { return settled() == 2*legacy.RollChunk })

	booking := make(chan error, 1)
	go func() {
		_, err := b.BookTrades(t.Context(), []bank.Trade{exchange(t, "waits", 1, "buy", "1", "1", 20131010, "")})
		booking <- err
	}()
	if date, err := b.BusinessDate(t.Context()); err != nil || date != 0 {
		t.Errorf("business date %d, %v", date, err)
	}
	dying.Close()
	if err := <-failed; bank.TypeOf(err) != bank.OutcomeUnknown {
		t.Errorf("the interrupted roll: %v", err)
	}
	if err := blocker.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-booking; err != nil { // finishes the roll first
		t.Errorf("the booking: %v", err)
	}
	want(t, "settled", settled(), calls*legacy.RollChunk)
	date, err := b.BusinessDate(t.Context())
	want(t, "business date", date, 20131010)
	if err != nil {
		t.Error(err)
	}
	b.roll(t, 20131010) // the same again
	var events, distinct int
	err = b.pool.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT event::json -> 'trade' ->> 'trade_id') FROM bank.outbox WHERE event::json ->> 'event' = 'settled'`).Scan(&events, &distinct)
	if err != nil || events != calls*legacy.RollChunk || distinct != events {
		t.Errorf("%d settled events of %d trades, %v", events, distinct, err)
	}
	var rolled string
	if err := b.pool.QueryRow(t.Context(), `SELECT string_agg((event::json ->> 'from') || '-' || (event::json ->> 'to'), ',') FROM bank.outbox WHERE topic = 3`).Scan(&rolled); err != nil {
		t.Fatal(err)
	}
	want(t, "rolled", rolled, "0-20131010")
}

// TestLostConnections: while others end Bank's connections all the time, every call is answered rightly, or as unknown, and sending again gives each trade one id.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	b := open(t)
	ctx, stop := context.WithCancel(t.Context())
	var killer sync.WaitGroup
	killer.Go(func() {
		for ctx.Err() == nil {
			if _, err := b.pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'bank' AND random() < 0.2`); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := range 50 {
				trade := exchange(t, fmt.Sprint(w, "-", n), 1+n%3, "buy", "1", "1", 20131007, "")
				for {
					_, err := b.BookTrades(t.Context(), []bank.Trade{trade})
					if err == nil {
						break
					}
					if kind := bank.TypeOf(err); kind != "" && kind != bank.OutcomeUnknown {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	stop()
	killer.Wait()
	var count int
	if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM bank.trade`).Scan(&count); err != nil || count != 400 {
		t.Errorf("%d trades, %v", count, err)
	}
}

// TestCommitWithoutAnswer: a context that ends while the commit is under way.
func TestCommitWithoutAnswer(t *testing.T) {
	t.Parallel()
	b := open(t)
	if _, err := b.pool.Exec(t.Context(), `
		CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON bank.trade DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.client_trade_id = 'slow') EXECUTE FUNCTION slow()`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := b.BookTrades(ctx, []bank.Trade{exchange(t, "slow", 1, "buy", "1", "1", 20131007, "")})
	if bank.TypeOf(err) != bank.OutcomeUnknown {
		t.Errorf("%v, want outcome_unknown", err)
	}
	ended, cancelEnded := context.WithCancel(t.Context())
	cancelEnded()
	if _, err := b.BookTrades(ended, []bank.Trade{exchange(t, "other", 1, "buy", "1", "1", 20131007, "")}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want canceled: nothing was sent", err)
	}
}

func TestPagesWhileBooking(t *testing.T) {
	t.Parallel()
	b := open(t)
	before := make([]bank.Trade, 50)
	for i := range before {
		before[i] = exchange(t, fmt.Sprint("b", i), 1, "buy", "1", "1", 20131007, "")
	}
	ids := b.book(t, before...)
	var seen []bank.ID
	after := bank.ID(0)
	for n := 0; ; n++ {
		page, err := b.AccountTrades(t.Context(), 1, front.TradeFilter{Date: 20131007}, after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 || len(seen) >= len(ids) {
			break
		}
		for _, x := range page {
			seen = append(seen, x.TradeID)
			after = x.TradeID
		}
		b.book(t, exchange(t, fmt.Sprint("a", n), 1, "buy", "1", "1", 20131007, ""))
	}
	for i := range ids {
		want(t, "row", seen[i], ids[i])
	}
}

// await polls until it is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}
