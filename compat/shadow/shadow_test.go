package shadow_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/pgtest"
)

var (
	requests = flag.Int("requests", 500, "requests that TestShadow makes in each mode")
	seed     = flag.Uint64("seed", 1, "seed of what is drawn")
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// drainTimeout is how long the other system may take to follow, for each 1,000 requests.
const drainTimeout = time.Minute

func system(name string, at contract.Target) shadow.System {
	return shadow.System{Name: name, API: at.API, Operations: at.Operations}
}

// TestShadow plays generated traffic through both dual modes: afterwards the systems agree on everything.
func TestShadow(t *testing.T) {
	for _, in := range []mode.Mode{mode.BankPrimary, mode.BKPrimary} {
		t.Run(string(in), func(t *testing.T) {
			set := stage.StartSet(t, in)
			bk := system("BK", set.Target) // serves BK's books itself
			if in == mode.BankPrimary {
				bk.API, bk.Operations = stage.StartBooks(t, set.BK, set.DSN, nil).API, "" // what is secondary takes no cash, not even again
			}
			report, err := shadow.Run(t.Context(), shadow.Config{
				Traffic: traffic(system("façade", set.Target)), Bank: system("Bank", set.Bank.Target), BK: bk,
				Drained: func(ctx context.Context) error {
					ctx, cancel := context.WithTimeout(ctx, drainTimeout*time.Duration(1+*requests/1000))
					defer cancel()
					return set.Drained(ctx)
				},
			})
			t.Log(report)
			if err != nil {
				t.Fatal(err)
			}
			smooth(t, report.Played)
			equal(t, report.Compared, report.Played)
			if *requests <= 1000 { // the same twice
				found := all(t, set)
				t.Log(found)
				equal(t, found, report.Played)
			}
			if in == mode.BankPrimary { // ids of cash, and all else as the façade tells it when BK answers
				if err := set.Switch(t.Context(), mode.BKPrimary); err != nil {
					t.Fatal(err)
				}
				comparison := report.Played.Comparison(system("Bank", set.Bank.Target), system("façade", set.Target), 0)
				comparison.Days = comparison.Days[:1]
				compared, err := shadow.Compare(t.Context(), comparison)
				if err != nil {
					t.Fatal(err)
				}
				if compared.Differing > 0 || compared.Counts[shadow.KindCash] == 0 {
					t.Errorf("after the step to %s: %s", mode.BKPrimary, compared)
				}
			}
		})
	}
}

func traffic(target shadow.System) shadow.Traffic {
	return shadow.Traffic{Target: target, Seed: *seed, Requests: *requests, Rolls: min(25, 4+*requests/1000), Accounts: min(400, 12+*requests/100)}
}

// smooth makes sure that clients saw nothing that they would not have seen of Bank alone, and that enough was played.
func smooth(t *testing.T, p shadow.Played) {
	t.Helper()
	if p.Surprised > 0 || p.Unknown > 0 || p.Internal > 0 || p.Lost > 0 {
		t.Errorf("%d answers surprise, %d outcomes were unknown, %d answers internal, %d calls without one", p.Surprised, p.Unknown, p.Internal, p.Lost)
	}
	for _, answer := range []string{
		"book: 202", "cancel: 202", "cancel: 409 trade_already_canceled", "cancel: 409 trade_settled", "correct: 202", "correct: 409 trade_settled", "repeat: 202",
		"repeat written in another way: 202", "conflict: 409 client_trade_id_conflict", "bad request: 400 malformed_trade", "cash: 202", "repeat cash: 202", "roll: 202",
		"read the own position: 200",
	} {
		if p.Answers[answer] == 0 {
			t.Errorf("nothing was answered %q", answer)
		}
	}
}

// equal makes sure that nothing differs, and that everything was compared.
func equal(t *testing.T, c shadow.Compared, p shadow.Played) {
	t.Helper()
	if c.Differing > 0 {
		t.Errorf("%d differences", c.Differing)
	}
	if c.Counts[shadow.KindTrade] != len(p.Trades) || len(p.Trades) == 0 {
		t.Errorf("%d trades were compared of %d", c.Counts[shadow.KindTrade], len(p.Trades))
	}
	for _, kind := range []string{
		shadow.KindDay, shadow.KindEntity, shadow.KindAccount, shadow.KindListed, shadow.KindPosition, shadow.KindBalance, shadow.KindJournal, shadow.KindRunning, shadow.KindTotal,
	} {
		if c.Counts[kind] == 0 {
			t.Errorf("no %s was compared", kind)
		}
	}
}
