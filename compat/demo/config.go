package demo

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/bkledger/bk/compat/bootstrap"
)

// Config says what is shown. The zero value of a field is its default.
type Config struct {
	// Dir is the folder of what is kept: reports, the page, the summary and the log. It is made if missing. Needed.
	Dir string
	// Listen is the live page's address, on this machine; port 0, the default, takes a free one.
	Listen string
	// Seed says what the clients draw; 1.
	Seed uint64
	// Mode says what becomes of Bank's past: bootstrap.Full, or bootstrap.Opening.
	Mode string
	// Clients trade at once; 12. Think is their pause between two calls, on average; 90 ms.
	Clients int
	Think   time.Duration
	// History is how many trades Bank has before they begin; 2,000.
	History int
	// Requests are those of clients that each stage waits for, for Longest at most; 800, 10 s.
	Requests int
	Longest  time.Duration
	// Look is how long what differs is looked at again, as one side is always behind the other; 45 s.
	Look time.Duration
	// Stay goes on behind the summary, with the clients trading, until the context ends.
	Stay bool
	// Out is where it is told; Terminal says that it is one, on which progress is shown. Default: nowhere.
	Out      io.Writer
	Terminal bool
	// Summarised is given the summary when it is there, before staying. Default: nobody.
	Summarised func(Summary) error
	// Entered is told of each stage before it begins. Default: nobody.
	Entered func(stage string, at Places)
	// Through is what the clients' HTTP goes through. Default: connections of their own.
	Through http.RoundTripper
}

// Places are where what runs can be reached; "": it is not there yet.
type Places struct {
	Page    string // URL
	Facade  string // URL of the façade's API
	Bank    string // URL of Bank's API
	BankDSN string // of Bank's database
}

// Fast is for tests: less of everything, the same stages.
func (c Config) Fast() Config {
	c.History, c.Clients, c.Think, c.Requests, c.Longest = 400, 6, 30*time.Millisecond, 120, 10*time.Second
	return c
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Seed == 0 {
		c.Seed = 1
	}
	if c.Mode == "" {
		c.Mode = bootstrap.Full
	}
	if c.Clients == 0 {
		c.Clients = 12
	}
	if c.Think == 0 {
		c.Think = 90 * time.Millisecond
	}
	if c.History == 0 {
		c.History = 2000
	}
	if c.Requests == 0 {
		c.Requests = 800
	}
	if c.Longest == 0 {
		c.Longest = 10 * time.Second
	}
	if c.Look == 0 {
		c.Look = 45 * time.Second
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Summarised == nil {
		c.Summarised = func(Summary) error { return nil }
	}
	if c.Entered == nil {
		c.Entered = func(string, Places) {}
	}
	if c.Through == nil {
		c.Through = connections(c.Clients)
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
	check(c.Dir != "", "Dir: needed")
	host, _, err := net.SplitHostPort(c.Listen)
	check(err == nil, "Listen: %q is no address such as 127.0.0.1:0", c.Listen)
	check(err != nil || net.ParseIP(host).IsLoopback(), "Listen: %q is not an address of this machine alone, such as 127.0.0.1", c.Listen)
	check(c.Mode == bootstrap.Full || c.Mode == bootstrap.Opening, "Mode: %q is neither %s nor %s", c.Mode, bootstrap.Full, bootstrap.Opening)
	check(c.Clients >= 1 && c.Clients <= 200, "Clients: %d is not between 1 and 200", c.Clients)
	check(c.Think > 0 && c.Think <= time.Minute, "Think: %s is not above 0 and up to 1m", c.Think)
	check(c.History >= 100 && c.History <= 1_000_000, "History: %d is not between 100 and 1000000", c.History)
	check(c.Requests >= 1, "Requests: %d is below 1", c.Requests)
	check(c.Longest > 0, "Longest: %s is not above 0", c.Longest)
	check(c.Look > 0, "Look: %s is not above 0", c.Look)
	return errors.Join(wrong...)
}
