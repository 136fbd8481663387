package mode

import (
	"context"
	"errors"
	"testing"
	"time"
)

// pair is a coordinator whose way to the database can break, and a replica whose way is good.
func pair(t *testing.T, s *steps) (coordinator, other *Keeper, way *line) {
	t.Helper()
	dsn := database(t)
	way = newLine(t, dsn)
	cfg := config(way.dsn, "coordinator")
	cfg.Steps = s
	coordinator, _ = start(t, cfg)
	other, _ = start(t, config(dsn, "other"))
	return coordinator, other, way
}

// served measures how long a write waits.
func served(t *testing.T, k *Keeper) (*Ticket, time.Duration) {
	t.Helper()
	began := time.Now()
	ticket, err := k.Write(t.Context(), 0)
	must(t, err)
	ticket.End()
	return ticket, time.Since(began)
}

// TestCoordinatorGone cuts the coordinator off at each step. The other replica's writes wait for no longer than Hold and a little, in the old mode.
func TestCoordinatorGone(t *testing.T) {
	t.Parallel()
	const slack = 2 * time.Second // of a slow machine
	for _, c := range []struct {
		name string
		cut  func(*steps, func())
	}{
		{"in Ready", func(s *steps, cut func()) { s.ready = func(context.Context) error { cut(); return nil } }},
		{"in Drain", func(s *steps, cut func()) { s.drain = func(context.Context) error { cut(); return nil } }},
		{"in Enter", func(s *steps, cut func()) {
			s.enter = func(context.Context, int64) (Bases, error) { cut(); return Bases{}, nil }
		}},
	} {
		for _, how := range []string{"killed", "frozen"} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				t.Parallel()
				s := &steps{}
				coordinator, other, way := pair(t, s)
				defer way.thaw()
				cutAt := make(chan time.Time, 1)
				c.cut(s, func() {
					if how == "killed" {
						way.stop() // its connections break, as a killed process's do
					} else {
						way.freeze(upstream, downstream)
					}
					cutAt <- time.Now()
				})
				result := make(chan error, 1)
				go func() { result <- coordinator.Switch(context.Background(), ask(BankPrimary)) }()
				began := <-cutAt
				for time.Since(began) < time.Second+slack {
					ticket, waited := served(t, other)
					if ticket.Mode != BankOnly || waited > time.Second+slack {
						t.Fatalf("a write in %s after %s", ticket.Mode, waited)
					}
					time.Sleep(5 * time.Millisecond)
				}
				if err := <-result; err == nil {
					t.Error("the switch says that it succeeded")
				}
				until(t, func() bool { return !coordinator.Gate().Open }) // its lease is over
				if s, _ := other.State(); s.Epoch.Epoch != 1 || s.Switching != nil {
					t.Errorf("%+v", s)
				}
				// The other goes on alone, once the coordinator counts as gone.
				must(t, other.Switch(t.Context(), Request{To: BankPrimary, Who: "anna", Why: "again", Wait: patience}))
				if ticket, _ := served(t, other); ticket.Mode != BankPrimary || ticket.Epoch != 2 {
					t.Errorf("epoch %d, %s", ticket.Epoch, ticket.Mode)
				}
			})
		}
	}
}

// TestAnswerToCommitIsLost: the step is made, though the coordinator does not hear of it at once.
func TestAnswerToCommitIsLost(t *testing.T) {
	t.Parallel()
	s := &steps{}
	coordinator, other, way := pair(t, s)
	s.enter = func(context.Context, int64) (Bases, error) { return Bases{TradeID: 7}, nil }
	const lock = 4711 // without it no COMMIT of a new epoch goes on
	holder, err := other.pool.Acquire(t.Context())
	must(t, err)
	defer holder.Release()
	_, err = holder.Exec(t.Context(), `CREATE FUNCTION facade.held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$`)
	must(t, err)
	_, err = holder.Exec(t.Context(), `CREATE CONSTRAINT TRIGGER held AFTER INSERT ON facade.mode DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION facade.held()`)
	must(t, err)
	_, err = holder.Exec(t.Context(), `SELECT pg_advisory_lock($1)`, lock)
	must(t, err)
	result := make(chan error, 1)
	go func() { result <- coordinator.Switch(context.Background(), ask(BankPrimary)) }()
	until(t, func() bool {
		var committing bool
		err := other.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity
			WHERE datname = current_database() AND query ILIKE 'commit%' AND wait_event_type = 'Lock' AND wait_event = 'advisory')`).Scan(&committing)
		return err == nil && committing
	})
	way.freeze(downstream)
	_, err = holder.Exec(t.Context(), `SELECT pg_advisory_unlock($1)`, lock)
	must(t, err)
	until(t, func() bool { return other.Mode() == BankPrimary })
	way.thaw()
	if err := <-result; err != nil {
		t.Errorf("%v; want the coordinator to find out that it succeeded", err)
	}
	until(t, func() bool { return coordinator.Mode() == BankPrimary && coordinator.Gate().Open })
	if s, _ := coordinator.State(); s.TradeID != 7 {
		t.Errorf("%+v", s)
	}
}

func TestHookRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		steps steps
		want  error
	}{
		{"ready", steps{ready: func(context.Context) error { return errTest }}, ErrNotReady},
		{"drain", steps{drain: func(context.Context) error { return errTest }}, ErrGivenUp},
		{"enter", steps{enter: func(context.Context, int64) (Bases, error) { return Bases{}, errTest }}, ErrGivenUp},
		{"drain hangs", steps{drain: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, ErrGivenUp},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(database(t), "r")
			cfg.Steps = &c.steps
			k, _ := start(t, cfg)
			err := k.Switch(t.Context(), ask(BankPrimary))
			if !errors.Is(err, c.want) || c.name != "drain hangs" && !errors.Is(err, errTest) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if ticket, _ := served(t, k); ticket.Mode != BankOnly {
				t.Errorf("epoch %d, %s", ticket.Epoch, ticket.Mode)
			}
			attempts, err := k.Attempts(t.Context(), 5)
			must(t, err)
			if c.want == ErrGivenUp && (len(attempts) != 1 || attempts[0].Outcome != "given up" || attempts[0].Message == "" || attempts[0].Who != "anna") {
				t.Errorf("%+v", attempts)
			}
		})
	}
}

// TestHeldTimeIsBounded: a write that does not end makes the step fail; those that were held go on in the old mode.
func TestHeldTimeIsBounded(t *testing.T) {
	t.Parallel()
	dsn := database(t)
	a, _ := start(t, config(dsn, "a"))
	b, _ := start(t, config(dsn, "b"))
	hanging, err := b.Write(t.Context(), 0)
	must(t, err)
	result := make(chan error, 1)
	go func() { result <- a.Switch(context.Background(), ask(BankPrimary)) }()
	until(t, func() bool { s, _ := a.State(); return s.Switching != nil })
	ticket, waited := served(t, a)
	if ticket.Mode != BankOnly || waited > 5*time.Second {
		t.Errorf("held for %s, then served in %s", waited, ticket.Mode)
	}
	if err := <-result; !errors.Is(err, ErrGivenUp) {
		t.Errorf("%v", err)
	}
	hanging.End()
	t.Logf("held for %s of a Hold of %s", waited, a.cfg.Hold)
}

// TestFrozenReplica: a replica that has lost its way to the database ends its writes before anybody goes on without it.
func TestFrozenReplica(t *testing.T) {
	t.Parallel()
	check := newChecker()
	dsn := database(t)
	way := newLine(t, dsn)
	frozen, _ := start(t, config(way.dsn, "frozen"))
	cfg := config(dsn, "good")
	cfg.Steps = &steps{enter: func(context.Context, int64) (Bases, error) {
		if n := check.allOpen(); n != 0 {
			t.Errorf("%d writes are open at the commit", n)
		}
		return Bases{}, nil
	}}
	good, _ := start(t, cfg)
	open, err := frozen.Write(t.Context(), 0)
	must(t, err)
	check.took(open)
	way.freeze(upstream, downstream)
	result := make(chan error, 1)
	go func() {
		result <- good.Switch(context.Background(), Request{To: BankPrimary, Who: "anna", Why: "test", Wait: patience})
	}()
	select {
	case <-open.Context.Done():
	case <-time.After(patience):
		t.Fatal("the write goes on without a lease")
	}
	if cause := context.Cause(open.Context); !errors.Is(cause, ErrLease) {
		t.Errorf("ended by %v", cause)
	}
	check.ends(open)
	must(t, <-result)
	if frozen.Gate().Open {
		t.Error("the frozen replica's gate is open")
	}
	ticket, err := good.Write(t.Context(), 0)
	must(t, err)
	check.took(ticket)
	check.ends(ticket)
	way.thaw()
	until(t, func() bool { return frozen.Gate().Open })
	if ticket, _ := served(t, frozen); ticket.Mode != BankPrimary {
		t.Errorf("served in %s after it came back", ticket.Mode)
	}
	check.verify(t)
}

// TestReplicaKilledWhileDraining: the step is given up in time, and made once the killed one counts as gone.
func TestReplicaKilledWhileDraining(t *testing.T) {
	t.Parallel()
	dsn := database(t)
	way := newLine(t, dsn)
	killed, _ := start(t, config(way.dsn, "killed"))
	good, _ := start(t, config(dsn, "good"))
	ticket, err := killed.Write(t.Context(), 0)
	must(t, err)
	result := make(chan error, 1)
	began := time.Now()
	go func() {
		result <- good.Switch(context.Background(), Request{To: BankPrimary, Who: "anna", Why: "test", Wait: patience})
	}()
	until(t, func() bool { s, _ := killed.State(); return s.Switching != nil })
	way.stop()
	if ticket, waited := served(t, good); ticket.Mode != BankOnly || waited > 5*time.Second {
		t.Errorf("held for %s, then served in %s", waited, ticket.Mode)
	}
	must(t, <-result)
	t.Logf("switched after %s with a lease of %s", time.Since(began), good.cfg.Lease)
	if ticket.Context.Err() == nil {
		t.Error("the killed one's write goes on")
	}
	ticket.End()
	attempts, err := good.Attempts(t.Context(), 10)
	must(t, err)
	if len(attempts) < 2 || attempts[0].Outcome != "done" || attempts[len(attempts)-1].Outcome != "given up" {
		t.Errorf("%+v; want one given up, then one done", attempts)
	}
}

// TestTwoCoordinators: one of two steps at once is made, or none; never both.
func TestTwoCoordinators(t *testing.T) {
	t.Parallel()
	dsn := database(t)
	a, _ := start(t, config(dsn, "a"))
	b, _ := start(t, config(dsn, "b"))
	must(t, a.Switch(t.Context(), ask(BankPrimary)))
	for range 10 {
		from := len(mustEpochs(t, a))
		up, down := make(chan error, 1), make(chan error, 1)
		go func() { up <- a.Switch(context.Background(), ask(BKPrimary)) }()
		go func() { down <- b.Switch(context.Background(), ask(BankOnly)) }()
		errUp, errDown := <-up, <-down
		if (errUp == nil) && (errDown == nil) {
			t.Fatal("both succeeded")
		}
		if made := len(mustEpochs(t, a)) - from; made > 1 || (made == 1) == (errUp != nil && errDown != nil) {
			t.Fatalf("%d steps: %v, %v", made, errUp, errDown)
		}
		must(t, a.Switch(t.Context(), Request{To: BankPrimary, Who: "anna", Why: "back", Wait: patience}))
		until(t, func() bool { return a.Mode() == BankPrimary && b.Mode() == BankPrimary })
	}
}

func mustEpochs(t *testing.T, k *Keeper) []Epoch {
	t.Helper()
	epochs, err := k.readEpochs(t.Context())
	must(t, err)
	return epochs
}
