package duck

import (
	"encoding/binary"
	"errors"
	"math/big"
	"math/bits"
	"time"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// errDecimal says that a decimal has too many digits.
var errDecimal = errors.New("a decimal has more than 28 integer or 10 fraction digits")

const (
	decimalScale = dialect.DecimalScale
	inlined      = 12 // bytes of a text that stand in its place itself
	maskWords    = 64 // bits of a word of a validity mask
)

// text is duckdb_string_t: a length, then the text itself if it is short; else its first four bytes and where it is.
type text struct {
	length uint32
	prefix [4]byte
	rest   [8]byte // the rest of a short text, a pointer to a long one
}

// hugeint is duckdb_hugeint.
type hugeint struct {
	lower uint64
	upper int64
}

// column is a column of a chunk: where DuckDB keeps its values.
type column struct {
	kind   dialect.Type
	vector mapping.Vector
	valid  []uint64 // a bit a row: not NULL

	texts    []text
	longs    []int64 // times, too
	integers []int32
	flags    []bool
	decimals []hugeint

	last   string // the last long text, in the chunk's heap: many columns have few different ones
	lastAs text   // the same, as DuckDB has it
}

// chunk is a data chunk of DuckDB that is filled in place. It is landing.Chunk.
type chunk struct {
	store   *Store
	table   *dialect.Table
	data    mapping.DataChunk
	columns []column
	rows    int
	at      int  // the next column of the row that is begun
	dirty   bool // the row may have NULLs of one that was given up
	room    int  // for so many rows
	heap    heap
}

// capacity is how many rows a chunk has.
func capacity() int { return int(mapping.VectorSize()) }

// newChunk makes an empty one. The types are the table's.
func newChunk(s *Store, t *dialect.Table, types []mapping.LogicalType) *chunk {
	c := &chunk{store: s, table: t, data: mapping.CreateDataChunk(types), columns: make([]column, len(t.Columns)), room: capacity()}
	for i := range c.columns {
		c.columns[i].kind = t.Columns[i].Type
	}
	c.locate()
	return c
}

// locate finds the columns' memory, after the chunk was made or emptied.
func (c *chunk) locate() {
	n := c.room
	mapping.DataChunkSetSize(c.data, mapping.IdxT(n))
	for i := range c.columns {
		col := &c.columns[i]
		col.vector = mapping.DataChunkGetVector(c.data, mapping.IdxT(i))
		mapping.VectorEnsureValidityWritable(col.vector)
		col.valid = unsafe.Slice((*uint64)(mapping.VectorGetValidity(col.vector)), n/maskWords)
		for w := range col.valid {
			col.valid[w] = ^uint64(0)
		}
		values := mapping.VectorGetData(col.vector)
		switch col.kind {
		case dialect.Text, dialect.Bytes:
			col.texts = unsafe.Slice((*text)(values), n)
			col.last = ""
		case dialect.Long, dialect.Time:
			col.longs = unsafe.Slice((*int64)(values), n)
		case dialect.Integer:
			col.integers = unsafe.Slice((*int32)(values), n)
		case dialect.Flag:
			col.flags = unsafe.Slice((*bool)(values), n)
		case dialect.Decimal:
			col.decimals = unsafe.Slice((*hugeint)(values), n)
		}
	}
	c.rows, c.at, c.dirty = 0, 0, false
}

// reset empties it, for it to be filled anew.
func (c *chunk) reset() {
	mapping.DataChunkReset(c.data)
	c.heap.reset()
	c.locate()
}

func (c *chunk) destroy() {
	mapping.DestroyDataChunk(&c.data)
	c.heap.destroy()
}

func (c *chunk) Table() string { return c.table.Name }
func (c *chunk) Rows() int     { return c.rows }
func (c *chunk) Full() bool    { return c.rows == c.room }
func (c *chunk) Release()      { c.store.recycle(c) }

// Begin begins a row; one that was begun and not ended is given up.
func (c *chunk) Begin() {
	if c.dirty {
		for i := range c.columns {
			c.columns[i].valid[c.rows/maskWords] |= 1 << (c.rows % maskWords)
		}
	}
	c.at, c.dirty = 0, true
}

// End ends a row. Each column has a value by then.
func (c *chunk) End() {
	if c.at != len(c.columns) {
		panic("duck: a row of " + c.table.Name + " has values for some columns only")
	}
	c.rows++
	c.dirty = false
}

func (c *chunk) next() *column {
	c.at++
	return &c.columns[c.at-1]
}

func (c *chunk) Null() {
	c.next().valid[c.rows/maskWords] &^= 1 << (c.rows % maskWords)
}

func (c *chunk) Integer(n int64) {
	col := c.next()
	if col.kind == dialect.Integer {
		col.integers[c.rows] = int32(n) // partitions and dates
	} else {
		col.longs[c.rows] = n
	}
}

func (c *chunk) Flag(flag bool) { c.next().flags[c.rows] = flag }

func (c *chunk) Time(t time.Time) { c.next().longs[c.rows] = t.UnixMicro() }

func (c *chunk) Text(s string) {
	col := c.next()
	if len(s) <= inlined {
		to := text{length: uint32(len(s))}
		n := copy(to.prefix[:], s)
		copy(to.rest[:], s[n:])
		col.texts[c.rows] = to
		return
	}
	if s == col.last {
		col.texts[c.rows] = col.lastAs
		return
	}
	kept := c.heap.keep(s)
	to := text{length: uint32(len(s))}
	copy(to.prefix[:], s)
	binary.NativeEndian.PutUint64(to.rest[:], uint64(uintptr(unsafe.Pointer(unsafe.StringData(kept))))) // not Go's memory
	col.texts[c.rows] = to
	col.last, col.lastAs = kept, to
}

func (c *chunk) Bytes(b []byte) {
	mapping.VectorAssignStringElementLen(c.next().vector, mapping.IdxT(c.rows), b)
}

var powers = [decimalScale + 1]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}

func (c *chunk) Decimal(d bank.Decimal) error {
	n, ok := scaled(d)
	if !ok {
		c.next()
		return errDecimal
	}
	c.next().decimals[c.rows] = n
	return nil
}

// Fixed is Decimal, for digits that fit a word.
func (c *chunk) Fixed(number int64, fraction int) error {
	if fraction > decimalScale {
		c.next()
		return errDecimal
	}
	c.next().decimals[c.rows] = shifted(number, decimalScale-fraction)
	return nil
}

// shifted gives n times 10^digits.
func shifted(n int64, digits int) hugeint {
	upper, lower := bits.Mul64(uint64(max(n, -n)), powers[digits])
	if n < 0 {
		var borrow uint64
		lower, borrow = bits.Sub64(0, lower, 0)
		upper, _ = bits.Sub64(0, upper, borrow)
	}
	return hugeint{lower, int64(upper)}
}

// scaled gives a decimal times 10^10, if that is exact and has at most 38 digits.
func scaled(d bank.Decimal) (hugeint, bool) {
	exponent := int(d.Exponent())
	if exponent <= 0 && exponent >= -decimalScale && d.NumDigits() <= 18 {
		return shifted(d.CoefficientInt64(), decimalScale+exponent), true
	}
	whole := d.Shift(decimalScale)
	if !whole.IsInteger() {
		return hugeint{}, false
	}
	n := whole.BigInt()
	if n.CmpAbs(mostDecimal()) >= 0 {
		return hugeint{}, false
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0))) // of two's complement, whatever the sign
	return hugeint{low.Uint64(), new(big.Int).Rsh(n, 64).Int64()}, true
}

func mostDecimal() *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(dialect.DecimalDigits), nil)
}
