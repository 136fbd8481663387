package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/cmd/readyfile"
)

// server is what `bk serve` is told.
type server struct {
	settings
	node      node.Config
	readyFile string
	log       logSettings
}

// fields are the settings by the names of the node's fields, to name the right one when the node finds fault with it.
var fields = map[string]string{
	"Postgres": "postgres", "Brokers": "kafka.brokers", "EventsTopic": "kafka.events-topic", "CheckpointsTopic": "kafka.checkpoints-topic",
	"Partitions": "kafka.partitions", "ReplicationFactor": "kafka.replication-factor", "MinInsync": "kafka.min-insync",
	"Kafka.TLS": "kafka.tls", "Kafka.CA": "kafka.tls-ca", "Kafka.Cert": "kafka.tls-cert", "Kafka.Key": "kafka.tls-key",
	"Kafka.SASL": "kafka.sasl", "Kafka.User": "kafka.user", "Kafka.Password": "kafka.password", "Kafka.PasswordFile": "kafka.password-file",
	"TLSCert": "tls-cert", "TLSKey": "tls-key",
	"Listen": "listen", "MetricsListen": "metrics-listen", "Shard": "shard",
	"MaxInFlight": "journal.max-in-flight", "MaxBatch": "journal.max-batch", "Connections": "journal.connections",
	"PoolConnections": "journal.pool-connections", "Lease": "journal.lease", "AppendTimeout": "journal.append-timeout",
	"Limits.MessageBytes": "limits.message-bytes", "Limits.StreamWindow": "limits.stream-window", "Limits.Streams": "limits.streams",
	"Limits.CallTimeout": "limits.call-timeout", "Limits.BehindTimeout": "limits.behind-timeout",
	"StandbyAfter": "standby-after", "Grace": "grace",
}

func newServeCommand(a *app) *cobra.Command {
	s := &server{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a ledger on a given Postgres and Kafka",
		Long: `Serve a ledger on a given Postgres and Kafka.

Every setting is a flag, an environment variable and a key of the YAML file that --config names: --kafka-brokers is
BK_KAFKA_BROKERS and kafka.brokers. Flags come before the environment, the environment before the file.

Several servers may run on one database: one leads, the others stand by and take over.`,
		Example: `  bk serve --postgres postgres://bk@db/bk --kafka-brokers k1:9092,k2:9092 --migrate
  bk serve --config /etc/bk/bk.yaml --ready-file /run/bk/ready.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.ended(s.run(cmd.Context(), a)) },
	}
	s.bind(cmd)
	return cmd
}

func (s *server) bind(cmd *cobra.Command) {
	n := &s.node
	s.configFlag(cmd)
	s.text(cmd, &n.Postgres, "postgres", "", "DSN of the ledger's database")
	s.flag(cmd, &n.Migrate, "migrate", "bring the database's schema up to date first")
	s.list(cmd, &n.Brokers, "kafka.brokers", "Kafka's bootstrap addresses; none: nothing is published")
	s.flag(cmd, &n.Kafka.TLS, "kafka.tls", "TLS to Kafka")
	s.text(cmd, &n.Kafka.CA, "kafka.tls-ca", "", "file with the authorities of the brokers' certificates (the system's)")
	s.text(cmd, &n.Kafka.Cert, "kafka.tls-cert", "", "file with our certificate, if Kafka asks for one")
	s.text(cmd, &n.Kafka.Key, "kafka.tls-key", "", "file with its key")
	s.text(cmd, &n.Kafka.SASL, "kafka.sasl", "", "plain, scram-sha-256 or scram-sha-512 (no SASL)")
	s.text(cmd, &n.Kafka.User, "kafka.user", "", "user of SASL")
	s.text(cmd, (*string)(&n.Kafka.Password), "kafka.password", "", "the user's password; better from a file or the environment, since flags can be seen")
	s.text(cmd, &n.Kafka.PasswordFile, "kafka.password-file", "", "file with the password")
	s.text(cmd, &n.EventsTopic, "kafka.events-topic", "", "topic of the events (bk.events.v1)")
	s.text(cmd, &n.CheckpointsTopic, "kafka.checkpoints-topic", "", "topic of the publisher's checkpoints (bk.checkpoints.v1)")
	s.number(cmd, &n.Partitions, "kafka.partitions", "partitions of a new events topic, for ever (8)")
	s.number(cmd, &n.ReplicationFactor, "kafka.replication-factor", "replicas of new topics (the broker's default)")
	s.number(cmd, &n.MinInsync, "kafka.min-insync", "min.insync.replicas of new topics (the broker's default)")
	s.text(cmd, &n.Listen, "listen", node.DefaultListen, "address of the API; port 0 takes a free one")
	s.text(cmd, &n.TLSCert, "tls-cert", "", "file with the API's certificate; without one the API has no TLS")
	s.text(cmd, &n.TLSKey, "tls-key", "", "file with its key")
	s.text(cmd, &n.MetricsListen, "metrics-listen", node.DefaultMetricsListen, "address of metrics and health")
	s.flag(cmd, &n.Pprof, "pprof", "Go profiles on the metrics address")
	s.number(cmd, &n.Shard, "shard", "number of the journal that is served (0)")
	s.number(cmd, &n.MaxInFlight, "journal.max-in-flight", "commands accepted and not yet answered (16384)")
	s.number(cmd, &n.MaxBatch, "journal.max-batch", "entries of one COPY (8192)")
	s.number(cmd, &n.Connections, "journal.connections", "batches copied at the same time, 1 to 4 (1)")
	s.number(cmd, &n.PoolConnections, "journal.pool-connections", "Postgres connections for reads and projections (24)")
	s.duration(cmd, &n.Lease, "journal.lease", "how long a silent writer is waited for before another takes over (5s)")
	s.duration(cmd, &n.AppendTimeout, "journal.append-timeout", "bound of one append (30s)")
	s.number(cmd, &n.Limits.MessageBytes, "limits.message-bytes", "bytes of a request (8388608)")
	s.number(cmd, &n.Limits.StreamWindow, "limits.stream-window", "unanswered commands of a booking stream (1024)")
	s.number(cmd, &n.Limits.Streams, "limits.streams", "open calls of one connection (1000)")
	s.duration(cmd, &n.Limits.CallTimeout, "limits.call-timeout", "deadline of calls that bring none (30s)")
	s.duration(cmd, &n.Limits.BehindTimeout, "limits.behind-timeout", "how long a read waits for what it asks to see (5s)")
	s.duration(cmd, &n.StandbyAfter, "standby-after", "how long the start waits to lead before it counts as a standby (3s)")
	s.duration(cmd, &n.Grace, "grace", "what open calls get to finish at the end (10s)")
	s.text(cmd, &s.readyFile, "ready-file", "", "JSON file with all addresses, there while the server serves")
	s.log.bind(cmd, &s.settings)
}

// check loads the configuration and reports everything that is wrong with it.
func (s *server) check(lookup func(string) (string, bool)) error {
	errs := s.load(lookup)
	for _, v := range node.Violations(s.node.WithDefaults().Validate()) {
		errs = append(errs, fmt.Errorf("%s: %s", s.origin(fields[v.Field]), v.What))
	}
	return configError(errs)
}

func (s *server) run(ctx context.Context, a *app) error {
	if err := s.check(environment); err != nil {
		return err
	}
	s.node.Version = version()
	s.node.Log = s.log.logger(a.err)
	secondSignalKills(ctx)
	return serveNode(ctx, s.node, s.node.Log, s.readyFile, strings.Join(s.node.Brokers, ","), func(endpoints) {})
}

// serveNode runs a node and keeps its ready file.
func serveNode(ctx context.Context, cfg node.Config, log *slog.Logger, readyFile, kafka string, ready func(endpoints)) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if readyFile != "" {
		// One that a killed server left would be taken for ours.
		if err := readyfile.Remove(readyFile); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, readyfile.Remove(readyFile)) }()
	}
	err = node.Run(ctx, cfg, func(at node.Addresses) {
		e := endpointsOf(at, cfg.TLSCert != "", cfg.Postgres, kafka)
		if readyFile != "" {
			if err := readyfile.Write(readyFile, e); err != nil {
				log.Error("can't say that the server serves", "error", err)
				cancel(err)
				return
			}
		}
		ready(e)
	})
	var readyFault error
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		readyFault = cause
	}
	return errors.Join(err, readyFault)
}

// secondSignalKills gives the signals their usual effect once the first has begun an orderly end.
func secondSignalKills(ctx context.Context) {
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })
}

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && !strings.Contains(text, s.Value[:12]) {
			text += " " + s.Value[:12]
		}
	}
	return text
}
