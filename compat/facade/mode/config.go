package mode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// Steps is what the rest of the façade does at a step from one mode to the next. An error, or an end of the context, leaves the old mode in force.
type Steps interface {
	// Ready is asked before any write is held: can the step be made at all, is the secondary near? It may take its time, and brake writes ([Keeper.Brake]).
	Ready(ctx context.Context, s Step) error
	// Drain brings the new primary up to the old one while writes are held on all replicas. It has until the context's deadline.
	Drain(ctx context.Context, s Step) error
	// Enter works in the transaction that makes an epoch the one in force. It has until the context's deadline, too. It is all that is called for the kill
	// switch: writes are neither held nor drained then.
	Enter(ctx context.Context, tx pgx.Tx, s Step) (Bases, error)
}

// Step is one from an epoch to the next.
type Step struct {
	From Epoch // in force; its mode is "" where a fresh database enters its first
	To   Mode  // the same as From's where only ids are renewed
	// Attempt is the row of facade.switch that it is made under, ascending with each try; 0 before writes are held, at the kill switch, and where a database is fresh.
	Attempt int64
	// Killed says that it is the kill switch.
	Killed bool
	// Final says that it declares bk-only final: from bk-only to itself. LeaveBehind, if not nil, is what Bank does not get of BK's work then; else it gets all.
	Final       bool
	LeaveBehind *Left
	// TradeID and CashID are ids that those which BK gives have to go on behind.
	TradeID, CashID int64
	// Until is for how long the step is tried.
	Until time.Time
}

// Renews reports whether the mode stays and only ids go on elsewhere.
func (s Step) Renews() bool { return s.From.Mode == s.To && !s.Final }

func (s Step) String() string {
	switch {
	case s.Final:
		return fmt.Sprintf("to declare %s final", s.To)
	case s.Renews():
		return fmt.Sprintf("to let ids go on elsewhere in %s", s.To)
	}
	return fmt.Sprintf("to go from %s to %s", s.From.Mode, s.To)
}

// Left is what Bank does not have of BK's journal.
type Left struct {
	Entries int64 `json:"entries"` // so many
	Through int64 `json:"through"` // of those up to this sequence; 0: of all
}

// Bases tie the ids of the two systems together, from an epoch on.
type Bases struct {
	TradeID       int64 `json:"trade_id_base"`  // Bank's id of a trade that BK books first = this + BK's id of the entry
	CashID        int64 `json:"cash_id_base"`   // likewise for cash
	FirstSequence int64 `json:"first_sequence"` // BK's journal from here on belongs to the epoch
	BankEventID   int64 `json:"bank_event_id"`  // Bank's events up to here belong to those before
	BusinessDate  int64 `json:"business_date"`  // Bank's, as of that event

	Stream  bool  `json:"stream"`        // the stream (package bankstream) publishes on Bank's topics, and Bank elsewhere
	EventID int64 `json:"event_id_base"` // the event id of what it publishes there = this + 2 x BK's sequence + the leg
}

// Config says what a [Keeper] is. The zero value of a field is its default.
type Config struct {
	// Postgres is the DSN of the façade's database, with the tables of package schema. Needed.
	Postgres string
	// Name is the replica's, for people. Needed. Admin is the URL of its admin listener, for them as well.
	Name, Admin string
	// Initial is the mode of a fresh database (bank-only). On another it must be the one in force, or empty.
	Initial Mode
	// Steps: needed.
	Steps Steps

	// Epochs, if not nil, is told the history of modes, the oldest first, before writes are taken in the last of it. It must not block.
	Epochs func([]Epoch)

	// Fence is the advisory lock that an epoch's transaction has while it commits. Who writes down in the database what it does in an epoch has it shared, and looks
	// for a later epoch: so nothing is written down in one that is over. Needed.
	Fence int64
	// Lease is how long a replica that is not heard of may still serve writes: 10 s. It is renewed every Renew: a tenth of it.
	Lease, Renew time.Duration
	// Settle is how long after a replica's lease its last writes may still arrive at a primary: 2 s.
	Settle time.Duration
	// Hold bounds how long a switch may hold writes: 1 s. After that the old mode goes on.
	Hold time.Duration
	// Patience is how long a write waits for the gate: 5 s. MaxWaiting is how many may: 10,000.
	Patience   time.Duration
	MaxWaiting int
	// Poll is how often a replica looks whether the mode has changed, should a notification be lost: 250 ms.
	Poll time.Duration
	// Log: default none.
	Log *slog.Logger
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	set := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	set(&c.Lease, 10*time.Second)
	set(&c.Renew, c.Lease/10)
	set(&c.Settle, 2*time.Second)
	set(&c.Hold, time.Second)
	set(&c.Patience, 5*time.Second)
	set(&c.Poll, 250*time.Millisecond)
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 10_000
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
	if c.Postgres == "" {
		check(false, "Postgres: needed: the DSN of the façade's database")
	} else if _, err := pgx.ParseConfig(c.Postgres); err != nil {
		check(false, "Postgres: %w", err)
	}
	check(c.Name != "" && len(c.Name) <= 256, "Name: needed, at most 256 bytes")
	check(c.Steps != nil, "Steps: needed")
	check(c.Fence != 0, "Fence: needed")
	if c.Initial != "" {
		_, err := Parse(string(c.Initial))
		check(err == nil, "Initial: %w", err)
	}
	check(c.Lease >= 100*time.Millisecond && c.Lease <= 10*time.Minute, "Lease: %s is not between 100ms and 10m", c.Lease)
	check(c.Renew > 0 && c.Renew <= c.Lease/4, "Renew: %s is not above 0 and at most a quarter of the lease", c.Renew)
	check(c.Settle > 0 && c.Settle <= 10*time.Minute, "Settle: %s is not between 0 and 10m", c.Settle)
	check(c.Hold >= 10*time.Millisecond && c.Hold <= time.Minute, "Hold: %s is not between 10ms and 1m", c.Hold)
	check(c.Patience >= c.Hold && c.Patience <= 10*time.Minute, "Patience: %s is not between Hold (%s) and 10m", c.Patience, c.Hold)
	check(c.MaxWaiting >= 1 && c.MaxWaiting <= 1_000_000, "MaxWaiting: %d is not between 1 and 1000000", c.MaxWaiting)
	check(c.Poll >= time.Millisecond && c.Poll <= c.Hold, "Poll: %s is not between 1ms and Hold (%s)", c.Poll, c.Hold)
	return errors.Join(errs...)
}
