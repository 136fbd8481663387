package swap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/shadow"
)

// Config says what is played. The zero value of a field is its default.
type Config struct {
	Day *Day // Needed.
	// Facade are the replicas of a façade in bank-only (unless it is to Stay), all empty; each client stays with one, or takes them in turn if it is to Roam. Admin is the URL of one's own listener, Bank is what stands
	// behind them. Needed.
	Facade []shadow.System
	Admin  string
	Bank   shadow.System
	Roam   bool
	// Stay makes no steps: the façade stays in the mode that it is in, one of the two in which both systems work.
	Stay bool
	// Drained waits until the façade has brought to the other system all that one has done. Needed.
	Drained func(context.Context) error
	// Clients at once; 12. Behind is how many trades may wait for the other system; 250.
	Clients, Behind int
	// Stored is how many trades, evenly spread, are compared as they are stored, one by one; 0: all. What accounts list of them is compared of all.
	Stored int
	// Settle is the business date that is rolled to at the end; 0: none.
	Settle bank.Date
	Seed   uint64
	// Progress is told what was done. Default: nobody.
	Progress func(format string, args ...any)
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Clients == 0 {
		c.Clients = 12
	}
	if c.Behind == 0 {
		c.Behind = 250
	}
	if c.Progress == nil {
		c.Progress = func(string, ...any) {}
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	check := func(ok bool, text string) {
		if !ok {
			wrong = append(wrong, errors.New(text))
		}
	}
	check(c.Day != nil && len(c.Day.Trades) >= 100, "Day: needed, with 100 trades at least")
	check(len(c.Facade) > 0, "Facade: needed")
	check(c.Admin != "", "Admin: needed")
	check(c.Bank.API != "", "Bank: needed")
	check(c.Drained != nil, "Drained: needed")
	check(c.Clients >= 1 && c.Clients <= 256, "Clients: not between 1 and 256")
	check(c.Behind >= 1, "Behind: below 1")
	check(c.Stored >= 0, "Stored: below 0")
	check(c.Settle == 0 || c.Settle.Real(), "Settle: no real day")
	return errors.Join(wrong...)
}

// Report is what became of it.
type Report struct {
	Answers   map[string]int // by what was asked, and the answer
	Surprised int            // answers that Bank alone would not have given
	Surprises []string       // the first of them
	Trades    []bank.ID      // ids of all trades, ascending
	Slowest   time.Duration  // call
	Took      time.Duration  // all calls of clients
	Switches  []Switch
	Rolled    time.Duration // under load, one day
	Drain     time.Duration // until Bank had everything, the last rolls included
	Compared  shadow.Compared
	// Wrong are positions and cash that are not what the day gives, in words, as both systems tell them.
	Wrong []string
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// String tells it in some lines.
func (r Report) String() string {
	var b strings.Builder
	calls := 0
	for _, n := range r.Answers {
		calls += n
	}
	fmt.Fprintf(&b, "%d calls in %s, %d trades, %d surprises, the slowest call %s; one day rolled under load in %s\n%s", calls, r.Took.Round(time.Millisecond), len(r.Trades),
		r.Surprised, r.Slowest.Round(time.Millisecond), r.Rolled.Round(time.Millisecond), r.answers())
	for _, s := range r.Switches {
		fmt.Fprintf(&b, "to %-26s at row %6d: writes held %4d ms, made in %s while %d rows were booked\n", s.To, s.At, s.Held.Milliseconds(), s.Took.Round(time.Millisecond), s.More)
	}
	fmt.Fprintf(&b, "drained in %s\n%s", r.Drain.Round(time.Millisecond), r.Compared)
	for _, w := range r.Wrong {
		fmt.Fprintln(&b, w)
	}
	return b.String()
}

// run is one under way.
type run struct {
	cfg     Config
	began   time.Time
	clients []*bank.Client // of the replicas
	admin   *admin
	pace    *pace
	score   *score
	report  Report
}

// Run plays the day, lets both systems come to the same, and compares them. An error says that it could not be done; what surprised, what differs and what is wrong is in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return Report{}, fmt.Errorf("swap: configuration: %w", err)
	}
	r := &run{
		cfg: cfg, began: time.Now(), admin: &admin{strings.TrimSuffix(cfg.Admin, "/"), &http.Client{}}, pace: newPace(cfg.Behind),
		score: &score{answers: map[string]int{}, ids: map[bank.ID]name{}},
	}
	defer r.admin.http.CloseIdleConnections()
	for _, s := range cfg.Facade {
		c, err := bank.NewClient(bank.ClientConfig{API: s.API, Operations: s.Operations, Key: s.Key})
		if err != nil {
			return Report{}, fmt.Errorf("swap: %w", err)
		}
		defer c.Close()
		r.clients = append(r.clients, c)
	}
	err := r.all(ctx)
	r.report.Answers, r.report.Surprised, r.report.Surprises, r.report.Slowest = r.score.answers, r.score.surprised, r.score.surprises, r.score.slowest
	return r.report, err
}

func (r *run) all(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return fmt.Errorf("swap: open accounts: %w", err)
	}
	if err := r.play(ctx); err != nil {
		return err
	}
	r.report.Trades = slices.Sorted(maps.Keys(r.score.ids))
	began := time.Now()
	if !r.cfg.Stay {
		if _, err := r.admin.change(ctx, mode.BKPrimary); err != nil { // Bank gets what was kept for it
			return err
		}
	}
	if r.cfg.Settle != 0 {
		if err := r.clients[0].Roll(ctx, r.cfg.Settle); err != nil {
			return fmt.Errorf("swap: roll: %w", err)
		}
	}
	if err := r.cfg.Drained(ctx); err != nil {
		return fmt.Errorf("swap: wait until Bank has everything: %w", err)
	}
	r.report.Drain = time.Since(began)
	r.cfg.Progress("%5.1f s: drained", time.Since(r.began).Seconds())
	stored := r.report.Trades
	if n := len(stored); r.cfg.Stored > 0 && n > r.cfg.Stored {
		stored = nil
		for i := range r.cfg.Stored {
			stored = append(stored, r.report.Trades[i*n/r.cfg.Stored])
		}
	}
	var err error
	if r.report.Compared, err = shadow.Compare(ctx, shadow.Comparison{
		Left: r.cfg.Bank, Right: r.cfg.Facade[0], Trades: stored, Days: []bank.Date{r.cfg.Day.Date}, Parallel: 8,
	}); err != nil {
		return err
	}
	return r.results(ctx)
}

// The tape's accounts, and the entities that own them.
const (
	firstAccount, lastAccount = 100_001, 101_000
	entities                  = 50
)

// open opens all accounts of the tape, and begins the day.
func (r *run) open(ctx context.Context) error {
	c := r.clients[0]
	for id := bank.ID(1); id <= entities; id++ {
		if _, err := c.CreateEntity(ctx, bank.Entity{EntityID: id, ClientCode: fmt.Sprintf("C%02d", id), LegalName: fmt.Sprintf("Client %d", id)}); err != nil {
			return err
		}
	}
	group, opening := errgroup.WithContext(ctx)
	group.SetLimit(r.cfg.Clients)
	for id := bank.ID(firstAccount); id <= lastAccount; id++ {
		group.Go(func() error {
			_, err := c.CreateAccount(opening, bank.NewAccount{AccountID: id, EntityID: 1 + (id-firstAccount)%entities, Name: fmt.Sprintf("Account %d", id)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return c.Roll(ctx, r.cfg.Day.Date)
}

// play has the clients play while the tour is made.
func (r *run) play(ctx context.Context) error {
	plans := r.cfg.Day.plans(r.cfg.Clients, r.cfg.Seed)
	began := time.Now()
	looking, stop := context.WithCancel(ctx)
	defer stop()
	go r.pace.keep(looking, r.admin.waiting)
	group, playing := errgroup.WithContext(ctx)
	for i, steps := range plans {
		to := r.clients
		if !r.cfg.Roam {
			to = r.clients[i%len(r.clients):][:1]
		}
		p := &player{score: r.score, pace: r.pace, to: to, ids: map[name]bank.ID{}, last: map[bank.ID]bank.ID{}}
		group.Go(func() error { return p.play(playing, steps) })
	}
	group.Go(func() error { return r.tour(playing) })
	err := group.Wait()
	r.report.Took = time.Since(began)
	return err
}

// results compares positions and cash with what the day gives, in both systems.
func (r *run) results(ctx context.Context) error {
	positions, cash := r.cfg.Day.Results()
	for _, s := range []shadow.System{r.cfg.Bank, r.cfg.Facade[0]} {
		c, err := bank.NewClient(bank.ClientConfig{API: s.API, Key: s.Key})
		if err != nil {
			return err
		}
		defer c.Close()
		gotPositions, gotCash := map[Holding]decimal.Decimal{}, map[Holding]decimal.Decimal{}
		for _, account := range r.cfg.Day.Accounts() {
			page := bank.Page{Size: 1000}
			for next := true; next; next = page.Token != "" {
				list, err := c.Positions(ctx, account, false, page)
				if err != nil {
					return fmt.Errorf("swap: %s: %w", s.Name, err)
				}
				for _, p := range list.Data {
					gotPositions[Holding{account, p.Symbol}] = p.Quantity.Decimal
				}
				page.Token = list.Next
			}
			balances, err := c.Balances(ctx, account)
			if err != nil {
				return fmt.Errorf("swap: %s: %w", s.Name, err)
			}
			for _, b := range balances {
				if !b.TradeCash.IsZero() {
					gotCash[Holding{account, b.Currency}] = b.TradeCash.Decimal
				}
			}
		}
		r.report.Wrong = append(r.report.Wrong, differences(s.Name+": position", gotPositions, positions)...)
		r.report.Wrong = append(r.report.Wrong, differences(s.Name+": cash", gotCash, cash)...)
	}
	return nil
}

// differences tells in words where two sums are not the same.
func differences(what string, got, want map[Holding]decimal.Decimal) (wrong []string) {
	for h, w := range want {
		if g := got[h]; !g.Equal(w) {
			wrong = append(wrong, fmt.Sprintf("%s of %s in %s: %s, want %s", what, h.Account, h.Of, g, w))
		}
	}
	for h, g := range got {
		if _, ok := want[h]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s of %s in %s: %s, want none", what, h.Account, h.Of, g))
		}
	}
	slices.Sort(wrong)
	return wrong
}
