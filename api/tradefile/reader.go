package tradefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// Kind says what a file's rows are.
type Kind int

// The kinds of file.
const (
	Trades  Kind = iota + 1 // trades to book
	Cancels                 // trades to cancel
)

// Reasons of a [RowError]; the server has more.
const (
	ReasonMalformed = "malformed_request"
	ReasonTooLarge  = "too_large"
	ReasonMissing   = "missing_field"
	ReasonInvalid   = "invalid_field"
)

// RowError is what is wrong with one row. The rows behind it can be read.
type RowError struct {
	File    string // as given to [NewReader]
	Line    int    // where the row begins, from 1; the header is the first
	Field   string // the column; "" where the row as a whole is at fault
	Reason  string // one of the above
	Message string // one sentence for a person, without the column's name
}

// Error gives "file:line: column: message (reason)".
func (e *RowError) Error() string {
	field := ""
	if e.Field != "" {
		field = e.Field + ": "
	}
	return fmt.Sprintf("%s:%d: %s%s (%s)", e.File, e.Line, field, e.Message, e.Reason)
}

// FileError is why a file, or the rest of it, can't be read.
type FileError struct {
	File string
	Line int // up to which it was read; 0: nothing was
	Err  error
}

// Error gives "file:line: what".
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap gives the cause.
func (e *FileError) Unwrap() error { return e.Err }

// ErrEmpty is the cause of a [FileError] where there is no header and no row.
var ErrEmpty = errors.New("the file is empty")

// Reader reads the rows of one file. It is not safe for concurrent use.
type Reader struct {
	name   string
	kind   Kind
	header *header
	lines  *lines
	key    []byte // scratch
	done   error  // what every further call gives
}

// NewReader reads the header of a file, plain or gzip; name is used in errors. All of its errors are *FileError.
func NewReader(r io.Reader, name string, kind Kind) (*Reader, error) {
	if kind != Trades && kind != Cancels {
		return nil, fmt.Errorf("tradefile: no kind of file: %d", kind)
	}
	plain, err := decompressed(r)
	if err != nil {
		return nil, &FileError{File: name, Err: err}
	}
	out := &Reader{name: name, kind: kind, lines: newLines(plain)}
	out.lines.skipBOM()
	names, err := out.lines.record()
	switch {
	case err == io.EOF:
		return nil, &FileError{File: name, Err: ErrEmpty}
	case err == nil:
		out.header, err = parseHeader(kind, names)
	default:
		err = named(err)
	}
	if err != nil {
		return nil, &FileError{File: name, Line: out.lines.line, Err: err}
	}
	return out, nil
}

// decompressed looks at the first bytes.
func decompressed(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	magic, err := buffered.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return buffered, nil
	}
	unzipped, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("broken gzip header: %w", err)
	}
	return unzipped, nil
}

// named says in words what the ways of reading fail with.
func named(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the gzip data is cut off: %w", err)
	case errors.Is(err, gzip.ErrChecksum):
		return fmt.Errorf("broken gzip data: the checksum is wrong: %w", err)
	case errors.Is(err, gzip.ErrHeader):
		return fmt.Errorf("broken gzip data: bytes behind the end: %w", err)
	case errors.As(err, new(flate.CorruptInputError)):
		return fmt.Errorf("broken gzip data: %w", err)
	}
	return err
}

// Read reads the next row into row, whose command is valid until row is used again. It gives nil; a [*RowError], after which row
// only has its line; io.EOF at the end; or a [*FileError], which ends the file as well.
func (r *Reader) Read(row *Row) error {
	if r.done != nil {
		return r.done
	}
	fields, err := r.lines.record()
	row.Line = r.lines.line
	switch bad := (*badRecord)(nil); {
	case errors.As(err, &bad):
		return r.rowError(row.Line, "", ReasonMalformed, "%s", bad.what)
	case err == io.EOF:
		r.done = io.EOF
		return r.done
	case err != nil:
		r.done = &FileError{File: r.name, Line: row.Line, Err: named(err)}
		return r.done
	case len(fields) != r.header.fields:
		return r.rowError(row.Line, "", ReasonMalformed, "%d fields, the header has %d", len(fields), r.header.fields)
	}
	p := parser{row: row, fields: fields, header: r.header, key: r.key[:0]}
	row.reset(r.lines.size)
	if !r.lines.valid {
		p.checkText()
	}
	if r.kind == Cancels {
		p.cancel()
	} else {
		p.trade()
	}
	r.key = p.key
	if p.reason != "" {
		return r.rowError(row.Line, p.field, p.reason, "%s", p.message)
	}
	return nil
}

// Name is the file's name as given.
func (r *Reader) Name() string { return r.name }

// Kind says what the rows are.
func (r *Reader) Kind() Kind { return r.kind }

func (r *Reader) rowError(line int, field, reason, format string, args ...any) *RowError {
	return &RowError{File: r.name, Line: line, Field: field, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// shown quotes what is in a file, cut to what a message can hold.
func shown(text string) string {
	if len(text) > 64 {
		return fmt.Sprintf("%.64q…", text)
	}
	return fmt.Sprintf("%q", text)
}
