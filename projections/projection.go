package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
)

// Source is a shard's journal as projections read it: in order, without gaps, committed entries only. Entries are shared and never
// modified.
type Source interface {
	// Read gives up to limit entries that follow after, without waiting; none where after is the head.
	Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error)
	// Wait returns once there is an entry beyond after.
	Wait(ctx context.Context, after uint64) error
	// Head is the last entry that this process knows of. On a standby it may be behind the checkpoints that the leader writes.
	Head() ledger.Token
	// EntriesBySeq gives the entries of those sequence numbers, nil where there is none. Beyond the head it looks at what is stored,
	// so nil says that the journal ends before, not that this process hasn't heard of the entry.
	EntriesBySeq(ctx context.Context, seqs []uint64) ([]*ledger.Entry, error)
}

// Projection is a read model: a name, a version, a pure fold, and tables. Its values hold no state and are safe for concurrent use.
type Projection interface {
	// Name is the same for ever; table names begin with it. Lower-case letters and underscores.
	Name() string
	// Version is raised with every change of the fold or of the tables; the projection is then rebuilt.
	Version() int
	// Create makes the generation's tables, empty.
	Create(ctx context.Context, tx pgx.Tx, g Generation) error
	// Drop drops them; those that are not there are no error.
	Drop(ctx context.Context, tx pgx.Tx, g Generation) error
	// Open makes a fold that goes on after g's checkpoint. tx sees the tables as they are at that checkpoint.
	Open(ctx context.Context, tx pgx.Tx, g Generation) (Fold, error)
	// Check makes a checker of the generation's tables as tx (a snapshot) sees them.
	Check(tx pgx.Tx, g Generation) Checker
}

// Older is a Projection whose queries can read tables of some versions before its own, so that reads go on while it is rebuilt for the new one.
// Without it they fail with [ErrNotBuilt] until it is there.
type Older interface {
	Projection
	// Reads reports whether they can read that version, which is not the projection's own.
	Reads(version int) bool
}

// Fold takes in entries in journal order and writes their effect. One goroutine uses it. What it writes in the end must not depend
// on how the entries were divided among calls of Store.
type Fold interface {
	// Add folds one entry, in memory. An error says what is impossible about the entry, and stops the projection.
	Add(e *ledger.Entry) error
	// Store writes all that was added since the last Store. After an error, or where tx does not commit, the fold is thrown away.
	Store(ctx context.Context, tx pgx.Tx) error
}

// Heavy is a Fold with entries that cost as much to store as many chunks of others, such as one that freezes a day. A chunk ends after
// such an entry, so that a transaction has one, however few entries lie between two of them, and gets ten times [Config].ChunkTimeout.
type Heavy interface {
	Fold
	// Full reports whether one was added since the last Store.
	Full() bool
}

// Checker compares a generation's tables with a fold of its own (see [Verifier]). Its memory is bounded by the number of rows that
// can still change, not by the journal.
type Checker interface {
	// Add takes the entries from 1 up to the checkpoint, each once and in order.
	Add(ctx context.Context, e *ledger.Entry) error
	// Finish compares what is left to compare, and gives the number of rows compared in all and what is wrong with them.
	Finish(ctx context.Context) (rows int64, breaches Breaches, err error)
}

// Checkpoint says up to which entry a generation is folded.
type Checkpoint struct {
	Seq      uint64
	Hash     [32]byte  // the entry's chain hash; zero for Seq 0
	BookedAt time.Time // the entry's; zero for Seq 0
}

// of says whether the checkpoint is an entry of the journal; why says how it isn't.
func (c Checkpoint) of(ctx context.Context, source Source) (yes bool, why string, err error) {
	if c.Seq == 0 {
		return true, "", nil
	}
	entries, err := source.EntriesBySeq(ctx, []uint64{c.Seq})
	switch {
	case err != nil:
		return false, "", fmt.Errorf("look for entry %d: %w", c.Seq, err)
	case len(entries) != 1 || entries[0] == nil:
		return false, "the journal ends before it", nil
	case entries[0].ID.Seq() != c.Seq || entries[0].Hash != c.Hash:
		return false, "its chain hash is not that of the entry", nil
	}
	return true, "", nil
}

// Generation is one incarnation of a projection: a set of tables and their checkpoint.
type Generation struct {
	Projection string
	Number     int64
	Shard      uint16
	Version    int
	State      State
	Checkpoint Checkpoint
	Fault      string // why the fold stopped; empty while it goes
}

// Table gives the full name of the generation's table of that name, safe to put into SQL.
func (g Generation) Table(name string) string {
	return pgx.Identifier{"bk_read", fmt.Sprintf("%s_%d", name, g.Number)}.Sanitize()
}

// Index gives a name for an index of that table, safe to put into SQL.
func (g Generation) Index(table, suffix string) string {
	return pgx.Identifier{fmt.Sprintf("%s_%d_%s", table, g.Number, suffix)}.Sanitize()
}

// State is where a generation is in its life.
type State string

// The states, in the order of a generation's life.
const (
	Building State = "building"
	Active   State = "active"
	Retired  State = "retired"
	Dropped  State = "dropped"
)

// Errors of the runner.
var (
	// ErrUnknown: no projection of that name was configured.
	ErrUnknown = errors.New("projections: unknown projection")
	// ErrNotBuilt: the projection has no generation to read yet; no process has led since it was introduced, or since it has this version.
	ErrNotBuilt = errors.New("projections: not built yet")
	// ErrMoved: the checkpoint is not where this runner left it, another one runs. Nothing was applied; the checkpoint is read anew.
	ErrMoved = errors.New("projections: another runner has moved the checkpoint")
	// ErrRebuilding: a rebuild of the projection is under way in this process.
	ErrRebuilding = errors.New("projections: a rebuild is under way")
	// ErrSuperseded: another rebuild was begun, by another process, and took this one's place.
	ErrSuperseded = errors.New("projections: another rebuild took this one's place")
	// ErrRunning: Run was called while it runs.
	ErrRunning = errors.New("projections: the runner runs already")
)

// Fault is something that can't be: the journal, or what was folded of it, is not what the fold relies on. It stops the projection
// where it is; the others go on.
type Fault struct {
	Projection string
	Shard      uint16
	Seq        uint64 // the entry that could not be applied
	What       string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("projection %s stopped at shard %d, sequence %d: %s", f.Projection, f.Shard, f.Seq, f.What)
}

// BehindError says that a projection did not reach what a read asked for: in time, or at all.
type BehindError struct {
	Projection string
	Want, Have uint64
	Err        error // the context's error, or a *[Fault]
}

func (e *BehindError) Error() string {
	return fmt.Sprintf("projection %s is at sequence %d, %d is asked for: %v", e.Projection, e.Have, e.Want, e.Err)
}

// Unwrap gives the reason.
func (e *BehindError) Unwrap() error { return e.Err }
