package parity

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// Config says what is compared. The zero value of a field is its default, where it has one.
type Config struct {
	DB      *sql.DB // the warehouse. Needed
	Dialect dialect.Dialect
	// Rules explain differences. Default: none.
	Rules *Rules
	// Lag is how long an event that only one side has is waited for; 0: not at all.
	Lag time.Duration
	// AnyMoments leaves booked_at and canceled_at out: they are equal only where one side replays the other's work.
	AnyMoments bool
	// Opening takes an account's first totals for brought in from before the landing where both sides agree.
	Opening bool
	// Keep is how many findings are in the report, those of the most money first: 10,000. All are counted.
	Keep int
	// MaxExamined is how many events of accounts with differences are looked at one by one: 20,000,000.
	MaxExamined int64
	// Findings are those of other comparisons, and Compared how many pairs those looked at: of the books themselves.
	Findings []causes.Finding
	Compared int64
	// Now is the time. Default: time.Now.
	Now func() time.Time
	Log *slog.Logger // default: none
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Rules == nil {
		c.Rules = &Rules{}
	}
	if c.Keep == 0 {
		c.Keep = 10_000
	}
	if c.MaxExamined == 0 {
		c.MaxExamined = 20_000_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	check(c.DB != nil, "DB: needed")
	check(c.Lag >= 0 && c.Lag <= 24*time.Hour, "Lag: %s is not between 0 and 24h", c.Lag)
	check(c.Keep >= 1, "Keep: %d is below 1", c.Keep)
	check(c.MaxExamined >= 1, "MaxExamined: %d is below 1", c.MaxExamined)
	return errors.Join(wrong...)
}
