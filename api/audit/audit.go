package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/publisher"
	"github.com/bkledger/bk/projections"
)

// MaxBreaches is how many breaches of a check are told; the others are counted.
const MaxBreaches = 100

// Config says what to audit.
type Config struct {
	Pool        *pgxpool.Pool
	Shard       uint16
	Projections []projections.Projection
	// Publisher verifies the stream; nil where there is no Kafka.
	Publisher *publisher.Publisher
}

// Breach is one thing that is not as it must be.
type Breach struct {
	Shard uint16
	Seq   uint64 // the entry that it is about, 0 if it is about none
	What  string
}

// Finding is the result of one check.
type Finding struct {
	Check    string
	Counts   map[string]int64 // how much was checked, by name
	Breaches []Breach         // the first [MaxBreaches]
	Count    int64            // how many there are
}

// Summary is the result of an audit.
type Summary struct {
	Checks   int
	Breaches int64
	Head     ledger.Token // up to where the journal was read
	Took     time.Duration
}

// OK reports whether every check held.
func (s Summary) OK() bool { return s.Breaches == 0 }

// Run audits. progress and found are called from this goroutine or, for the stream, from one other at a time; found once for each
// check. An error says that the audit could not be made, and nothing about the books.
func Run(ctx context.Context, cfg Config, progress func(check string, done, total int64), found func(Finding)) (Summary, error) {
	began := time.Now()
	summary := Summary{Head: ledger.Token{Shard: cfg.Shard}}
	tell := func(f Finding) {
		summary.Checks++
		summary.Breaches += f.Count
		found(f)
	}
	var broken uint64 // from where on the journal can't be read
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, cfg.Pool, snapshot, func(tx pgx.Tx) error {
		j := newJournalCheck(cfg.Shard)
		verifier, err := projections.NewVerifier(ctx, tx, cfg.Shard, cfg.Projections)
		if err != nil {
			return err
		}
		if err := j.run(ctx, tx, verifier, progress); err != nil {
			return err
		}
		summary.Head.Seq, broken = j.last, j.unreadable
		for _, f := range j.findings() {
			tell(*f)
		}
		return projectionFindings(ctx, cfg, j, verifier, tell)
	})
	if err != nil {
		return summary, fmt.Errorf("audit: %w", err)
	}
	if cfg.Publisher != nil && broken != 0 {
		f := Finding{Check: "stream", Counts: map[string]int64{"events": 0}}
		f.breach(cfg.Shard, broken, "not compared: the journal can't be read from here on")
		tell(f)
	} else if cfg.Publisher != nil {
		report, err := cfg.Publisher.Verify(ctx, func(r publisher.Report) { progress("stream", int64(r.Entries), int64(r.Checkpoint)) })
		if err != nil {
			return summary, fmt.Errorf("audit: %w", err)
		}
		tell(streamFinding(report))
	}
	summary.Took = time.Since(began)
	return summary, nil
}

func projectionFindings(ctx context.Context, cfg Config, j *journalCheck, verifier *projections.Verifier, tell func(Finding)) error {
	if j.unreadable != 0 {
		for _, p := range cfg.Projections {
			f := Finding{Check: "projection." + p.Name(), Counts: map[string]int64{"rows": 0}}
			f.breach(cfg.Shard, j.unreadable, "not compared: the journal can't be folded from here on")
			tell(f)
		}
		return nil
	}
	results, err := verifier.Finish(ctx)
	if err != nil {
		return err
	}
	for _, r := range results {
		f := Finding{
			Check:  "projection." + r.Generation.Projection,
			Counts: map[string]int64{"rows": r.Rows, "entries": int64(r.Generation.Checkpoint.Seq)}, Count: r.Breaches.Count,
		}
		for _, b := range r.Breaches.First {
			f.Breaches = append(f.Breaches, Breach{cfg.Shard, b.Seq, b.What})
		}
		tell(f)
	}
	return nil
}

func streamFinding(r publisher.Report) Finding {
	f := Finding{Check: "stream", Counts: map[string]int64{"entries": int64(r.Entries), "events": int64(r.Events)}, Count: int64(r.BreachCount)}
	for _, b := range r.Breaches[:min(len(r.Breaches), MaxBreaches)] {
		if told := (Breach{b.Shard, b.Seq, b.What}); !slices.Contains(f.Breaches, told) {
			f.Breaches = append(f.Breaches, told)
		}
	}
	return f
}

func (f *Finding) breach(shard uint16, seq uint64, format string, args ...any) {
	f.Count++
	if len(f.Breaches) < MaxBreaches {
		f.Breaches = append(f.Breaches, Breach{shard, seq, fmt.Sprintf(format, args...)})
	}
}
