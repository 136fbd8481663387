package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/backlog"
)

// client does n writes of all kinds against Bank, as the façade would, on few accounts.
func client(ctx context.Context, q *Queue, b *legacy.Bank, name string, n int, rolls bool) error {
	random := rand.New(rand.NewPCG(1, uint64(len(name))+uint64(name[len(name)-1])))
	var mine []bank.Trade
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		account := bank.ID(1 + random.IntN(3)) // hot
		other := bank.ID(4 + random.IntN(accounts-3))
		var err error
		switch k := random.IntN(20); {
		case k < 9:
			t := trade(account, id)
			mine = append(mine, t)
			_, err = book(ctx, q, b, []bank.Trade{t})
		case k < 12:
			t := transfer(account, other, id)
			mine = append(mine, t)
			_, err = book(ctx, q, b, []bank.Trade{t, trade(other, id+"b")})
		case k < 13:
			_, err = book(ctx, q, b, []bank.Trade{trade(account, id), trade(999, id)}) // no such account: none is booked
		case k < 14 && len(mine) > 0: // a repeat
			_, err = book(ctx, q, b, mine[len(mine)-1:])
		case k < 16 && len(mine) > 0: // a replacement
			old := mine[random.IntN(len(mine))]
			t := trade(old.AccountID, id)
			t.CancelTradeID = old.ClientTradeID
			_, err = book(ctx, q, b, []bank.Trade{t}, old.AccountID, old.TargetAccountID)
		case k < 18 && len(mine) > 0:
			err = cancelTrade(ctx, q, b, mine[random.IntN(len(mine))])
		case k == 18 && rolls && i == n/2:
			err = rollTo(ctx, q, b, 20131008)
		default:
			err = cash(ctx, q, b, bank.Cash{ClientID: id, AccountID: account, TargetAccountID: other, Currency: "USD", Amount: amount("12.5"), Kind: bank.CashJournal})
		}
		if err != nil && !rejection(err) {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

func cancelTrade(ctx context.Context, q *Queue, b *legacy.Bank, t bank.Trade) error {
	h, err := q.Begin(ctx, 1, Cancel(bank.TradeRef{AccountID: t.AccountID, ClientTradeID: t.ClientTradeID}, t.AccountID, t.TargetAccountID))
	if err != nil {
		return err
	}
	err = b.CancelTrade(ctx, bank.TradeRef{AccountID: t.AccountID, ClientTradeID: t.ClientTradeID})
	return ended(ctx, h, err, Answer{})
}

func cash(ctx context.Context, q *Queue, b *legacy.Bank, c bank.Cash) error {
	h, err := q.Begin(ctx, 1, Cash(c))
	if err != nil {
		return err
	}
	id, err := b.MoveCash(ctx, c)
	return ended(ctx, h, err, Answer{CashID: id})
}

func rollTo(ctx context.Context, q *Queue, b *legacy.Bank, to bank.Date) error {
	h, err := q.Begin(ctx, 1, Roll(to))
	if err != nil {
		return err
	}
	return ended(ctx, h, b.Roll(ctx, to), Answer{})
}

func ended(ctx context.Context, h *Held, err error, answer Answer) error {
	switch {
	case err == nil:
		return h.Accepted(ctx, answer)
	case rejection(err):
		return errors.Join(err, h.Refused(ctx))
	}
	h.Unknown()
	return err
}

// Sixteen clients at two replicas, a few hot accounts, calls of two accounts, a roll in the middle: afterwards every account has the same journal in both.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	queues := []*Queue{nil, nil}
	for i := range queues {
		queues[i], _ = w.run(w.config(fmt.Sprintf("replica-%d", i)))
	}
	var clients sync.WaitGroup
	for c := range 16 {
		clients.Go(func() {
			if err := client(t.Context(), queues[c%2], w.bank, fmt.Sprintf("c%d", c), 60, false); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Go(func() {
		for i, day := range []bank.Date{20131007, 20131008, 20131010} {
			if err := rollTo(t.Context(), queues[i%2], w.bank, day); err != nil {
				t.Error(err)
			}
		}
	})
	clients.Wait()
	w.drained(queues[0])
	if rows := w.same(); rows < 1000 {
		t.Errorf("only %d journal rows were compared", rows)
	}
	date, err := w.bk.BusinessDate(t.Context())
	if err != nil || date != 20131010 {
		t.Errorf("BK's business date is %d (%v)", date, err)
	}
}

// childEnv tells this test binary to be a replica that is going to be killed.
const childEnv = "BK_QUEUE_TEST_CHILD"

type childConfig struct {
	Facade, Bank, Name string
}

func child(text string) int {
	var cfg childConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx := context.Background()
	b, err := openBank(ctx, cfg.Bank)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	q, err := Open(ctx, Config{Postgres: cfg.Facade, Replica: cfg.Name, Bank: listing{b}, CallTimeout: 2 * time.Second, SettleAfter: 300 * time.Millisecond, Worker: backlog.Config{}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Println("ready")
	var clients sync.WaitGroup
	for c := range 16 {
		clients.Go(func() {
			if err := client(ctx, q, b, fmt.Sprintf("%s-c%d", cfg.Name, c), 1_000_000, false); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	clients.Wait()
	return 1
}

// A replica is killed in the middle of its calls, again and again, while another goes on: whatever Bank did is in the queue, in order, and nothing else.
func TestKilled(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dsn: "", bk: &mirror{Bank: newBank(t)}}
	bankDSN := pgtestNew(t)
	b, err := openBank(t.Context(), bankDSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	w.bank, w.dsn = b, facadeDSN(t)
	define(t, w.bank)
	define(t, w.bk.Bank)
	q, _ := w.run(w.config("survivor"))
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		cfg, err := json.Marshal(childConfig{Facade: w.dsn, Bank: bankDSN, Name: fmt.Sprintf("victim%d", round)})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), childEnv+"="+string(cfg))
		cmd.Stderr = t.Output()
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ready := make([]byte, 5)
		if _, err := stdout.Read(ready); err != nil {
			t.Error(err)
		}
		if err := client(t.Context(), q, w.bank, fmt.Sprintf("s%d", round), 20, false); err != nil {
			t.Error(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // says that it was killed
		if err := client(t.Context(), q, w.bank, fmt.Sprintf("after%d", round), 20, false); err != nil {
			t.Error(err)
		}
	}
	w.drained(q)
	t.Logf("%d calls of the worker", w.bk.calls.Load())
	if rows := w.same(); rows < 100 {
		t.Errorf("only %d journal rows were compared", rows)
	}
}
