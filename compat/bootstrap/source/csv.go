package source

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// field is a value of a row; set is false where it is null. Postgres writes null as nothing, and the empty text as "".
type field struct {
	text string
	set  bool
}

var errQuote = errors.New("the file ends within a quoted field")

// records reads CSV as Postgres writes it. encoding/csv can't tell null from the empty text, and takes carriage returns out of texts.
type records struct {
	in  *bufio.Reader
	buf []byte
}

// next appends the fields of the next record; [io.EOF] behind the last.
func (r *records) next(to []field) ([]field, error) {
	if _, err := r.in.Peek(1); err != nil {
		return to, err
	}
	for {
		f, end, err := r.field()
		if err != nil {
			return to, err
		}
		if to = append(to, f); end {
			return to, nil
		}
	}
}

// field reads a field and what ends it; end: of the record.
func (r *records) field() (f field, end bool, err error) {
	r.buf = r.buf[:0]
	quoted := false
	for {
		c, err := r.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return field{string(r.buf), quoted || len(r.buf) > 0}, true, nil
		}
		if err != nil {
			return f, false, err
		}
		switch {
		case c == '"' && len(r.buf) == 0 && !quoted:
			quoted = true
			if err := r.quoted(); err != nil {
				return f, false, err
			}
		case c == ',' || c == '\n':
			return field{string(r.buf), quoted || len(r.buf) > 0}, c == '\n', nil
		default:
			r.buf = append(r.buf, c)
		}
	}
}

// quoted reads up to the closing quote.
func (r *records) quoted() error {
	for {
		part, err := r.in.ReadSlice('"')
		if errors.Is(err, bufio.ErrBufferFull) {
			r.buf = append(r.buf, part...)
			continue
		}
		if errors.Is(err, io.EOF) {
			return errQuote
		}
		if err != nil {
			return err
		}
		r.buf = append(r.buf, part[:len(part)-1]...)
		if next, err := r.in.Peek(1); err != nil || next[0] != '"' {
			return nil // the file may end here: the caller sees it
		}
		if _, err := r.in.ReadByte(); err != nil {
			return err
		}
		r.buf = append(r.buf, '"')
	}
}

// AppendCSV appends a record as Postgres would write it, and reads it in FORMAT csv: nil is null.
func AppendCSV(to []byte, values ...*string) []byte {
	for i, v := range values {
		if i > 0 {
			to = append(to, ',')
		}
		switch {
		case v == nil:
		case *v == "" || *v == `\.` || strings.ContainsAny(*v, ",\"\r\n"):
			to = append(to, '"')
			to = append(to, strings.ReplaceAll(*v, `"`, `""`)...)
			to = append(to, '"')
		default:
			to = append(to, *v...)
		}
	}
	return append(to, '\n')
}
