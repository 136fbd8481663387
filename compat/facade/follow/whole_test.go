package follow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		os.Exit(child(text))
	}
	pgtest.Main(m)
}

// childEnv tells this test binary to be a replica of the façade that is going to be killed.
const childEnv = "BK_FOLLOW_TEST_CHILD"

// childConfig is what a replica in a process of its own is told; it answers with its addresses.
type childConfig struct {
	Bank, BankOperations, BK, Broker, Postgres, Replica string
}

func (c childConfig) config() facade.Config {
	return facade.Config{Bank: c.Bank, BankOperations: c.BankOperations, BK: c.BK, Brokers: []string{c.Broker}, Postgres: c.Postgres, Replica: c.Replica}
}

func child(text string) int {
	var c childConfig
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		cfg := c.config()
		cfg.Listen, cfg.OperationsListen, cfg.AdminListen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		err = facade.Run(context.Background(), cfg, func(at facade.Addresses) { _ = json.NewEncoder(os.Stdout).Encode(at) })
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// whole is a Bank with its relay, Kafka, BK, and replicas of the façade that come and go under clients.
type whole struct {
	t      *testing.T
	bank   bank.ClientConfig
	base   childConfig
	facade atomic.Pointer[bank.Client] // that clients call
	booked atomic.Int64

	mu     sync.Mutex
	trades []bank.ID
}

func newWhole(t *testing.T) *whole {
	t.Helper()
	broker, dsn := kafkatest.New(t).Addr(), pgtest.New(t)
	at, _ := stage.Await(t, "Bank", func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{DSN: dsn, Brokers: []string{broker}, Partitions: 4, Connections: 16, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", Log: stage.Log(t)}, ready)
	})
	w := &whole{t: t, bank: bank.ClientConfig{API: "http://" + at.API, Operations: "http://" + at.Operations}}
	w.base = childConfig{Bank: w.bank.API, BankOperations: w.bank.Operations, BK: stage.StartBK(t).URL, Broker: broker, Postgres: pgtest.New(t)}
	return w
}

func (w *whole) client(cfg bank.ClientConfig) *bank.Client {
	w.t.Helper()
	c, err := bank.NewClient(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// replica starts a façade in this process, and sends the clients to it.
func (w *whole) replica(name string, in mode.Mode) stage.Facade {
	w.t.Helper()
	c := w.base
	c.Replica = name
	cfg := c.config()
	cfg.Mode = in
	f := stage.StartFacade(w.t, cfg)
	w.facade.Store(w.client(bank.ClientConfig{API: f.API, Operations: f.Operations}))
	return f
}

// victim starts a façade in a process of its own, and sends the clients to it; kill ends it with SIGKILL.
func (w *whole) victim(name string) (kill func()) {
	w.t.Helper()
	c := w.base
	c.Replica = name
	text, err := json.Marshal(c)
	if err != nil {
		w.t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = w.t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // its end is seen below
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait() // says that it was killed
	})
	w.t.Cleanup(kill)
	var at facade.Addresses
	if err := json.NewDecoder(stdout).Decode(&at); err != nil {
		w.t.Fatalf("the replica %s is not ready: %v", name, err)
	}
	w.facade.Store(w.client(bank.ClientConfig{API: "http://" + at.API, Operations: "http://" + at.Operations}))
	return kill
}

// do calls whichever façade there is, again and again while none answers, or the outcome is open.
func (w *whole) do(ctx context.Context, call func(context.Context, *bank.Client) error) error {
	for {
		one, cancel := context.WithTimeout(ctx, 20*time.Second)
		err := call(one, w.facade.Load())
		cancel()
		switch bank.TypeOf(err) {
		case "", bank.OutcomeUnknown, bank.Internal:
			if err == nil || ctx.Err() != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond) // the pace of asking again
		default:
			return err
		}
	}
}

func (w *whole) book(ctx context.Context, trades ...bank.Trade) error {
	return w.do(ctx, func(ctx context.Context, c *bank.Client) error {
		booked, err := c.BookTrades(ctx, trades)
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, b := range booked {
			if !slices.Contains(w.trades[max(0, len(w.trades)-100):], b.TradeID) { // a repeat
				w.trades = append(w.trades, b.TradeID)
			}
		}
		w.booked.Add(int64(len(booked)))
		return err
	})
}

// open creates an account, behind an entity of its own.
func (w *whole) open(ctx context.Context, id bank.ID) error {
	err := w.do(ctx, func(ctx context.Context, c *bank.Client) error {
		_, err := c.CreateEntity(ctx, bank.Entity{EntityID: id, ClientCode: fmt.Sprint(id), LegalName: "L"})
		return err
	})
	return errors.Join(err, w.do(ctx, func(ctx context.Context, c *bank.Client) error {
		_, err := c.CreateAccount(ctx, bank.NewAccount{AccountID: id, EntityID: id, Name: "A"})
		return err
	}))
}

// work is a client until end.
func (w *whole) work(number int, end *atomic.Bool) error {
	ctx := w.t.Context()
	random := rand.New(rand.NewPCG(3, uint64(number)))
	mine := []bank.ID{1, 2, 3}
	var done []bank.Trade
	for i := 0; !end.Load(); i++ {
		id := fmt.Sprintf("c%d-%d", number, i)
		account, other := mine[random.IntN(len(mine))], bank.ID(4+random.IntN(2))
		t := trade(account, id)
		var err error
		switch k := random.IntN(20); {
		case k < 8:
			done = append(done, t)
			err = w.book(ctx, t)
		case k < 11:
			t.Type, t.TargetAccountID, t.Capacity, t.MIC, t.ExecMPID = bank.TransferTrade, other, "", "", ""
			done = append(done, t)
			err = w.book(ctx, t, trade(other, id+"b"))
		case k < 14 && len(done) > 0:
			old := done[random.IntN(len(done))]
			t = trade(old.AccountID, id)
			t.CancelTradeID = old.ClientTradeID
			done = append(done, t)
			err = w.book(ctx, t)
		case k < 16 && len(done) > 0:
			old := done[random.IntN(len(done))]
			err = w.do(ctx, func(ctx context.Context, c *bank.Client) error {
				return c.CancelTrade(ctx, bank.TradeRef{AccountID: old.AccountID, ClientTradeID: old.ClientTradeID})
			})
		case k < 17:
			account := bank.ID(1000*(number+1) + i)
			if err = w.open(ctx, account); random.IntN(2) == 0 {
				mine = append(mine, account) // the others have no trade
			}
		default:
			amount, _ := bank.ParseDecimal("12.5")
			err = w.do(ctx, func(ctx context.Context, c *bank.Client) error {
				_, err := c.MoveCash(ctx, bank.Cash{ClientID: id, AccountID: account, TargetAccountID: other, Currency: "USD", Amount: amount, Kind: bank.CashJournal})
				return err
			})
		}
		switch bank.TypeOf(err) {
		case bank.TradeAlreadyCanceled, bank.TradeSettled, bank.TradeNotFound:
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		time.Sleep(5 * time.Millisecond) // there are others on this machine
	}
	return nil
}

// more waits until clients have booked some more.
func (w *whole) more(n int64) {
	w.t.Helper()
	from, deadline := w.booked.Load(), time.Now().Add(time.Minute)
	for w.booked.Load() < from+n {
		if time.Now().After(deadline) || w.t.Failed() {
			w.t.Fatalf("only %d of %d trades were booked", w.booked.Load()-from, n)
		}
		time.Sleep(5 * time.Millisecond) // the pace of asking
	}
}

func (w *whole) roll(to bank.Date) {
	w.t.Helper()
	if err := w.do(w.t.Context(), func(ctx context.Context, c *bank.Client) error { return c.Roll(ctx, to) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *whole) to(f stage.Facade, m mode.Mode) {
	w.t.Helper()
	if err := f.Switch(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

// held tells for how long each step held writes.
func (w *whole) held(f stage.Facade) {
	w.t.Helper()
	response, err := http.Get(f.Admin + "/status")
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	var status facade.Status
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range slices.Backward(status.History) {
		w.t.Logf("%s: writes were held for %.0f ms", e.Mode, e.HeldMS)
		if e.HeldMS >= 1000 {
			w.t.Errorf("%s: writes were held for %.0f ms", e.Mode, e.HeldMS)
		}
	}
}

// same compares all that both systems say.
func (w *whole) same(f stage.Facade) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	if err := f.Drained(ctx); err != nil {
		w.t.Fatal(err)
	}
	books := stage.StartBooks(w.t, stage.BK{URL: w.base.BK}, w.base.Postgres, nil)
	found, err := shadow.Compare(ctx, shadow.Comparison{
		Left: shadow.System{Name: "Bank", API: w.bank.API}, Right: shadow.System{Name: "BK", API: books.API}, Trades: w.trades, Days: []bank.Date{20131008},
	})
	if err != nil || found.Differing > 0 {
		var words []string
		for _, d := range found.Differences[:min(5, len(found.Differences))] {
			words = append(words, d.String())
		}
		w.t.Errorf("%d differences: %s (%v)", found.Differing, strings.Join(words, "\n"), err)
	}
	if found.Counts[shadow.KindTrade] < 500 || found.Counts[shadow.KindListed] < 300 || found.Counts[shadow.KindAccount] < 10 {
		w.t.Errorf("too little was compared: %v", found.Counts)
	}
	w.t.Log(found.Counts)
}

// A façade before a Bank with history; BK is empty. Under load of all kinds, in bank-only, one replica is killed and another restarted; then BK follows, one is killed
// again; back, a roll, and forward again. Afterwards both systems say the same.
func TestWhole(t *testing.T) {
	t.Parallel()
	w := newWhole(t)
	ctx := t.Context()
	w.facade.Store(w.client(w.bank)) // none yet
	for id := bank.ID(1); id <= 6; id++ {
		if err := w.open(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	w.roll(20131003)
	for i := range 50 {
		if err := w.book(ctx, trade(bank.ID(1+i%5), fmt.Sprintf("history-%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	w.roll(20131004)
	f := w.replica("first", mode.BankOnly)
	var end atomic.Bool
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			if err := w.work(c, &end); err != nil {
				t.Error(err)
			}
		})
	}
	defer clients.Wait()
	defer end.Store(true)
	w.more(50)
	kill := w.victim("second")
	w.more(50)
	w.roll(20131007)
	f.Stop() // the other one follows now
	w.more(50)
	kill()
	f = w.replica("third", "")
	w.more(50)
	w.to(f, mode.BankPrimary)
	w.more(50)
	kill = w.victim("fourth")
	w.more(50)
	kill()
	f.Stop()
	f = w.replica("fifth", "")
	w.roll(20131008)
	w.more(50)
	w.to(f, mode.BankOnly)
	w.more(50)
	w.roll(20131010)
	f.Stop()
	f = w.replica("sixth", "")
	w.more(50)
	w.to(f, mode.BankPrimary)
	w.more(50)
	end.Store(true)
	clients.Wait()
	w.held(f)
	w.same(f)
}
