package bench

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/bkledger/bk/api"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/projections"
)

// serverJob is the API on loopback with an engine behind it, in a child process.
type serverJob struct {
	DSN string
	// Followed: the projections run, as in bk serve. Otherwise only what an append needs, as in the engine in process.
	Followed bool
}

// serverAnswer says that it serves.
type serverAnswer struct {
	URL    string
	Before int // entries that are in the journal
}

func (s *serverJob) run(ctx context.Context, answer func(any) error) (err error) {
	cfg := journal.Config{DSN: s.DSN, PoolConnections: 24}
	runners := make(chan *projections.Runner, 1)
	if s.Followed {
		cfg.Term = func(ctx context.Context, _ *journal.Journal) {
			select {
			case runner := <-runners:
				_ = runner.Run(ctx) // what it can't do, its lag would show; the figure is of the appends
			case <-ctx.Done():
			}
		}
	}
	e, err := startEngine(ctx, cfg, workload{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	runner, err := projections.New(projections.Config{
		Pool: e.Pool(), Source: e.Journal, Projections: api.Projections(e.Journal.Directory()),
	})
	if err != nil {
		return err
	}
	handler, err := api.New(api.Config{Journal: e.Journal, Runner: runner})
	if err != nil {
		return err
	}
	runners <- runner
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	server := api.NewHTTPServer(handler, api.Limits{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if err := answer(serverAnswer{URL: "http://" + listener.Addr().String(), Before: e.before}); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case <-ctx.Done():
		handler.Drain()
		return server.Close()
	case err := <-served:
		return fmt.Errorf("serve the API: %w", err)
	}
}
