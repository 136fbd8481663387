package bootstrap_test

import (
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/oddities"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/swap"
	"github.com/bkledger/bk/migrations/kafkatest"
)

var trades = flag.Int("trades", 2000, "rows of the tape that Bank has in TestTapeDay; 0: the whole day")

const (
	tapeDay  = 20131007
	tapeNext = 20131008
	tapeCall = 200 // trades
	desks    = 4   // that book beside each other
)

// TestTapeDay: Bank has a day of the tape, what generated clients did, and all oddities; a tenth of the day is still to come, and comes while BK catches up. In the end every account,
// position, balance and trade is the same but for the rows in quarantine, which are those that were planted.
func TestTapeDay(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("BK_TAPE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "tape")
	}
	if _, err := os.Stat(filepath.Join(dir, "trades_20131007.csv.gz")); err != nil {
		t.Skipf("the tape is not here (%v): BK_TAPE names its folder, with trades_20131007.csv.gz and cancels_20131007.csv.gz", err)
	}
	day, err := swap.ReadDay(dir, tapeDay, *trades)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, kafkatest.New(t).Addr())
	to, err := bank.NewClient(bank.ClientConfig{API: w.bank.API, Operations: w.bank.Operations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(to.Close)
	if _, err := to.CreateEntity(t.Context(), bank.Entity{EntityID: 9, ClientCode: "TAPE", LegalName: "Tape Inc."}); err != nil {
		t.Fatal(err)
	}
	for _, id := range day.Accounts() {
		if _, err := to.CreateAccount(t.Context(), bank.NewAccount{AccountID: id, EntityID: 9, Name: "Ann"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Roll(t.Context(), tapeDay); err != nil {
		t.Fatal(err)
	}
	cut := len(day.Trades) * 9 / 10
	if refused := bookTape(t, to, day.Trades[:cut]); refused > 0 {
		t.Fatalf("Bank refused %d of the tape's calls", refused)
	}
	canceled := 0
	for _, ref := range day.Cancels {
		switch err := to.CancelTrade(t.Context(), ref); {
		case err == nil:
			canceled++
		case bank.TypeOf(err) != bank.TradeNotFound && bank.TypeOf(err) != bank.TradeAlreadyCanceled: // still to come, or corrected
			t.Fatal(ref, err)
		}
	}
	if err := to.Roll(t.Context(), tapeNext); err != nil {
		t.Fatal(err)
	}
	others, err := shadow.Play(t.Context(), shadow.Traffic{ // trades of all types
		Target: shadow.System{Name: "Bank", API: w.bank.API, Operations: w.bank.Operations}, Seed: 10, Requests: 2000, Accounts: 24, Rolls: 6, FirstDay: tapeNext,
		FirstAccount: 900_001, Entity: 900,
	})
	if err != nil || others.Surprised > 0 {
		t.Fatal(others, err)
	}
	planted, err := oddities.Plant(t.Context(), oddities.Config{DSN: w.bank.DSN, Seed: 10})
	if err != nil {
		t.Fatal(err)
	}
	had := one(t, w.bank.DSN, `SELECT count(*) FROM bank.trade`)

	cfg := w.config()
	if len(day.Trades) > 10_000 {
		cfg.ChunkRows, cfg.JournalRows = 0, 0 // as usual
	}
	dry := cfg
	dry.DryRun = true
	if _, err := w.run(dry); err != nil { // the snapshot is taken
		t.Fatal(err)
	}
	var booking sync.WaitGroup
	booking.Go(func() {
		late := slices.DeleteFunc(day.Trades[cut:], func(t bank.Trade) bool { return t.CancelTradeID != "" }) // what they correct has settled
		if refused := bookTape(t, to, late); refused > 0 {
			t.Errorf("Bank refused %d of the calls that came meanwhile", refused)
		}
	})
	cfg.CaughtUp = 100_000 // they are still at it
	compare := cfg.Compare
	cfg.Compare = nil
	if report, err := w.run(cfg); report == nil || len(report.Trial.Unbalanced) > 0 {
		t.Error(report, err)
	}
	booking.Wait()
	cfg.CaughtUp, cfg.Compare = 0, compare
	report, err := w.run(cfg)
	if report == nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	rows := one(t, w.bk, `SELECT count(*) FROM bk.journal`)
	t.Logf("%d trades at the snapshot, %d cancelled; %d rows of the journal loaded in %.2f s, %.0f trades a second; %d rows in the end\n%s",
		had, canceled, report.JournalRows, report.LoadSeconds, float64(had)/report.LoadSeconds, rows, text.String())
	if err != nil || !report.Clean() {
		t.Error(err)
	}
	if !maps.Equal(report.Counts.Fired, planted.Fired) {
		t.Errorf("rules fired\n%v, planted were\n%v", report.Counts.Fired, planted.Fired)
	}
	sameQuarantine(t, cfg, planted)
	if rows <= report.JournalRows {
		t.Error("nothing came behind the snapshot")
	}
}

// bookTape books trades at Bank, each account's in order, and gives how many calls it refused.
func bookTape(t *testing.T, to *bank.Client, all []bank.Trade) (refused int64) {
	t.Helper()
	var lanes [desks][]bank.Trade
	for _, trade := range all {
		lane := trade.AccountID % desks
		lanes[lane] = append(lanes[lane], trade)
	}
	var wait sync.WaitGroup
	var count atomic.Int64
	for _, lane := range lanes {
		wait.Go(func() {
			for from := 0; from < len(lane); from += tapeCall {
				_, err := to.BookTrades(t.Context(), lane[from:min(from+tapeCall, len(lane))])
				if err != nil && !errors.Is(err, context.Canceled) {
					count.Add(1)
					t.Log(err)
				}
			}
		})
	}
	wait.Wait()
	return count.Load()
}
