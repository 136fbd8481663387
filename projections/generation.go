package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// The list of generations, bk_read.projection.

const generationColumns = `name, generation, shard, version, state, seq, hash, booked_at, fault`

func scanGeneration(row pgx.CollectableRow) (Generation, error) {
	var (
		g      Generation
		shard  int16
		seq    int64
		hash   []byte
		booked *time.Time
	)
	if err := row.Scan(&g.Projection, &g.Number, &shard, &g.Version, &g.State, &seq, &hash, &booked, &g.Fault); err != nil {
		return g, err
	}
	g.Shard, g.Checkpoint.Seq = uint16(shard), uint64(seq)
	copy(g.Checkpoint.Hash[:], hash)
	if booked != nil {
		g.Checkpoint.BookedAt = booked.UTC()
	}
	return g, nil
}

// querier is a connection pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// inState finds the shard's generation of a projection in that state; there is at most one that is building or active.
func inState(ctx context.Context, q querier, name string, shard uint16, state State, lock string) (g Generation, found bool, err error) {
	rows, err := q.Query(ctx, `SELECT `+generationColumns+` FROM bk_read.projection WHERE name = $1 AND shard = $2 AND state = $3 `+lock,
		name, int16(shard), string(state))
	if err == nil {
		g, err = pgx.CollectExactlyOneRow(rows, scanGeneration)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return g, false, nil
	}
	if err != nil {
		return g, false, fmt.Errorf("look for the %s generation of projection %s: %w", state, name, err)
	}
	return g, true, nil
}

func generationByNumber(ctx context.Context, q querier, name string, number int64) (Generation, error) {
	rows, err := q.Query(ctx, `SELECT `+generationColumns+` FROM bk_read.projection WHERE name = $1 AND generation = $2`, name, number)
	if err == nil {
		var g Generation
		if g, err = pgx.CollectExactlyOneRow(rows, scanGeneration); err == nil {
			return g, nil
		}
	}
	return Generation{}, fmt.Errorf("read generation %d of projection %s: %w", number, name, err)
}

// begin makes a new generation, empty. A building one that is there already is retired: its process is gone or will find out.
func (r *Runner) begin(ctx context.Context, p Projection, state State) (g Generation, err error) {
	err = pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE bk_read.projection SET state = 'retired', changed_at = '-infinity'
			WHERE name = $1 AND shard = $2 AND state = 'building'`, p.Name(), int16(r.cfg.Shard)); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `INSERT INTO bk_read.projection (name, generation, shard, version, state)
			SELECT $1, coalesce(max(generation), 0) + 1, $2, $3, $4 FROM bk_read.projection WHERE name = $1
			RETURNING `+generationColumns, p.Name(), int16(r.cfg.Shard), p.Version(), string(state))
		if err == nil {
			g, err = pgx.CollectExactlyOneRow(rows, scanGeneration)
		}
		if err != nil {
			return err
		}
		return p.Create(ctx, tx, g)
	})
	if err != nil {
		return g, fmt.Errorf("begin a generation of projection %s: %w", p.Name(), err)
	}
	r.cfg.Log.Info("projection generation begun", "projection", p.Name(), "generation", g.Number, "version", g.Version, "state", g.State)
	return g, nil
}

// advance moves the checkpoint from one place to the next, if it is where it should be, and locks it until the transaction ends.
// It comes first in every transaction that writes a generation's tables, so that two runners can't be in them at once.
func advance(ctx context.Context, tx pgx.Tx, g Generation, to Checkpoint) error {
	from := g.Checkpoint
	tag, err := tx.Exec(ctx, `UPDATE bk_read.projection SET seq = $6, hash = $7, booked_at = $8, fault = ''
		WHERE name = $1 AND generation = $2 AND state = $3 AND seq = $4 AND hash = $5`,
		g.Projection, g.Number, string(g.State), int64(from.Seq), from.hashColumn(), int64(to.Seq), to.hashColumn(), to.BookedAt)
	if err != nil {
		return fmt.Errorf("move the checkpoint: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("generation %d is no longer %s at sequence %d: %w", g.Number, g.State, from.Seq, ErrMoved)
	}
	return nil
}

func (c Checkpoint) hashColumn() []byte {
	if c.Seq == 0 {
		return []byte{}
	}
	return c.Hash[:]
}

// recordFault writes why a generation stopped, unless somebody moved it on.
func (r *Runner) recordFault(ctx context.Context, g Generation, f *Fault) error {
	_, err := r.cfg.Pool.Exec(ctx, `UPDATE bk_read.projection SET fault = $5
		WHERE name = $1 AND generation = $2 AND seq = $3 AND hash = $4`,
		g.Projection, g.Number, int64(g.Checkpoint.Seq), g.Checkpoint.hashColumn(), f.What)
	if err != nil {
		return fmt.Errorf("record why projection %s stopped: %w", g.Projection, err)
	}
	return nil
}

// setState moves a generation on in its life; at once says that no reader can be in its tables.
func setState(ctx context.Context, tx pgx.Tx, g Generation, to State, atOnce bool) error {
	tag, err := tx.Exec(ctx, `UPDATE bk_read.projection SET state = $4, changed_at = CASE WHEN $5 THEN '-infinity' ELSE now() END
		WHERE name = $1 AND generation = $2 AND state = $3`, g.Projection, g.Number, string(g.State), string(to), atOnce)
	if err != nil {
		return fmt.Errorf("make generation %d of projection %s %s: %w", g.Number, g.Projection, to, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("generation %d of projection %s is no longer %s: %w", g.Number, g.Projection, g.State, ErrMoved)
	}
	return nil
}

// sweep drops the tables of generations that were retired long enough ago. A table that is still read is left for the next time.
func (r *Runner) sweep(ctx context.Context, p Projection) error {
	rows, err := r.cfg.Pool.Query(ctx, `SELECT `+generationColumns+` FROM bk_read.projection
		WHERE name = $1 AND shard = $2 AND state = 'retired' AND changed_at <= now() - $3::interval ORDER BY generation LIMIT 100`,
		p.Name(), int16(r.cfg.Shard), r.cfg.Grace)
	if err != nil {
		return fmt.Errorf("look for retired generations of projection %s: %w", p.Name(), err)
	}
	retired, err := pgx.CollectRows(rows, scanGeneration)
	if err != nil {
		return fmt.Errorf("look for retired generations of projection %s: %w", p.Name(), err)
	}
	for _, g := range retired {
		err := pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
			// A reader in the table holds the lock up; and who waits for it holds up all readers that come after.
			if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
				return err
			}
			if err := setState(ctx, tx, g, Dropped, false); err != nil {
				return err
			}
			return p.Drop(ctx, tx, g)
		})
		if err != nil {
			return fmt.Errorf("drop generation %d of projection %s: %w", g.Number, g.Projection, err)
		}
		r.cfg.Log.Info("projection generation dropped", "projection", p.Name(), "generation", g.Number)
	}
	return nil
}
