package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/cmd/readyfile"
	"github.com/bkledger/bk/compat/bank/legacy"
)

// bankServer is what `hotswap bank` is told.
type bankServer struct {
	cfg       legacy.Config
	data      string
	kafka     string
	readyFile string
	log       logFlags

	ownDatabase string // file with the DSN of a Postgres of its own
}

// bankEndpoints are how a running Bank is reached: the content of its ready file.
type bankEndpoints struct {
	API        string `json:"api"`        // URL
	Operations string `json:"operations"` // URL of operations, metrics and health
	Postgres   string `json:"postgres"`   // URL, with the password
	Kafka      string `json:"kafka"`      // bootstrap addresses, separated by commas; empty: events stay in the outbox
}

const noKafka = "none"

func newBankCommand(a *app) *cobra.Command {
	s := &bankServer{}
	cmd := &cobra.Command{
		Use:   "bank",
		Short: "Serve the reference Bank: the legacy system, on its own Postgres",
		Long: `Serve the reference Bank: the legacy system, on its own Postgres, with its stream in Kafka.

Without --db and --kafka it runs a Postgres and a Kafka of its own in a folder, for trying it out. Started again on the same folder it has all that was booked.`,
		Example: `  hotswap bank
  hotswap bank --db postgres://bank@db/bank --kafka k1:9092,k2:9092 --api-key secret`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), a) },
	}
	f := cmd.Flags()
	f.StringVar(&s.cfg.Listen, "listen", "127.0.0.1:8080", "address of the API; port 0 takes a free one")
	f.StringVar(&s.cfg.OperationsListen, "operations-listen", "", "address of operations, metrics and health (the API's, next port)")
	f.StringVar(&s.cfg.DSN, "db", "", "DSN of Bank's database (a Postgres of its own under --data)")
	f.StringVar(&s.kafka, "kafka", "", "Kafka's bootstrap addresses, separated by commas, or "+noKafka+": events stay in the outbox (a broker of its own under --data)")
	f.StringVar(&s.data, "data", "./bank-data", "folder of the Postgres and Kafka of its own; made if missing")
	f.StringArrayVar(&s.cfg.Keys, "api-key", nil, "key that clients must show; may be repeated (none: everybody is let in)")
	f.IntVar(&s.cfg.Partitions, "partitions", 8, "partitions of new topics, for ever")
	f.IntVar(&s.cfg.Connections, "connections", 24, "database connections for transactions, and as many for reads")
	f.StringVar(&s.readyFile, "ready-file", "", "JSON file with all addresses, there while the server serves")
	s.log.bind(cmd)
	return cmd
}

// nextPort gives the address with the port after it; port 0 stays.
func nextPort(address string) (string, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return "", fmt.Errorf("port %q is no number", text)
	}
	if port != 0 {
		port++
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// check completes the configuration, or says everything that is wrong with it.
func (s *bankServer) check() error {
	var errs []error
	if s.cfg.OperationsListen == "" {
		var err error
		if s.cfg.OperationsListen, err = nextPort(s.cfg.Listen); err != nil {
			s.cfg.OperationsListen = "127.0.0.1:0" // told once, by the check of --listen
		}
	}
	if s.kafka != "" && s.kafka != noKafka {
		s.cfg.Brokers = strings.Split(s.kafka, ",")
	}
	if s.data == "" && (s.cfg.DSN == "" || s.kafka == "") {
		errs = append(errs, errors.New("--data: needed without --db or --kafka"))
	}
	cfg := s.cfg
	if cfg.DSN == "" {
		cfg.DSN = "its own"
	}
	for _, key := range cfg.Keys {
		if key == "" {
			errs = append(errs, errors.New("--api-key: is empty"))
		}
	}
	if err := errors.Join(append(errs, flagged(cfg.WithDefaults().Validate(), bankFlags))...); err != nil {
		return &usageError{err}
	}
	return nil
}

// bankFlags are the flags that set the fields of the configuration.
var bankFlags = map[string]string{
	"DSN": "--db", "Listen": "--listen", "OperationsListen": "--operations-listen", "Keys": "--api-key", "Partitions": "--partitions", "Connections": "--connections",
}

func (s *bankServer) run(ctx context.Context, a *app) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	log, err := s.log.logger(a.err)
	if err != nil {
		return err
	}
	s.cfg.Log = log
	secondSignalKills(ctx)
	if err := portsFree(ctx, map[string]string{"--listen": s.cfg.Listen, "--operations-listen": s.cfg.OperationsListen}); err != nil {
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
	if s.cfg.DSN == "" {
		if s.cfg.DSN, err = own.startPostgres(ctx, "bank"); err != nil {
			return ended(ctx, err)
		}
		s.ownDatabase = own.dsnFile()
	}
	if s.kafka == "" {
		broker, err := own.startKafka(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		s.cfg.Brokers = []string{broker}
	}
	return s.serve(ctx, a, log)
}

func (s *bankServer) serve(ctx context.Context, a *app, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var readyFault error
	err := legacy.Run(ctx, s.cfg, func(at legacy.Addresses) {
		e := bankEndpoints{API: readyfile.URL("http", at.API), Operations: readyfile.URL("http", at.Operations), Postgres: s.cfg.DSN, Kafka: strings.Join(s.cfg.Brokers, ",")}
		if s.readyFile != "" {
			if readyFault = readyfile.Write(s.readyFile, e); readyFault != nil {
				log.Error("can't say that the server serves", "error", readyFault)
				cancel(readyFault)
				return
			}
		}
		fmt.Fprintf(a.out, "Bank serves\n  API         %s\n  operations  %s\n  database    %s\n  Kafka       %s\n", e.API, e.Operations, databaseName(e.Postgres, s.ownDatabase), orNoKafka(e.Kafka))
	})
	return errors.Join(err, readyFault)
}

func orNoKafka(brokers string) string {
	if brokers == "" {
		return "none: events stay in the outbox"
	}
	return brokers
}

// ended forgives an error that only says that we were told to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
