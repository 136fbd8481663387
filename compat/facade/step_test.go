package facade

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

// TestFullSpeed: clients that send one write behind the other without any pause see slower answers and no error while all steps are made, forward and back; although BK
// takes writes faster than Bank can repeat them. How long a step takes is the machine's affair: a busy one may need minutes.
func TestFullSpeed(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode, cfg.Hold = mode.BankPrimary, time.Second
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	const clients = 16
	ctx, end := context.WithCancel(context.Background())
	defer end()
	var booked, slowest atomic.Int64
	var wg sync.WaitGroup
	for w := range clients {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				began := time.Now()
				if _, err := c.BookTrades(context.Background(), []bank.Trade{tradeOf(t, fmt.Sprintf("f%d-%d", w, n), bank.ID(firstAccount+w%accountsUsed))}); err != nil {
					t.Errorf("client %d, trade %d: %v", w, n, err)
					return
				}
				booked.Add(1)
				for took := time.Since(began).Milliseconds(); ; {
					if was := slowest.Load(); took <= was || slowest.CompareAndSwap(was, took) {
						break
					}
				}
			}
		})
	}
	for _, to := range []mode.Mode{mode.BKPrimary, mode.BKOnly, mode.BKPrimary, mode.BankPrimary, mode.BKPrimary, mode.BankPrimary} {
		from := booked.Load()
		waitFor(t, func() bool { return booked.Load() > from+500 || t.Failed() })
		var state mode.State
		began := time.Now()
		if code := post(t, at.Admin, "/mode", SwitchRequest{To: string(to), Who: "anna", Why: "test", WaitMS: (5 * patience).Milliseconds()}, &state); code != http.StatusOK || state.Mode != to {
			var fault Fault
			post(t, at.Admin, "/mode", SwitchRequest{To: string(to), Who: "anna", Why: "test"}, &fault)
			t.Fatalf("to %s: %d, %s", to, code, fault.Error)
		}
		t.Logf("to %s within %s, held %.0f ms", to, time.Since(began).Round(time.Millisecond), state.HeldMS)
		if state.HeldMS >= 1000 {
			t.Errorf("to %s: writes were held for %.0f ms", to, state.HeldMS)
		}
	}
	end()
	wg.Wait()
	t.Logf("%d trades, the slowest answer took %d ms", booked.Load(), slowest.Load())
	var state mode.State
	waitFor(t, func() bool { get(t, at.Admin, "/mode", &state); return state.BrakeMS == 0 })
	if state.Mode != mode.BankPrimary {
		t.Errorf("in %s", state.Mode)
	}
}

// TestReplaysInBK: ids go on behind one that is replayed while BK gives ids itself, on all replicas, for trades and for cash, under load.
func TestReplaysInBK(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BKPrimary
	at, _ := startFacade(t, cfg)
	second := cfg
	second.Replica, second.Mode = "s", ""
	other, _ := startFacade(t, second)
	clients := []*bank.Client{clientOf(t, at.API, at.Operations), clientOf(t, other.API, other.Operations)}
	define(t, clients[0])
	ctx, end := context.WithCancel(context.Background())
	defer end()
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[bank.ID]string{}
	took := func(id bank.ID, name string) {
		mu.Lock()
		defer mu.Unlock()
		if was, ok := ids[id]; ok {
			t.Errorf("%s is trade %s, as is %s", name, id, was)
		}
		ids[id] = name
	}
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				name := fmt.Sprintf("w%d-%d", w, n)
				got, err := clients[(w+n)%2].BookTrades(context.Background(), []bank.Trade{tradeOf(t, name, bank.ID(firstAccount+w%accountsUsed))})
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				took(got[0].TradeID, name)
			}
		})
	}
	for n := range 5 {
		place, err := clients[n%2].ReplayPlace(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		trade := tradeOf(t, fmt.Sprintf("r%d", n), firstAccount+1)
		id := place.LastTradeID + 100_000
		if err := clients[n%2].Replay(t.Context(), bank.Replay{TradeID: id, BookedAt: 1381132800464, Request: &trade}); err != nil {
			t.Fatal(err)
		}
		took(id, trade.ClientTradeID)
		for i, c := range clients {
			name := fmt.Sprintf("behind%d-%d", n, i)
			got, err := c.BookTrades(t.Context(), []bank.Trade{tradeOf(t, name, firstAccount+2)})
			if err != nil || got[0].TradeID <= id {
				t.Fatalf("%s is trade %v behind %s: %v", name, got, id, err)
			}
			took(got[0].TradeID, name)
		}
		// One under an id that was left out needs no new epoch.
		between := tradeOf(t, fmt.Sprintf("b%d", n), firstAccount+1)
		if err := clients[n%2].Replay(t.Context(), bank.Replay{TradeID: id + 1, BookedAt: 1381132800464, Request: &between}); err != nil {
			t.Fatal(err)
		}
		took(id+1, between.ClientTradeID)
	}
	cash := bank.Cash{ClientID: "c1", AccountID: firstAccount, Currency: "USD", Amount: tradeOf(t, "x", firstAccount).Price, Kind: "deposit"}
	if err := clients[1].Replay(t.Context(), bank.Replay{CashID: 5000, Cash: &cash}); err != nil {
		t.Fatal(err)
	}
	cash.ClientID = "c2"
	if id, err := clients[0].MoveCash(t.Context(), cash); err != nil || id <= 5000 {
		t.Errorf("cash %s, %v", id, err)
	}
	if err := clients[0].Replay(t.Context(), bank.Replay{TradeID: 1 << 40, CanceledAt: 1381132800465}); bank.TypeOf(err) != bank.TradeNotFound {
		t.Errorf("the cancel of a trade that nobody has: %v", err)
	}
	end()
	wg.Wait()
	var status Status
	get(t, at.Admin, "/status", &status)
	renewals := 0
	for _, e := range status.History {
		if e.Who == "facade" {
			renewals++
		}
		if e.Mode != mode.BKPrimary {
			t.Errorf("epoch %d is in %s", e.Epoch, e.Mode)
		}
	}
	if renewals != 6 {
		t.Errorf("%d renewals, want 5 for trades and one for cash", renewals)
	}
	// Both systems, and both replicas, know all under the same ids.
	switchTo(t, at.Admin, mode.BankPrimary)
	direct := clientOf(t, b.API, b.Operations)
	for id, name := range ids {
		if trade, err := direct.Trade(t.Context(), bank.TradeRef{TradeID: id}); err != nil || trade.ClientTradeID != name {
			t.Fatalf("at Bank, %s is %s, %v; want %s", id, trade.ClientTradeID, err, name)
		}
	}
	switchTo(t, at.Admin, mode.BKPrimary)
	for id, name := range ids {
		if trade, err := clients[1].Trade(t.Context(), bank.TradeRef{TradeID: id}); err != nil || trade.ClientTradeID != name {
			t.Fatalf("at BK, %s is %s, %v; want %s", id, trade.ClientTradeID, err, name)
		}
	}
	t.Logf("%d trades", len(ids))
}

// startPublishing starts a Bank whose events are in Kafka.
func startPublishing(t *testing.T) (at legacy.Addresses, broker string) {
	t.Helper()
	broker = kafkatest.New(t).Addr()
	dsn := pgtest.New(t)
	at, _ = background(t, func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{DSN: dsn, Brokers: []string{broker}, Partitions: 2, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", Log: logTo(t)}, ready)
	})
	return at, broker
}

// TestKilledUnderLoad: the kill switch in the middle of writes, trades of both kinds, replacements and a roll; clients notice nothing. With Kafka BK is brought up to date by
// itself and the way goes on; in the end both have the same.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	b, broker := startPublishing(t)
	bk := startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode, cfg.Brokers = mode.BankPrimary, []string{broker}
	at, _ := startFacade(t, cfg)
	second := cfg
	second.Replica, second.Mode = "s", ""
	other, _ := startFacade(t, second)
	clients := []*bank.Client{clientOf(t, at.API, at.Operations), clientOf(t, other.API, other.Operations)}
	define(t, clients[0])
	ctx, end := context.WithCancel(context.Background())
	defer end()
	var booked atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				trade := tradeOf(t, fmt.Sprintf("k%d-%d", w, n), bank.ID(firstAccount+w%accountsUsed))
				if n%4 == 3 {
					trade.CancelTradeID = fmt.Sprintf("k%d-%d", w, n-1)
				}
				if _, err := clients[(w+n)%2].BookTrades(context.Background(), []bank.Trade{trade}); err != nil {
					t.Errorf("%s: %v", trade.ClientTradeID, err)
					return
				}
				booked.Add(1)
			}
		})
	}
	some := func() {
		t.Helper()
		from := booked.Load()
		waitFor(t, func() bool { return booked.Load() > from+100 || t.Failed() })
	}
	for round, day := range []bank.Date{20131007, 20131008} {
		some()
		rolled := make(chan error, 1)
		go func() { rolled <- clients[1].Roll(context.Background(), day) }() // the kill may come before, in or behind it
		if round == 1 {
			if err := <-rolled; err != nil {
				t.Fatal(err)
			}
			rolled <- nil
		}
		var state mode.State
		if code := post(t, at.Admin, "/mode", SwitchRequest{Kill: true, Who: "anna", Why: "test"}, &state); code != http.StatusOK || state.Mode != mode.BankOnly || !state.Killed {
			t.Fatalf("kill: %d, %+v", code, state)
		}
		some()
		if err := <-rolled; err != nil {
			t.Fatal(err)
		}
		switchTo(t, at.Admin, mode.BankPrimary)
	}
	some()
	end()
	wg.Wait()
	switchTo(t, at.Admin, mode.BKPrimary)
	bankSays, bkSays := holdings(t, clientOf(t, b.API, b.Operations), accountsUsed), holdings(t, clients[0], accountsUsed)
	if bankSays != bkSays {
		t.Errorf("Bank has\n%s\nBK has\n%s", bankSays, bkSays)
	}
	t.Logf("%d trades", booked.Load())
}

// TestKilledWithoutKafka: what Bank does then is not known, so there is no step forward, and the refusal says why.
func TestKilledWithoutKafka(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BankPrimary
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	var state mode.State
	post(t, at.Admin, "/mode", SwitchRequest{Kill: true, Who: "anna", Why: "test"}, &state)
	if _, err := c.BookTrades(t.Context(), []bank.Trade{tradeOf(t, "alone", firstAccount)}); err != nil || state.Mode != mode.BankOnly {
		t.Fatalf("in %s: %v", state.Mode, err)
	}
	var fault Fault
	if code := post(t, at.Admin, "/mode", SwitchRequest{To: string(mode.BankPrimary), Who: "anna", Why: "test"}, &fault); code != http.StatusConflict || !strings.Contains(fault.Error, "Kafka") {
		t.Errorf("%d, %s", code, fault.Error)
	}
}
