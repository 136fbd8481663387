package bench

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// Config says what is measured. The zero value of a field is its default.
type Config struct {
	// Postgres is the DSN of a server on which databases may be made. Default: a durable throw-away server on this machine.
	Postgres string
	// Dir is where the throw-away server gets its folder, on a disk. Default: the system's temporary folder, /var/tmp if that is in
	// memory.
	Dir string
	// Entries is how many entries a run of a fast side appends; slow sides get a part of that. Default 200,000.
	Entries int
	// Rounds is how often each side runs; figures are medians. Default 5.
	Rounds int
	// OpenLoop is how long each run with a schedule takes. Default 5 s.
	OpenLoop time.Duration
	// Overload is how long the overload takes; the memory at its end is compared with that after 10 s, or at half time where it takes no
	// longer. Default 15 s.
	Overload time.Duration
	// Child is the command line of a process that calls [Child]. Default: this program with the arguments "bench child".
	Child []string
	// Progress is told what is being done, as the step done of total. Default: nobody.
	Progress func(done, total int, doing string)
	// Log gets what the parts of the engine say. Default: none.
	Log *slog.Logger
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Entries == 0 {
		c.Entries = 200_000
	}
	if c.Rounds == 0 {
		c.Rounds = 5
	}
	if c.OpenLoop == 0 {
		c.OpenLoop = 5 * time.Second
	}
	if c.Overload == 0 {
		c.Overload = 15 * time.Second
	}
	if c.Child == nil {
		if self, err := os.Executable(); err == nil {
			c.Child = []string{self, "bench", "child"}
		}
	}
	if c.Progress == nil {
		c.Progress = func(int, int, string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Quick gives a configuration that takes a minute or two; its figures are rough.
func Quick() Config {
	return Config{Entries: 40_000, Rounds: 2, OpenLoop: 2 * time.Second, Overload: 4 * time.Second}
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(c.Entries >= 100 && c.Entries <= 5_000_000, "entries: %d is not between 100 and 5000000", c.Entries)
	check(c.Rounds >= 1 && c.Rounds <= 100, "rounds: %d is not between 1 and 100", c.Rounds)
	check(c.OpenLoop >= 100*time.Millisecond && c.OpenLoop <= time.Hour, "open loop: %s is not between 100ms and 1h", c.OpenLoop)
	check(c.Overload >= 100*time.Millisecond && c.Overload <= time.Hour, "overload: %s is not between 100ms and 1h", c.Overload)
	check(len(c.Child) > 0, "child: this program does not know its own path")
	return errors.Join(faults...)
}
