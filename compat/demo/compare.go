package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/books"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/parity/landing"
	"github.com/bkledger/bk/compat/parity/report"
)

const (
	landLinger = 100 * time.Millisecond
	lookPause  = 250 * time.Millisecond
	// An event that only one side has is waited for: longer than all of it takes.
	inTime = time.Hour
	// A landing notes how far it is a little before it ends: what is judged is what had landed so long after the first look, or earlier.
	slack = 2 * time.Second
	// The façade counts what waits once a second: the figures are not older than this.
	stale = 2 * time.Second
	// How often it is looked at least, however long a look takes.
	leastLooks = 3
	// More than the accounts that are written to can differ in.
	keptFindings = 1_000_000
)

// compared is what a comparison found.
type compared struct {
	pairs, differ int64
	alone         int64 // events that one side has alone, and may
}

// compareAll lands both event streams and compares them, and with books the books too, while clients go on. It writes parity's report to a file.
func (d *demo) compareAll(ctx context.Context, file string, withBooks, last bool) (c compared, err error) {
	w := d.world
	if w.store == nil {
		if w.store, err = duck.OpenStore(ctx, filepath.Join(w.dir, "warehouse.duckdb")); err != nil {
			return c, fmt.Errorf("the warehouse: %w", err)
		}
	}
	cfg := parity.Config{DB: w.store.DB(), Dialect: dialect.DuckDB(), Lag: inTime, Opening: w.after > 0, Log: w.log}
	r, err := w.events(ctx, cfg, d.cfg.Look, last)
	if err != nil {
		return c, fmt.Errorf("compare the streams: %w", err)
	}
	if withBooks {
		if cfg.Findings, cfg.Compared, err = d.books(ctx); err != nil {
			return c, err
		}
		cfg.Lag = inTime
		if r, err = parity.Run(ctx, cfg); err != nil { // both in one report
			return c, fmt.Errorf("compare the streams: %w", err)
		}
	}
	var text bytes.Buffer
	if err := report.HTML(&text, &r); err != nil {
		return c, err
	}
	if err := replace(file, text.Bytes()); err != nil {
		return c, err
	}
	return compared{r.Compared, r.Unexplained, r.Pending}, nil
}

// books compares Bank's tables with BK's. What is written to without a pause can't be compared, so it is done in two halves: all clients leave one half of the accounts alone and go on
// with the other. What differs in the half that rests is looked at again.
func (d *demo) books(ctx context.Context) (found []causes.Finding, pairs int64, err error) {
	for half := range 2 {
		some, n, err := d.half(ctx, half)
		if err != nil {
			return nil, 0, fmt.Errorf("compare the books: %w", err)
		}
		found, pairs = append(found, some...), max(pairs, n)
	}
	if err := d.clients.rest(ctx, neither); err != nil {
		return nil, 0, fmt.Errorf("compare the books: %w", err)
	}
	return found, pairs, nil
}

func (d *demo) half(ctx context.Context, half int) (found []causes.Finding, pairs int64, err error) {
	if err := d.clients.rest(ctx, half); err != nil {
		return nil, 0, err
	}
	if err := d.level(ctx); err != nil {
		return nil, 0, err
	}
	w, until := d.world, time.Now().Add(d.cfg.Look)
	for looks := 1; ; looks++ {
		r, err := books.Compare(ctx, books.Config{
			Warehouse: w.store.DB(), Dialect: dialect.DuckDB(), Append: duck.Append, Bank: w.bankPostgres.DSN(), BK: w.bk, Names: w.names, Keep: keptFindings, Log: w.log,
		})
		if err != nil {
			return nil, 0, err
		}
		all, err := r.ForParity()
		if err != nil {
			return nil, 0, err
		}
		found = slices.DeleteFunc(slices.Clone(all), func(f causes.Finding) bool { return f.Account >= firstAccount && halfOf(bank.ID(f.Account)) != half })
		w.log.Info("compared the books", "half", half, "took", r.Took, "unexplained", len(found), "left out", len(all)-len(found))
		if len(found) == 0 || looks >= leastLooks && time.Now().After(until) {
			return found, r.Pairs(), nil
		}
		select {
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		case <-time.After(lookPause):
		}
	}
}

// level waits until the secondary has all that was written before.
func (d *demo) level(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Look)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the secondary is not level: %w", context.Cause(ctx))
		case <-time.After(watchEvery):
		}
		since := time.Since(began) - stale
		if now := d.figures.now(); since > 0 && (now.Lag == 0 || now.LagSeconds < since.Seconds()) {
			return nil
		}
	}
}

// events lands and compares until all that had landed at the first look is decided: an event that had no counterpart then has got one, or it lacks one. What comes
// later is on its way, and the next comparison's. The last one is of a Bank that stands still and has all that it will get: every event of Bank's has its counterpart
// then, and BK has newer ones.
func (w *world) events(ctx context.Context, cfg parity.Config, look time.Duration, last bool) (r parity.Report, err error) {
	if err := w.land(ctx); err != nil {
		return r, err
	}
	landed := time.Now()
	for looks := 1; ; looks++ {
		if cfg.Lag = max(time.Since(landed)-slack, time.Millisecond); last {
			cfg.Lag = inTime
		}
		if r, err = parity.Run(ctx, cfg); err != nil {
			return r, err
		}
		alone := bankAlone(r)
		w.log.Info("compared the streams", "after", time.Since(landed), "unexplained", r.Unexplained, "pending", r.Pending, "seconds", r.Seconds.Total)
		if r.Unexplained == 0 && (!last || alone == 0) {
			return r, nil
		}
		if looks >= leastLooks && time.Since(landed) > look {
			if r.Unexplained == 0 {
				return r, fmt.Errorf("%d of Bank's events have no counterpart after %s", alone, look)
			}
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, context.Cause(ctx)
		case <-time.After(lookPause):
		}
		if err := w.land(ctx); err != nil {
			return r, err
		}
	}
}

// bankAlone gives how many of Bank's events have no counterpart, of a Bank that stands still: were there none, what is pending would be BK's newer events, and each adds two.
func bankAlone(r parity.Report) int64 {
	if len(r.Sides) != 2 {
		return 0
	}
	return (r.Pending - (r.Sides[1].Events() - r.Sides[0].Events())) / 2
}

// errRejects says that something is on the topics that is no event.
var errRejects = errors.New("records that are no events of Bank's")

// land lands both streams, as far as they have come.
func (w *world) land(ctx context.Context) error {
	loader, err := landing.New(landing.Config{Store: w.store, Brokers: w.brokers(), Linger: landLinger, After: w.after, Log: w.log})
	if err != nil {
		return fmt.Errorf("land the streams: %w", err)
	}
	p, err := loader.Run(ctx)
	if err != nil {
		return fmt.Errorf("land the streams: %w", err)
	}
	if p.Rejects > 0 {
		return fmt.Errorf("land the streams: %w: %d", errRejects, p.Rejects)
	}
	return nil
}
