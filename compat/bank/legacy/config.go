package legacy

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"
)

// Config is what a Bank is told.
type Config struct {
	DSN         string       // of Bank's own database
	Connections int          // for transactions, and as many for reads; default 24
	Log         *slog.Logger // default: silent

	// What follows, only [Run] looks at.

	Brokers          []string      // Kafka's bootstrap addresses; none: events stay in the outbox
	Partitions       int           // of new topics; default 8
	Listen           string        // address of the API; default 127.0.0.1:8080
	OperationsListen string        // address of operations, health and metrics; default 127.0.0.1:8081
	Keys             []string      // API keys; none: everybody is let in
	Grace            time.Duration // what open calls get to finish at the end; default 10 s
}

// WithDefaults fills in what is empty.
func (c Config) WithDefaults() Config {
	if c.Connections == 0 {
		c.Connections = 24
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Partitions == 0 {
		c.Partitions = 8
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.OperationsListen == "" {
		c.OperationsListen = "127.0.0.1:8081"
	}
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
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
	check(c.DSN != "", "DSN: missing")
	check(c.Connections >= 2 && c.Connections <= 1000, "Connections: %d is not between 2 and 1000", c.Connections)
	check(c.Partitions >= 1 && c.Partitions <= 10_000, "Partitions: %d is not between 1 and 10000", c.Partitions)
	check(c.Grace > 0, "Grace: %s is not positive", c.Grace)
	for name, address := range map[string]string{"Listen": c.Listen, "OperationsListen": c.OperationsListen} {
		_, _, err := net.SplitHostPort(address)
		check(err == nil, "%s: %q is no address such as 127.0.0.1:8080", name, address)
	}
	for _, broker := range c.Brokers {
		check(strings.TrimSpace(broker) != "", "Brokers: an address is empty")
	}
	return errors.Join(wrong...)
}
