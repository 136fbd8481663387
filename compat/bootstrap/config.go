package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
)

// The modes: what becomes of the past.
const (
	Full    = "full"    // all of Bank's history is in BK's journal
	Opening = "opening" // what is over becomes opening balances, and is archived beside BK
)

// Config says what is brought where. The zero value of a field is its default.
type Config struct {
	Work     string // folder or s3://bucket/prefix. Needed.
	BankDB   string // DSN of Bank's database, which is only read. Needed but with Quiesced.
	BKDB     string // DSN of BK's database; its role is a server's. Needed.
	FacadeDB string // DSN of the façade's database. Needed.

	Bank       string                                                               // URL of Bank's API: for catch-up, with Quiesced, and to look at its latency
	Operations string                                                               // URL of Bank's operations; with Bank
	Key        string                                                               // shown to Bank; none
	BK         string                                                               // URL of a running BK: for catch-up and verify
	StartBK    func(ctx context.Context) (url string, stop func() error, err error) // runs one, where BK is left out; nil: nobody does

	Quiesced bool     // nobody writes to Bank: it is read through its API
	Kafka    []string // brokers that have Bank's topics: without them there is no catch-up
	Events   string   // BK's topic, which must have no events there when the load begins; bk.events.v1

	Mode        string        // Full
	ChunkRows   int64         // rows of Bank's that make a chunk, from 1 to 1,000,000; 50,000
	JournalRows int           // rows of BK's journal that make one; 100,000
	Parallel    int           // readers, transformers and loaders; 2
	Barrier     time.Duration // how long Bank's writes may be held to take the snapshot; 2 s
	BarrierFor  time.Duration // how long it is tried again; 1 min
	Latency     time.Duration // of Bank above which readers slow down; 250 ms
	Lag         time.Duration // of Bank's replicas, likewise; 10 s
	Lookout     time.Duration // how often these are looked at; 1 s
	Aurora      Aurora        // which of the databases move data by themselves
	CaughtUp    int64         // catch-up ends when no more of Bank's events, and rows of the queue, are left; 0: none
	CatchUpFor  time.Duration // it gives up after that; 1 h
	Look        bool          // Status, Quarantine and Fix are all that is called: no databases are needed
	DryRun      bool          // all but load and what follows
	Replan      bool          // what another version's rules made is made anew

	// Compare compares Bank's tables with BK, for verify, and gives what differs; nil: that is left out.
	Compare func(ctx context.Context) (Comparison, error)

	Who      string         // default: host and process id
	Progress func(Progress) // hears how far it is, a few times a second at most; may be nil
	Log      *slog.Logger   // default: none
}

// Aurora says which databases are Amazon Aurora with aws_s3, and read or write the work store's bucket by themselves.
type Aurora struct{ Bank, BK, Facade bool }

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	fill := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	if c.Mode == "" {
		c.Mode = Full
	}
	if c.Events == "" {
		c.Events = "bk.events.v1"
	}
	if c.ChunkRows == 0 {
		c.ChunkRows = 50_000
	}
	if c.JournalRows == 0 {
		c.JournalRows = 100_000
	}
	if c.Parallel == 0 {
		c.Parallel = 2
	}
	fill(&c.Barrier, 2*time.Second)
	fill(&c.BarrierFor, time.Minute)
	fill(&c.Latency, 250*time.Millisecond)
	fill(&c.Lag, 10*time.Second)
	fill(&c.Lookout, time.Second)
	fill(&c.CatchUpFor, time.Hour)
	if c.Who == "" {
		host, _ := os.Hostname()
		c.Who = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
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
	database := func(field, dsn string) {
		_, err := pgxpool.ParseConfig(dsn)
		check(dsn != "" && err == nil, "%s: a Postgres URL or list of settings is needed", field) // pgx's error may show the password
	}
	check(c.Work != "", "Work: needed: a folder or s3://bucket/prefix")
	if !c.Quiesced && !c.Look {
		database("BankDB", c.BankDB)
	}
	if !c.Look {
		database("BKDB", c.BKDB)
		database("FacadeDB", c.FacadeDB)
	}
	check(c.Mode == Full || c.Mode == Opening, "Mode: %q is neither %s nor %s", c.Mode, Full, Opening)
	check(!c.Quiesced || c.Bank != "", "Bank: needed with Quiesced")
	if c.Bank != "" {
		if err := (bank.ClientConfig{API: c.Bank, Operations: c.Operations}).WithDefaults().Validate(); err != nil {
			wrong = append(wrong, fmt.Errorf("Bank: %w", err))
		}
		check(c.Operations != "", "Operations: needed with Bank")
	}
	check(c.ChunkRows >= 1 && c.ChunkRows <= 1_000_000, "ChunkRows: %d is not between 1 and 1,000,000", c.ChunkRows)
	check(c.JournalRows >= 1 && c.JournalRows <= 1_000_000, "JournalRows: %d is not between 1 and 1,000,000", c.JournalRows)
	check(c.Parallel >= 1 && c.Parallel <= 32, "Parallel: %d is not between 1 and 32", c.Parallel)
	check(c.CaughtUp >= 0, "CaughtUp: %d is below 0", c.CaughtUp)
	for _, d := range []struct {
		field string
		of    time.Duration
	}{{"Barrier", c.Barrier}, {"BarrierFor", c.BarrierFor}, {"Latency", c.Latency}, {"Lag", c.Lag}, {"Lookout", c.Lookout}, {"CatchUpFor", c.CatchUpFor}} {
		check(d.of > 0, "%s: %s is not above zero", d.field, d.of)
	}
	return errors.Join(wrong...)
}
