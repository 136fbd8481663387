package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
)

// Bank is what is asked of Bank besides its events.
type Bank interface {
	ReplayPlace(context.Context) (bank.ReplayPlace, error)
}

// Config says what a [Follower] is. The zero value of a field is its default.
type Config struct {
	// Pool is the façade's database, with the tables of package schema. Needed; the caller closes it.
	Pool *pgxpool.Pool
	// Brokers are Kafka's bootstrap addresses. Needed. Options say how they are reached: TLS, SASL.
	Brokers []string
	Options []kgo.Opt
	// Trades, Cash and Dates are the topics: bank.trades, bank.cash, bank.business-date.
	Trades, Cash, Dates string
	// Lock is the advisory lock of the one follower of all replicas. Needed.
	Lock int64
	// Bank says what it has not sent yet. Needed. *bank.Client is one.
	Bank Bank
	// Quiet is how long no event must have come before what Kafka has counts as all that Bank has sent (100 ms), where Bank doesn't say it.
	Quiet time.Duration
	// Pending is how many events may wait for others (100,000): beyond that nothing more is read from the partitions that have most of them.
	Pending int
	// Queued is called when there are new rows. It must not block.
	Queued func()
	// Log: default none.
	Log *slog.Logger
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	text := func(s *string, standard string) {
		if *s == "" {
			*s = standard
		}
	}
	text(&c.Trades, "bank.trades")
	text(&c.Cash, "bank.cash")
	text(&c.Dates, "bank.business-date")
	if c.Quiet == 0 {
		c.Quiet = 100 * time.Millisecond
	}
	if c.Pending == 0 {
		c.Pending = 100_000
	}
	if c.Queued == nil {
		c.Queued = func() {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Pool != nil, "Pool: needed")
	check(len(c.Brokers) > 0, "Brokers: needed")
	check(c.Trades != c.Cash && c.Cash != c.Dates && c.Trades != c.Dates, "Trades, Cash, Dates: %s, %s and %s are not three topics", c.Trades, c.Cash, c.Dates)
	check(c.Bank != nil, "Bank: needed")
	check(c.Lock != 0, "Lock: needed")
	check(c.Quiet > 0 && c.Quiet <= time.Minute, "Quiet: %s is not between 0 and 1m", c.Quiet)
	check(c.Pending >= 1000, "Pending: %d is below 1000", c.Pending)
	return errors.Join(errs...)
}
