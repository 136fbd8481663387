package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations"
)

// The pauses between attempts at the start, and what one attempt may take. A migration takes what it takes.
const (
	firstPause     = 100 * time.Millisecond
	longestPause   = 5 * time.Second
	connectTimeout = 10 * time.Second
	openTimeout    = 10 * time.Minute // reading the directory of a large ledger
)

// openJournal waits until Postgres is there and has the schema, and opens the journal. It tries until ctx ends; only a broken journal
// is an error at once.
func (n *node) openJournal(ctx context.Context, cfg journal.Config) (*journal.Journal, error) {
	said, pause := "", firstPause
	for {
		j, err := n.tryOpen(ctx, cfg)
		if err == nil {
			if said != "" {
				n.log.Info("postgres is there")
			}
			return j, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, journal.ErrGap) || errors.Is(err, journal.ErrTailCut) {
			return nil, err
		}
		n.starting("waiting for postgres: " + err.Error())
		if err.Error() != said {
			n.log.Warn("can't use postgres yet, trying again", "error", err)
			said = err.Error()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

func (n *node) tryOpen(ctx context.Context, cfg journal.Config) (*journal.Journal, error) {
	if err := ping(ctx, n.cfg.Postgres); err != nil {
		return nil, err
	}
	if n.cfg.Migrate && !n.migrated {
		n.starting("migrating")
		if err := migrations.Up(ctx, n.cfg.Postgres, n.log); err != nil {
			return nil, err
		}
		n.migrated = true
	}
	n.starting("opening the journal")
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	// Each attempt has a registry of its own, since nobody takes metrics of a failed one back.
	registry := prometheus.NewRegistry()
	cfg.Metrics = registry
	j, err := journal.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return j, n.registry.Register(registry)
}

// ping answers quickly whether it makes sense to go on.
func ping(ctx context.Context, dsn string) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return conn.Close(ctx)
}
