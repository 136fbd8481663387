package landing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// sqlRows is how many rows a chunk of a [SQLStore] has.
const sqlRows = 2048

// errRange says that a decimal has too many digits.
var errRange = errors.New("a decimal has more than 28 integer or 10 fraction digits")

// SQLStore is any warehouse that has a driver for database/sql: rows are inserted by INSERT with placeholders.
type SQLStore struct {
	db *sql.DB
	d  dialect.Dialect
}

// NewSQLStore makes the tables that are not there. The database stays the caller's.
func NewSQLStore(ctx context.Context, db *sql.DB, d dialect.Dialect) (*SQLStore, error) {
	for _, statement := range d.CreateTables() {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("make the warehouse's tables: %w", err)
		}
	}
	return &SQLStore{db: db, d: d}, nil
}

// Dialect is the one that was given.
func (s *SQLStore) Dialect() dialect.Dialect { return s.d }

// DB is the one that was given.
func (s *SQLStore) DB() *sql.DB { return s.db }

// NewChunk gives an empty chunk.
func (s *SQLStore) NewChunk(t *dialect.Table) (Chunk, error) {
	return &sqlChunk{table: t, width: len(t.Columns)}, nil
}

// Write inserts the chunks' rows and runs the statements in one transaction.
func (s *SQLStore) Write(ctx context.Context, chunks []Chunk, statements []Statement) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the first fault says more
		}
	}()
	for _, one := range chunks {
		c, ok := one.(*sqlChunk)
		if !ok {
			return errors.New("a chunk is not this warehouse's")
		}
		for values := c.values[:c.rows*c.width]; len(values) > 0; {
			rows := min(len(values)/c.width, s.d.MaxInsertRows(c.table))
			if _, err := tx.ExecContext(ctx, s.d.Insert(c.table, rows), values[:rows*c.width]...); err != nil {
				return fmt.Errorf("insert %d rows into %s: %w", rows, c.table.Name, err)
			}
			values = values[rows*c.width:]
		}
	}
	for _, statement := range statements {
		result, err := tx.ExecContext(ctx, statement.SQL)
		if err != nil {
			return fmt.Errorf("%s: %w", statement.SQL, err)
		}
		if statement.Rows < 0 {
			continue
		}
		if changed, err := result.RowsAffected(); err != nil {
			return fmt.Errorf("%s: %w", statement.SQL, err)
		} else if changed != statement.Rows {
			return fmt.Errorf("%w: %d rows were changed by %s", ErrOtherLoader, changed, statement.SQL)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// sqlChunk is rows as values of a statement.
type sqlChunk struct {
	table  *dialect.Table
	width  int
	rows   int
	values []any
}

func (c *sqlChunk) Table() string { return c.table.Name }
func (c *sqlChunk) Rows() int     { return c.rows }
func (c *sqlChunk) Full() bool    { return c.rows == sqlRows }
func (c *sqlChunk) Release()      {}
func (c *sqlChunk) Begin()        { c.values = c.values[:c.rows*c.width] }

func (c *sqlChunk) End() {
	c.rows++
	if len(c.values) != c.rows*c.width {
		panic("landing: a row of " + c.table.Name + " has values for some columns only")
	}
}

func (c *sqlChunk) Null()           { c.values = append(c.values, nil) }
func (c *sqlChunk) Text(s string)   { c.values = append(c.values, strings.Clone(s)) }
func (c *sqlChunk) Integer(n int64) { c.values = append(c.values, n) }
func (c *sqlChunk) Flag(flag bool)  { c.values = append(c.values, flag) }
func (c *sqlChunk) Time(t time.Time) {
	c.values = append(c.values, t.UTC())
}
func (c *sqlChunk) Bytes(b []byte) { c.values = append(c.values, b) }

// Decimal is passed as text: a driver's number may be a float.
func (c *sqlChunk) Decimal(d bank.Decimal) error {
	c.values = append(c.values, d.String())
	if scaled := d.Shift(dialect.DecimalScale); !scaled.IsInteger() || len(scaled.Abs().BigInt().String()) > dialect.DecimalDigits {
		return errRange
	}
	return nil
}

// Fixed is Decimal, for digits that fit a word.
func (c *sqlChunk) Fixed(number int64, fraction int) error {
	return c.Decimal(bank.Decimal{Decimal: decimal.New(number, -int32(fraction))})
}
