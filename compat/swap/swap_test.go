package swap_test

import (
	"context"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/compat/swap"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

var (
	trades = flag.Int("trades", 20_000, "rows of the tape that TestTapeDay plays; 0: the whole day")
	roam   = flag.Bool("roam", true, "clients take the replicas in turn, call by call")
	stored = flag.Int("stored", 4000, "trades that are compared one by one as they are stored; 0: all")
	seed   = flag.Uint64("seed", 1, "seed of what is drawn")
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	day     = 20131007
	settled = 20131010 // T+3
)

// tape gives the folder of the tape: BK_TAPE, else the shared one beside the repository.
func tape(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("BK_TAPE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "tape")
	}
	if _, err := os.Stat(filepath.Join(dir, "trades_20131007.csv.gz")); err != nil {
		t.Skipf("the tape is not here (%v): BK_TAPE names its folder, with trades_20131007.csv.gz, cancels_20131007.csv.gz and what is expected", err)
	}
	return dir
}

func system(name string, at contract.Target) shadow.System {
	return shadow.System{Name: name, API: at.API, Operations: at.Operations}
}

// TestTapeDay plays a day of the tape through two replicas of a façade that goes from Bank alone to BK alone, with steps back, under load.
func TestTapeDay(t *testing.T) {
	d, err := swap.ReadDay(tape(t), day, *trades)
	if err != nil {
		t.Fatal(err)
	}
	broker := kafkatest.New(t).Addr()
	bankDSN := pgtest.New(t)
	at, _ := stage.Await(t, "Bank", func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{
			DSN: bankDSN, Connections: 16, Brokers: []string{broker}, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", Log: stage.Log(t),
		}, ready)
	})
	bank := contract.Target{API: "http://" + at.API, Operations: "http://" + at.Operations}
	cfg := facade.Config{
		Bank: bank.API, BankOperations: bank.Operations, BK: stage.StartBK(t).URL, Brokers: []string{broker}, Postgres: pgtest.New(t), Mode: mode.BankOnly, Replica: "first",
	}
	first := stage.StartFacade(t, cfg)
	cfg.Mode, cfg.Replica = "", "second"
	second := stage.StartFacade(t, cfg)
	report, err := swap.Run(t.Context(), swap.Config{
		Day: d, Seed: *seed, Roam: *roam, Stored: *stored, Settle: settled, Progress: t.Logf, Admin: first.Admin, Bank: system("Bank", bank),
		Facade: []shadow.System{system("façade", first.Target), system("second replica", second.Target)},
		Drained: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(len(d.Trades))*5*time.Millisecond)
			defer cancel()
			return first.Drained(ctx)
		},
	})
	t.Log(report)
	if err != nil {
		t.Fatal(err)
	}
	check(t, d, report)
	var inBank int
	if err := queryRow(t, bankDSN, `SELECT count(*) FROM bank.trade`).Scan(&inBank); err != nil {
		t.Fatal(err)
	}
	if inBank != d.Distinct() {
		t.Errorf("Bank has %d trades, and the day %d", inBank, d.Distinct())
	}
}

func check(t *testing.T, d *swap.Day, r swap.Report) {
	t.Helper()
	if r.Surprised > 0 {
		t.Errorf("%d answers are not what Bank alone would have given", r.Surprised)
	}
	if len(r.Trades) != d.Distinct() {
		t.Errorf("%d ids were given, for %d trades", len(r.Trades), d.Distinct())
	}
	one := d.Distinct()
	if *stored > 0 {
		one = min(one, *stored)
	}
	if r.Compared.Differing > 0 || r.Compared.Counts[shadow.KindTrade] != one || r.Compared.Counts[shadow.KindListed] < d.Distinct()/2 || r.Compared.Counts[shadow.KindAccount] != 1000 {
		t.Errorf("%d differences; %d trades and %d accounts were compared", r.Compared.Differing, r.Compared.Counts[shadow.KindTrade], r.Compared.Counts[shadow.KindAccount])
	}
	if len(r.Wrong) > 0 {
		t.Errorf("%d positions and sums of cash are not what the tape gives", len(r.Wrong))
	}
	if len(r.Switches) != 9 {
		t.Errorf("%d switches", len(r.Switches))
	}
	for _, s := range r.Switches {
		if s.Held >= time.Second || s.Held <= 0 {
			t.Errorf("to %s: writes were held for %s", s.To, s.Held)
		}
	}
	for _, answer := range []string{"book: done", "cancel: done", "cancel: trade_already_canceled", "other content: client_trade_id_conflict", "unknown account: unknown_account", "read the own trade: done"} {
		if r.Answers[answer] == 0 {
			t.Errorf("nothing was answered %q", answer)
		}
	}
}

func queryRow(t *testing.T, dsn, sql string) pgx.Row {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn.QueryRow(t.Context(), sql)
}

// TestResultsAreTheTapes holds what the day gives, as this package adds it up, against what the tape's own program made of it.
func TestResultsAreTheTapes(t *testing.T) {
	t.Parallel()
	dir := tape(t)
	d, err := swap.ReadDay(dir, day, 0)
	if err != nil {
		t.Fatal(err)
	}
	positions, cash := d.Results()
	for file, got := range map[string]map[swap.Holding]decimal.Decimal{"expected_positions_20131007.csv.gz": positions, "expected_cash_20131007.csv.gz": cash} {
		want, err := swap.Expected(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 || !maps.EqualFunc(got, want, decimal.Decimal.Equal) {
			t.Errorf("%s: %d of the day, %d expected, or not the same", file, len(got), len(want))
		}
	}
}
