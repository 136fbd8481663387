package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/ledger"
)

// Journal is what the publisher reads: one shard, in order, without gaps.
type Journal interface {
	// Read gives up to limit entries with a sequence number above after, ascending, without waiting; none at the head.
	Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error)
	// Wait returns nil once the head is beyond after.
	Wait(ctx context.Context, after uint64) error
	// Head is the shard and the last committed entry that the process knows of.
	Head() ledger.Token
}

// The topics' names where the configuration gives none.
const (
	DefaultEvents      = "bk.events.v1"
	DefaultCheckpoints = "bk.checkpoints.v1"
)

// Config says what is published, and where.
type Config struct {
	// Journal is the shard. Needed.
	Journal Journal
	// Directory knows which accounts are customers'; it must hold every account that a readable entry names. Needed.
	Directory *ledger.Directory
	// Encode makes an event's value. It must be pure, give the same bytes for the same entry for ever (Verify compares them), and be
	// safe for concurrent use. Needed.
	Encode func(*ledger.Entry) ([]byte, error)

	// Brokers are Kafka's bootstrap addresses, host:port. Needed.
	Brokers []string
	// Access is how they are reached: TLS, SASL.
	Access Access
	// Kafka is added to the options of every client.
	Kafka []kgo.Opt

	// Events and Checkpoints are the topics.
	Events, Checkpoints string
	// TransactionalID is the producer's, by which a new owner fences the old one. Default "bk-publisher-" and the shard's number,
	// and the topic's name unless it is the default: two ledgers on one Kafka need two topics and two of these.
	TransactionalID string
	// Partitions is how many a new events topic gets. Default 8. It can't be changed later: an account's events would move.
	Partitions int32
	// ReplicationFactor of new topics; default -1, the broker's own. In production 3.
	ReplicationFactor int16
	// MinInsync is min.insync.replicas of new topics; 0 leaves it to the broker. In production 2.
	MinInsync int

	// MaxEntries and MaxBytes bound a transaction. Bytes are those of keys, headers and values, before compression. One entry with
	// all its legs always fits, whatever its size. Defaults 16384 and 8 MiB.
	MaxEntries, MaxBytes int
	// Linger is how long a transaction waits for company. Every transaction costs a marker on each partition that it touches.
	// Default 5 ms; negative for none.
	Linger time.Duration
	// AttemptTimeout bounds the opening of a session and each transaction; then the outcome is looked up and the work done again, with
	// half the batch. It is the producer's transaction timeout too. Default 30 s.
	AttemptTimeout time.Duration
	// DrainTimeout is what a transaction that is under way gets to finish when Run's context ends. Default 5 s.
	DrainTimeout time.Duration
	// BackoffMin and BackoffMax bound the pause between attempts while Kafka or the journal is away. Defaults 50 ms and 5 s.
	BackoffMin, BackoffMax time.Duration

	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: none
}

// WithDefaults fills in what was left out.
func (c Config) WithDefaults() Config {
	if c.Events == "" {
		c.Events = DefaultEvents
	}
	if c.Checkpoints == "" {
		c.Checkpoints = DefaultCheckpoints
	}
	if c.TransactionalID == "" && c.Journal != nil {
		c.TransactionalID = fmt.Sprintf("bk-publisher-%d", c.Journal.Head().Shard)
		if c.Events != DefaultEvents {
			c.TransactionalID += "-" + c.Events
		}
	}
	if c.Partitions == 0 {
		c.Partitions = 8
	}
	if c.ReplicationFactor == 0 {
		c.ReplicationFactor = -1
	}
	if c.MaxEntries == 0 {
		c.MaxEntries = 16384
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 8 << 20
	}
	for _, d := range []struct {
		at *time.Duration
		by time.Duration
	}{
		{&c.Linger, 5 * time.Millisecond}, {&c.AttemptTimeout, 30 * time.Second}, {&c.DrainTimeout, 5 * time.Second},
		{&c.BackoffMin, 50 * time.Millisecond}, {&c.BackoffMax, 5 * time.Second},
	} {
		if *d.at == 0 {
			*d.at = d.by
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports every violation at once.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Journal != nil, "journal: needed")
	check(c.Directory != nil, "directory: needed")
	check(c.Encode != nil, "encode: needed")
	check(len(c.Brokers) > 0, "brokers: at least one address is needed")
	check(c.Access.Mechanism == "" || c.Access.mechanism() != nil, "access: %q is no mechanism of SASL that is known here", c.Access.Mechanism)
	check(c.Access.Mechanism == "" || c.Access.User != "" && c.Access.Password != "", "access: SASL needs a user and a password")
	check(c.Events != c.Checkpoints, "events and checkpoints: both are topic %q", c.Events)
	check(c.Partitions >= 1 && c.Partitions <= 1024, "partitions: %d is not between 1 and 1024", c.Partitions)
	check(c.ReplicationFactor >= -1 && c.ReplicationFactor != 0, "replication factor: %d is neither -1 nor above 0", c.ReplicationFactor)
	check(c.MinInsync >= 0, "min insync: %d is below 0", c.MinInsync)
	check(c.ReplicationFactor < 0 || c.MinInsync <= int(c.ReplicationFactor), "min insync: %d is above the replication factor %d", c.MinInsync, c.ReplicationFactor)
	check(c.MaxEntries >= 1 && c.MaxEntries <= 1<<20, "max entries: %d is not between 1 and %d", c.MaxEntries, 1<<20)
	check(c.MaxBytes >= 1 && c.MaxBytes <= 1<<30, "max bytes: %d is not between 1 and %d", c.MaxBytes, 1<<30)
	check(c.Linger <= time.Second, "linger: %v is above 1s", c.Linger)
	check(c.AttemptTimeout > 0 && c.AttemptTimeout <= 15*time.Minute, "attempt timeout: %v is not above 0 and up to 15m", c.AttemptTimeout)
	check(c.DrainTimeout > 0, "drain timeout: %v is not above 0", c.DrainTimeout)
	check(c.BackoffMin > 0 && c.BackoffMin <= c.BackoffMax, "backoff: min %v and max %v", c.BackoffMin, c.BackoffMax)
	if len(errs) > 0 {
		return fmt.Errorf("publisher: %w", errors.Join(errs...))
	}
	return nil
}

// The ways in which publishing ends for good. All else is tried again for ever.
var (
	// ErrFenced says that another publisher owns the stream of this shard now.
	ErrFenced = errors.New("another publisher owns the stream")
	// ErrDiverged says that the stream was published from another history than this journal, or that the journal is broken.
	ErrDiverged = errors.New("the journal is not the one that was published")
	// ErrLost says that Kafka lost events or checkpoints that it had acknowledged, or that its topics were changed by hand.
	ErrLost = errors.New("the stream has lost what was published")
	// ErrUnpublishable says that an entry can't be made into events. That is a fault of the program.
	ErrUnpublishable = errors.New("the entry can't be published")
)

func permanent(err error) bool {
	return errors.Is(err, ErrFenced) || errors.Is(err, ErrDiverged) || errors.Is(err, ErrLost) || errors.Is(err, ErrUnpublishable)
}
