package bankstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/ledger/publisher"
)

// Translator tells a record of BK's as Bank's events: *rehydrate.Translator. It is called by a goroutine for each partition, and gives the same
// events for the same record and state, for ever. The record's entry stands until it returns, and its events need to until it is called for the partition again. An error that is no [rehydrate.ErrPoison] is tried again; what it has changed of the view is undone.
type Translator interface {
	Apply(ctx context.Context, v state.View, r rehydrate.Record) ([]bank.Event, error)
}

// Owner says which of BK's entries the stream publishes on bank.* itself: *owner.Owner. It is called by a goroutine for each partition, for each record that has events.
// Its errors are tried again.
type Owner interface {
	// Of says whether an entry is the stream's, and what its event ids begin at on bank.*. It may wait, for as long as ctx says.
	Of(ctx context.Context, sequence int64) (base int64, owned bool, err error)
}

// Names of topics and group, where the configuration gives none.
const (
	DefaultGroup  = "bk-stream"
	DefaultShadow = "facade."
	DefaultState  = "facade.bank.state"
)

// HeaderEntry is the header of each record that the stream publishes: the id of BK's entry, decimal text. What has it on bank.* is the stream's, not Bank's.
const HeaderEntry = "bk-entry"

// Config says what a [Service] is. The zero value of a field is its default.
type Config struct {
	// Translator makes Bank's events. Needed.
	Translator Translator
	// Owner says what goes to bank.* too. Left out, nothing does.
	Owner Owner

	// Brokers are Kafka's bootstrap addresses. Needed. Options say how they are reached: TLS, SASL.
	Brokers []string
	Options []kgo.Opt
	// Events is BK's topic, Group the consumer group, State the changelog. Shadow is what the shadow topics' names have before Bank's.
	Events, Group, State, Shadow string
	// Instance tells instances of one group apart: letters, digits, dots, - and _, up to 100. Needed. One that is started under the same name takes the place of the one
	// before at once, without a rebalance; two that run at once under one name fence each other, and the older one ends with [ErrFenced].
	Instance string

	// Partitions of topics for output that are to be made. 0: as many as Bank's own topic has, or where that is not there, as Events.
	Partitions int32
	// ReplicationFactor of new topics; default -1, the broker's own. In production 3.
	ReplicationFactor int16
	// MinInsync is min.insync.replicas of new topics; 0 leaves it to the broker. In production 2.
	MinInsync int

	// MaxRecords is how many of BK's events are taken into a transaction at most (16384).
	MaxRecords int
	// MaxBytes bounds what is buffered of input and of output, each (32 MiB).
	MaxBytes int
	// RetryFor is how long a record that could not be translated holds up its partition's transaction (200 ms); after that, the rest of the partition waits, and the others go on.
	RetryFor time.Duration
	// SessionTimeout is how long an instance that is not heard of keeps its partitions (10 s), TransactionTimeout how long its transaction may stay open (30 s).
	SessionTimeout, TransactionTimeout time.Duration
	// DrainTimeout is what a transaction that is under way gets to finish when Run's context ends (5 s).
	DrainTimeout time.Duration
	// BackoffMin and BackoffMax bound the pause between attempts, of a partition and of all (50 ms, 5 s).
	BackoffMin, BackoffMax time.Duration

	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: none
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	text := func(s *string, standard string) {
		if *s == "" {
			*s = standard
		}
	}
	text(&c.Events, publisher.DefaultEvents)
	text(&c.Group, DefaultGroup)
	text(&c.State, DefaultState)
	text(&c.Shadow, DefaultShadow)
	if c.ReplicationFactor == 0 {
		c.ReplicationFactor = -1
	}
	if c.MaxRecords == 0 {
		c.MaxRecords = 16384
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 32 << 20
	}
	for _, d := range []struct {
		at *time.Duration
		by time.Duration
	}{
		{&c.RetryFor, 200 * time.Millisecond}, {&c.SessionTimeout, 10 * time.Second}, {&c.TransactionTimeout, 30 * time.Second}, {&c.DrainTimeout, 5 * time.Second},
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

var instanceName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Translator != nil, "Translator: needed")
	check(len(c.Brokers) > 0, "Brokers: needed")
	check(instanceName.MatchString(c.Instance), "Instance: %q is not 1 to 100 letters, digits, dots, - and _", c.Instance)
	check(c.Shadow != "" && c.State != c.Events && c.State != c.Shadow+bank.TopicTrades && c.State != c.Shadow+bank.TopicCash && c.State != c.Shadow+bank.TopicBusinessDate,
		"State: %q is another topic's name", c.State)
	check(c.Partitions >= 0 && c.Partitions <= 1024, "Partitions: %d is not between 0 and 1024", c.Partitions)
	check(c.ReplicationFactor >= -1 && c.ReplicationFactor != 0, "ReplicationFactor: %d is neither -1 nor above 0", c.ReplicationFactor)
	check(c.MinInsync >= 0 && (c.ReplicationFactor < 0 || c.MinInsync <= int(c.ReplicationFactor)), "MinInsync: %d is below 0 or above the replication factor", c.MinInsync)
	check(c.MaxRecords >= 1 && c.MaxRecords <= 1<<17, "MaxRecords: %d is not between 1 and %d", c.MaxRecords, 1<<17)
	check(c.MaxBytes >= 1<<20 && c.MaxBytes <= 1<<30, "MaxBytes: %d is not between %d and %d", c.MaxBytes, 1<<20, 1<<30)
	check(c.SessionTimeout >= time.Second && c.SessionTimeout <= 30*time.Minute, "SessionTimeout: %s is not between 1s and 30m", c.SessionTimeout)
	check(c.TransactionTimeout >= time.Second && c.TransactionTimeout <= 15*time.Minute, "TransactionTimeout: %s is not between 1s and 15m", c.TransactionTimeout)
	check(c.RetryFor > 0 && c.RetryFor <= c.TransactionTimeout/4, "RetryFor: %s is not above 0 and up to a quarter of TransactionTimeout", c.RetryFor)
	check(c.DrainTimeout > 0, "DrainTimeout: %s is not above 0", c.DrainTimeout)
	check(c.BackoffMin > 0 && c.BackoffMin <= c.BackoffMax, "BackoffMin: %s is not above 0 and up to BackoffMax, %s", c.BackoffMin, c.BackoffMax)
	return errors.Join(errs...)
}

// The ways in which something ends for good. All else is tried again for ever.
var (
	// ErrFenced ends Run: another process runs under the instance's name.
	ErrFenced = errors.New("another process runs under this instance's name")
	// ErrTopics ends Run: the topics are not such that the stream could keep its promises.
	ErrTopics = errors.New("the topics don't fit")
	// ErrLost stops a partition: BK's topic, the changelog or the group's offset has lost something, or they don't belong together.
	ErrLost = errors.New("the partition's history is lost")
	// ErrNoSkip says that there is nothing to skip there.
	ErrNoSkip = errors.New("no such event waits to be skipped")
)
