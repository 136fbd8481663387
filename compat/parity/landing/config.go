package landing

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// Topic is one to be landed.
type Topic struct {
	Side     string // dialect.SideBank or dialect.SideBK
	Name     string // in Kafka
	Contract string // whose events it has: bank.TopicTrades, bank.TopicCash, bank.TopicBusinessDate
}

// The prefixes of topics that have the contract's names.
const (
	PrefixBank   = ""        // bank.trades, ...: Bank's, and the stream's while it owns them
	PrefixLegacy = "legacy." // legacy.bank.trades, ...: Bank's while the stream owns bank.*
	PrefixFacade = "facade." // facade.bank.trades, ...: the stream's, always
)

// AllTopics gives the nine topics of both sides.
func AllTopics() []Topic {
	return slices.Concat(TopicsOf(dialect.SideBank, PrefixBank), TopicsOf(dialect.SideBank, PrefixLegacy), TopicsOf(dialect.SideBK, PrefixFacade))
}

// TopicsOf gives the contract's three topics with a prefix, as one side's.
func TopicsOf(side, prefix string) []Topic {
	var topics []Topic
	for _, name := range []string{bank.TopicTrades, bank.TopicCash, bank.TopicBusinessDate} {
		topics = append(topics, Topic{Side: side, Name: prefix + name, Contract: name})
	}
	return topics
}

// Accept says that a partition is to be landed from Next on, although Kafka has deleted what is before it. It is written to landing_gaps.
type Accept struct {
	Topic     string
	Partition int32
	Next      int64 // the first that is landed: where the log begins
	Who, Why  string
}

// Config says what is landed, and where. The zero value of a field is its default, where it has one.
type Config struct {
	Store   Store
	Brokers []string  // bootstrap addresses
	Options []kgo.Opt // further ones for the Kafka client
	Topics  []Topic   // default: AllTopics
	// Follow goes on with what comes. Else the landing ends where the topics ended when it began.
	Follow bool
	Accept []Accept
	// After leaves out Bank's events up to this id, at each landing the same. For books that were opened with balances (package bootstrap): the other side begins behind the snapshot's place.
	After bank.ID

	// A transaction holds at most BatchRows records of each kind of topic (245,760: two row groups of DuckDB, each of which is then packed and written once, both at the same time),
	// together of BatchBytes (320 MiB), and what has come is not kept waiting for more longer than Linger (1 s), ten times that while Kafka has a backlog that fills the transaction: half
	// a row group is written twice. Up to three such batches are in memory.
	BatchRows  int
	BatchBytes int64
	Linger     time.Duration
	// Workers is how many goroutines read events (as many as there are processors).
	Workers int
	// Patience is how long a landing that is to end waits without a record for one that is missing: for an open transaction, or a broker (2 min).
	Patience time.Duration
	// Relist is how often a following looks for new partitions and for the topics' ends (1 s).
	Relist time.Duration

	Log *slog.Logger // default: none
	// Progress is told after each transaction, one call at a time.
	Progress func(Progress)
}

// Progress is what a landing has done since it began.
type Progress struct {
	Events  int64 `json:"events"`  // rows of events
	Rejects int64 `json:"rejects"` // records that are no event
	Skipped int64 `json:"skipped"` // records of the stream on Bank's topics, and those of Bank's that Config.After leaves out
	Bytes   int64 `json:"bytes"`   // of the records' values
	Commits int64 `json:"commits"`
	Behind  int64 `json:"behind"` // records between what is landed and the ends as last asked
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Topics == nil {
		c.Topics = AllTopics()
	}
	if c.BatchRows == 0 {
		c.BatchRows = 245_760
	}
	if c.BatchBytes == 0 {
		c.BatchBytes = 320 << 20
	}
	if c.Linger == 0 {
		c.Linger = time.Second
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Patience == 0 {
		c.Patience = 2 * time.Minute
	}
	if c.Relist == 0 {
		c.Relist = time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	errs := c.wrong()
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("Brokers: none"))
	}
	return errors.Join(errs...)
}

// wrong is what Validate says of all but Kafka.
func (c Config) wrong() []error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Store != nil, "Store: none")
	check(c.After >= 0, "After: %d is below 0", c.After)
	check(len(c.Topics) > 0, "Topics: none")
	contract := []string{bank.TopicTrades, bank.TopicCash, bank.TopicBusinessDate}
	names := map[string]bool{}
	for _, t := range c.Topics {
		check(t.Side == dialect.SideBank || t.Side == dialect.SideBK, "Topics: %s: the side %q is neither %s nor %s", t.Name, t.Side, dialect.SideBank, dialect.SideBK)
		check(slices.Contains(contract, t.Contract), "Topics: %s: %q is no topic of the contract", t.Name, t.Contract)
		check(t.Name != "", "Topics: one has no name")
		check(!names[t.Name], "Topics: %s is there twice", t.Name)
		names[t.Name] = true
	}
	for _, a := range c.Accept {
		check(names[a.Topic], "Accept: %s is not among the topics", a.Topic)
		check(a.Next > 0 && a.Partition >= 0, "Accept: %s/%d from %d on: no place behind a gap", a.Topic, a.Partition, a.Next)
		check(a.Who != "" && a.Why != "", "Accept: %s/%d: who and why are needed", a.Topic, a.Partition)
	}
	check(c.BatchRows >= 1 && c.BatchRows <= 5_000_000, "BatchRows: %d is not between 1 and 5000000", c.BatchRows)
	check(c.BatchBytes >= 1<<10 && c.BatchBytes <= 4<<30, "BatchBytes: %d is not between 1 KiB and 4 GiB", c.BatchBytes)
	check(c.Linger > 0 && c.Linger <= time.Minute, "Linger: %s is not between 0 and 1m", c.Linger)
	check(c.Workers >= 1 && c.Workers <= 256, "Workers: %d is not between 1 and 256", c.Workers)
	check(c.Patience > 0, "Patience: %s", c.Patience)
	check(c.Relist > 0, "Relist: %s", c.Relist)
	return errs
}
