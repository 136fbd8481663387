package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap"
	"github.com/bkledger/bk/compat/demo/page"
)

const (
	bringPatience = 3 * time.Minute
	nearRows      = 100 // of Bank's work that may be missing still: the step waits for the rest
)

// bring brings BK up by the bootstrapper: a snapshot of Bank's database, loaded in bulk, and what Bank did since by its stream; so near that the step to shadow mode can be made, while
// clients write.
func (d *demo) bring(ctx context.Context) (note string, err error) {
	w := d.world
	b, err := bootstrap.Open(ctx, bootstrap.Config{
		Work: filepath.Join(w.dir, "bootstrap"), BankDB: w.bankPostgres.DSN(), BKDB: w.bkPostgres.DSN(), FacadeDB: w.facadeDSN(), Bank: w.bankAPI, Operations: w.bankOps,
		Mode: d.cfg.Mode, StartBK: d.startBK, Kafka: w.brokers(), CaughtUp: nearRows, CatchUpFor: bringPatience, Who: who, Progress: d.showBootstrap, Log: w.log.With("system", "bootstrap"),
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	r, err := b.Run(ctx)
	if err != nil {
		return "", err
	}
	if d.cfg.Mode == bootstrap.Opening {
		w.after = bank.ID(r.Place.EventID)
	}
	var held int64
	for _, n := range r.Quarantine {
		held += n
	}
	took := time.Duration(r.LoadSeconds * float64(time.Second))
	return fmt.Sprintf("%s entries loaded in %s, %s rows in quarantine, totals equal; caught up", grouped(r.JournalRows), shortDuration(took), grouped(held)), nil
}

// showBootstrap has the page tell what the bootstrapper does.
func (d *demo) showBootstrap(p bootstrap.Progress) {
	text := p.Phase
	if p.Total > 0 {
		text = fmt.Sprintf("%s: %s of %s", p.Phase, grouped(p.Done), grouped(p.Total))
	}
	d.figures.set(func(s *page.State) {
		for i := range s.Stages {
			if s.Stages[i].State == page.Running {
				s.Stages[i].Note = text
			}
		}
	})
}

// startBK starts BK on what was loaded, and the façade that follows Bank from there; the clients move to it. Both stay when the bootstrapper ends.
func (d *demo) startBK(ctx context.Context) (url string, stop func() error, err error) {
	w := d.world
	if err := w.startBK(ctx); err != nil {
		return "", nil, err
	}
	d.figures.set(func(s *page.State) { s.BK = page.Up })
	if err := w.startFacade(ctx); err != nil {
		return "", nil, err
	}
	if err := w.startStream(ctx); err != nil {
		return "", nil, err
	}
	to, err := d.connect()
	if err != nil {
		return "", nil, err
	}
	if err := d.clients.move(ctx, to); err != nil {
		return "", nil, err
	}
	d.watch(ctx)
	return w.bkURL, func() error { return nil }, w.frontPart.stop()
}
