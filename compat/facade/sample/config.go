package sample

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/compat/facade/mode"
)

// Config says what a [Sampler] is. The zero value of a field is its default.
type Config struct {
	// Pool is of the façade's database, with the tables of package schema. At most Workers of its connections are used at once. Needed.
	Pool *pgxpool.Pool
	// Replica names this process for people. Needed.
	Replica string
	// Bank and BK answer reads of the API's listener. They must end when a request's context does. Needed.
	Bank, BK http.Handler
	// State gives the mode in force: what was sampled in another epoch is not judged. Default: it never changes.
	State func() mode.State
	// Behind gives the age of the oldest write that the secondary has yet to take, those left out that it rejects: such a row is a divergence, and
	// would hide the others. What differs while the secondary is behind by more than Settle is counted as such. Default: never.
	Behind func() time.Duration
	// Rules explain differences. Default: none. See [Sampler.SetRules].
	Rules *Rules

	// Timeout bounds each call: 2 s.
	Timeout time.Duration
	// Settle is how long a difference must last, while the primary's answer stays the same, before it is one: 5 s. What moves is watched for three times that.
	Settle time.Duration
	// Workers is how many reads are compared at once (2), QueueSize how many wait for it (1000), and how many more for the secondary to follow.
	Workers, QueueSize int
	// QueueBytes bounds the answers that are kept for all of them: 64 MiB.
	QueueBytes int
	// Pages is how many pages of a list are compared (3).
	Pages int
	// MaxBody is how long an answer may be: 1 MiB. Longer ones are not compared.
	MaxBody int
	// KeepRows is how many divergences are kept (10,000), the latest, and KeepPerMinute how many are written a minute by one replica (600).
	KeepRows, KeepPerMinute int
	// Log: default none. Registry takes the metrics; default: they are counted for [Sampler.Stats] only.
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	for _, field := range []struct {
		value    *int
		standard int
	}{{&c.Workers, 2}, {&c.QueueSize, 1000}, {&c.QueueBytes, 64 << 20}, {&c.Pages, 3}, {&c.MaxBody, 1 << 20}, {&c.KeepRows, 10_000}, {&c.KeepPerMinute, 600}} {
		if *field.value == 0 {
			*field.value = field.standard
		}
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.Settle == 0 {
		c.Settle = 5 * time.Second
	}
	if c.Rules == nil {
		c.Rules = &Rules{}
	}
	if c.Behind == nil {
		c.Behind = func() time.Duration { return 0 }
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
	check(c.Bank != nil, "Bank: needed")
	check(c.BK != nil, "BK: needed")
	check(c.Replica != "" && len(c.Replica) <= 256, "Replica: needed, at most 256 bytes")
	check(c.Timeout >= time.Millisecond && c.Timeout <= time.Minute, "Timeout: %s is not between 1ms and 1m", c.Timeout)
	check(c.Settle >= time.Millisecond && c.Settle <= 10*time.Minute, "Settle: %s is not between 1ms and 10m", c.Settle)
	check(c.Workers >= 1 && c.Workers <= 100, "Workers: %d is not between 1 and 100", c.Workers)
	check(c.QueueSize >= 1 && c.QueueSize <= 100_000, "QueueSize: %d is not between 1 and 100000", c.QueueSize)
	check(c.QueueBytes >= c.MaxBody, "QueueBytes: %d is below MaxBody (%d)", c.QueueBytes, c.MaxBody)
	check(c.Pages >= 1 && c.Pages <= 1000, "Pages: %d is not between 1 and 1000", c.Pages)
	check(c.MaxBody >= 1000 && c.MaxBody <= 64<<20, "MaxBody: %d is not between 1000 and 67108864", c.MaxBody)
	check(c.KeepRows >= 1 && c.KeepRows <= 10_000_000, "KeepRows: %d is not between 1 and 10000000", c.KeepRows)
	check(c.KeepPerMinute >= 1, "KeepPerMinute: %d is below 1", c.KeepPerMinute)
	return errors.Join(errs...)
}
