package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/backlog"
)

// Bank is what the queue asks Bank. *bank.Client is one.
type Bank interface {
	Trade(context.Context, bank.TradeRef) (bank.StoredTrade, error)
	MoveCash(context.Context, bank.Cash) (bank.ID, error)
	Roll(context.Context, bank.Date) error
	CreateEntity(context.Context, bank.Entity) (created bool, err error)
	CreateAccount(context.Context, bank.NewAccount) (created bool, err error)
	Entity(context.Context, bank.ID) (bank.Entity, error)
	Account(context.Context, bank.ID) (bank.Account, error)
	Entities(context.Context, bank.Page) (bank.List[bank.Entity], error)
	Accounts(context.Context, bank.Page) (bank.List[bank.Account], error)
}

// BK takes over what Bank has done. *books.Ledger is one. Errors that are a *[bank.Error], outcome_unknown and internal aside, say that BK refuses it.
type BK interface {
	// ReplayAll does all or none of up to 1000 replays, in order, each seeing those before it, and gives BK's ids of the entries. Doing them again gives the same.
	ReplayAll(context.Context, []bank.Replay) (ids []int64, err error)
	BusinessDate(context.Context) (bank.Date, error)
	Roll(context.Context, bank.Date) error
	CreateEntity(context.Context, bank.Entity) (created bool, err error)
	CreateAccount(context.Context, bank.NewAccount) (created bool, err error)
	Entity(context.Context, bank.ID) (bank.Entity, error)
	Account(context.Context, bank.ID) (bank.Account, error)
}

// Config says what a [Queue] is. The zero value of a field is its default.
type Config struct {
	// Postgres is the DSN of the façade's database, with the tables of package schema. Needed.
	Postgres string
	// Replica names the process, for people. Needed.
	Replica string
	// Bank: needed. BK: needed to [Queue.Run].
	Bank Bank
	BK   BK

	// Calls is how many calls may be between Begin and their outcome at once, each with a connection of its own (32); more wait. Connections is how
	// many more there are for all else (8).
	Calls, Connections int
	// CallTimeout is how long a call to Bank may take (10 s): see [Held.Deadline]. It says when the call of a dead process has ended.
	CallTimeout time.Duration
	// RollTimeout is the same for a roll, which may take minutes (10 min).
	RollTimeout time.Duration
	// WaitFor is how long a call waits, at most, for a connection and for those before it on its accounts (RollTimeout and CallTimeout together): then it fails, and Bank
	// was not asked.
	WaitFor time.Duration
	// SettleAfter is how long after the end of a call of unknown outcome Bank is asked for it (5 s). What it doesn't know by then counts as refused.
	SettleAfter time.Duration
	// WatchFor is how long after that Bank is still asked now and then, in case it did it very late (1 h), and WatchEvery how often (10 s).
	WatchFor, WatchEvery time.Duration
	// Sweep is how often a replica looks for intents of dead calls (1 s).
	Sweep time.Duration
	// Reads is how many reads Bank is asked for at once by the worker (16).
	Reads int

	// MaxWaiting is how many calls may wait for their accounts, for a roll's end, or for a connection (10,000): others are refused at once.
	MaxWaiting int
	// Limit is how many rows may wait (1,000,000). At that Full is called, and again every second until it is better. It must not block.
	Limit int
	Full  func(waiting int)
	// Worker has the settings of the worker that brings rows to BK; what it does is set by the queue.
	Worker backlog.Config
	// Log: default none.
	Log *slog.Logger
}

// timeout is how long a call of a kind may take.
func (c Config) timeout(kind string) time.Duration {
	if kind == KindRoll {
		return c.RollTimeout
	}
	return c.CallTimeout
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	integer := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
	}
	duration := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	integer(&c.Calls, 32)
	integer(&c.Connections, 8)
	integer(&c.Reads, 16)
	integer(&c.MaxWaiting, 10_000)
	integer(&c.Limit, 1_000_000)
	duration(&c.CallTimeout, 10*time.Second)
	duration(&c.RollTimeout, 10*time.Minute)
	duration(&c.WaitFor, c.RollTimeout+c.CallTimeout)
	duration(&c.SettleAfter, 5*time.Second)
	duration(&c.WatchFor, time.Hour)
	duration(&c.WatchEvery, 10*time.Second)
	duration(&c.Sweep, time.Second)
	if c.Full == nil {
		c.Full = func(int) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Worker.Log == nil {
		c.Worker.Log = c.Log
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
	if c.Postgres == "" {
		check(false, "Postgres: needed: the DSN of the façade's database")
	} else if _, err := pgxpool.ParseConfig(c.Postgres); err != nil {
		check(false, "Postgres: %w", err)
	}
	check(c.Replica != "" && len(c.Replica) <= 256, "Replica: needed, at most 256 bytes")
	check(c.Bank != nil, "Bank: needed")
	check(c.Calls >= 1 && c.Calls <= 1000, "Calls: %d is not between 1 and 1000", c.Calls)
	check(c.Connections >= 4 && c.Connections <= 1000, "Connections: %d is not between 4 and 1000", c.Connections)
	check(c.CallTimeout > 0 && c.CallTimeout <= time.Hour, "CallTimeout: %s is not between 0 and 1h", c.CallTimeout)
	check(c.RollTimeout > 0 && c.RollTimeout <= time.Hour, "RollTimeout: %s is not between 0 and 1h", c.RollTimeout)
	check(c.WaitFor > 0 && c.WaitFor <= 2*time.Hour, "WaitFor: %s is not between 0 and 2h", c.WaitFor)
	check(c.SettleAfter > 0 && c.SettleAfter <= time.Hour, "SettleAfter: %s is not between 0 and 1h", c.SettleAfter)
	check(c.WatchFor > 0, "WatchFor: %s is not above 0", c.WatchFor)
	check(c.WatchEvery > 0, "WatchEvery: %s is not above 0", c.WatchEvery)
	check(c.Sweep >= 10*time.Millisecond, "Sweep: %s is below 10ms", c.Sweep)
	check(c.Reads >= 1 && c.Reads <= 1000, "Reads: %d is not between 1 and 1000", c.Reads)
	check(c.MaxWaiting >= 1 && c.MaxWaiting <= 1_000_000, "MaxWaiting: %d is not between 1 and 1000000", c.MaxWaiting)
	check(c.Limit >= 1, "Limit: %d is below 1", c.Limit)
	return errors.Join(errs...)
}
