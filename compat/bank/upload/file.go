package upload

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
)

// Bounds of a file's content.
const (
	maxRowBytes = 4 << 20 // of a row: one is held in memory
	maxUnzipped = 8 << 30 // of a file
)

const magic = "\x1f\x8b" // that a zipped file begins with

// look tells whether a file has rows behind the header, and whether it is zipped. One that cannot be read has some: it fails later.
func look(file io.Reader) (has, zipped bool) {
	buffered := bufio.NewReader(file)
	head, _ := buffered.Peek(len(magic)) // an error comes again
	rows, err := openRows(buffered)
	if err == nil {
		_, err = rows.next()
	}
	return !errors.Is(err, io.EOF), string(head) == magic
}

// rows reads a CSV file, plain or zipped.
type rows struct {
	header []string
	csv    *csv.Reader
	bound  *bound
}

// openRows reads the header. io.EOF: there is none.
func openRows(content io.Reader) (*rows, error) {
	buffered := bufio.NewReader(content)
	var plain io.Reader = buffered
	head, err := buffered.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(head) == magic {
		if plain, err = gzip.NewReader(buffered); err != nil {
			return nil, fmt.Errorf("unzip: %w", unexpected(err))
		}
	}
	r := &rows{bound: &bound{reader: plain, left: maxUnzipped, row: maxRowBytes}}
	r.csv = csv.NewReader(r.bound)
	r.csv.FieldsPerRecord = -1 // cells that a row has not are empty
	if r.header, err = r.next(); err != nil {
		return nil, err
	}
	return r, nil
}

// next gives the next row; io.EOF behind the last. A *csv.ParseError spoils its row, any other error the rest of the file.
func (r *rows) next() ([]string, error) {
	r.bound.row = maxRowBytes
	return r.csv.Read()
}

// unexpected makes of an end one that was not expected.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var (
	errLongRow  = fmt.Errorf("a row has more than %d bytes", maxRowBytes)
	errUnzipped = fmt.Errorf("the file has more than %d bytes, unzipped", int64(maxUnzipped))
)

// bound reads no more than a row and a file may have.
type bound struct {
	reader    io.Reader
	left, row int64
}

func (b *bound) Read(to []byte) (int, error) {
	if b.row <= 0 {
		return 0, errLongRow
	}
	if b.left <= 0 {
		return 0, errUnzipped
	}
	n, err := b.reader.Read(to)
	b.left -= int64(n)
	b.row -= int64(n)
	return n, err
}
