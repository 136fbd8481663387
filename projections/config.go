package projections

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/ledger"
)

// Config is what a [Runner] needs.
type Config struct {
	Pool        *pgxpool.Pool // sessions with the role bk_app; two connections a projection are enough, and one for each read at a time
	Source      Source
	Shard       uint16
	Projections []Projection

	// MaxChunkEntries and MaxChunkPostings bound what is folded and stored in one transaction: 65,536 and 524,288 unless told. An
	// entry with more postings is a chunk of its own. Chunks are as large as what is waiting; the larger, the fewer rows are written
	// for an entry.
	MaxChunkEntries  int
	MaxChunkPostings int
	// Pace is for how long entries gather before they are stored, unless a read waits for them: a second unless told, and twice that
	// where thousands come. A chunk costs nearly the same whether it has ten entries or thousands, and little more for tens of thousands,
	// so this is what keeps Postgres free for the journal.
	Pace time.Duration
	// ChunkTimeout bounds the transaction of a chunk, so that a dead connection is noticed: a minute unless told.
	ChunkTimeout time.Duration
	// Grace is for how long the tables of a generation stay after another one took over, for reads that began before: a minute
	// unless told.
	Grace time.Duration
	// MaxBackoff bounds the pause before Postgres or the journal is tried again after an error: 5 seconds unless told.
	MaxBackoff time.Duration

	Log     *slog.Logger          // nil is silent
	Metrics prometheus.Registerer // nil is none
}

const (
	minBackoff = 20 * time.Millisecond
	pollEvery  = 10 * time.Millisecond // of the checkpoint, where another process moves it
	readAtOnce = 2048                  // entries; what is in memory at a time, however large the chunk
	looks      = 4                     // how often new entries are folded while the pace passes
	busy       = 2048                  // entries within the pace that show load: more of them gather then
	busyTimes  = 2                     // the pace under load
	heavyTimes = 10                    // the chunk timeout of a chunk with a heavy entry
)

var namePattern = regexp.MustCompile(`^[a-z][a-z_]{0,30}$`)

// WithDefaults fills in what was left out.
func (c Config) WithDefaults() Config {
	if c.MaxChunkEntries == 0 {
		c.MaxChunkEntries = 65536
	}
	if c.MaxChunkPostings == 0 {
		c.MaxChunkPostings = 524288
	}
	if c.Pace == 0 {
		c.Pace = time.Second
	}
	if c.ChunkTimeout == 0 {
		c.ChunkTimeout = time.Minute
	}
	if c.Grace == 0 {
		c.Grace = time.Minute
	}
	if c.MaxBackoff == 0 {
		c.MaxBackoff = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong, at once.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("projections: "+format, args...)) }
	if c.Pool == nil {
		wrong("pool: needed")
	}
	if c.Source == nil {
		wrong("source: needed")
	}
	if c.Shard > ledger.MaxShard {
		wrong("shard: %d is above %d", c.Shard, ledger.MaxShard)
	}
	if len(c.Projections) == 0 {
		wrong("projections: none")
	}
	seen := map[string]bool{}
	for _, p := range c.Projections {
		if !namePattern.MatchString(p.Name()) {
			wrong("projections: %q is no name of lower-case letters and underscores", p.Name())
		}
		if seen[p.Name()] {
			wrong("projections: %s is there twice", p.Name())
		}
		seen[p.Name()] = true
	}
	if c.MaxChunkEntries < 1 || c.MaxChunkEntries > 1<<16 {
		wrong("max chunk entries: %d is not between 1 and %d", c.MaxChunkEntries, 1<<16)
	}
	if c.MaxChunkPostings < 1 || c.MaxChunkPostings > 1<<20 {
		wrong("max chunk postings: %d is not between 1 and %d", c.MaxChunkPostings, 1<<20)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"pace", c.Pace}, {"chunk timeout", c.ChunkTimeout}, {"grace", c.Grace}, {"max backoff", c.MaxBackoff}} {
		if d.value < 0 {
			wrong("%s: %s is below zero", d.name, d.value)
		}
	}
	return errors.Join(errs...)
}
