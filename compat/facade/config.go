package facade

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/sample"
)

// maxRoll is below what a listener gives to any call.
const maxRoll = 15 * time.Minute

// Config says what a façade is. The zero value of a field is its default.
type Config struct {
	// Bank and BankOperations are the URLs of Bank's two listeners. Needed.
	Bank, BankOperations string
	// BK is BK's URL. Needed for every mode but bank-only.
	BK string
	// Brokers are the bootstrap addresses of the Kafka that has Bank's topics. Without any, BK can't follow what Bank does in bank-only.
	Brokers []string
	// Stream says that the stream (package bankstream) takes over Bank's topics where BK is the primary: the steps between bank-primary-bk-secondary and bk-primary-bank-secondary then
	// hold Bank's relay until they have changed hands. A step back from an epoch that was entered so does it in any case.
	Stream bool
	// Postgres is the DSN of the façade's own database; its tables are brought up to date. Needed.
	Postgres string
	// Mode is the mode of a fresh database (bank-only). On another it must be the one in force, or empty.
	Mode mode.Mode
	// Listen and OperationsListen stand for Bank's two listeners, AdminListen is the façade's own. Port 0 takes a free one. Needed.
	Listen, OperationsListen, AdminListen string
	// Keys are those that clients may show where BK answers; none: nobody is asked. The first is shown to Bank where the façade itself asks it.
	Keys []string
	// Replica names this process for people. Needed.
	Replica string
	// QueueLimit is how many writes may wait for BK before the façade leaves it behind (1,000,000).
	QueueLimit int
	// FirstTradeID is the least id of a trade that BK books first; Bank's last id counts too.
	FirstTradeID int64
	// Hold, Lease: see [mode.Config].
	Hold, Lease time.Duration
	// CallTimeout, SettleAfter: see [queue.Config]; CallTimeout, if given, bounds one try of a call to BK as well.
	CallTimeout, SettleAfter time.Duration
	// RollTimeout bounds a POST /business-date in all modes but bank-only: 10 min. A roll of many trades takes minutes.
	RollTimeout time.Duration
	// Grace is what open calls get to finish at the end: 10 s.
	Grace time.Duration
	// Connections to the database, those of the queue's calls and of the modes not counted: 16.
	Connections int
	// Pprof serves Go profiles on the admin listener.
	Pprof bool
	// SampleRules explain differences of reads that are compared. Default: none.
	SampleRules *sample.Rules
	// Log: default none.
	Log *slog.Logger
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.QueueLimit == 0 {
		c.QueueLimit = 1_000_000
	}
	if c.RollTimeout == 0 {
		c.RollTimeout = 10 * time.Minute
	}
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	if c.Connections == 0 {
		c.Connections = 16
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
	_, err := baseURL(c.Bank)
	check(err == nil, "Bank: %w", err)
	_, err = baseURL(c.BankOperations)
	check(err == nil, "BankOperations: %w", err)
	if c.BK != "" {
		_, err = baseURL(c.BK)
		check(err == nil, "BK: %w", err)
	}
	if c.Postgres == "" {
		check(false, "Postgres: needed: the DSN of the façade's own database")
	} else if _, err := pgx.ParseConfig(c.Postgres); err != nil {
		check(false, "Postgres: %w", err)
	}
	if c.Mode != "" {
		_, err := mode.Parse(string(c.Mode))
		check(err == nil, "Mode: %w", err)
		check(err != nil || c.Mode == mode.BankOnly || c.BK != "", "BK: needed in %s", c.Mode)
	}
	for name, address := range map[string]string{"Listen": c.Listen, "OperationsListen": c.OperationsListen, "AdminListen": c.AdminListen} {
		_, _, err := net.SplitHostPort(address)
		check(err == nil, "%s: %w", name, err)
	}
	for _, key := range c.Keys {
		check(key != "" && !strings.ContainsAny(key, " \t\r\n"), "Keys: a key must not be empty, and must hold no space")
	}
	check(c.Replica != "" && len(c.Replica) <= 256, "Replica: needed, at most 256 bytes")
	check(!c.Stream || c.BK != "", "BK: needed with Stream")
	check(c.QueueLimit >= 1, "QueueLimit: %d is below 1", c.QueueLimit)
	check(c.FirstTradeID >= 0, "FirstTradeID: %d is below 0", c.FirstTradeID)
	check(c.RollTimeout > 0 && c.RollTimeout <= maxRoll, "RollTimeout: %s is not between 0 and %s", c.RollTimeout, maxRoll)
	check(c.Grace > 0, "Grace: %s is not above 0", c.Grace)
	check(c.Connections >= 4 && c.Connections <= 1000, "Connections: %d is not between 4 and 1000", c.Connections)
	return errors.Join(errs...)
}

// baseURL reads the URL of a listener. It has no path: a proxy that changes paths is no stand-in.
func baseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("%q is no URL such as http://127.0.0.1:8080", text)
	}
	return u, nil
}
