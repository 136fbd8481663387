package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// TestFence: nothing is written down in an epoch that is over, not even by who had looked before it ended.
func TestFence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q, _ := w.run(w.config("a"))
	enter := func(epoch int64) {
		t.Helper()
		if _, err := q.pool.Exec(t.Context(), `INSERT INTO facade.mode (epoch, mode, who, why) VALUES ($1, 'bank-primary-bk-secondary', 'anna', 'test')`, epoch); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(epoch int64) error {
		held, err := q.Begin(t.Context(), epoch, Trades([]bank.Trade{trade(100018, "x")}))
		if err != nil {
			return err
		}
		return held.Refused(t.Context())
	}
	enter(1)
	if err := begin(1); err != nil {
		t.Fatal(err)
	}
	enter(2)
	if err := begin(1); !errors.Is(err, ErrEpoch) {
		t.Errorf("in an epoch that is over: %v", err)
	}
	if err := begin(2); err != nil {
		t.Errorf("in the one that has come: %v", err)
	}
	// While an epoch's transaction is under way, an intent waits for it, and then knows it.
	tx, err := q.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1)`, LockEpoch); err != nil {
		t.Fatal(err)
	}
	began := make(chan error, 1)
	go func() { began <- begin(2) }()
	eventually(t, "it waits", func() bool {
		var waits bool
		err := q.pool.QueryRow(context.Background(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waits)
		return err == nil && waits
	})
	if _, err := tx.Exec(t.Context(), `INSERT INTO facade.mode (epoch, mode, who, why) VALUES (3, 'bank-only', 'anna', 'test')`); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-began; !errors.Is(err, ErrEpoch) {
		t.Errorf("begun while the next epoch was entered: %v", err)
	}
}

// TestRollTakesItsTime: a roll may take longer than any other call.
func TestRollTakesItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("a")
	cfg.CallTimeout, cfg.RollTimeout = time.Second, time.Hour
	q, _ := w.run(cfg)
	held, err := q.Begin(t.Context(), 1, Roll(20131007))
	if err != nil {
		t.Fatal(err)
	}
	var left float64
	if err := q.pool.QueryRow(t.Context(), `SELECT extract(epoch FROM until - clock_timestamp()) FROM facade.intent`).Scan(&left); err != nil || left < 3000 {
		t.Errorf("its call counts as ended in %v s, %v", left, err)
	}
	if until := time.Until(held.Deadline()); until < 50*time.Minute {
		t.Errorf("it has %s", until)
	}
	if err := held.Refused(t.Context()); err != nil {
		t.Fatal(err)
	}
}
