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
	"time"

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

	ownDatabase string // file with the DSN of a Postgres of its own
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

A write is answered in any case: in bank-primary-bk-secondary 10 s after it was sent to Bank, where BK is the primary 20 s after it came, with outcome_unknown where nobody
knows; a roll, and what waits for one, within --roll-timeout. bank-only waits for Bank as its clients would. The façade starts, and says that it is ready, without its primary:
/readyz says degraded.

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
	f.BoolVar(&s.cfg.Stream, "stream", false, "the stream (hotswap stream) takes over Bank's topics where BK is the primary, and Bank publishes to legacy.bank.*")
	f.StringVar(&s.cfg.Postgres, "db", "", "DSN of the façade's database (a Postgres of its own under --data)")
	f.StringVar(&s.data, "data", "./facade-data", "folder of the Postgres of its own; made if missing")
	f.StringVar(&s.cfg.Listen, "listen", "127.0.0.1:8090", "address that stands for Bank's API; port 0 takes a free one")
	f.StringVar(&s.cfg.OperationsListen, "operations-listen", "", "address that stands for Bank's operations (--listen's, next port)")
	f.StringVar(&s.cfg.AdminListen, "admin-listen", "", "address of modes, status page, metrics and health (--listen's, second next port)")
	f.StringArrayVar(&s.cfg.Keys, "api-key", nil, "key that clients must show where BK answers; may be repeated; the first is shown to Bank (none: everybody is let in)")
	f.StringVar(&s.cfg.Replica, "replica", "", "name of this replica (host and process)")
	f.IntVar(&s.cfg.QueueLimit, "queue-limit", 1_000_000, "writes that may wait for BK before it is left behind")
	f.Int64Var(&s.cfg.FirstTradeID, "first-trade-id", 0, "least id of a trade that BK books first (Bank's last and one)")
	f.DurationVar(&s.cfg.Hold, "hold", time.Second, "how long a switch may hold writes, from 10ms to 1m")
	f.DurationVar(&s.cfg.Lease, "lease", 10*time.Second, "how long a replica that is not heard of may serve writes, from 100ms to 10m")
	f.DurationVar(&s.cfg.RollTimeout, "roll-timeout", 10*time.Minute, "how long a roll of the business date may take, up to 15m")
	f.BoolVar(&s.cfg.Pprof, "pprof", false, "Go profiles on the admin address")
	f.StringVar(&s.rules, "sample-rules", "", "YAML or JSON file of rules that explain differences of reads that are compared")
	f.StringVar(&s.readyFile, "ready-file", "", "JSON file with all addresses, there while the façade serves")
	s.log.bind(cmd)
	cmd.AddCommand(newFacadeModeCommand(a), newFacadeSampleCommand(a), newFacadeDivergencesCommand(a), newFacadeQueueCommand(a), newFacadeUploadsCommand(a), newFacadeFollowCommand(a))
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
	base := s.cfg.Listen
	if _, _, err := net.SplitHostPort(base); err != nil {
		base = "127.0.0.1:0" // told once, by the check of --listen
	}
	if s.cfg.OperationsListen == "" {
		s.cfg.OperationsListen = portsAfter(base, 1)
	}
	if s.cfg.AdminListen == "" {
		s.cfg.AdminListen = portsAfter(base, 2)
	}
	if s.cfg.BankOperations == "" {
		if u, err := url.Parse(s.cfg.Bank); err == nil && u.Port() != "" {
			u.Host = portsAfter(u.Host, 1)
			s.cfg.BankOperations = u.String()
		} else {
			s.cfg.BankOperations = "http://127.0.0.1:0" // told once
			if _, fault := url.Parse(s.cfg.Bank); fault == nil && u.Host != "" {
				errs = append(errs, errors.New("--bank-operations: needed where --bank has no port"))
			}
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
	errs = append(errs, within("--hold", cfg.Hold, 10*time.Millisecond, time.Minute), within("--lease", cfg.Lease, 100*time.Millisecond, 10*time.Minute))
	if cfg.QueueLimit == 0 { // no default where it was told
		errs = append(errs, errors.New("--queue-limit: 0 is below 1"))
	}
	if cfg.RollTimeout == 0 {
		errs = append(errs, errors.New("--roll-timeout: 0s is not above 0"))
	}
	if err := errors.Join(append(errs, flagged(cfg.WithDefaults().Validate(), facadeFlags))...); err != nil {
		return &usageError{err}
	}
	return nil
}

// facadeFlags are the flags that set the fields of the configuration.
var facadeFlags = map[string]string{
	"Bank": "--bank", "BankOperations": "--bank-operations", "BK": "--bk", "Brokers": "--kafka", "Postgres": "--db", "Mode": "--mode", "Listen": "--listen",
	"OperationsListen": "--operations-listen", "AdminListen": "--admin-listen", "Keys": "--api-key", "Replica": "--replica", "QueueLimit": "--queue-limit",
	"FirstTradeID": "--first-trade-id", "Hold": "--hold", "Lease": "--lease", "RollTimeout": "--roll-timeout",
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
	if err := portsFree(ctx, map[string]string{"--listen": s.cfg.Listen, "--operations-listen": s.cfg.OperationsListen, "--admin-listen": s.cfg.AdminListen}); err != nil {
		return err
	}
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
		s.ownDatabase = own.dsnFile()
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
		fmt.Fprintf(a.out, "The façade serves\n  API         %s\n  operations  %s\n  admin       %s\n  database    %s\n", e.API, e.Operations, e.Admin, databaseName(e.Postgres, s.ownDatabase))
	})
	return errors.Join(err, readyFault)
}
