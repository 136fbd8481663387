package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/demo/page"
	"github.com/bkledger/bk/migrations/embedded"
)

// ErrInterrupted says that it was told to end before all stages were made.
var ErrInterrupted = errors.New("interrupted")

// demo is one under way.
type demo struct {
	cfg Config
	*market
	figures  *figures
	terminal *terminal
	world    *world
	clients  *clients
	admin    *admin
	roller   *bank.Client // who rolls the business date
	url      string       // of the page
	reports  []string     // files, in Config.Dir
	wrong    []string     // what checks found

	background sync.WaitGroup
	unwatch    context.CancelFunc
}

// Run makes the swap, and tells of it. The error is one of what it needs, or of ending it in order; whether the swap holds is in the summary. It ends soon after ctx does, in
// the middle of anything, and leaves nothing behind but Config.Dir.
func Run(ctx context.Context, cfg Config) (_ Summary, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return Summary{}, fmt.Errorf("demo: configuration: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return Summary{}, fmt.Errorf("demo: folder of the reports: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return Summary{}, fmt.Errorf("demo: the page: %w", err)
	}
	defer listener.Close()
	told, err := os.Create(filepath.Join(cfg.Dir, logFile))
	if err != nil {
		return Summary{}, fmt.Errorf("demo: log: %w", err)
	}
	defer func() { err = errors.Join(err, told.Close()) }()
	data, err := embedded.NewFolder("hotswap-demo-")
	if err != nil {
		return Summary{}, fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, data.Remove()) }()

	making, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	d := &demo{
		cfg: cfg, market: &market{}, figures: newFigures(stageNames()), terminal: &terminal{out: cfg.Out, live: cfg.Terminal}, url: "http://" + listener.Addr().String(),
		world: &world{dir: data.Dir, log: slog.New(slog.NewTextHandler(told, nil)), failed: failed},
	}
	d.figures.set(func(s *page.State) { s.Dir = cfg.Dir })
	d.clients = newClients(cfg.Clients, cfg.Seed, d.market, d.figures)
	ended := make(chan struct{})
	server := &http.Server{Handler: page.Handler(d.figures.now, ended), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(d.world.log.Handler(), slog.LevelWarn)}
	d.background.Go(func() { _ = server.Serve(listener) }) // it ends with the server
	d.background.Go(func() { d.sample(ended) })
	defer func() {
		close(ended)
		err = errors.Join(err, server.Close())
		d.background.Wait()
	}()
	return d.run(making, data.Dir)
}

// sample closes a point of the plot now and then.
func (d *demo) sample(ended <-chan struct{}) {
	tick := time.NewTicker(sampled)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case now := <-tick.C:
			d.figures.point(now)
		}
	}
}

func (d *demo) run(ctx context.Context, data string) (s Summary, err error) {
	d.terminal.printf("hotswap demo: a legacy ledger is replaced while its clients trade; everything runs here, in %s\n\n  live page   %s\n", data, d.url)
	defer func() { err = errors.Join(err, d.stop()) }()
	failed := d.make(ctx)
	s, err = d.conclude(failed)
	if err != nil {
		return s, err
	}
	if err := d.cfg.Summarised(s); err != nil {
		return s, err
	}
	if failed != nil || !d.cfg.Stay {
		return s, nil
	}
	d.terminal.printf("\nThe clients go on, without Bank: %s. Ctrl-C ends.", d.url)
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) { // a part has ended by itself
		failed = cause
	}
	if s = d.summary(failed); !s.Holds() {
		return s, d.cfg.Summarised(s)
	}
	return s, nil
}

// make makes all stages.
func (d *demo) make(ctx context.Context) error {
	done := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() { d.terminal.progress(d.figures, done) })
	defer func() {
		close(done)
		showing.Wait()
	}()
	for i, st := range stages() {
		d.figures.enter(i)
		d.cfg.Entered(st.name, d.places())
		note, err := st.make(d, ctx)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
			if errors.Is(cause, context.Canceled) {
				err = ErrInterrupted
			}
		}
		d.figures.set(func(s *page.State) { s.Stages[i].Note = note })
		d.terminal.stage(i+1, d.figures.leave(i, err))
		if err != nil {
			return fmt.Errorf("%s: %w", st.name, err)
		}
	}
	return nil
}

func (d *demo) places() Places {
	p := Places{Page: d.url, Facade: d.world.facade, Bank: d.world.bankAPI}
	if d.world.bankPostgres != nil {
		p.BankDSN = d.world.bankPostgres.DSN()
	}
	return p
}

// summary says how things stand.
func (d *demo) summary(failed error) Summary {
	s := d.figures.summary(failed)
	s.Reasons = append(s.Reasons, d.wrong...)
	return s
}

// conclude tells the result, and keeps it: the summary, and the page as it is now.
func (d *demo) conclude(failed error) (Summary, error) {
	s := d.summary(failed)
	d.figures.set(func(p *page.State) {
		p.Phase, p.Reasons = page.Done, append([]string{}, s.Reasons...)
		if !s.Holds() {
			p.Phase = page.Failed
		}
	})
	now := d.figures.now()
	if err := d.keep(s, now); err != nil {
		return s, err
	}
	d.tell(s, now)
	return s, nil
}

// stop ends everything, clients first: they get their last answers.
func (d *demo) stop() error {
	d.clients.stop()
	if d.unwatch != nil {
		d.unwatch()
	}
	if d.roller != nil {
		d.roller.Close()
	}
	if d.admin != nil {
		d.admin.close()
	}
	if err := d.world.stop(); err != nil {
		return fmt.Errorf("end in order: %w", err)
	}
	return nil
}
