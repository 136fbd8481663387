package rates

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Config says what is measured. The zero value of a field is its default.
type Config struct {
	// Hotswap and BK are the programs. Default: this one, and bk beside it.
	Hotswap, BK string
	// Dir is where the throw-away Postgres gets its folder, on a disk. Default: the system's temporary folder.
	Dir string
	// Clients book at once: 64. Those that book calls of a hundred are CallClients: 16.
	Clients, CallClients int
	// Pairs of calls to Bank direct and through the façade, for each kind: 2000.
	Pairs int
	// Phase is how long each side books in each round: 5 s. Rounds: 5.
	Phase  time.Duration
	Rounds int
	// Profile, if not empty, is a folder that gets a processor profile of bk serve in the singles and in the calls of the first round, for those who look for what is slow.
	Profile string
	// Progress is told what is being done. Default: nobody.
	Progress func(doing string)
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	integer := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
	}
	integer(&c.Clients, 64)
	integer(&c.CallClients, 16)
	integer(&c.Pairs, 2000)
	integer(&c.Rounds, 5)
	if c.Phase == 0 {
		c.Phase = 5 * time.Second
	}
	if self, err := os.Executable(); err == nil {
		if c.Hotswap == "" {
			c.Hotswap = self
		}
		if c.BK == "" {
			c.BK = filepath.Join(filepath.Dir(self), "bk")
		}
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// Quick gives a configuration that takes about a minute; its figures are rough.
func Quick() Config {
	return Config{Pairs: 500, Phase: 2 * time.Second, Rounds: 3}
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	for name, path := range map[string]string{"Hotswap": c.Hotswap, "BK": c.BK} {
		_, err := os.Stat(path)
		check(err == nil, "%s: no program there: %v", name, err)
	}
	check(c.Clients >= 1 && c.Clients <= 256, "Clients: %d is not between 1 and 256", c.Clients)
	check(c.CallClients >= 1 && c.CallClients <= 256, "CallClients: %d is not between 1 and 256", c.CallClients)
	check(c.Pairs >= 10 && c.Pairs <= 1_000_000, "Pairs: %d is not between 10 and 1000000", c.Pairs)
	check(c.Rounds >= 1 && c.Rounds <= 100, "Rounds: %d is not between 1 and 100", c.Rounds)
	check(c.Phase >= time.Second && c.Phase <= time.Hour, "Phase: %s is not between 1s and 1h", c.Phase)
	return errors.Join(wrong...)
}
