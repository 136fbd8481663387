package endtoend_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/bankstream/owner"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade"
	facadebooks "github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/books"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/parity/faults"
	"github.com/bkledger/bk/compat/parity/landing"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/compat/swap"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

var (
	trades = flag.Int("trades", 2000, "rows of the tape; 0: the whole day")
	count  = flag.Int("faults", 260, "faults that are put in")
	seed   = flag.Uint64("seed", 1, "seed of what is drawn")
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	day     = 20131007
	settled = 20131010 // T+3
	local   = "127.0.0.1:0"
)

// tape gives the folder of the tape: BK_TAPE, else the shared one beside the repository.
func tape(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("BK_TAPE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "tape")
	}
	if _, err := os.Stat(filepath.Join(dir, "trades_20131007.csv.gz")); err != nil {
		t.Skipf("the tape is not here (%v): BK_TAPE names its folder, with trades_20131007.csv.gz and cancels_20131007.csv.gz", err)
	}
	return dir
}

// world is all that runs.
type world struct {
	t       *testing.T
	broker  string
	bankDSN string
	bank    contract.Target
	bk      *client.Client
	facade  stage.Facade
	names   *facadebooks.Stream
	store   *duck.Store
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, broker: kafkatest.New(t).Addr(), bankDSN: pgtest.New(t)}
	at, _ := stage.Await(t, "Bank", func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{DSN: w.bankDSN, Connections: 16, Brokers: []string{w.broker}, Listen: local, OperationsListen: local, Log: stage.Log(t)}, ready)
	})
	w.bank = contract.Target{API: "http://" + at.API, Operations: "http://" + at.Operations}
	bkDSN := pgtest.New(t)
	serving, _ := stage.Await(t, "BK", func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{Postgres: bkDSN, Brokers: []string{w.broker}, Listen: local, MetricsListen: local, PoolConnections: 16, Log: stage.Log(t)}, ready)
	})
	url := "http://" + serving.API
	var err error
	if w.bk, err = client.New(url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.bk.Close)
	w.facade = stage.StartFacade(t, facade.Config{
		Bank: w.bank.API, BankOperations: w.bank.Operations, BK: url, Brokers: []string{w.broker}, Postgres: pgtest.New(t), Mode: mode.BankPrimary, Stream: true,
	})
	pool, err := pgxpool.New(t.Context(), w.facade.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if w.names, err = facadebooks.NewStream(facadebooks.StreamConfig{Client: w.bk, Pool: pool, Log: stage.Log(t)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.names.Close)
	relay, err := bank.NewClient(bank.ClientConfig{API: w.bank.API, Operations: w.bank.Operations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Close)
	own, err := owner.New(owner.Config{Pool: pool, Bank: relay, BK: owner.BK(w.bk), Brokers: []string{w.broker}, Group: bankstream.DefaultGroup, Log: stage.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	w.background("the relay's reconciler", own.Run)
	stream, err := bankstream.New(bankstream.Config{Translator: rehydrate.New(w.names), Owner: own, Brokers: []string{w.broker}, Instance: "one", Log: stage.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	w.background("the stream", stream.Run)
	if w.store, err = duck.OpenStore(t.Context(), filepath.Join(t.TempDir(), "warehouse.duckdb")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// background runs something until the test ends.
func (w *world) background(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Errorf("%s ended with: %v", name, err)
		}
	})
}

// play takes the day through the façade, and some cash, and rolls until all is settled.
func (w *world) play(d *swap.Day) {
	w.t.Helper()
	drained := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(len(d.Trades))*5*time.Millisecond)
		defer cancel()
		return w.facade.Drained(ctx)
	}
	report, err := swap.Run(w.t.Context(), swap.Config{
		Day: d, Seed: *seed, Stay: true, Stored: 200, Settle: settled, Progress: w.t.Logf, Admin: w.facade.Admin, Drained: drained,
		Bank:   shadow.System{Name: "Bank", API: w.bank.API, Operations: w.bank.Operations},
		Facade: []shadow.System{{Name: "façade", API: w.facade.API, Operations: w.facade.Operations}},
	})
	w.t.Log(report)
	if err != nil {
		w.t.Fatal(err)
	}
	if report.Surprised > 0 || report.Compared.Differing > 0 || len(report.Wrong) > 0 || len(report.Trades) != d.Distinct() {
		w.t.Fatalf("the day did not go as it should: %d surprises, %d differ, %d wrong sums, %d of %d trades", report.Surprised, report.Compared.Differing, len(report.Wrong), len(report.Trades), d.Distinct())
	}
	c, err := bank.NewClient(bank.ClientConfig{API: w.facade.API, Operations: w.facade.Operations})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	accounts := d.Accounts()
	for i := range cashMovements {
		m := bank.Cash{ClientID: fmt.Sprintf("wire-%d", i), AccountID: accounts[i%len(accounts)], Currency: "USD", Amount: bank.Decimal{Decimal: decimal.New(int64(i+1), -2)}, Kind: bank.Deposit}
		switch i % 3 {
		case 1:
			m.Kind = bank.Withdrawal
		case 2:
			m.Kind, m.TargetAccountID = bank.CashJournal, accounts[(i+1)%len(accounts)]
		}
		if _, err := c.MoveCash(w.t.Context(), m); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := drained(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

const cashMovements = 600

// published waits until Bank's relay, BK's publisher and the stream have sent all that there is.
func (w *world) published() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.bankDSN)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // it was read
	to, err := kgo.NewClient(kgo.SeedBrokers(w.broker))
	if err != nil {
		w.t.Fatal(err)
	}
	defer to.Close()
	admin, journal := kadm.NewClient(to), owner.BK(w.bk)
	for {
		left, err := func() (string, error) {
			var waiting int
			if err := conn.QueryRow(ctx, `SELECT count(*) FROM bank.outbox`).Scan(&waiting); err != nil || waiting > 0 {
				return fmt.Sprintf("%d events wait in Bank's outbox", waiting), err
			}
			head, err := journal.Head(ctx)
			if err != nil {
				return "", err
			}
			sent, err := journal.Published(ctx)
			if err != nil || sent < head {
				return fmt.Sprintf("BK has published %d of %d entries", sent, head), err
			}
			lags, err := admin.Lag(ctx, bankstream.DefaultGroup)
			if err != nil {
				return "", err
			}
			lag := lags[bankstream.DefaultGroup]
			if err := lag.Error(); err != nil {
				return "", err
			}
			if n := lag.Lag.Total(); n > 0 || len(lag.Lag) == 0 {
				return fmt.Sprintf("the stream is %d events behind", n), nil
			}
			return "", nil
		}()
		if err == nil && left == "" {
			return
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("%s: %v", left, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// land lands both sides, as far as they have come.
func (w *world) land() {
	w.t.Helper()
	loader, err := landing.New(landing.Config{Store: w.store, Brokers: []string{w.broker}, Log: stage.Log(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	began := time.Now()
	p, err := loader.Run(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("landed %d events in %s", p.Events, time.Since(began).Round(time.Millisecond))
	if p.Rejects > 0 || p.Skipped > 0 {
		w.t.Errorf("%d records are no events, and %d are the stream's on Bank's topics", p.Rejects, p.Skipped)
	}
}

func (w *world) parity(cfg parity.Config) parity.Report {
	w.t.Helper()
	cfg.DB, cfg.Dialect, cfg.Keep = w.store.DB(), dialect.DuckDB(), 100_000
	began := time.Now()
	r, err := parity.Run(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("parity in %s: %d compared, %d unexplained, %d explained, %d pending", time.Since(began).Round(time.Millisecond), r.Compared, r.Unexplained, r.Explained, r.Pending)
	return r
}

// books compares Bank's tables with BK's projections.
func (w *world) books() books.Report {
	w.t.Helper()
	r, err := books.Compare(w.t.Context(), books.Config{
		Warehouse: w.store.DB(), Dialect: dialect.DuckDB(), Append: duck.Append, Bank: w.bankDSN, BK: w.bk, Names: w.names, Log: stage.Log(w.t),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Log(r)
	return r
}

// TestDay: a day of the tape, compared as events and as books, with nothing that differs; then every fault that is put in is found, and rightly named, and nothing else is.
func TestDay(t *testing.T) {
	d, err := swap.ReadDay(tape(t), day, *trades)
	if err != nil {
		t.Fatal(err)
	}
	w := start(t)
	w.play(d)
	w.published()
	w.land()

	held := w.books()
	if held.Differing > 0 || held.Compared["trades"] != int64(d.Distinct()) || held.Compared["journal rows"] < 2*int64(d.Distinct()) || held.Compared["holdings in cuts"] == 0 {
		t.Errorf("the books differ, or are not all there: %s", held)
	}
	found, err := held.ForParity()
	if err != nil {
		t.Fatal(err)
	}
	clean := w.parity(parity.Config{Findings: found, Compared: held.Pairs()})
	if clean.Unexplained > 0 || clean.Pending > 0 {
		t.Fatalf("nothing was altered, and %d differ, %d are pending:\n%s", clean.Unexplained, clean.Pending, firsts(clean))
	}
	if events := clean.Compared - held.Pairs(); events < 2*int64(d.Distinct()) {
		t.Errorf("only %d events were compared, of %d trades", events, d.Distinct())
	}
	for _, s := range clean.Sides {
		if s.Trades < 2*int64(d.Distinct()) || s.Cash < cashMovements || s.Dates != settled-day+1 || s.Rejects > 0 {
			t.Errorf("side %s: %+v", s.Side, s)
		}
	}

	put, err := faults.Inject(t.Context(), faults.Config{DB: w.store.DB(), Dialect: dialect.DuckDB(), Count: *count, Seed: *seed})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, f := range put.Faults {
		kinds[f.Kind]++
	}
	if len(put.Faults) < 200 || len(kinds) < 10 {
		t.Errorf("%d faults of %d kinds were put in", len(put.Faults), len(kinds))
	}
	spoiled := w.parity(parity.Config{})
	verdict, err := faults.Check(put, &spoiled)
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	if err := verdict.WriteText(&told); err != nil {
		t.Fatal(err)
	}
	t.Log(told.String())
	if !verdict.Holds() {
		t.Error("not every fault was found and rightly named, or something else was found")
	}
}

// firsts tells of each cause the first.
func firsts(r parity.Report) (text string) {
	for _, c := range r.Causes {
		text += fmt.Sprintf("%s: %d findings, %d rows, first %+v\n", c.Kind, c.Findings, c.Rows, c.First)
	}
	return text
}
