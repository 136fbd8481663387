package backlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says what a [Worker] does. The zero value of a field is its default.
type Config struct {
	// Lock is the key of the advisory lock under which one worker of all replicas works. Needed.
	Lock int64
	// Deliver brings a batch to the other system: rows in order, where one may share keys with those before it. It gives a result for each, or an error if the
	// other system can't be reached, or its answer is not known: then all are delivered again, later. Several batches may be under way at
	// once; they share no key. Delivering a row again must do no harm. Needed.
	Deliver func(ctx context.Context, rows []Row) ([]Result, error)
	// Alone says which kinds make a batch of their own. Default: none does; rows with the key [All] always do.
	Alone func(kind string) bool

	// Batch is the sum of the sizes of a batch (1000), and Parallel how many batches are under way at once (2).
	Batch, Parallel int
	// Window is how much is in memory: at most so many rows, and of those that are not blocked so much in the sum of their sizes (4000), if one row is not beyond it.
	// MaxBlocked is how many rows may be blocked (1000) before no more is begun; of these only the place is in memory.
	Window, MaxBlocked int
	// Poll is how often an idle worker looks for rows that it was not told of (100 ms).
	Poll time.Duration
	// FirstPause and LastPause bound the pauses between the tries of a rejected row (1 s, 1 min): each is twice the one before.
	FirstPause, LastPause time.Duration
	// AwayPause bounds the pauses while the other system is away: from 100 ms to this (5 s).
	AwayPause time.Duration
	// KeepRows and KeepFor say how many rows stay when they are done (100,000), and how long (1 h).
	KeepRows int64
	KeepFor  time.Duration
	// Log: default none.
	Log *slog.Logger
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
	integer(&c.Batch, 1000)
	integer(&c.Parallel, 2)
	integer(&c.Window, 4000)
	integer(&c.MaxBlocked, 1000)
	duration(&c.Poll, 100*time.Millisecond)
	duration(&c.FirstPause, time.Second)
	duration(&c.LastPause, time.Minute)
	duration(&c.AwayPause, 5*time.Second)
	duration(&c.KeepFor, time.Hour)
	if c.KeepRows == 0 {
		c.KeepRows = 100_000
	}
	if c.Alone == nil {
		c.Alone = func(string) bool { return false }
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
	check(c.Lock != 0, "Lock: needed")
	check(c.Deliver != nil, "Deliver: needed")
	check(c.Batch >= 1 && c.Batch <= 1000, "Batch: %d is not between 1 and 1000", c.Batch)
	check(c.Parallel >= 1 && c.Parallel <= 100, "Parallel: %d is not between 1 and 100", c.Parallel)
	check(c.Window >= 10 && c.Window <= 100_000, "Window: %d is not between 10 and 100000", c.Window)
	check(c.MaxBlocked >= 1 && c.MaxBlocked <= c.Window, "MaxBlocked: %d is not between 1 and Window (%d)", c.MaxBlocked, c.Window)
	check(c.Poll >= time.Millisecond && c.Poll <= time.Minute, "Poll: %s is not between 1ms and 1m", c.Poll)
	check(c.FirstPause > 0 && c.FirstPause <= c.LastPause, "FirstPause: %s is not above 0 and at most LastPause (%s)", c.FirstPause, c.LastPause)
	check(c.AwayPause > 0, "AwayPause: %s is not above 0", c.AwayPause)
	check(c.KeepRows >= 1, "KeepRows: %d is below 1", c.KeepRows)
	check(c.KeepFor > 0, "KeepFor: %s is not above 0", c.KeepFor)
	return errors.Join(errs...)
}
