package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// BadRow is the error of a row that can't be read: the next one can.
type BadRow struct {
	Table  Table
	Key    string            // what of the key could be read
	Field  string            // the column
	Reason string            // what is wrong with it
	Raw    map[string]string // the row, by column; null is left out
}

func (b *BadRow) Error() string {
	return fmt.Sprintf("%s %s: %s: %s", b.Table, b.Key, b.Field, b.Reason)
}

// Patches give what people have decided about a row, by its key: new values of columns as Postgres spells them; nil where there is nothing.
type Patches func(key string) map[string]string

// Reader reads the rows of a chunk.
type Reader struct {
	table   Table
	shape   shape
	in      *records
	patches Patches
	fields  []field
	rows    int64
}

// NewReader makes a reader of a chunk's CSV. patches may be nil.
func NewReader(t Table, in io.Reader, patches Patches) *Reader {
	return &Reader{table: t, shape: shapes[t], in: &records{in: bufio.NewReaderSize(in, 64<<10)}, patches: patches}
}

// Rows gives how many rows were read.
func (r *Reader) Rows() int64 { return r.rows }

// Next gives the next row, [io.EOF] behind the last. A [*BadRow] is for that row alone. What it gives is the caller's.
func (r *Reader) Next() (Row, error) {
	var err error
	if r.fields, err = r.in.next(r.fields[:0]); err != nil {
		if !errors.Is(err, io.EOF) {
			err = fmt.Errorf("%s, row %d: %w", r.table, r.rows+1, err)
		}
		return nil, err
	}
	r.rows++
	if len(r.fields) != len(r.shape.columns) {
		return nil, fmt.Errorf("%s, row %d: %d fields instead of %d", r.table, r.rows, len(r.fields), len(r.shape.columns))
	}
	key := r.key()
	if r.patches != nil {
		for column, value := range r.patches(key) {
			if i := r.table.column(column); i >= 0 {
				r.fields[i] = field{text: value, set: value != Null}
			}
		}
	}
	p := parser{table: r.table, columns: r.shape.columns, fields: r.fields}
	row := p.row()
	if p.column != "" {
		bad := &BadRow{Table: r.table, Key: key, Field: p.column, Reason: p.reason, Raw: map[string]string{}}
		for i, f := range r.fields {
			if f.set {
				bad.Raw[r.shape.columns[i]] = f.text
			}
		}
		return nil, bad
	}
	return row, nil
}

// Null stands for null in a patch.
const Null = `\N`

func (r *Reader) key() string {
	var parts []string
	for _, column := range r.shape.key {
		parts = append(parts, r.fields[r.table.column(column)].text)
	}
	return strings.Join(parts, "/")
}

// parser reads fields in the order of the columns, and keeps the first fault.
type parser struct {
	table          Table
	columns        []string
	fields         []field
	at             int
	column, reason string // of the first fault
}

func (p *parser) fail(reason string) {
	if p.column == "" {
		p.column, p.reason = p.columns[p.at-1], reason
	}
}

func (p *parser) next() field {
	f := p.fields[p.at]
	p.at++
	return f
}

func (p *parser) text() string {
	f := p.next()
	if !f.set {
		p.fail("null")
	}
	return f.text
}

func (p *parser) number() int64 {
	text := p.text()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.fail(fmt.Sprintf("%q is no integer", text))
	}
	return n
}

func (p *parser) id() bank.ID { return bank.ID(p.number()) }

func (p *parser) date() bank.Date { return bank.Date(p.number()) }

func (p *parser) flag() bool {
	switch text := p.text(); text {
	case "t", "true":
		return true
	case "f", "false":
	default:
		p.fail(fmt.Sprintf("%q is no boolean", text))
	}
	return false
}

func (p *parser) amount() bank.Decimal {
	text := p.text()
	d, err := bank.ParseDecimal(text)
	if err == nil {
		return d
	}
	big, err := decimal.NewFromString(text) // sums may leave the bounds of what a client may send
	if err != nil {
		p.fail(fmt.Sprintf("%q is no decimal", text))
	}
	return bank.Decimal{Decimal: big}
}

func maybe[T any](p *parser, read func() T) *T {
	if !p.fields[p.at].set {
		p.at++
		return nil
	}
	value := read()
	return &value
}

func (p *parser) row() Row {
	switch p.table {
	case Entities:
		return &Entity{p.id(), p.text(), p.text()}
	case Accounts:
		return &Account{p.id(), p.id(), p.text()}
	case Trades:
		return &Trade{p.id(), p.id(), p.text(), maybe(p, p.id), p.date(), p.date(), p.text(), p.text(), p.text(), p.flag(), p.amount(), p.amount(), p.amount(), p.amount(), p.amount(),
			p.amount(), maybe(p, p.amount), maybe(p, p.amount), p.number(), maybe(p, p.number), maybe(p, p.id), maybe(p, p.id), p.text()}
	case CashMovements:
		return &Cash{p.id(), p.text(), p.id(), maybe(p, p.id), p.text(), p.amount(), p.text(), p.number()}
	case Journal:
		return &JournalRow{p.id(), p.id(), p.date(), maybe(p, p.id), maybe(p, p.id), p.text(), p.text(), p.text(), p.amount(), p.amount(), p.amount(), p.amount()}
	case Positions:
		return &Position{p.id(), p.text(), p.amount(), p.amount()}
	case Balances:
		return &Balance{p.id(), p.text(), p.amount(), p.amount(), p.amount()}
	case Uploads:
		return &Upload{p.number(), p.text(), p.text(), p.text(), p.number(), p.number(), p.text(), p.number(), p.number(), p.number()}
	case UploadErrors:
		return &UploadError{p.number(), p.number(), p.text(), p.text()}
	}
	return &GivenUp{p.number(), p.number(), p.number(), p.text(), p.text(), p.text(), p.text(), p.text(), p.flag(), p.text()}
}
