package loader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/api/tradefile"
	"github.com/bkledger/bk/ledger"
)

// Config says how to load. Zero values are defaults.
type Config struct {
	// Client is the server. Needed.
	Client *client.Client
	// Source is noted on every entry. Default: the base name of the file.
	Source string
	// CreateMissing: accounts (code cust:<id>), instruments and currencies that rows name are defined before.
	CreateMissing bool
	// Entities: an account that is made belongs to entity 1 + (id − 100001) mod Entities. Default 0: to none.
	Entities int64
	// BatchRows are sent together, 1 to 1000. Default 1000.
	BatchRows int
	// Timeout ends a load in which nothing has gone forward for so long. Default 2 minutes.
	Timeout time.Duration
	// OnReject, OnProgress and OnRetry are called from the goroutine of Load: for every row that isn't booked, by line within a batch;
	// after every batch; before a pause, after which a call is made again.
	OnReject   func(*tradefile.RowError)
	OnProgress func(Totals)
	OnRetry    func(cause error, pause time.Duration)
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.BatchRows == 0 {
		c.BatchRows = ledger.MaxBatch
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Minute
	}
	if c.OnReject == nil {
		c.OnReject = func(*tradefile.RowError) {}
	}
	if c.OnProgress == nil {
		c.OnProgress = func(Totals) {}
	}
	if c.OnRetry == nil {
		c.OnRetry = func(error, time.Duration) {}
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(c.Client != nil, "client: none is given")
	check(c.Entities >= 0, "entities: %d is below zero", c.Entities)
	check(c.BatchRows >= 1 && c.BatchRows <= ledger.MaxBatch, "batch rows: %d is not between 1 and %d", c.BatchRows, ledger.MaxBatch)
	check(c.Timeout > 0, "timeout: %s is not above zero", c.Timeout)
	return errors.Join(faults...)
}

// Totals say what became of the rows so far. Rows = Booked + Repeats + Rejected.
type Totals struct {
	Rows     int64  // read and decided
	Booked   int64  // booked now
	Repeats  int64  // booked before, the same
	Rejected int64  // refused, or not readable
	Token    string // the last place that was written to, shard:sequence; "" if nothing was
}

// Loader loads files one after the other. It is not safe for concurrent use.
type Loader struct {
	cfg     Config
	source  string // of the file that is loaded
	totals  Totals
	batches [readAhead]*batch
	defined definitions
	retries retries
}

// New makes a loader.
func New(cfg Config) (*Loader, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	l := &Loader{cfg: cfg, defined: newDefinitions(), retries: retries{timeout: cfg.Timeout, report: cfg.OnRetry}}
	for i := range l.batches {
		l.batches[i] = newBatch(cfg.BatchRows)
	}
	return l, nil
}

// Totals gives what became of the rows of all files so far.
func (l *Loader) Totals() Totals { return l.totals }

// Load books all rows of one file. Its errors: a *tradefile.FileError once what could be read is booked, the error of a call that could not be
// made again, or ctx's. If a load ends early, a read from the file that has begun still goes on until it returns.
func (l *Loader) Load(ctx context.Context, r *tradefile.Reader) error {
	l.source = l.cfg.Source
	if l.source == "" {
		l.source = filepath.Base(r.Name())
	}
	l.source = printable(l.source, ledger.MaxNameBytes)
	ctx, cancel := context.WithCancel(ctx)
	free := make(chan *batch, readAhead)
	for i, b := range l.batches {
		free <- b
		l.batches[i] = nil
	}
	filled := read(ctx, r, free, l.cfg.BatchRows)
	err := l.sendAll(ctx, r, filled, free)
	cancel()
	for i := range l.batches { // those that the reader still has are given up
		select {
		case l.batches[i] = <-free:
		default:
			l.batches[i] = newBatch(l.cfg.BatchRows)
		}
	}
	return err
}

// sendAll sends what is read until the file's end.
func (l *Loader) sendAll(ctx context.Context, r *tradefile.Reader, filled <-chan *batch, free chan<- *batch) error {
	l.retries.progressed()
	for {
		var b *batch
		select {
		case b = <-filled:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := l.send(ctx, r, b); err != nil {
			return err
		}
		end := b.end
		free <- b
		if end == io.EOF {
			return nil
		}
		if end != nil {
			return end
		}
		l.retries.progressed() // waiting for the file is not waiting for the ledger
	}
}

// printable makes a text that the ledger takes as a source.
func printable(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
	for len(text) > limit {
		text = text[:len(text)-1]
		text = strings.ToValidUTF8(text, "")
	}
	return text
}
