package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/cmd/readyfile"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/sample"
)

// facadeServer is what `hotswap facade` is told.
type facadeServer struct {
	cfg       facade.Config
	mode      string
	data      string
	rules     string
	readyFile string
	log       logFlags
}

// facadeEndpoints are how a running façade is reached: the content of its ready file.
type facadeEndpoints struct {
	API        string `json:"api"`        // URL
	Operations string `json:"operations"` // URL
	Admin      string `json:"admin"`      // URL of modes, status, metrics and health
	Postgres   string `json:"postgres"`   // URL, with the password
}

func newFacadeCommand(a *app) *cobra.Command {
	s := &facadeServer{}
	cmd := &cobra.Command{
		Use:   "facade",
		Short: "Stand before Bank and BK and answer as Bank does, in one of four modes",
		Long: `Stand before Bank and BK and answer as Bank does. Who answers and who follows is the mode, one of

` + "  " + strings.Join(modeNames(), "\n  ") + `

The mode is kept in the façade's database; --mode is that of the first start. On a database that is in another mode the façade does not start, so that
nobody takes it for what it is not: leave --mode out there. Switch with hotswap facade mode.

Several replicas may share one database (--db). Without --db it runs a Postgres of its own in a folder.`,
		Example: `  hotswap facade --mode bank-only --bank http://127.0.0.1:8080
  hotswap facade --mode bank-primary-bk-secondary --bank http://legacy-bank:8080 --bk http://bk:7070 --db postgres://facade@db/facade`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), a) },
	}
	f := cmd.Flags()
	f.StringVar(&s.mode, "mode", "", "mode of the first start (bank-only)")
	f.StringVar(&s.cfg.Bank, "bank", "http://127.0.0.1:8080", "URL of Bank's API")
	f.StringVar(&s.cfg.BankOperations, "bank-operations", "", "URL of Bank's operations (--bank's host, next port)")
	f.StringVar(&s.cfg.BK, "bk", "", "URL of BK; needed for every mode but bank-only")
	f.StringSliceVar(&s.cfg.Brokers, "kafka", nil, "Kafka that has Bank's topics, so that BK follows what Bank does in bank-only (none: a step back to bank-only loses BK)")
	f.StringVar(&s.cfg.Postgres, "db", "", "DSN of the façade's database (a Postgres of its own under --data)")
	f.StringVar(&s.data, "data", "./facade-data", "folder of the Postgres of its own; made if missing")
	f.StringVar(&s.cfg.Listen, "listen", "127.0.0.1:8090", "address that stands for Bank's API; port 0 takes a free one")
	f.StringVar(&s.cfg.OperationsListen, "operations-listen", "", "address that stands for Bank's operations (--listen's, next port)")
	f.StringVar(&s.cfg.AdminListen, "admin-listen", "", "address of modes, status page, metrics and health (--listen's, second next port)")
	f.StringArrayVar(&s.cfg.Keys, "api-key", nil, "key that clients must show where BK answers; may be repeated; the first is shown to Bank (none: everybody is let in)")
	f.StringVar(&s.cfg.Replica, "replica", "", "name of this replica (host and process)")
	f.IntVar(&s.cfg.QueueLimit, "queue-limit", 1_000_000, "writes that may wait for BK before it is left behind")
	f.Int64Var(&s.cfg.FirstTradeID, "first-trade-id", 0, "least id of a trade that BK books first (Bank's last and one)")
	f.DurationVar(&s.cfg.Hold, "hold", 0, "how long a switch may hold writes (1s)")
	f.DurationVar(&s.cfg.Lease, "lease", 0, "how long a replica that is not heard of may serve writes (10s)")
	f.DurationVar(&s.cfg.RollTimeout, "roll-timeout", 0, "how long a roll of the business date may take (10m)")
	f.StringVar(&s.rules, "sample-rules", "", "YAML or JSON file of rules that explain differences of reads that are compared")
	f.StringVar(&s.readyFile, "ready-file", "", "JSON file with all addresses, there while the façade serves")
	s.log.bind(cmd)
	cmd.AddCommand(newFacadeModeCommand(a), newFacadeSampleCommand(a), newFacadeDivergencesCommand(a), newFacadeQueueCommand(a))
	return cmd
}

func modeNames() []string {
	var names []string
	for _, m := range mode.Modes() {
		names = append(names, string(m))
	}
	return names
}

// check completes the configuration, or says everything that is wrong with it.
func (s *facadeServer) check() error {
	var errs []error
	if s.cfg.OperationsListen == "" {
		s.cfg.OperationsListen = portsAfter(s.cfg.Listen, 1)
	}
	if s.cfg.AdminListen == "" {
		s.cfg.AdminListen = portsAfter(s.cfg.Listen, 2)
	}
	if s.cfg.BankOperations == "" {
		if u, err := url.Parse(s.cfg.Bank); err == nil && u.Port() != "" {
			u.Host = portsAfter(u.Host, 1)
			s.cfg.BankOperations = u.String()
		} else {
			errs = append(errs, errors.New("--bank-operations: needed where --bank has no port"))
		}
	}
	if s.cfg.Replica == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "facade"
		}
		s.cfg.Replica = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if s.mode != "" {
		m, err := mode.Parse(s.mode)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%w", err))
		}
		s.cfg.Mode = m
	}
	if s.rules != "" {
		rules, err := sample.ReadRules(s.rules)
		if err != nil {
			errs = append(errs, fmt.Errorf("--sample-rules: %w", err))
		}
		s.cfg.SampleRules = rules
	}
	if s.data == "" && s.cfg.Postgres == "" {
		errs = append(errs, errors.New("--data: needed without --db"))
	}
	cfg := s.cfg
	if cfg.Postgres == "" {
		cfg.Postgres = "postgres://its.own"
	}
	if err := errors.Join(append(errs, cfg.WithDefaults().Validate())...); err != nil {
		return &usageError{err}
	}
	return nil
}

// portsAfter gives the address some ports on; port 0, and what is no address, stays.
func portsAfter(address string, n int) string {
	host, text, err := net.SplitHostPort(address)
	port, portErr := strconv.Atoi(text)
	if err != nil || portErr != nil || port == 0 {
		return address
	}
	return net.JoinHostPort(host, strconv.Itoa(port+n))
}

func (s *facadeServer) run(ctx context.Context, a *app) (err error) {
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
	own := &ownParts{dir: s.data, log: log}
	defer func() { err = errors.Join(err, own.stop()) }()
	if s.cfg.Postgres == "" {
		if s.cfg.Postgres, err = own.startPostgres(ctx, "facade"); err != nil {
			return ended(ctx, err)
		}
	}
	return s.serve(ctx, a, log)
}

func (s *facadeServer) serve(ctx context.Context, a *app, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var readyFault error
	err := facade.Run(ctx, s.cfg, func(at facade.Addresses) {
		e := facadeEndpoints{API: readyfile.URL("http", at.API), Operations: readyfile.URL("http", at.Operations), Admin: readyfile.URL("http", at.Admin), Postgres: s.cfg.Postgres}
		if s.readyFile != "" {
			if readyFault = readyfile.Write(s.readyFile, e); readyFault != nil {
				log.Error("can't say that the façade serves", "error", readyFault)
				cancel(readyFault)
				return
			}
		}
		fmt.Fprintf(a.out, "The façade serves\n  API         %s\n  operations  %s\n  admin       %s\n", e.API, e.Operations, e.Admin)
	})
	return errors.Join(err, readyFault)
}
