package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// engine is a journal that leads, with accounts and instruments defined and warmed up.
type engine struct {
	*journal.Journal
	before int // entries that are there
	stop   context.CancelFunc
	end    chan error
}

const leadTimeout = time.Minute

func startEngine(ctx context.Context, cfg journal.Config, w workload) (*engine, error) {
	j, err := journal.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	e := &engine{Journal: j, stop: stop, end: make(chan error, 1)}
	go func() { e.end <- j.Run(running) }()
	if err := e.lead(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	steps := slices.Collect(slices.Chunk(w.definitions(), ledger.MaxBatch))
	for _, commands := range append(steps, w.warmUp()) {
		if err := failure(j.Book(ctx, commands, journal.BookOptions{Wait: true})); err != nil {
			return nil, errors.Join(fmt.Errorf("set up the books: %w", err), e.close())
		}
	}
	e.before = int(j.Head().Seq)
	return e, nil
}

// lead waits until the engine leads.
func (e *engine) lead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leadTimeout)
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !e.Leading() {
		select {
		case <-ticker.C:
		case err := <-e.end:
			e.end <- err
			return fmt.Errorf("the engine ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("the engine does not lead: %w", ctx.Err())
		}
	}
	return nil
}

func (e *engine) close() error {
	e.stop()
	err := <-e.end
	e.Close()
	return err
}

// failure gives the first error of outcomes, or that one is a repeat: nothing that was not booked may count.
func failure(outcomes []journal.Outcome) error {
	for i := range outcomes {
		if outcomes[i].Err != nil {
			return outcomes[i].Err
		}
		if outcomes[i].Receipt.Repeat {
			return fmt.Errorf("entry %d was there before", outcomes[i].Receipt.Entry.ID)
		}
	}
	return nil
}

// engine books n trades in groups of size, callers of them at a time, each waiting for its outcome.
func (b *bench) engine(cfg journal.Config, w workload, n, size, callers int) func(context.Context, string) (tally, error) {
	return func(ctx context.Context, dsn string) (t tally, err error) {
		cfg := cfg
		cfg.DSN = dsn
		e, err := startEngine(ctx, cfg, w)
		if err != nil {
			return tally{}, err
		}
		defer func() { err = errors.Join(err, e.close()) }()
		groups := w.groups(n, size)
		calls := make([]call, len(groups))
		clock := b.startClock(0)
		err = closedLoop(callers, len(groups), func(_, i int) error {
			began := time.Now()
			err := failure(e.Book(ctx, groups[i], journal.BookOptions{Wait: true}))
			calls[i] = call{time.Since(began), len(groups[i])}
			return err
		})
		return clock.stop(e.before, calls), err
	}
}
