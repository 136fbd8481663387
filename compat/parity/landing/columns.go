package landing

import (
	"context"
	"database/sql"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// Chunk is rows of one table on their way into a warehouse. A row is begun, then given a value for each column in the table's order, then ended; one that is begun anew
// before it is ended is as if it had never been. A chunk is one goroutine's at a time.
type Chunk interface {
	// Table is the table's name.
	Table() string
	// Rows is how many were ended, Full whether there is room for no more.
	Rows() int
	Full() bool
	Begin()
	End()

	// Null, Text (valid UTF-8), Integer, Flag and Fixed, which fails like Decimal. A text is not kept: the chunk copies it.
	bank.Values
	Time(time.Time)
	Bytes([]byte)
	// Decimal fails where the warehouse can't hold the value exactly. The row is lost then.
	Decimal(bank.Decimal) error

	// Release gives a chunk back that is not written.
	Release()
}

// Statement is one of a transaction.
type Statement struct {
	SQL string
	// Rows that it must change, or the transaction fails with [ErrOtherLoader]; -1: any number.
	Rows int64
}

// Store is a warehouse to land in.
type Store interface {
	Dialect() dialect.Dialect
	// DB is for reading.
	DB() *sql.DB
	// NewChunk gives an empty chunk for a table. It may be called by several goroutines.
	NewChunk(*dialect.Table) (Chunk, error)
	// Write inserts all rows of the chunks and runs the statements, all in one transaction, durably. The chunks are the store's then, whatever comes of it. An error may leave
	// the outcome unknown: landing_offsets tells.
	Write(ctx context.Context, chunks []Chunk, statements []Statement) error
}
