package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/cmd/readyfile"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/bankstream/owner"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/facade/books"
)

// streamServer is what `hotswap stream` is told.
type streamServer struct {
	cfg            bankstream.Config
	bk             string
	db             string
	bankOperations string
	owns           bool
	adminListen    string
	readyFile      string
	log            logFlags
}

// streamEndpoints are how a running stream is reached: the content of its ready file.
type streamEndpoints struct {
	Admin string `json:"admin"` // URL of status, metrics and health
}

const (
	streamConnections = 8 // to the façade's database
	streamHeader      = 10 * time.Second
	streamShutdown    = 2 * time.Second
)

func newStreamCommand(a *app) *cobra.Command {
	s := &streamServer{}
	cmd := &cobra.Command{
		Use:   "stream",
		Short: "Publish BK's events as Bank's, with running positions and balances, each once",
		Long: `Publish BK's events (bk.events.v1) as Bank's, on shadow topics (facade.bank.trades, facade.bank.cash, facade.bank.business-date): the events that Bank publishes, with the account's
running positions and balances, in each account's order, each once for a read-committed consumer. A replay from the beginning gives the same bytes.

With --own, what was booked while BK was the primary is published on Bank's own topics as well, once Bank has sent all that was before. The façade must have been told so too (hotswap facade
--stream).

Several instances share the work by partitions; each needs a name of its own (--instance). What an instance has to remember is in Kafka (facade.bank.state). An event that
can't be told stops its partition, and no other, until hotswap stream skip leaves it out.`,
		Example: `  hotswap stream --kafka 127.0.0.1:9092 --bk http://127.0.0.1:7070 --db postgres://facade@db/facade
  hotswap stream --kafka k1:9092,k2:9092 --bk http://bk:7070 --db postgres://facade@db/facade --own --bank-operations http://legacy-bank:8081 --instance stream-1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), a) },
	}
	host, err := os.Hostname()
	if err != nil {
		host = "stream"
	}
	f := cmd.Flags()
	f.StringSliceVar(&s.cfg.Brokers, "kafka", nil, "Kafka's bootstrap addresses; needed")
	f.StringVar(&s.bk, "bk", "", "URL of BK; needed")
	f.StringVar(&s.db, "db", "", "DSN of the façade's database; needed, and only read without --own")
	f.BoolVar(&s.owns, "own", false, "publish on Bank's topics what is BK's by the façade's mode, and look after Bank's relay")
	f.StringVar(&s.bankOperations, "bank-operations", "", "URL of Bank's operations; needed with --own")
	f.StringVar(&s.cfg.Instance, "instance", host, "name of this instance among those of the group")
	f.StringVar(&s.cfg.Group, "group", bankstream.DefaultGroup, "Kafka's consumer group")
	f.StringVar(&s.cfg.Events, "events", "", "BK's topic (bk.events.v1)")
	f.StringVar(&s.cfg.Shadow, "shadow-prefix", bankstream.DefaultShadow, "what the shadow topics' names have before Bank's")
	f.StringVar(&s.cfg.State, "state", bankstream.DefaultState, "compacted topic of what instances have to remember")
	f.Int32Var(&s.cfg.Partitions, "partitions", 0, "partitions of topics that are made for trades and cash (0: as many as Bank's, or else BK's)")
	f.Int16Var(&s.cfg.ReplicationFactor, "kafka-replication-factor", -1, "of topics that are made (-1: the broker's own)")
	f.IntVar(&s.cfg.MinInsync, "kafka-min-insync", 0, "min.insync.replicas of topics that are made (0: the broker's own)")
	f.DurationVar(&s.cfg.SessionTimeout, "session-timeout", 10*time.Second, "how long an instance that is not heard of keeps its partitions, from 1s to 30m")
	f.DurationVar(&s.cfg.TransactionTimeout, "transaction-timeout", 30*time.Second, "how long a transaction may stay open, from 1s to 15m")
	f.IntVar(&s.cfg.MaxRecords, "batch", 8192, "events of BK's in a transaction, at most")
	f.StringVar(&s.adminListen, "admin-listen", "127.0.0.1:8094", "address of status, metrics, health and skips; port 0 takes a free one")
	f.StringVar(&s.readyFile, "ready-file", "", "JSON file with the admin's address, there while the stream runs")
	s.log.bind(cmd)
	cmd.AddCommand(newStreamStatusCommand(a), newStreamSkipCommand(a))
	return cmd
}

// streamFlags are the flags that set the fields of the configuration.
var streamFlags = map[string]string{
	"Brokers": "--kafka", "Instance": "--instance", "State": "--state", "Partitions": "--partitions", "ReplicationFactor": "--kafka-replication-factor",
	"MinInsync": "--kafka-min-insync", "SessionTimeout": "--session-timeout", "TransactionTimeout": "--transaction-timeout", "MaxRecords": "--batch", "RetryFor": "--transaction-timeout",
}

// check says everything that is wrong with the configuration.
func (s *streamServer) check() error {
	var errs []error
	need := func(flag, value string) {
		if value == "" {
			errs = append(errs, errors.New(flag+": needed"))
		}
	}
	need("--bk", s.bk)
	need("--db", s.db)
	if s.owns {
		need("--bank-operations", s.bankOperations)
	}
	if s.bk != "" {
		if _, err := client.New(s.bk); err != nil {
			errs = append(errs, fmt.Errorf("--bk: %w", err))
		}
	}
	if s.db != "" {
		if _, err := pgxpool.ParseConfig(s.db); err != nil {
			errs = append(errs, fmt.Errorf("--db: %w", err))
		}
	}
	if _, _, err := net.SplitHostPort(s.adminListen); err != nil {
		errs = append(errs, fmt.Errorf("--admin-listen: %w", err))
	}
	cfg := s.cfg.WithDefaults()
	cfg.Translator = &rehydrate.Translator{}
	if s.cfg.MaxRecords == 0 { // no default where it was told
		errs = append(errs, errors.New("--batch: 0 is below 1"))
	}
	if err := errors.Join(append(errs, flagged(cfg.Validate(), streamFlags))...); err != nil {
		return &usageError{err}
	}
	return nil
}

func (s *streamServer) run(ctx context.Context, a *app) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	log, err := s.log.logger(a.err)
	if err != nil {
		return err
	}
	s.cfg.Log = log
	secondSignalKills(ctx)
	if s.readyFile != "" { // one that a killed server left would be taken for ours
		if err := readyfile.Remove(s.readyFile); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, readyfile.Remove(s.readyFile)) }()
	}
	bk, err := client.New(s.bk)
	if err != nil {
		return err
	}
	defer bk.Close()
	pool, err := s.pool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	looking, err := books.NewStream(books.StreamConfig{Client: bk, Pool: pool, Log: log})
	if err != nil {
		return err
	}
	defer looking.Close()
	s.cfg.Translator = rehydrate.New(looking)
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.cfg.Metrics = metrics
	var own *owner.Owner
	if s.owns {
		operations := strings.TrimSuffix(s.bankOperations, "/")
		relay, err := bank.NewClient(bank.ClientConfig{API: operations, Operations: operations}) // only operations are called
		if err != nil {
			return &usageError{fmt.Errorf("--bank-operations: %w", err)}
		}
		defer relay.Close()
		own, err = owner.New(owner.Config{Pool: pool, Bank: relay, BK: owner.BK(bk), Brokers: s.cfg.Brokers, Options: s.cfg.Options, Events: s.cfg.Events, Group: s.cfg.Group, Log: log})
		if err != nil {
			return err
		}
		s.cfg.Owner = own
	}
	service, err := bankstream.New(s.cfg)
	if err != nil {
		return err
	}
	return s.serve(ctx, a, log, service, own, metrics)
}

func (s *streamServer) pool(ctx context.Context) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(s.db)
	if err != nil {
		return nil, &usageError{fmt.Errorf("--db: %w", err)}
	}
	config.MaxConns = streamConnections
	config.ConnConfig.RuntimeParams["application_name"] = "hotswap-stream"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("the façade's database: %w", err)
	}
	return pool, nil
}

// serve runs all parts until one of them ends, or ctx does.
func (s *streamServer) serve(ctx context.Context, a *app, log *slog.Logger, service *bankstream.Service, own *owner.Owner, metrics prometheus.Gatherer) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.adminListen)
	if err != nil {
		return fmt.Errorf("--admin-listen: %w", err)
	}
	admin := &http.Server{Handler: service.Handler(metrics), ReadHeaderTimeout: streamHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 3)
	parts := 2
	go func() { ended <- service.Run(running) }()
	go func() {
		if err := admin.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			ended <- fmt.Errorf("the admin listener: %w", err)
			return
		}
		ended <- nil
	}()
	if own != nil {
		parts++
		go func() {
			err := own.Run(running)
			if running.Err() != nil { // that is how it ends
				err = nil
			}
			ended <- err
		}()
	}
	at := streamEndpoints{Admin: readyfile.URL("http", listener.Addr().String())}
	if s.readyFile != "" {
		if err := readyfile.Write(s.readyFile, at); err != nil {
			cancel()
			return errors.Join(err, admin.Close())
		}
	}
	fmt.Fprintf(a.out, "The stream runs as %s\n  admin       %s\n", s.cfg.Instance, at.Admin)

	fault := error(nil)
	select {
	case <-ctx.Done():
	case fault = <-ended:
		parts--
	}
	cancel()
	closing, done := context.WithTimeout(context.WithoutCancel(ctx), streamShutdown)
	defer done()
	if err := admin.Shutdown(closing); err != nil {
		fault = errors.Join(fault, admin.Close())
	}
	for range parts {
		fault = errors.Join(fault, <-ended)
	}
	return fault
}
