package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/demo/page"
	"github.com/bkledger/bk/compat/facade/mode"
)

// stage is a part of the swap. It gives what is told of it.
type stage struct {
	name string
	make func(*demo, context.Context) (note string, err error)
}

// Files of the reports, in Config.Dir.
const (
	parityFile  = "parity.html"
	beforeFile  = "parity-before-bk-only.html"
	finalFile   = "parity-final.html"
	pageFile    = "page.html"
	summaryFile = "summary.json"
	logFile     = "demo.log"
)

// stages are all, in their order.
func stages() []stage {
	return []stage{
		{"history", (*demo).historyStage},
		{"Bank alone", (*demo).bankAlone},
		{"bootstrap", (*demo).bootstrap},
		{"shadow mode", (*demo).shadow},
		{"parity", (*demo).parity},
		{"BK first", (*demo).bkFirst},
		{"a step back", (*demo).stepBack},
		{"forward again", (*demo).forwardAgain},
		{"parity again", (*demo).parityAgain},
		{"BK alone", (*demo).bkAlone},
		{"Bank switched off", (*demo).bankOff},
		{"life after Bank", (*demo).lifeAfter},
	}
}

func stageNames() (names []string) {
	for _, s := range stages() {
		names = append(names, s.name)
	}
	return names
}

// historyStage starts Bank and makes its past.
func (d *demo) historyStage(ctx context.Context) (string, error) {
	if err := d.world.startBank(ctx); err != nil {
		return "", err
	}
	d.figures.set(func(s *page.State) { s.Bank = page.Up })
	if err := d.clients.open(ctx, d.world.bank); err != nil {
		return "", err
	}
	if err := d.clients.history(ctx, d.world.bank, d.cfg.History); err != nil {
		return "", err
	}
	return fmt.Sprintf("Bank has %s trades of %d business days, made through its API", grouped(d.figures.now().Trades), len(historyDays)), nil
}

// bankAlone puts the façade before Bank, and lets the clients begin. From here on they don't stop.
func (d *demo) bankAlone(ctx context.Context) (string, error) {
	if err := d.world.startFront(ctx); err != nil {
		return "", err
	}
	to, err := d.connect()
	if err != nil {
		return "", err
	}
	d.watch(ctx)
	d.clients.start(to, d.cfg.Think)
	if err := d.trade(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("the façade passes all on to Bank, %d clients trade through it", d.cfg.Clients), nil
}

// connect gives a client of the façade that stands now, for all.
func (d *demo) connect() (*bank.Client, error) {
	to, err := bank.NewClient(bank.ClientConfig{API: d.world.facade, Operations: d.world.operations, HTTP: &http.Client{Transport: d.cfg.Through}})
	if err != nil {
		return nil, fmt.Errorf("clients: %w", err)
	}
	d.roller = to
	return to, nil
}

// watch looks at the façade that stands now.
func (d *demo) watch(ctx context.Context) {
	if d.unwatch != nil {
		d.unwatch()
		d.admin.close()
	}
	d.admin = newAdmin(d.world.admin)
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	at := d.admin
	d.unwatch = stop
	d.background.Go(func() { at.watch(watching, d.figures, d.market) })
}

// bootstrap loads Bank's data into BK, starts BK on it, and brings it to where Bank is, while the clients go on.
func (d *demo) bootstrap(ctx context.Context) (string, error) {
	note, err := d.bring(ctx)
	if err != nil {
		return "", fmt.Errorf("bring BK to where Bank is: %w", err)
	}
	return note, nil
}

// shadow makes the step to the first dual mode, and rolls the business date in it.
func (d *demo) shadow(ctx context.Context) (string, error) {
	if err := d.change(ctx, mode.BankPrimary, "shadow mode"); err != nil {
		return "", err
	}
	if err := d.tradeAndRoll(ctx); err != nil {
		return "", err
	}
	return "Bank answers, BK does the same; the business date is rolled", nil
}

func (d *demo) parity(ctx context.Context) (string, error) {
	return d.compare(ctx, parityFile, true, false)
}

func (d *demo) bkFirst(ctx context.Context) (string, error) {
	if err := d.change(ctx, mode.BKPrimary, "parity is clean"); err != nil {
		return "", err
	}
	if err := d.tradeAndRoll(ctx); err != nil {
		return "", err
	}
	return "BK answers, Bank does the same; the business date is rolled", nil
}

func (d *demo) stepBack(ctx context.Context) (string, error) {
	if err := d.change(ctx, mode.BankPrimary, "a rehearsed step back"); err != nil {
		return "", err
	}
	if err := d.trade(ctx); err != nil {
		return "", err
	}
	return "rehearsed: Bank answers again, and lacks nothing", nil
}

func (d *demo) forwardAgain(ctx context.Context) (string, error) {
	if err := d.change(ctx, mode.BKPrimary, "the step back was a rehearsal"); err != nil {
		return "", err
	}
	if err := d.trade(ctx); err != nil {
		return "", err
	}
	return "BK answers, Bank does the same", nil
}

func (d *demo) parityAgain(ctx context.Context) (string, error) {
	return d.compare(ctx, beforeFile, true, false)
}

func (d *demo) bkAlone(ctx context.Context) (string, error) {
	if err := d.change(ctx, mode.BKOnly, "parity is clean again"); err != nil {
		return "", err
	}
	d.figures.set(func(s *page.State) { s.Bank = page.Idle })
	if err := d.trade(ctx); err != nil {
		return "", err
	}
	return "BK answers; Bank hears nothing, its share is kept for a step back", nil
}

// bankOff gives Bank the last it gets, compares both for the last time, and switches Bank off for ever.
func (d *demo) bankOff(ctx context.Context) (string, error) {
	held, err := d.admin.final(ctx, "Bank goes")
	if err != nil {
		return "", err
	}
	d.figures.held(held)
	if err := d.bankSent(ctx); err != nil {
		return "", err
	}
	note, err := d.compare(ctx, finalFile, false, true)
	if err != nil {
		return "", err
	}
	if err := d.world.stopBank(); err != nil {
		return "", fmt.Errorf("switch Bank off: %w", err)
	}
	d.figures.set(func(s *page.State) { s.Bank = page.Off })
	if err := gone(ctx, d.world.bankAPI); err != nil {
		return "", err
	}
	return note + "; off for ever", nil
}

// bankSent waits until Kafka has all that Bank did.
func (d *demo) bankSent(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Look)
	defer cancel()
	for {
		place, err := d.world.bank.ReplayPlace(ctx)
		if err != nil {
			return fmt.Errorf("what Bank has sent: %w", err)
		}
		if place.FirstUnsentEventID != nil && *place.FirstUnsentEventID == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("Bank has not sent all its events within %s: %w", d.cfg.Look, context.Cause(ctx))
		case <-time.After(lookPause):
		}
	}
}

// gone makes sure that nobody listens at a URL any more.
func gone(ctx context.Context, at string) error {
	u, err := url.Parse(at)
	if err != nil {
		return fmt.Errorf("Bank's URL: %w", err)
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", u.Host)
	if err == nil {
		return errors.Join(errors.New("Bank was switched off, and answers"), conn.Close())
	}
	return nil
}

// lifeAfter goes on without Bank, and proves the books.
func (d *demo) lifeAfter(ctx context.Context) (string, error) {
	if err := d.tradeAndRoll(ctx); err != nil {
		return "", err
	}
	accounts, wrong, err := d.clients.audit(ctx)
	if err != nil {
		return "", fmt.Errorf("all accounts' totals: %w", err)
	}
	d.counted(accounts, wrong)
	instruments, wrong, err := d.world.trialBalance(ctx)
	if err != nil {
		return "", err
	}
	d.counted(instruments, wrong)
	checks, wrong, err := d.world.verify(ctx)
	if err != nil {
		return "", err
	}
	d.counted(checks, wrong)
	return fmt.Sprintf("%d accounts are right, %d instruments come to zero, %d checks hold", accounts, instruments, checks), nil
}

// trade lets the clients go on for a while.
func (d *demo) trade(ctx context.Context) error {
	return d.clients.await(ctx, d.cfg.Requests, d.cfg.Longest)
}

// tradeAndRoll rolls the business date in the middle of that.
func (d *demo) tradeAndRoll(ctx context.Context) error {
	if err := d.clients.await(ctx, d.cfg.Requests/2, d.cfg.Longest/2); err != nil {
		return err
	}
	if err := d.clients.roll(ctx, d.roller, nextBusinessDay(bank.Date(d.today.Load()))); err != nil {
		return err
	}
	return d.clients.await(ctx, d.cfg.Requests/2, d.cfg.Longest/2)
}

// nextBusinessDay leaves weekends out.
func nextBusinessDay(d bank.Date) bank.Date {
	day := time.Date(int(d)/10000, time.Month(int(d)/100%100), int(d)%100+1, 0, 0, 0, 0, time.UTC)
	for day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
		day = day.AddDate(0, 0, 1)
	}
	return bank.Date(day.Year()*10000 + int(day.Month())*100 + day.Day())
}

// change makes a step of the façade's.
func (d *demo) change(ctx context.Context, to mode.Mode, why string) error {
	d.figures.switching(to)
	held, err := d.admin.change(ctx, to, why)
	d.figures.switched(to, err == nil, held)
	return err
}

// compare compares both systems and counts what differs.
func (d *demo) compare(ctx context.Context, file string, withBooks, last bool) (string, error) {
	c, err := d.compareAll(ctx, filepath.Join(d.cfg.Dir, file), withBooks, last)
	if err != nil {
		return "", err
	}
	d.figures.compared(c.pairs, c.differ)
	d.reports = append(d.reports, file)
	note := fmt.Sprintf("%s pairs, %s differ", grouped(c.pairs), grouped(c.differ))
	if withBooks {
		note = "events and books: " + note
	} else {
		note = "all that Bank ever told: " + note
	}
	if c.alone > 0 && !last {
		note += fmt.Sprintf(" (%s on their way)", grouped(c.alone))
	}
	return note, nil
}

// counted counts what was checked, and what is wrong.
func (d *demo) counted(n int64, wrong []string) {
	d.figures.compared(n, int64(len(wrong)))
	d.wrong = append(d.wrong, wrong...)
}
