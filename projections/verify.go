package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
)

// Breach is something that is not as the journal says.
type Breach struct {
	Seq  uint64 // the entry that it is about: the first of the rows' entries, or the checkpoint
	What string
}

// Breaches collects breaches: the first [MaxBreaches] in words, all in number.
type Breaches struct {
	First []Breach
	Count int64
}

// MaxBreaches is how many breaches of a projection are described.
const MaxBreaches = 100

// Add adds one.
func (b *Breaches) Add(seq uint64, format string, args ...any) {
	b.Count++
	if len(b.First) < MaxBreaches {
		b.First = append(b.First, Breach{Seq: seq, What: fmt.Sprintf(format, args...)})
	}
}

// Merge adds others.
func (b *Breaches) Merge(o Breaches) {
	b.Count += o.Count
	b.First = append(b.First, o.First[:min(len(o.First), MaxBreaches-len(b.First))]...)
}

// Result is what the verification of one projection gave.
type Result struct {
	Generation Generation
	Rows       int64 // compared
	Breaches   Breaches
}

// Verifier compares the active generation of each projection with a fold of its own, made of all entries from the first up to the
// generation's checkpoint.
type Verifier struct {
	checks []*check
	seq    uint64
}

type check struct {
	Result
	checker Checker
}

// NewVerifier prepares the verification of a shard's projections as they are in tx, which must be a transaction of isolation level
// repeatable read, and must be left alone by others until Finish. A projection without an active generation is left out.
func NewVerifier(ctx context.Context, tx pgx.Tx, shard uint16, all []Projection) (*Verifier, error) {
	v := &Verifier{}
	for _, p := range all {
		g, found, err := inState(ctx, tx, p.Name(), shard, Active, "")
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		c := &check{Result: Result{Generation: g}}
		if g.Version == p.Version() {
			c.checker = p.Check(tx, g)
		} else {
			c.Breaches.Add(g.Checkpoint.Seq, "%s is of version %d, this program knows version %d only", p.Name(), g.Version, p.Version())
		}
		if g.Fault != "" {
			c.Breaches.Add(g.Checkpoint.Seq+1, "%s has stopped: %s", p.Name(), g.Fault)
		}
		v.checks = append(v.checks, c)
	}
	return v, nil
}

// Target is the last entry that has to be added: the furthest checkpoint.
func (v *Verifier) Target() uint64 {
	var last uint64
	for _, c := range v.checks {
		last = max(last, c.Generation.Checkpoint.Seq)
	}
	return last
}

// Add takes the next entry, with the chain hash that the verification worked out or checked. Entries beyond [Verifier.Target] may be
// added.
func (v *Verifier) Add(ctx context.Context, e *ledger.Entry) error {
	if e.ID.Seq() != v.seq+1 {
		return fmt.Errorf("projections: entry %d was added for verification after %d", e.ID.Seq(), v.seq)
	}
	v.seq++
	for _, c := range v.checks {
		at := c.Generation.Checkpoint
		if c.checker == nil || v.seq > at.Seq {
			continue
		}
		if err := c.checker.Add(ctx, e); err != nil {
			return fmt.Errorf("verify projection %s at %d: %w", c.Generation.Projection, v.seq, err)
		}
		if v.seq == at.Seq && e.Hash != at.Hash {
			c.Breaches.Add(at.Seq, "the checkpoint of %s has another chain hash than the entry: it was folded from another journal",
				c.Generation.Projection)
		}
	}
	return nil
}

// Finish gives the results, in the projections' order. All entries of the journal must have been added, or all up to the target: a
// checkpoint beyond the last one added is reported as a journal whose tail is missing.
func (v *Verifier) Finish(ctx context.Context) ([]Result, error) {
	results := make([]Result, len(v.checks))
	for i, c := range v.checks {
		if at := c.Generation.Checkpoint.Seq; at > v.seq {
			c.Breaches.Add(v.seq+1, "%s has entries up to %d, the journal ends at %d: its tail is missing", c.Generation.Projection, at, v.seq)
		}
		if c.checker != nil {
			rows, breaches, err := c.checker.Finish(ctx)
			if err != nil {
				return nil, fmt.Errorf("verify projection %s: %w", c.Generation.Projection, err)
			}
			c.Rows = rows
			c.Breaches.Merge(breaches)
		}
		results[i] = c.Result
	}
	return results, nil
}

// CompareTotals compares a table made by [CreateTotals] with what it should hold; want is used up. seq is what breaches are about.
func CompareTotals(ctx context.Context, tx pgx.Tx, table string, want map[Key]Holding, seq uint64) (rows int64, breaches Breaches, err error) {
	stored, err := tx.Query(ctx, `SELECT account, instrument, unsettled::text, settled::text FROM `+table)
	if err != nil {
		return 0, breaches, fmt.Errorf("read %s: %w", table, err)
	}
	err = EachTotal(stored, func(k Key, have Holding) {
		rows++
		should, ok := want[k]
		delete(want, k)
		switch {
		case !ok:
			breaches.Add(seq, "%s: account %d, instrument %d is there (%s unsettled, %s settled), no entry touches it",
				table, k.Account, k.Instrument, have.Unsettled, have.Settled)
		case have != should:
			breaches.Add(seq, "%s: account %d, instrument %d is %s unsettled, %s settled, should be %s and %s",
				table, k.Account, k.Instrument, have.Unsettled, have.Settled, should.Unsettled, should.Settled)
		}
	})
	if err != nil {
		return 0, breaches, fmt.Errorf("read %s: %w", table, err)
	}
	for k, should := range want {
		breaches.Add(seq, "%s: account %d, instrument %d is missing, should be %s unsettled, %s settled",
			table, k.Account, k.Instrument, should.Unsettled, should.Settled)
	}
	return rows, breaches, nil
}
