package bootstrap_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// TestCatchUp: clients go on trading at Bank meanwhile; what they did behind the snapshot comes through the engine, and at the end all is the same. Kafka is asked for nothing that
// came before the snapshot.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{bootstrap.Full, bootstrap.Opening} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			catchUp(t, mode)
		})
	}
}

func catchUp(t *testing.T, mode string) {
	t.Helper()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.wait = 20 * time.Second
	first := w.play(2, 800)
	cfg := w.config()
	cfg.Mode = mode
	dry := cfg
	dry.DryRun = true
	if _, err := w.run(dry); err != nil { // the snapshot is taken
		t.Fatal(err)
	}
	before := one(t, w.bank.DSN, `SELECT max(trade_id) FROM bank.trade`)
	to, err := bank.NewClient(bank.ClientConfig{API: w.bank.API, Operations: w.bank.Operations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(to.Close)
	date, err := to.BusinessDate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trading, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	clients.Go(func() {
		const last = 110 // faster than BK follows: it is to catch up
		for seed := uint64(100); seed < last && trading.Err() == nil; seed++ {
			played, err := shadow.Play(t.Context(), shadow.Traffic{
				Target: shadow.System{Name: "Bank", API: w.bank.API, Operations: w.bank.Operations}, Seed: seed, Requests: 100, Accounts: 8, Clients: 4, Rolls: 1, FirstDay: date,
				FirstAccount: bank.ID(600_000 + 1000*seed), Entity: bank.ID(600 + seed),
			})
			if err != nil || played.Surprised > 0 {
				t.Error(played, err)
				return
			}
			if date, err = to.BusinessDate(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	once := sync.OnceFunc(func() { stop(); clients.Wait() })
	defer once()
	cfg.CaughtUp = 200 // Bank is not quiet
	compare := cfg.Compare
	cfg.Compare = nil
	if report, err := w.run(cfg); err != nil || !report.Clean() {
		t.Fatal(report, err)
	}
	once()
	if n := one(t, w.bank.DSN, `SELECT max(trade_id) FROM bank.trade`); n <= before {
		t.Fatal("nobody has traded meanwhile")
	}
	cfg.CaughtUp, cfg.Compare = 0, compare // now it is
	report, err := w.run(cfg)
	if err != nil || !report.Clean() {
		t.Fatal(report, err)
	}
	if report.CaughtUpTo <= report.Place.EventID || len(report.Place.Offsets) == 0 {
		t.Errorf("place %+v, caught up to %d", report.Place, report.CaughtUpTo)
	}
	if n := one(t, w.facade, `SELECT count(*) FROM facade.queue WHERE outcome = 'done' AND origin <= (SELECT event_id FROM facade.bootstrap)`); n != 0 {
		t.Errorf("%d events from before the snapshot were followed", n)
	}
	if n := one(t, w.facade, `SELECT count(*) FROM facade.queue WHERE outcome = 'done'`); n == 0 {
		t.Error("nothing was followed")
	}
	w.same(first)
}
