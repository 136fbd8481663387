package legacy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bkledger/bk/compat/bank/front"
)

// Addresses are where a running Bank listens: host and port.
type Addresses struct{ API, Operations string }

// readyTimeout bounds the question whether the database answers.
const readyTimeout = 2 * time.Second

// Run serves Bank until ctx ends: it brings the schema up to date, finishes a roll that was interrupted, then runs both listeners, the relay and the worker of uploads.
// ready is called once it serves. Calls that are open at the end get cfg.Grace; nil is returned after an end in order.
func Run(ctx context.Context, cfg Config, ready func(Addresses)) (err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("bank: configuration: %w", err)
	}
	defer func() {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // told to end before the start was complete
		}
	}()
	if err := Migrate(ctx, cfg.DSN, cfg.Log); err != nil {
		return err
	}
	b, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer b.Close()

	background, stop := context.WithCancel(context.WithoutCancel(ctx)) // ends after the open calls
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	uploads, err := b.uploads(background, &work)
	if err != nil {
		return err
	}
	if len(cfg.Brokers) > 0 {
		r := &relay{dsn: cfg.DSN, brokers: cfg.Brokers, partitions: int32(cfg.Partitions), log: cfg.Log, wake: b.wake, metrics: b.metrics}
		work.Go(func() { r.run(background) })
	}

	handler, err := front.New(front.Config{Ledger: b, Uploads: uploads, Relay: b, Keys: cfg.Keys, Log: cfg.Log})
	if err != nil {
		return fmt.Errorf("bank: configuration: %w", err)
	}
	api, err := listen(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	operations, err := listen(ctx, cfg.OperationsListen)
	if err != nil {
		api.Close()
		return err
	}
	s := &servers{grace: cfg.Grace, failed: make(chan error, 2)}
	s.serve(api, handler.API())
	s.serve(operations, b.operations(handler.Operations()))
	cfg.Log.Info("Bank serves", "api", api.Addr().String(), "operations", operations.Addr().String())
	ready(Addresses{API: api.Addr().String(), Operations: operations.Addr().String()})
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	}
	return errors.Join(err, s.stop(ctx))
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("bank: listen on %s: %w", address, err)
	}
	return l, nil
}

// operations adds health and metrics to the handler of operations.
func (b *Bank) operations(rest http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := b.pool.Ping(ctx); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.metrics.registry, promhttp.HandlerOpts{}))
	mux.Handle("/", rest)
	return mux
}

// servers are the running listeners.
type servers struct {
	grace  time.Duration
	all    []*http.Server
	failed chan error
}

func (s *servers) serve(l net.Listener, handler http.Handler) {
	server := front.Server(handler)
	s.all = append(s.all, server)
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("bank: serve on %s: %w", l.Addr(), err)
		}
	}()
}

// stop lets open calls finish, within the grace; what is open then is cut off.
func (s *servers) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(s.all))
	for i, server := range s.all {
		wg.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				errs[i] = errors.Join(fmt.Errorf("bank: calls were still open at the end: %w", err), server.Close())
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
