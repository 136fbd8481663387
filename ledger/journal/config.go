package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/ledger"
)

// Bounds of the pipeline that are not to be tuned (promise P9).
const (
	segmentEntries   = 1 << 23  // entries of a partition and of a key filter; as in migrations
	filterSnapshot   = 1 << 20  // a key filter is saved after so many entries
	unitBytes        = 4 << 10  // a command weighs one unit in the queue and one for each so many bytes
	tailEntries      = 32 << 10 // committed entries kept in memory for readers
	tailBytes        = 64 << 20 //
	readBytes        = 16 << 20 // what one read from Postgres gives at most, encoded
	perCommand       = 2        // entries that a command may make for each unit that it weighs: a trade that settles at once is two
	weightOfTarget   = 1        // a cancel is up to three: two settlements are reversed
	weightOfReplaces = 2        // a correction is up to five
)

// Config says how to open a journal. The zero value of a field is its default.
type Config struct {
	// DSN names the Postgres database. Sessions SET ROLE bk_app. Needed.
	DSN string
	// Shard is the number of this journal.
	Shard uint16
	// Owner names this process in the database and the logs. Default: host and process id.
	Owner string
	// Rules make the postings. Default: [ledger.StandardRules].
	Rules *ledger.Rules
	// MaxInFlight bounds the commands that are accepted and not yet answered, in units of one command of up to 4 KiB. Default 16,384.
	MaxInFlight int
	// MaxBatch bounds the entries of one COPY. Default 8,192.
	MaxBatch int
	// Connections is how many batches may be copied at the same time (1 to 4); their commits follow each other. Default 1: a second
	// pays only with many hundred commands in flight (docs/append-path.md).
	Connections int
	// PoolConnections bounds the connections for reading, lookups and projections. Default 8.
	PoolConnections int
	// Lease is how long a writer may be silent before a standby ends its sessions and takes over. Default 5 s; a writer whose
	// sessions are gone is replaced at once.
	Lease time.Duration
	// AppendTimeout bounds one append transaction. Default 30 s.
	AppendTimeout time.Duration
	// Term, if set, runs while this process leads. Its context ends with the term, and the term waits for its return.
	Term func(ctx context.Context, j *Journal)
	// Log and Metrics: default none.
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Owner == "" {
		host, _ := os.Hostname()
		c.Owner = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if c.Rules == nil {
		c.Rules = ledger.StandardRules()
	}
	setDefault(&c.MaxInFlight, 16<<10)
	setDefault(&c.MaxBatch, 8<<10)
	setDefault(&c.Connections, 1)
	setDefault(&c.PoolConnections, 8)
	setDefault(&c.Lease, 5*time.Second)
	setDefault(&c.AppendTimeout, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(c.DSN != "", "postgres: no database is given")
	check(c.Shard <= ledger.MaxShard, "shard: %d is above %d", c.Shard, ledger.MaxShard)
	check(c.MaxInFlight >= 1 && c.MaxInFlight <= 1<<20, "max in flight: %d is not between 1 and %d", c.MaxInFlight, 1<<20)
	check(c.MaxBatch >= 1 && c.MaxBatch <= 64<<10, "max batch: %d is not between 1 and %d", c.MaxBatch, 64<<10)
	check(c.Connections >= 1 && c.Connections <= 4, "connections: %d is not between 1 and 4", c.Connections)
	check(c.PoolConnections >= 2, "pool connections: %d is below 2", c.PoolConnections)
	check(c.Lease >= time.Second, "lease: %s is below a second", c.Lease)
	check(c.AppendTimeout >= time.Second, "append timeout: %s is below a second", c.AppendTimeout)
	return errors.Join(faults...)
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
