package upload

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bkledger/bk/compat/bank"
)

// Bounds of a file's content.
const (
	maxRowBytes = 4 << 20 // of a row: one is held in memory
	maxUnzipped = 8 << 30 // of a file
)

// spooled is a file that has come in whole, on disk under no name.
type spooled struct {
	file *os.File
	sum  string // SHA-256, in hexadecimal
}

// spool takes a file in. Nothing of it is left behind if it fails, or if the process is killed.
func spool(dir string, most int64, content io.Reader) (_ *spooled, err error) {
	file, err := os.CreateTemp(dir, "upload-")
	if err != nil {
		return nil, fmt.Errorf("make a file for it: %w", err)
	}
	s := &spooled{file: file}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("take the name from its file: %w", err)
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, hash), io.LimitReader(content, most+1))
	if err != nil {
		return nil, fmt.Errorf("take it in: %w", err)
	}
	if n > most {
		return nil, bank.Errorf(bank.TooLarge, "the file has more than %d bytes", most)
	}
	s.sum = hex.EncodeToString(hash.Sum(nil))
	return s, nil
}

func (s *spooled) close() { _ = s.file.Close() } // nothing of it is wanted any more

func (s *spooled) rewind() error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("rewind its file: %w", err)
	}
	return nil
}

// empty tells whether there is no row behind the header. A file that cannot be read is not empty: it fails later.
func (s *spooled) empty() (bool, error) {
	if err := s.rewind(); err != nil {
		return false, err
	}
	rows, err := openRows(s.file)
	if err == nil {
		_, err = rows.next()
	}
	return errors.Is(err, io.EOF), nil
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
	magic, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(magic) == "\x1f\x8b" {
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
