package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/bkledger/bk/api"
	"github.com/bkledger/bk/ledger/dayroll"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/ledger/publisher"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/trades"
)

const (
	leadPoll      = 10 * time.Millisecond // until the node leads, at the start
	headerTimeout = 10 * time.Second      // of the metrics listener
)

// Addresses are where a node listens, as host:port with the real ports.
type Addresses struct{ API, Metrics string }

// node is one run of a process.
type node struct {
	halts
	cfg      Config
	secured  secured
	log      *slog.Logger
	registry *prometheus.Registry
	phase    atomic.Pointer[phase]
	migrated bool

	journal     *journal.Journal
	runner      *projections.Runner
	roller      *dayroll.Roller
	publisher   *publisher.Publisher // nil without Kafka
	republished int                  // how often; the term's alone
	api         *api.Server
}

// Run serves until ctx ends, then stops in order and returns nil. ready, if not nil, is called once, when the node serves. An error is a
// bad configuration, a port that is taken, a broken journal, or an end that was not clean.
func Run(ctx context.Context, cfg Config, ready func(Addresses)) error {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	secured, wrong := cfg.secure()
	if len(wrong) > 0 { // what was right a moment ago
		return fmt.Errorf("configuration: %w", errors.Join(wrong...))
	}
	n := &node{cfg: cfg, secured: secured, log: cfg.Log, registry: prometheus.NewRegistry()}
	n.haltedGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bk_publisher_halted", Help: "1 once the publisher has stopped for good: a person must look. The log has the cause.",
	})
	n.registry.MustRegister(n.haltedGauge, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.starting("starting")

	// Listening comes first: a taken port is the most likely mistake, and who asks for health meanwhile gets an answer.
	apiListener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	defer apiListener.Close()
	metricsListener, err := net.Listen("tcp", cfg.MetricsListen)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	defer metricsListener.Close()
	at := Addresses{API: apiListener.Addr().String(), Metrics: metricsListener.Addr().String()}

	gate := &gate{why: n.reason}
	servers := &servers{
		api:     api.NewHTTPServer(gate, cfg.Limits),
		metrics: &http.Server{Handler: n.operations(), ReadHeaderTimeout: headerTimeout},
		failed:  make(chan error, 2),
	}
	servers.api.ErrorLog = slog.NewLogLogger(n.log.Handler(), slog.LevelWarn) // connections that fail before a call, TLS handshakes mostly
	if n.secured.api != nil {
		api.UseTLS(servers.api, n.secured.api)
	}
	go servers.serve(servers.metrics, metricsListener, "metrics")
	go servers.serve(servers.api, apiListener, "API")
	defer servers.metrics.Close()
	defer servers.api.Close()
	n.log.Info("listening", "api", at.API, "tls", n.secured.api != nil, "metrics", at.Metrics)

	if err := n.assemble(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			n.log.Info("stopped before the start was complete", "was", n.reason())
			return nil
		}
		return err
	}
	defer n.journal.Close()
	gate.open(n.api)
	return n.serve(ctx, servers, func() {
		if ready != nil {
			ready(at)
		}
	})
}

// assemble connects to Postgres and makes all parts; nothing runs yet.
func (n *node) assemble(ctx context.Context) (err error) {
	cfg := n.cfg.journal()
	cfg.Term = func(ctx context.Context, _ *journal.Journal) { n.lead(ctx) }
	if n.journal, err = n.openJournal(ctx, cfg); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			n.journal.Close()
		}
	}()
	all := api.Projections(n.journal.Directory())
	n.runner, err = projections.New(projections.Config{
		Pool: n.journal.Pool(), Source: n.journal, Shard: uint16(n.cfg.Shard), Projections: all, Log: n.log, Metrics: n.registry,
	})
	if err != nil {
		return err
	}
	n.roller = dayroll.New(dayroll.Config{
		Journal: n.journal, Due: trades.NewReader(n.runner, n.journal, n.journal.Directory()), Cuts: daily.NewReader(n.runner, n.journal), Log: n.log, Metrics: n.registry,
	})
	serves := api.Config{
		Journal: n.journal, Runner: n.runner, Verify: n.verifier(all), Roll: n.roller.Roll, Version: n.cfg.Version, Limits: n.cfg.Limits,
		Log: n.log, Metrics: n.registry,
	}
	if len(n.cfg.Brokers) == 0 {
		n.log.Warn("no Kafka brokers are given: nothing is published")
	} else {
		if n.secured.kafka.Mechanism == publisher.Plain && n.secured.kafka.TLS == nil {
			n.log.Warn("the password goes to Kafka in plain text: plain without TLS")
		}
		publishes := n.cfg.publisher()
		publishes.Access = n.secured.kafka
		publishes.Journal, publishes.Directory, publishes.Encode, publishes.Metrics = n.journal, n.journal.Directory(), encodeEvent, n.registry
		if n.publisher, err = publisher.New(publishes); err != nil {
			return err
		}
		serves.Published = func() uint64 { return n.publisher.Status().Published.Seq }
	}
	n.api, err = api.New(serves)
	return err
}

// serve runs the journal until ctx ends or something fails, and then ends everything in order.
func (n *node) serve(ctx context.Context, servers *servers, ready func()) error {
	// The journal's own context: it must outlive ctx until the open calls are answered.
	running, stopJournal := context.WithCancel(context.WithoutCancel(ctx))
	defer stopJournal()
	journalDone := make(chan error, 1)
	go func() { journalDone <- n.journal.Run(running) }()

	starting, stopStart := context.WithCancel(ctx)
	defer stopStart()
	started := make(chan struct{})
	go func() {
		defer close(started)
		if n.awaitRole(starting) {
			n.phase.Store(&phase{serving: true})
			n.log.Info("ready", "leading", n.journal.Leading(), "head", n.journal.Head().String())
			ready()
		}
	}()

	var failure error
	ended := false
	select {
	case <-ctx.Done():
		n.log.Info("stopping: no new calls", "grace", n.cfg.Grace)
	case failure = <-servers.failed:
		n.log.Error("stopping", "error", failure)
	case failure = <-journalDone:
		ended = true
		n.log.Error("stopping: the journal can't be used", "error", failure)
	}
	stopStart() // a node that fails before it is ready is never called ready
	<-started
	n.starting("stopping")
	if err := n.finishCalls(servers.api); err != nil {
		failure = errors.Join(failure, err)
	}
	if !ended {
		n.log.Info("stopping: draining the journal")
		stopJournal()
		failure = errors.Join(failure, <-journalDone)
	}
	n.log.Info("stopped", "head", n.journal.Head().String())
	return failure
}

// awaitRole waits until the node leads, or can be said to stand by. It gives false if ctx ends before.
func (n *node) awaitRole(ctx context.Context) bool {
	n.starting("waiting to lead")
	standby := time.After(n.cfg.StandbyAfter)
	for !n.journal.Leading() {
		select {
		case <-ctx.Done():
			return false
		case <-standby:
			return true
		case <-time.After(leadPoll):
		}
	}
	return ctx.Err() == nil
}

// finishCalls closes the API's listener and waits for open calls, for the grace; what is left then is cut.
func (n *node) finishCalls(server *http.Server) error {
	n.api.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.Grace)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		n.log.Warn("calls were still open after the grace, they are cut", "grace", n.cfg.Grace)
		err = server.Close()
	}
	if err != nil {
		return fmt.Errorf("close the API: %w", err)
	}
	n.log.Info("stopping: all calls are answered")
	return nil
}

// servers are the two HTTP servers of a node.
type servers struct {
	api, metrics *http.Server
	failed       chan error
}

func (s *servers) serve(server *http.Server, listener net.Listener, name string) {
	serve := server.Serve
	if server.TLSConfig != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
		s.failed <- fmt.Errorf("serve the %s on %s: %w", name, listener.Addr(), err)
	}
}
