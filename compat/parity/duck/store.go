package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/landing"
)

// idleChunks is how many empty chunks of a table are kept to be filled again.
const idleChunks = 128

// Store is a warehouse that is landed in: landing.Store.
type Store struct {
	path string
	db   *sql.DB

	writing  sync.Mutex // one transaction at a time
	database mapping.Database
	conn     mapping.Connection
	source   source

	mu     sync.Mutex
	types  map[string][]mapping.LogicalType
	idle   map[string][]*chunk
	closed bool
}

var _ landing.Store = (*Store)(nil)

// OpenStore opens the warehouse in a file for landing; see [Open]. ctx bounds the wait for another process that has it open, if it has an end; else there is none.
func OpenStore(ctx context.Context, path string) (*Store, error) {
	open := func() (*sql.DB, error) { return Open(path) }
	if _, bounded := ctx.Deadline(); bounded {
		open = func() (*sql.DB, error) { return OpenWait(ctx, path) }
	}
	db, err := open()
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, db: db, types: map[string][]mapping.LogicalType{}, idle: map[string][]*chunk{}}
	if s.database, s.conn, err = native(path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	for _, statement := range settings {
		if _, err := s.exec(statement); err != nil {
			return nil, errors.Join(fmt.Errorf("prepare the warehouse %s: %w", path, err), s.Close())
		}
	}
	if err := s.source.register(s.conn); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the warehouse %s: %w", path, err), s.Close())
	}
	for _, t := range dialect.Tables() {
		types := make([]mapping.LogicalType, len(t.Columns))
		for i, c := range t.Columns {
			types[i] = logical(c.Type)
		}
		s.types[t.Name] = types
	}
	return s, nil
}

func logical(t dialect.Type) mapping.LogicalType {
	switch t {
	case dialect.Integer:
		return mapping.CreateLogicalType(mapping.TypeInteger)
	case dialect.Long:
		return mapping.CreateLogicalType(mapping.TypeBigInt)
	case dialect.Decimal:
		return mapping.CreateDecimalType(dialect.DecimalDigits, dialect.DecimalScale)
	case dialect.Flag:
		return mapping.CreateLogicalType(mapping.TypeBoolean)
	case dialect.Time:
		return mapping.CreateLogicalType(mapping.TypeTimestamp)
	case dialect.Bytes:
		return mapping.CreateLogicalType(mapping.TypeBlob)
	}
	return mapping.CreateLogicalType(mapping.TypeVarchar)
}

// Dialect is DuckDB's.
func (s *Store) Dialect() dialect.Dialect { return dialect.DuckDB() }

// DB is for reading, and for SQL of others. It is closed with the store.
func (s *Store) DB() *sql.DB { return s.db }

// Close closes it. Nothing is being written, and no chunk is used any more.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	s.closed = true
	for _, chunks := range s.idle {
		for _, c := range chunks {
			c.destroy()
		}
	}
	s.idle = nil
	for _, types := range s.types {
		for i := range types {
			mapping.DestroyLogicalType(&types[i])
		}
	}
	s.types = nil
	s.mu.Unlock()
	s.source.close()
	mapping.Disconnect(&s.conn)
	mapping.Close(&s.database)
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the warehouse %s: %w", s.path, err)
	}
	return nil
}

// NewChunk gives an empty chunk.
func (s *Store) NewChunk(t *dialect.Table) (landing.Chunk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("the warehouse %s is closed", s.path)
	}
	if idle := s.idle[t.Name]; len(idle) > 0 {
		c := idle[len(idle)-1]
		s.idle[t.Name] = idle[:len(idle)-1]
		return c, nil
	}
	types, ok := s.types[t.Name]
	if !ok {
		return nil, fmt.Errorf("the warehouse %s has no table %s", s.path, t.Name)
	}
	return newChunk(s, t, types), nil
}

// recycle takes a chunk back.
func (s *Store) recycle(c *chunk) {
	s.mu.Lock()
	keep := !s.closed && len(s.idle[c.table.Name]) < idleChunks
	s.mu.Unlock()
	if !keep {
		c.destroy()
		return
	}
	c.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.destroy()
		return
	}
	s.idle[c.table.Name] = append(s.idle[c.table.Name], c)
}

// Write inserts the chunks' rows and runs the statements in one transaction. A cancelled ctx keeps it from beginning, no more: it is short.
func (s *Store) Write(ctx context.Context, chunks []landing.Chunk, statements []landing.Statement) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	defer func() {
		for _, c := range chunks {
			c.Release()
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.exec("BEGIN TRANSACTION"); err != nil {
		return err
	}
	err := s.insert(chunks)
	for _, statement := range statements {
		if err != nil {
			break
		}
		var changed int64
		if changed, err = s.exec(statement.SQL); err == nil && statement.Rows >= 0 && changed != statement.Rows {
			err = fmt.Errorf("%w: %d rows were changed by %s", landing.ErrOtherLoader, changed, statement.SQL)
		}
	}
	if err != nil {
		_, back := s.exec("ROLLBACK")
		return errors.Join(err, back)
	}
	_, err = s.exec("COMMIT")
	return err
}

// insert inserts the chunks, table by table.
func (s *Store) insert(chunks []landing.Chunk) error {
	byTable := slices.Clone(chunks)
	slices.SortStableFunc(byTable, func(a, b landing.Chunk) int { return strings.Compare(a.Table(), b.Table()) })
	for len(byTable) > 0 {
		table := byTable[0].Table()
		n := slices.IndexFunc(byTable, func(c landing.Chunk) bool { return c.Table() != table })
		if n < 0 {
			n = len(byTable)
		}
		if err := s.append(table, byTable[:n]); err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
		byTable = byTable[n:]
	}
	return nil
}

func (s *Store) append(table string, chunks []landing.Chunk) error {
	own := make([]*chunk, len(chunks))
	for i, one := range chunks {
		c, ok := one.(*chunk)
		if !ok || c.store != s {
			return errors.New("a chunk is not this warehouse's")
		}
		mapping.DataChunkSetSize(c.data, mapping.IdxT(c.rows))
		own[i] = c
	}
	return s.source.insert(s.conn, own[0].table, s.types[table], own)
}

// exec runs a statement on the connection that writes, and gives how many rows it changed.
func (s *Store) exec(statement string) (changed int64, err error) {
	var result mapping.Result
	defer mapping.DestroyResult(&result)
	if mapping.Query(s.conn, statement, &result) == mapping.StateError {
		return 0, fmt.Errorf("%s: %s", first(statement, 200), mapping.ResultError(&result))
	}
	return int64(mapping.RowsChanged(&result)), nil
}

func first(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "..."
}
