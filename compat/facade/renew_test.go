package facade

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/migrations/pgtest"
)

// TestReadsDuringRenewal: reads do not wait for a renewal of ids that takes its time; they get what was booked before it, and behind it what was booked under new ids.
func TestReadsDuringRenewal(t *testing.T) {
	t.Parallel()
	const reads, lasts = 60, 90 * time.Second // at a second each, most of them would come behind its end
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BKPrimary
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	booked, err := c.BookTrades(t.Context(), []bank.Trade{tradeOf(t, "before", firstAccount)})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), cfg.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), `INSERT INTO facade.switch (from_epoch, to_mode, who, why, coordinator, drain_until)
		VALUES (1, 'bk-primary-bank-secondary', 'facade', 'test', 'nobody', clock_timestamp() + $1::interval)`, lasts); err != nil {
		t.Fatal(err)
	}
	var state mode.State
	under := func() bool { get(t, at.Admin, "/mode", &state); return state.Switching != nil }
	waitFor(t, under)
	for range reads {
		if stored, err := c.Trade(t.Context(), bank.TradeRef{TradeID: booked[0].TradeID}); err != nil || stored.ClientTradeID != "before" {
			t.Fatalf("%+v, %v", stored, err)
		}
	}
	if !under() {
		t.Fatal("the renewal was over before the reads were")
	}
	// It is made, and this replica has not heard of it: nobody has notified it. Another one books under the new ids.
	const base = 5_000_000
	if _, err := conn.Exec(t.Context(), `WITH done AS (UPDATE facade.switch SET ended_at = clock_timestamp(), outcome = 'done' WHERE ended_at IS NULL)
		INSERT INTO facade.mode (epoch, mode, who, why, trade_id_base, cash_id_base, first_sequence, bank_event_id, business_date)
		SELECT 2, mode, 'facade', 'test', $1, cash_id_base, $2, bank_event_id, business_date FROM facade.mode WHERE epoch = 1`, base, headOf(t, c)+1); err != nil {
		t.Fatal(err)
	}
	if later, err := c.BookTrades(t.Context(), []bank.Trade{tradeOf(t, "behind", firstAccount)}); err != nil || later[0].TradeID <= base {
		t.Errorf("%+v, %v", later, err)
	}
	if stored, err := c.Trade(t.Context(), bank.TradeRef{AccountID: firstAccount, ClientTradeID: "behind"}); err != nil || stored.TradeID <= base {
		t.Errorf("%+v, %v", stored, err)
	}
}

func headOf(t *testing.T, c *bank.Client) int64 {
	t.Helper()
	place, err := c.ReplayPlace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int64(place.LastEventID)
}

// TestAwayAtOnce: that BK is away shows with the first delivery that fails, not after the time for which a client's call would be tried.
func TestAwayAtOnce(t *testing.T) {
	t.Parallel()
	b, dsn := startBank(t), pgtest.New(t)
	bk, stop := background(t, func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{Postgres: dsn, Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", Log: logTo(t)}, ready)
	})
	cfg := config(t, b, "http://"+bk.API)
	cfg.Mode, cfg.CallTimeout = mode.BankPrimary, 2*patience // a client's call would be tried for twice that
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	stop()
	if _, err := c.BookTrades(t.Context(), []bank.Trade{tradeOf(t, "alone", firstAccount)}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		var status Status
		get(t, at.Admin, "/status", &status)
		return len(status.Backlogs) > 0 && status.Backlogs[0].Away != ""
	})
}
