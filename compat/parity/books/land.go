package books

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// warehouse writes and asks, by one connection: temporary tables are a connection's own.
type warehouse struct {
	db     *sql.Conn
	d      dialect.Dialect
	append Append // nil: by INSERT
}

func (w *warehouse) exec(ctx context.Context, what, statement string, args ...any) error {
	if _, err := w.db.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("the warehouse: %s: %w", what, err)
	}
	return nil
}

// empty makes all tables that are not there, and takes out what is in them.
func (w *warehouse) empty(ctx context.Context) error {
	for _, t := range tables() {
		if err := w.exec(ctx, "make table "+t.Name, w.d.Create(t)); err != nil {
			return err
		}
		if err := w.exec(ctx, "empty table "+t.Name, "DELETE FROM "+t.Name); err != nil {
			return err
		}
	}
	return nil
}

// appendedRows is how many rows are handed to [Append] at once.
const appendedRows = 10_000

// sink lands rows of a table in chunks.
type sink struct {
	w      *warehouse
	t      *dialect.Table
	most   int
	values []any
	rows   int
	landed int64
}

func (w *warehouse) into(t *dialect.Table) *sink {
	most := appendedRows
	if w.append == nil {
		most = w.d.MaxInsertRows(t)
	}
	return &sink{w: w, t: t, most: most}
}

// add takes a row: a value for each column, in order.
func (s *sink) add(ctx context.Context, row ...any) error {
	if len(row) != len(s.t.Columns) {
		return fmt.Errorf("a row of %s has %d values, want %d", s.t.Name, len(row), len(s.t.Columns))
	}
	s.values = append(s.values, row...)
	if s.rows++; s.rows < s.most {
		return nil
	}
	return s.flush(ctx)
}

// flush lands what is there.
func (s *sink) flush(ctx context.Context) error {
	if s.rows == 0 {
		return nil
	}
	var err error
	if s.w.append != nil {
		err = s.w.append(ctx, s.w.db, s.t, s.values)
	} else {
		err = s.w.exec(ctx, "land rows of "+s.t.Name, s.w.d.Insert(s.t, s.rows), s.values...)
	}
	s.landed += int64(s.rows)
	clear(s.values)
	s.values, s.rows = s.values[:0], 0
	if err != nil {
		return fmt.Errorf("the warehouse: %w", err)
	}
	return nil
}

// orNull gives null for the id 0.
func orNull(id bank.ID) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}
