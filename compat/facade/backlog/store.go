package backlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNotWaiting says that a row is not there, or is done already.
var ErrNotWaiting = errors.New("no such row is waiting")

// Store is the table of a backlog.
type Store struct {
	pool  *pgxpool.Pool
	table string
}

// NewStore gives the store of a table that is shaped as facade.queue; table is its name, "facade.queue".
func NewStore(pool *pgxpool.Pool, table string) *Store { return &Store{pool: pool, table: table} }

const columns = `position, origin, epoch, kind, keys, size, request, coalesce(answer, 'null'), queued_at, attempts, next_try, coalesce(reason, ''),
	done_at, coalesce(outcome, ''), coalesce(who, '')`

func scan(r pgx.CollectableRow) (row Row, err error) {
	err = r.Scan(&row.Position, &row.Origin, &row.Epoch, &row.Kind, &row.Keys, &row.Size, &row.Request, &row.Answer, &row.QueuedAt,
		&row.Attempts, &row.NextTry, &row.Reason, &row.DoneAt, &row.Outcome, &row.Who)
	return row, err
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func collect(ctx context.Context, q querier, sql string, args ...any) ([]Row, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// List gives up to limit rows behind a position: those that are blocked, or all that wait.
func (s *Store) List(ctx context.Context, after int64, limit int, onlyBlocked bool) ([]Row, error) {
	where := `done_at IS NULL`
	if onlyBlocked {
		where += ` AND attempts > 0`
	}
	rows, err := collect(ctx, s.pool, `SELECT `+columns+` FROM `+s.table+` WHERE `+where+` AND position > $1 ORDER BY position LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.table, err)
	}
	return rows, nil
}

// Divergences gives up to limit rows, the latest first, that were left out: skipped, or unmappable.
func (s *Store) Divergences(ctx context.Context, limit int) ([]Row, error) {
	rows, err := collect(ctx, s.pool, `SELECT `+columns+` FROM `+s.table+` WHERE outcome <> 'done' ORDER BY done_at DESC LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("list what %s left out: %w", s.table, err)
	}
	return rows, nil
}

// Retry has a blocked row tried at once. [ErrNotWaiting] where it is not blocked.
func (s *Store) Retry(ctx context.Context, position int64) error {
	return s.change(ctx, position, `UPDATE `+s.table+` SET next_try = clock_timestamp() WHERE position = $1 AND done_at IS NULL AND attempts > 0`, position)
}

// Skip takes a blocked row out for good: the systems differ from then on, by what it would have done. Who and why are needed. [ErrNotWaiting] where it is not
// blocked.
func (s *Store) Skip(ctx context.Context, position int64, who, why string) error {
	if who == "" || why == "" {
		return errors.New("skip a row: who and why are needed")
	}
	return s.change(ctx, position, `UPDATE `+s.table+` SET done_at = clock_timestamp(), outcome = 'skipped', who = $2, reason = $3 || '; it was rejected with: ' || coalesce(reason, '')
		WHERE position = $1 AND done_at IS NULL AND attempts > 0`, position, who, why)
}

func (s *Store) change(ctx context.Context, position int64, sql string, args ...any) error {
	tag, err := s.pool.Exec(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("change row %d of %s: %w", position, s.table, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("row %d of %s: %w, or it is not blocked", position, s.table, ErrNotWaiting)
	}
	return nil
}

// Stats says how the backlog stands; it counts up to a bound, so that it costs no more the longer the backlog is.
func (s *Store) Stats(ctx context.Context, bound int) (st Stats, err error) {
	var age float64
	var leftOut []byte
	err = s.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM (SELECT FROM `+s.table+` WHERE done_at IS NULL LIMIT $1) w),
		coalesce((SELECT extract(epoch FROM clock_timestamp() - queued_at)::float8 FROM `+s.table+` WHERE done_at IS NULL ORDER BY position LIMIT 1), 0),
		(SELECT count(*) FROM `+s.table+` WHERE done_at IS NULL AND attempts > 0),
		(SELECT coalesce(json_object_agg(outcome, n), '{}') FROM (SELECT outcome, count(*) AS n FROM `+s.table+` WHERE outcome <> 'done' GROUP BY outcome) l)`, bound).
		Scan(&st.Waiting, &age, &st.Blocked, &leftOut)
	if err == nil {
		err = json.Unmarshal(leftOut, &st.LeftOut)
	}
	if err != nil {
		return Stats{}, fmt.Errorf("count %s: %w", s.table, err)
	}
	st.Age = max(0, time.Duration(age*float64(time.Second)))
	return st, nil
}

// unknown leaves out positions of $1. position <> ALL is thousands times thousands of comparisons.
const unknown = `NOT EXISTS (SELECT FROM unnest($1::bigint[]) AS k (known) WHERE k.known = position)`

// fetch gives the lowest rows that wait, those of positions in known left out: up to limit rows, and no more once the sum of their sizes is limit. Of rows that are behind
// a blocked one, directly or over others, none is given: nor anything behind a row about everything that is itself behind a blocked one. more is false
// if there are no others for now.
func (s *Store) fetch(ctx context.Context, known []int64, blocked map[int64]*item, limit int) (rows []Row, more bool, err error) {
	lowest := func(where string) string {
		return `SELECT ` + columns + ` FROM (
			SELECT *, sum(size) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) AS total FROM ` + s.table + ` WHERE done_at IS NULL AND ` + unknown + where + ` ORDER BY position LIMIT $2
		) AS lowest WHERE total - size < $2 ORDER BY position`
	}
	if len(blocked) == 0 {
		rows, err = collect(ctx, s.pool, lowest(``), known, limit)
	} else {
		// One snapshot for all: a row that is committed in between must be in what is behind it, too.
		err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			stuck, before, err := s.stuck(ctx, tx, known, blocked)
			if err != nil {
				return err
			}
			rows, err = collect(ctx, tx, lowest(` AND NOT keys && $3 AND position < $4`), known, limit, stuck, before)
			return err
		})
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", s.table, err)
	}
	size := 0
	for i := range rows {
		size += rows[i].Size
	}
	return rows, size >= limit, nil // no row's size is below 1
}

// stuck gives the keys on which rows wait for a blocked one, and the position of the first row about everything behind one. It looks at no positions: so of a row that
// is left out all keys are left out.
func (s *Store) stuck(ctx context.Context, tx pgx.Tx, known []int64, blocked map[int64]*item) (keys []int64, before int64, err error) {
	first := int64(math.MaxInt64)
	has := map[int64]bool{}
	for _, b := range blocked {
		first = min(first, b.row.Position)
		for _, key := range b.row.Keys {
			if !has[key] {
				has[key] = true
				keys = append(keys, key)
			}
		}
	}
	err = tx.QueryRow(ctx, `SELECT coalesce(min(position), 9223372036854775807) FROM `+s.table+` WHERE done_at IS NULL AND position > $2 AND keys = '{0}' AND `+unknown,
		known, first).Scan(&before)
	if err != nil {
		return nil, 0, err
	}
	if has[All] {
		return keys, min(before, first), nil // the blocked row is about everything
	}
	for {
		rows, err := tx.Query(ctx, `SELECT DISTINCT key FROM `+s.table+`, unnest(keys) AS key
			WHERE done_at IS NULL AND cardinality(keys) > 1 AND keys && $2 AND key <> ALL($2) AND `+unknown, known, keys)
		if err != nil {
			return nil, 0, err
		}
		more, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return nil, 0, err
		}
		if len(more) == 0 {
			return keys, before, nil
		}
		keys = append(keys, more...)
	}
}

// verdict is how a blocked row stands in the table.
type verdict struct {
	Position int64
	Waiting  bool
	Due      bool // for its next try
}

// verdicts looks what has become of blocked rows: people retry and skip them from anywhere.
func (s *Store) verdicts(ctx context.Context, blocked map[int64]*item) ([]verdict, error) {
	rows, err := s.pool.Query(ctx, `SELECT position, done_at IS NULL, next_try <= clock_timestamp() FROM `+s.table+` WHERE position = ANY($1) ORDER BY position`, slices.Collect(maps.Keys(blocked)))
	if err != nil {
		return nil, fmt.Errorf("look at the blocked rows of %s: %w", s.table, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[verdict])
}

// content is what a row is about.
type content struct{ Request, Answer json.RawMessage }

// contents gives those of some rows, by position.
func (s *Store) contents(ctx context.Context, positions []int64) (map[int64]content, error) {
	rows, err := s.pool.Query(ctx, `SELECT position, request, coalesce(answer, 'null') FROM `+s.table+` WHERE position = ANY($1)`, positions)
	if err != nil {
		return nil, fmt.Errorf("read rows of %s again: %w", s.table, err)
	}
	found := map[int64]content{}
	for rows.Next() {
		var position int64
		var c content
		if err := rows.Scan(&position, &c.Request, &c.Answer); err != nil {
			rows.Close()
			return nil, fmt.Errorf("read rows of %s again: %w", s.table, err)
		}
		found[position] = c
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read rows of %s again: %w", s.table, err)
	}
	return found, nil
}

// block notes that a row was rejected.
func (s *Store) block(ctx context.Context, row *Row, pause time.Duration, reason string) error {
	_, err := s.pool.Exec(ctx, `UPDATE `+s.table+` SET attempts = $2, next_try = clock_timestamp() + $3, reason = $4 WHERE position = $1 AND done_at IS NULL`,
		row.Position, row.Attempts, pause, reason)
	if err != nil {
		return fmt.Errorf("block row %d of %s: %w", row.Position, s.table, err)
	}
	return nil
}

// finish marks rows as done. It need not be durable at once: what is lost with a server that crashes is done again, and that is a repeat. One that was skipped while a try
// of it was under way is done after all; late gives the positions of such.
func (s *Store) finish(ctx context.Context, positions []int64) (late []int64, err error) {
	rows, err := s.pool.Query(ctx, `WITH lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS done)
		UPDATE `+s.table+` SET done_at = clock_timestamp(), outcome = 'done' FROM lazily
		WHERE position = ANY($1) AND (done_at IS NULL OR outcome = 'skipped') AND lazily.done = 'off' RETURNING position, who IS NOT NULL`, positions)
	if err != nil {
		return nil, fmt.Errorf("mark rows of %s as done: %w", s.table, err)
	}
	var position int64
	var skipped bool
	_, err = pgx.ForEachRow(rows, []any{&position, &skipped}, func() error {
		if skipped {
			late = append(late, position)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("mark rows of %s as done: %w", s.table, err)
	}
	return late, nil
}

// prune removes rows that are done: those beyond the latest keep of them, or older than age. It reports whether there may be more.
func (s *Store) prune(ctx context.Context, keep int64, age time.Duration, atMost int) (more bool, err error) {
	var tag pgconn.CommandTag
	tag, err = s.pool.Exec(ctx, `DELETE FROM `+s.table+` WHERE position IN (SELECT position FROM `+s.table+`
		WHERE outcome = 'done' AND (position < (SELECT max(position) FROM `+s.table+`) - $1 OR done_at < clock_timestamp() - $2::interval) ORDER BY position LIMIT $3)`, keep, age, atMost)
	if err != nil {
		return false, fmt.Errorf("prune %s: %w", s.table, err)
	}
	return tag.RowsAffected() == int64(atMost), nil
}
