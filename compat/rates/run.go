package rates

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// run is one under way.
type run struct {
	cfg      Config
	cluster  *cluster
	children []*child
	profiled []profiled   // servers that are profiled, if asked for
	numbers  atomic.Int64 // of trades
	bank     side
	proxy    side // a façade in bank-only before it
	books    side // a façade in bk-only
}

// The servers, by name.
const (
	bankName  = "bank"
	bkName    = "bk"
	proxyName = "facade-bank-only"
	booksName = "facade-bk-only"
)

// figures are rates by round, and what they took of the processors.
type figures struct {
	rounds []float64
	trades int64
	cpu    CPU
}

type measured struct{ tpcb, bankSingles, booksSingles, bankCalls, booksCalls figures }

// Run measures everything. The report is there where the error is nil; whether what is promised holds is in it.
func Run(ctx context.Context, cfg Config) (_ *Report, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("rates: configuration: %w", err)
	}
	r := &run{cfg: cfg}
	r.bank.name, r.proxy.name, r.books.name = "Bank", "façade in bank-only", "façade in bk-only"
	report := &Report{When: time.Now(), Go: runtime.Version(), CPUs: runtime.NumCPU(), Clients: cfg.Clients, CallClients: cfg.CallClients, Notes: []string{}}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.start(ctx); err != nil {
		return nil, fmt.Errorf("rates: %w", err)
	}
	report.Postgres = r.cluster.version
	if err := r.measure(ctx, report); err != nil {
		return nil, fmt.Errorf("rates: %w", errors.Join(err, r.alive()))
	}
	report.TookSeconds = time.Since(report.When).Seconds()
	return report, nil
}

// start starts Postgres and all servers, and opens accounts.
func (r *run) start(ctx context.Context) (err error) {
	r.cfg.Progress("starting Postgres, Bank, BK and two façades")
	if r.cluster, err = openCluster(ctx, r.cfg); err != nil {
		return err
	}
	var bank, facade, books struct {
		API, Operations, Admin string
	}
	var bk struct{ Connect, Metrics string }
	const local = "127.0.0.1:0"
	quiet := []string{"--log-level", "warn"}
	listen := []string{"--listen", local, "--operations-listen", local}
	if err := r.child(ctx, bankName, r.cfg.Hotswap, append(append([]string{"bank", "--db", r.cluster.dsn(bankDB), "--kafka", "none"}, listen...), quiet...), &bank); err != nil {
		return err
	}
	serve := append([]string{"serve", "--postgres", r.cluster.dsn(bkDB), "--migrate", "--listen", local, "--metrics-listen", local}, quiet...)
	if r.cfg.Profile != "" {
		serve = append(serve, "--pprof")
	}
	if err := r.child(ctx, bkName, r.cfg.BK, serve, &bk); err != nil {
		return err
	}
	listen = append(listen, "--admin-listen", local, "--bank", bank.API, "--bank-operations", bank.Operations)
	if err := r.child(ctx, proxyName, r.cfg.Hotswap, append(append([]string{"facade", "--mode", "bank-only", "--db", r.cluster.dsn(proxyDB)}, listen...), quiet...), &facade); err != nil {
		return err
	}
	only := append(append([]string{"facade", "--mode", "bk-only", "--bk", bk.Connect, "--db", r.cluster.dsn(booksDB)}, listen...), quiet...)
	if r.cfg.Profile != "" {
		only = append(only, "--pprof")
	}
	if err := r.child(ctx, booksName, r.cfg.Hotswap, only, &books); err != nil {
		return err
	}
	r.profiled = []profiled{{bkName, bk.Metrics}, {booksName, books.Admin}}
	r.bank.api, r.proxy.api, r.books.api = bank.API, facade.API, books.API
	r.cfg.Progress("opening accounts")
	if err := open(ctx, bank.API, bank.Operations); err != nil {
		return fmt.Errorf("Bank: %w", err)
	}
	if err := open(ctx, books.API, books.Operations); err != nil {
		return fmt.Errorf("façade in bk-only: %w", err)
	}
	if r.cluster.pgbench == "" {
		return nil
	}
	return r.cluster.fill(ctx)
}

func (r *run) child(ctx context.Context, name, program string, args []string, ready any) error {
	c, err := startChild(ctx, r.cluster.dir, name, program, args, ready)
	if c != nil {
		r.children = append(r.children, c)
	}
	return err
}

func (r *run) alive() error {
	var errs []error
	for _, c := range r.children {
		errs = append(errs, c.alive())
	}
	return errors.Join(errs...)
}

func (r *run) close() error {
	errs := make([]error, len(r.children))
	var ending sync.WaitGroup
	for i, c := range r.children {
		ending.Go(func() { errs[i] = c.end() })
	}
	ending.Wait()
	if r.cluster != nil {
		errs = append(errs, r.cluster.close())
	}
	return errors.Join(errs...)
}

const hundred = 100 // trades of a call

// measure makes the pairs, and then the rounds.
func (r *run) measure(ctx context.Context, report *Report) (err error) {
	r.cfg.Progress("pairs: Bank direct, and through the façade")
	if report.Added, err = r.pairs(ctx, &r.bank, &r.proxy); err != nil {
		return err
	}
	r.cfg.Progress("warming up")
	for _, s := range []*side{&r.bank, &r.books} {
		for _, trades := range []int{1, hundred} {
			if _, err := r.phase(ctx, s, r.cfg.CallClients, trades, time.Second); err != nil {
				return err
			}
		}
	}
	// What the first trades bring with them (instruments, house accounts) is in the journal by now.
	head, err := r.cluster.count(ctx, bkDB, countJournal)
	if err != nil {
		return err
	}
	r.books.booked.Store(0)
	var m measured
	for round := range r.cfg.Rounds {
		if err := r.round(ctx, round, &m); err != nil {
			return err
		}
	}
	if r.cluster.pgbench == "" {
		report.Notes = append(report.Notes, "There is no pgbench on this machine: Bank was not held against it.")
	}
	report.judge(&m)
	return r.check(ctx, head)
}

// round has each side work once; every other round backwards.
func (r *run) round(ctx context.Context, round int, m *measured) error {
	booking := func(what string, s *side, clients, trades int, to *figures) func() error {
		return func() error {
			r.cfg.Progress(fmt.Sprintf("round %d of %d: %s, %s", round+1, r.cfg.Rounds, s.name, what))
			stop := func() error { return nil }
			if s == &r.books && round == 0 && r.cfg.Profile != "" {
				stop = r.profile(ctx, fmt.Sprintf("calls-of-%d.pprof", trades))
			}
			cpu, before := r.times(), s.booked.Load()
			rate, err := r.phase(ctx, s, clients, trades, r.cfg.Phase)
			to.cpu = to.cpu.plus(r.times().plus(cpu, -1), 1)
			to.trades += s.booked.Load() - before
			to.rounds = append(to.rounds, rate)
			return errors.Join(err, stop())
		}
	}
	turns := []func() error{
		func() error {
			if r.cluster.pgbench == "" {
				return nil
			}
			r.cfg.Progress(fmt.Sprintf("round %d of %d: pgbench", round+1, r.cfg.Rounds))
			rate, err := r.cluster.tpcb(ctx, r.cfg.Clients, r.cfg.Phase)
			m.tpcb.rounds = append(m.tpcb.rounds, rate)
			return err
		},
		booking("singles", &r.bank, r.cfg.Clients, 1, &m.bankSingles),
		booking("singles", &r.books, r.cfg.Clients, 1, &m.booksSingles),
		booking("calls of 100", &r.bank, r.cfg.CallClients, hundred, &m.bankCalls),
		booking("calls of 100", &r.books, r.cfg.CallClients, hundred, &m.booksCalls),
	}
	for i := range turns {
		if round%2 == 1 {
			i = len(turns) - 1 - i
		}
		if err := r.cluster.checkpoint(ctx); err != nil {
			return err
		}
		if err := turns[i](); err != nil {
			return err
		}
	}
	return nil
}

const countJournal = `SELECT count(*) FROM bk.journal`

// check counts what is there: a figure for trades that are not would be worth nothing.
func (r *run) check(ctx context.Context, head int) error {
	for _, c := range []struct {
		side          *side
		database, sql string
		before        int
	}{{&r.bank, bankDB, `SELECT count(*) FROM bank.trade`, 0}, {&r.books, bkDB, countJournal, head}} {
		n, err := r.cluster.count(ctx, c.database, c.sql)
		if err != nil {
			return err
		}
		if want := c.before + int(c.side.booked.Load()); n != want {
			return fmt.Errorf("%s has %d trades, and acknowledged %d", c.side.name, n-c.before, want-c.before)
		}
	}
	return nil
}

// profiled is a server that has profiles at a URL.
type profiled struct{ name, url string }

// profile takes processor profiles of BK and of the façade before it until the phase is over.
func (r *run) profile(ctx context.Context, what string) (wait func() error) {
	var taking errgroup.Group
	for _, p := range r.profiled {
		taking.Go(func() error {
			asked, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", p.url, int(r.cfg.Phase.Seconds())), nil)
			if err != nil {
				return err
			}
			answer, err := http.DefaultClient.Do(asked)
			if err != nil {
				return fmt.Errorf("profile: %w", err)
			}
			defer answer.Body.Close()
			f, err := os.Create(filepath.Join(r.cfg.Profile, p.name+"-"+what))
			if err != nil {
				return fmt.Errorf("profile: %w", err)
			}
			_, err = io.Copy(f, answer.Body)
			return errors.Join(err, f.Close())
		})
	}
	return taking.Wait
}
