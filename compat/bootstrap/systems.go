package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

// systems are what runs on what was loaded.
type systems struct {
	bk     *client.Client // nil: BK is not there
	bkURL  string
	facade *pgxpool.Pool // its database
	ends   []func() error
}

func (s *systems) stop() (err error) {
	for i := len(s.ends) - 1; i >= 0; i-- {
		err = errors.Join(err, s.ends[i]())
	}
	s.ends = nil
	return err
}

// start finds BK, or runs one.
func (b *Bootstrap) start(ctx context.Context) (s *systems, err error) {
	s = &systems{bkURL: b.cfg.BK}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.facade, err = b.connectFacade(ctx); err != nil {
		return s, err
	}
	s.ends = append(s.ends, func() error { s.facade.Close(); return nil })
	if s.bkURL == "" && b.cfg.StartBK != nil {
		url, stop, err := b.cfg.StartBK(ctx)
		if err != nil {
			return s, fmt.Errorf("run BK: %w", err)
		}
		s.bkURL, s.ends = url, append(s.ends, stop)
	}
	if s.bkURL == "" {
		return s, errors.New("BK: needed for catch-up and verify: the URL of a BK that runs on what was loaded")
	}
	if s.bk, err = client.New(s.bkURL); err != nil {
		return s, fmt.Errorf("BK: %w", err)
	}
	s.ends = append(s.ends, func() error { s.bk.Close(); return nil })
	return s, nil
}

// modeNow gives the mode that the façade's database is in; "" before the first start, and whether a replica runs.
func modeNow(ctx context.Context, pool *pgxpool.Pool) (in mode.Mode, running bool, err error) {
	err = pool.QueryRow(ctx, `SELECT coalesce((SELECT mode FROM facade.mode ORDER BY epoch DESC LIMIT 1), ''), EXISTS (SELECT FROM facade.replica WHERE lease_until > clock_timestamp())`).Scan(&in, &running)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", false, fmt.Errorf("the façade's mode: %w", err)
	}
	return in, running, nil
}

// runFacade runs a façade in this process, for nobody's calls: what it follows in bank-only is what is wanted of it.
func (b *Bootstrap) runFacade(ctx context.Context, s *systems) error {
	const anyPort, patience = "127.0.0.1:0", time.Minute
	cfg := facade.Config{
		Bank: b.cfg.Bank, BankOperations: b.cfg.Operations, BK: s.bkURL, Brokers: b.cfg.Kafka, Postgres: b.cfg.FacadeDB, Mode: mode.BankOnly,
		Listen: anyPort, OperationsListen: anyPort, AdminListen: anyPort, Replica: "bootstrap " + b.cfg.Who, Connections: 4, Log: b.log,
	}
	if b.cfg.Key != "" {
		cfg.Keys = []string{b.cfg.Key}
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- facade.Run(running, cfg, func(facade.Addresses) { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		end()
		return fmt.Errorf("run a façade: it ended: %w", err)
	case <-ctx.Done():
		end()
		<-ended
		return context.Cause(ctx)
	case <-time.After(patience):
		end()
		return fmt.Errorf("run a façade: it is not ready after %s: %w", patience, <-ended)
	}
	s.ends = append(s.ends, func() error {
		end()
		return <-ended
	})
	return nil
}
