package mode

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode               Mode
		primary, secondary System
		alone              Mode
	}{
		{BankOnly, Bank, None, BankOnly}, {BankPrimary, Bank, BK, BankOnly}, {BKPrimary, BK, Bank, BKOnly}, {BKOnly, BK, None, BKOnly}, {"", None, None, ""},
	} {
		if c.mode.Primary() != c.primary || c.mode.Secondary() != c.secondary || c.mode.Alone() != c.alone {
			t.Errorf("%s: %s, %s, %s", c.mode, c.mode.Primary(), c.mode.Secondary(), c.mode.Alone())
		}
	}
	all := Modes()
	for i, a := range all {
		for j, b := range all {
			if want := i-j == 1 || j-i == 1; a.Adjacent(b) != want {
				t.Errorf("%s next to %s: %t", a, b, !want)
			}
		}
		if m, err := Parse(string(a)); m != a || err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	if _, err := Parse("bank"); err == nil || !strings.Contains(err.Error(), "bank-primary-bk-secondary") {
		t.Errorf("bank: %v; want an error that names the modes", err)
	}
}

func TestConfigReportsEverything(t *testing.T) {
	t.Parallel()
	err := Config{Initial: "x", Lease: time.Millisecond, Hold: time.Hour, MaxWaiting: -1}.WithDefaults().Validate()
	for _, field := range []string{"Postgres", "Name", "Steps", "Initial", "Lease", "Hold", "MaxWaiting", "Patience"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s is not in %v", field, err)
		}
	}
}

func TestFirstModeIsKept(t *testing.T) {
	t.Parallel()
	dsn := database(t)
	first := config(dsn, "first")
	first.Initial = BankPrimary
	k, stop := start(t, first)
	if s, _ := k.State(); s.Mode != BankPrimary || s.Epoch.Epoch != 1 {
		t.Errorf("%+v", s)
	}
	stop()
	other := config(dsn, "other")
	other.Initial = BankOnly
	o, err := New(other)
	must(t, err)
	defer o.Close()
	if err := o.Open(t.Context()); !errors.Is(err, ErrOtherMode) || !strings.Contains(err.Error(), "bank-primary-bk-secondary") || !strings.Contains(err.Error(), "not in bank-only") {
		t.Errorf("%v; want one that names both modes", err)
	}
	again, _ := start(t, config(dsn, "again"))
	if again.Mode() != BankPrimary {
		t.Errorf("%s", again.Mode())
	}
	if replicas, err := again.Replicas(t.Context()); err != nil || len(replicas) != 1 || replicas[0].Name != "again" {
		t.Errorf("%+v, %v; want only the one that runs", replicas, err)
	}
}

// TestTicketsAcrossSwitches lets three replicas serve writes as fast as they can while the mode goes up and down, each step led by any of them.
func TestTicketsAcrossSwitches(t *testing.T) {
	t.Parallel()
	dsn := database(t)
	check := newChecker()
	var keepers []*Keeper
	for i := range 3 {
		cfg := config(dsn, fmt.Sprintf("r%d", i))
		cfg.Hold = 5 * time.Second // of a slow machine; what it takes is looked at below
		cfg.Steps = &steps{
			drain: func(context.Context) error {
				if n := check.allOpen(); n != 0 {
					return fmt.Errorf("%d writes are open while draining", n)
				}
				return nil
			},
			enter: func(_ context.Context, epoch int64) (Bases, error) {
				if n := check.allOpen(); n != 0 {
					return Bases{}, fmt.Errorf("%d writes are open at the commit", n)
				}
				return Bases{TradeID: epoch * 1000}, nil
			},
		}
		k, _ := start(t, cfg)
		keepers = append(keepers, k)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for _, k := range keepers {
		for range 50 {
			wg.Go(func() {
				for !stop.Load() {
					ticket, err := k.Write(context.Background(), 0)
					if err != nil {
						t.Error(err)
						return
					}
					check.took(ticket)
					for _, other := range keepers { // it would be looked for where they read from
						if state, _ := other.State(); state.Epoch.Epoch < ticket.Epoch {
							t.Errorf("a write of epoch %d, while a replica reads as in epoch %d", ticket.Epoch, state.Epoch.Epoch)
						}
					}
					time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) // the write
					check.ends(ticket)
				}
			})
		}
	}
	path := []Mode{BankPrimary, BKPrimary, BKOnly, BKPrimary, BankPrimary, BankOnly, BankPrimary, BKPrimary, BankPrimary, BKPrimary, BKOnly}
	for _, to := range path {
		must(t, keepers[rand.IntN(3)].Switch(t.Context(), ask(to)))
		until(t, func() bool {
			for _, k := range keepers {
				if k.Mode() != to {
					return false
				}
			}
			return true
		})
	}
	stop.Store(true)
	wg.Wait()
	check.verify(t)
	epochs := keepers[0].Epochs()
	if len(epochs) != len(path)+1 {
		t.Fatalf("%d epochs, want %d", len(epochs), len(path)+1)
	}
	total := 0
	for i, e := range epochs[1:] {
		total += check.taken[e.Epoch]
		if e.Mode != path[i] || e.Who != "anna" || e.Why != "test" || e.TradeID != e.Epoch*1000 || e.HeldMS <= 0 {
			t.Errorf("%+v", e)
		}
	}
	if total < 1000 {
		t.Errorf("only %d writes", total)
	}
	t.Logf("%d writes; held %s", total, heldOf(epochs[1:]))
}

func heldOf(epochs []Epoch) string {
	var all []string
	for _, e := range epochs {
		all = append(all, fmt.Sprintf("%.0f ms", e.HeldMS))
	}
	return strings.Join(all, ", ")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	k, _ := start(t, config(database(t), "r"))
	for _, c := range []struct {
		request Request
		want    error
	}{
		{ask(BKPrimary), ErrNoStep}, {ask(BKOnly), ErrNoStep}, {ask("bank"), ErrNoStep}, {Request{To: BankPrimary}, ErrRequest}, {Request{To: BankPrimary, Who: "a"}, ErrRequest},
	} {
		if err := k.Switch(t.Context(), c.request); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.request, err, c.want)
		}
	}
	must(t, k.Switch(t.Context(), ask(BankOnly))) // there already
	if err := k.Finalise(t.Context(), Finality{Who: "anna", Why: "too early"}); !errors.Is(err, ErrNoStep) {
		t.Errorf("final in bank-only: %v", err)
	}
	if attempts, err := k.Attempts(t.Context(), 10); err != nil || len(attempts) != 0 {
		t.Errorf("%+v, %v; want none that held writes", attempts, err)
	}
}

func TestKillSwitch(t *testing.T) {
	t.Parallel()
	dsn := database(t)
	a, _ := start(t, config(dsn, "a"))
	b, _ := start(t, config(dsn, "b"))
	must(t, a.Switch(t.Context(), ask(BankPrimary)))
	until(t, func() bool { return b.Mode() == BankPrimary && b.Gate().Open })
	open, err := b.Write(t.Context(), 0) // does not end: nobody waits for it
	must(t, err)
	must(t, a.Kill(t.Context(), "facade", "queue full"))
	until(t, func() bool { return a.Mode() == BankOnly && b.Mode() == BankOnly })
	if s, _ := a.State(); !s.Killed || s.Who != "facade" || s.Why != "queue full" {
		t.Errorf("%+v", s)
	}
	if open.Context.Err() != nil {
		t.Error("the open write was ended")
	}
	must(t, a.Kill(t.Context(), "facade", "again"))
	if s, _ := a.State(); s.Epoch.Epoch != 3 {
		t.Errorf("epoch %d, want 3: there was nothing to kill", s.Epoch.Epoch)
	}
	// The next step waits for it.
	if err := a.Switch(t.Context(), ask(BankPrimary)); !errors.Is(err, ErrGivenUp) || !strings.Contains(err.Error(), "b (1 writes)") {
		t.Errorf("%v; want it given up, naming b", err)
	}
	open.End()
	must(t, a.Switch(t.Context(), Request{To: BankPrimary, Who: "anna", Why: "now", Wait: patience}))
}

func TestFinal(t *testing.T) {
	t.Parallel()
	cfg := config(database(t), "r")
	cfg.Initial = BKOnly
	k, _ := start(t, cfg)
	must(t, k.Finalise(t.Context(), Finality{Who: "anna", Why: "all is well"}))
	until(t, func() bool { s, _ := k.State(); return s.Final })
	must(t, k.Finalise(t.Context(), Finality{Who: "anna", Why: "all is well"}))
	if err := k.Switch(t.Context(), Request{To: BKPrimary, Who: "anna", Why: "regret", Wait: patience}); !errors.Is(err, ErrFinal) {
		t.Errorf("%v, want %v", err, ErrFinal)
	}
}

func TestSampling(t *testing.T) {
	t.Parallel()
	dsn := database(t)
	a, _ := start(t, config(dsn, "a"))
	b, _ := start(t, config(dsn, "b"))
	_, changed := b.State()
	must(t, a.SetSampling(t.Context(), 0.25, "anna", "look"))
	select {
	case <-changed:
	case <-time.After(patience):
		t.Fatal("not told")
	}
	if s, _ := b.State(); s.Sampling != 0.25 {
		t.Errorf("%v", s.Sampling)
	}
	if err := a.SetSampling(t.Context(), 1.5, "anna", "look"); !errors.Is(err, ErrRequest) {
		t.Errorf("%v", err)
	}
}

func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	g := newGate(1)
	first := make(chan error, 1)
	go func() {
		_, err := g.take(context.Background(), 100*time.Millisecond, 0)
		first <- err
	}()
	until(t, func() bool { _, _, waiting, _ := g.counts(); return waiting == 1 })
	if _, err := g.take(context.Background(), patience, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("one too many: %v", err)
	}
	if err := <-first; !errors.Is(err, ErrClosed) {
		t.Errorf("waited: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := g.take(ctx, patience, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
