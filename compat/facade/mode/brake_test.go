package mode

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestRenew: ids go on in a new epoch of the same mode, on all replicas and with no ticket open; what is final stays so.
func TestRenew(t *testing.T) {
	t.Parallel()
	cfg := config(database(t), "a")
	cfg.Initial = BKPrimary
	a, _ := start(t, cfg)
	cfg.Name = "b"
	b, _ := start(t, cfg)
	open, err := b.Write(t.Context(), 0)
	must(t, err)
	if err := a.Renew(t.Context(), Renewal{TradeID: 7, Who: "facade", Why: "a replay"}); !errors.Is(err, ErrGivenUp) {
		t.Errorf("with an open ticket: %v", err)
	}
	open.End()
	must(t, a.Renew(t.Context(), Renewal{TradeID: 7, Who: "facade", Why: "a replay", Wait: patience}))
	next, err := b.Write(t.Context(), open.Epoch)
	must(t, err)
	next.End()
	if now, _ := b.State(); next.Epoch != open.Epoch+1 || now.Mode != BKPrimary || now.TradeID != 7 || now.Why != "a replay" {
		t.Errorf("epoch %d, %+v", next.Epoch, now)
	}
	must(t, a.Switch(t.Context(), Request{To: BKOnly, Who: "anna", Why: "test", Wait: patience}))
	must(t, a.Finalise(t.Context(), Finality{Who: "anna", Why: "test"}))
	must(t, b.Renew(t.Context(), Renewal{TradeID: 9, Who: "facade", Why: "a replay", Wait: patience}))
	must(t, a.Refresh(t.Context()))
	if now, _ := a.State(); !now.Final || now.TradeID != 9 {
		t.Errorf("%+v; want a final one", now)
	}
	cfg = config(database(t), "c")
	c, _ := start(t, cfg)
	if err := c.Renew(t.Context(), Renewal{TradeID: 7, Who: "facade", Why: "a replay"}); !errors.Is(err, ErrNoStep) {
		t.Errorf("in bank-only: %v", err)
	}
}

// TestBrake: while a step waits, writes are slower on every replica; with its end they are not, and if its coordinator goes away soon.
func TestBrake(t *testing.T) {
	t.Parallel()
	const delay = 300 * time.Millisecond
	hooks := &steps{}
	cfg := config(database(t), "a")
	cfg.Steps = hooks
	a, _ := start(t, cfg)
	cfg.Name = "b"
	b, _ := start(t, cfg)
	took := func() time.Duration {
		began := time.Now()
		ticket, err := b.Write(t.Context(), 0)
		must(t, err)
		ticket.End()
		return time.Since(began)
	}
	hooks.ready = func(ctx context.Context) error {
		if err := a.Brake(ctx, delay); err != nil {
			return err
		}
		until(t, func() bool { s, _ := b.State(); return s.BrakeMS == 300 })
		if slow := took(); slow < delay {
			t.Errorf("a write took %s, want %s", slow, delay)
		}
		return errTest
	}
	if err := a.Switch(t.Context(), ask(BankPrimary)); !errors.Is(err, errTest) {
		t.Fatalf("%v", err)
	}
	until(t, func() bool { s, _ := b.State(); return s.BrakeMS == 0 })
	if b.brake.delay() != 0 {
		t.Error("the step is over, and writes are still slowed down")
	}
	must(t, a.Brake(t.Context(), time.Hour))
	until(t, func() bool { return b.brake.delay() == maxBrake })
	until(t, func() bool { return b.brake.delay() == 0 && a.brake.delay() == 0 }) // nobody says so again
	must(t, a.Brake(t.Context(), time.Hour))
	until(t, func() bool { return b.brake.delay() == maxBrake })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Write(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that is gone: %v", err)
	}
}

// TestLongWrites: no step holds writes while one is under way that takes minutes.
func TestLongWrites(t *testing.T) {
	t.Parallel()
	cfg := config(database(t), "a")
	a, _ := start(t, cfg)
	cfg.Name = "b"
	b, _ := start(t, cfg)
	roll, err := b.Write(t.Context(), 0)
	must(t, err)
	roll.Long()
	until(t, func() bool {
		replicas, err := a.Replicas(t.Context())
		must(t, err)
		return replicas[0].Long+replicas[1].Long == 1
	})
	if err := a.Switch(t.Context(), ask(BankPrimary)); !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "roll") {
		t.Errorf("%v", err)
	}
	roll.End()
	must(t, a.Switch(t.Context(), Request{To: BankPrimary, Who: "anna", Why: "test", Wait: patience}))
}
