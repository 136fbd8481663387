package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/ledger/publisher"
)

// The addresses that a node listens on unless told otherwise.
const (
	DefaultListen        = "127.0.0.1:7070"
	DefaultMetricsListen = "127.0.0.1:7071"
)

// Config says what a node is. The zero value of a field is its default; the journal's and the publisher's own defaults hold for what is
// handed on to them.
type Config struct {
	// Postgres is the DSN of the ledger's database. The login role must be a member of bk_app; with Migrate it must own the database.
	// Needed.
	Postgres string
	// Migrate brings the schema up to date at the start.
	Migrate bool

	// Brokers are Kafka's bootstrap addresses, host:port. Without any nothing is published.
	Brokers []string
	// Kafka is how they are reached: TLS, SASL.
	Kafka KafkaAccess
	// EventsTopic and CheckpointsTopic, Partitions, ReplicationFactor, MinInsync: see [publisher.Config].
	EventsTopic, CheckpointsTopic string
	Partitions                    int
	ReplicationFactor             int
	MinInsync                     int
	// Republish makes the topics anew, and publishes everything again, where the stream is not this journal's or has lost events. Only
	// for a broker that belongs to the node, as the embedded one does: consumers would see everything twice.
	Republish bool

	// Listen is the API's address, MetricsListen that of metrics and health. Port 0 takes a free one. Defaults: 127.0.0.1:7070 and
	// 127.0.0.1:7071.
	Listen, MetricsListen string
	// TLSCert and TLSKey, both or none, are files with the API's certificate (with what leads to the authority behind it) and key, in PEM.
	// With them the API speaks TLS only; metrics and health don't. They are read when the node starts.
	TLSCert, TLSKey string
	// Pprof adds Go's profiles to the metrics listener.
	Pprof bool

	// Shard is the number of the journal that is served.
	Shard int
	// Owner names the process in the database and the logs. Default: host and process id.
	Owner string
	// MaxInFlight, MaxBatch, Connections, PoolConnections, Lease, AppendTimeout: see [journal.Config].
	MaxInFlight, MaxBatch, Connections, PoolConnections int
	Lease, AppendTimeout                                time.Duration

	// Limits bound what callers of the API may ask for.
	Limits api.Limits

	// StandbyAfter is how long the start waits to lead before the node counts as a standby. Default 3 s.
	StandbyAfter time.Duration
	// Grace is what open calls get to finish at the end. Default 10 s.
	Grace time.Duration

	// Version is what the API says it is.
	Version string
	// Log: default none.
	Log *slog.Logger
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.MetricsListen == "" {
		c.MetricsListen = DefaultMetricsListen
	}
	if c.PoolConnections == 0 {
		c.PoolConnections = 24 // two a projection, the others for reads
	}
	c.Limits = c.Limits.WithDefaults()
	if c.StandbyAfter == 0 {
		c.StandbyAfter = 3 * time.Second
	}
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// A Violation is one thing that is wrong with a [Config]. Field is the name in the struct, so that a program can say which of its own
// flags it means.
type Violation struct{ Field, What string }

func (v Violation) Error() string { return v.Field + ": " + v.What }

// Validate reports everything that is wrong, as [Violation]s joined.
func (c Config) Validate() error {
	var all []error
	check := func(ok bool, field, format string, args ...any) {
		if !ok {
			all = append(all, Violation{field, fmt.Sprintf(format, args...)})
		}
	}
	if c.Postgres == "" {
		check(false, "Postgres", "needed: the DSN of the ledger's database")
	} else if _, err := pgx.ParseConfig(c.Postgres); err != nil {
		check(false, "Postgres", "%v", err) // pgx leaves the password out
	}
	_, insecure := c.secure()
	all = append(all, insecure...)
	for i, b := range c.Brokers {
		check(checkAddress(b, 1) == nil, "Brokers", "%d: %v", i, checkAddress(b, 1))
	}
	check(c.Partitions >= 0 && c.Partitions <= 1024, "Partitions", "%d is not between 1 and 1024", c.Partitions)
	check(c.ReplicationFactor >= -1 && c.ReplicationFactor <= 32, "ReplicationFactor", "%d is not between 1 and 32, or -1 for the broker's own", c.ReplicationFactor)
	check(c.MinInsync >= 0 && (c.ReplicationFactor <= 0 || c.MinInsync <= c.ReplicationFactor), "MinInsync", "%d is not between 0 and the replication factor", c.MinInsync)
	check(c.EventsTopic == "" || c.EventsTopic != c.CheckpointsTopic, "CheckpointsTopic", "is the topic of the events too: %s", c.EventsTopic)
	check(checkAddress(c.Listen, 0) == nil, "Listen", "%v", checkAddress(c.Listen, 0))
	check(checkAddress(c.MetricsListen, 0) == nil, "MetricsListen", "%v", checkAddress(c.MetricsListen, 0))
	_, port, _ := net.SplitHostPort(c.Listen)
	check(c.Listen != c.MetricsListen || port == "0", "MetricsListen", "is the API's address too: %s", c.Listen)
	check(c.Shard >= 0 && c.Shard <= ledger.MaxShard, "Shard", "%d is not between 0 and %d", c.Shard, ledger.MaxShard)
	check(c.MaxInFlight >= 0 && c.MaxInFlight <= 1<<20, "MaxInFlight", "%d is not between 1 and %d", c.MaxInFlight, 1<<20)
	check(c.MaxBatch >= 0 && c.MaxBatch <= 64<<10, "MaxBatch", "%d is not between 1 and %d", c.MaxBatch, 64<<10)
	check(c.Connections >= 0 && c.Connections <= 4, "Connections", "%d is not between 1 and 4", c.Connections)
	check(c.PoolConnections == 0 || c.PoolConnections >= 16 && c.PoolConnections <= 1000, "PoolConnections", "%d is not between 16 and 1000", c.PoolConnections)
	check(c.Lease == 0 || c.Lease >= time.Second && c.Lease <= time.Hour, "Lease", "%s is not between 1s and 1h", c.Lease)
	check(c.AppendTimeout == 0 || c.AppendTimeout >= time.Second && c.AppendTimeout <= time.Hour, "AppendTimeout", "%s is not between 1s and 1h", c.AppendTimeout)
	l := c.Limits.WithDefaults()
	check(l.MessageBytes >= 1<<10 && l.MessageBytes <= ledger.MaxMessageBytes, "Limits.MessageBytes", "%d is not between 1024 and %d", l.MessageBytes, ledger.MaxMessageBytes)
	check(l.StreamWindow >= 1 && l.StreamWindow <= 64<<10, "Limits.StreamWindow", "%d is not between 1 and %d", l.StreamWindow, 64<<10)
	check(l.Streams >= 1 && l.Streams <= 100_000, "Limits.Streams", "%d is not between 1 and 100000", l.Streams)
	check(l.CallTimeout > 0, "Limits.CallTimeout", "%s is not above zero", l.CallTimeout)
	check(l.BehindTimeout > 0, "Limits.BehindTimeout", "%s is not above zero", l.BehindTimeout)
	check(c.StandbyAfter >= 0, "StandbyAfter", "%s is below zero", c.StandbyAfter)
	check(c.Grace >= 0 && c.Grace <= time.Hour, "Grace", "%s is not between 0s and 1h", c.Grace)
	return errors.Join(all...)
}

// Violations takes the error of [Config.Validate] apart.
func Violations(err error) []Violation {
	var one Violation
	if errors.As(err, &one) && err == error(one) {
		return []Violation{one}
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var all []Violation
	for _, e := range joined.Unwrap() {
		all = append(all, Violations(e)...)
	}
	return all
}

func checkAddress(address string, lowestPort int) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address of the form host:port", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < lowestPort || n > 65535 {
		return fmt.Errorf("the port of %q is not between %d and 65535", address, lowestPort)
	}
	return nil
}

func (c Config) journal() journal.Config {
	return journal.Config{
		DSN: c.Postgres, Shard: uint16(c.Shard), Owner: c.Owner, MaxInFlight: c.MaxInFlight, MaxBatch: c.MaxBatch,
		Connections: c.Connections, PoolConnections: c.PoolConnections, Lease: c.Lease, AppendTimeout: c.AppendTimeout, Log: c.Log,
	}
}

func (c Config) publisher() publisher.Config {
	return publisher.Config{
		Brokers: c.Brokers, Events: c.EventsTopic, Checkpoints: c.CheckpointsTopic, Partitions: int32(c.Partitions),
		ReplicationFactor: int16(c.ReplicationFactor), MinInsync: c.MinInsync, Log: c.Log,
	}
}
