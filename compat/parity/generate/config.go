package generate

import (
	"errors"
	"fmt"

	"github.com/bkledger/bk/compat/bank"
)

// Config says what is made up. The zero value of a field is its default.
type Config struct {
	Seed      uint64
	Events    int64     // how many (100,000)
	Accounts  int       // (2000)
	Symbols   int       // (200)
	DayTrades int       // bookings on each business date (10,000)
	First     bank.Date // business date to begin with, a weekday (20131007)
	// BK gives the other side of the same: ids as the façade's stream has them (two for each entry of BK's), times a little later. Else Bank's: one after the other.
	BK bool
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	integer := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
	}
	integer(&c.Accounts, 2000)
	integer(&c.Symbols, 200)
	integer(&c.DayTrades, 10_000)
	if c.Events == 0 {
		c.Events = 100_000
	}
	if c.First == 0 {
		c.First = 20131007
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
	check(c.Events >= 1 && c.Events <= 1e9, "Events: %d is not between 1 and 1000000000", c.Events)
	check(c.Accounts >= 2 && c.Accounts <= 1e6, "Accounts: %d is not between 2 and 1000000", c.Accounts)
	check(c.Symbols >= 1 && c.Symbols <= 26*26*26, "Symbols: %d is not between 1 and 17576", c.Symbols)
	check(c.DayTrades >= 1 && c.DayTrades <= 1e6, "DayTrades: %d is not between 1 and 1000000", c.DayTrades)
	check(c.First.Real() && weekday(c.First), "First: %d is no weekday such as 20131007", c.First)
	return errors.Join(wrong...)
}
