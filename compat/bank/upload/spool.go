package upload

import (
	"fmt"
	"io"
	"os"
)

// Spool is what has come in, on disk under no name: nothing of it is left behind, whatever crashes.
type Spool struct {
	file *os.File
	size int64
}

// ReadError says that what comes in could not be read, as opposed to kept.
type ReadError struct{ Err error }

func (e *ReadError) Error() string { return "take it in: " + e.Err.Error() }

// Unwrap gives the reader's error.
func (e *ReadError) Unwrap() error { return e.Err }

// NewSpool takes in what there is to read, at most so many bytes of it, into a file in dir; also gets the same. An error of the reader is a [*ReadError]. Whoever
// gets a spool closes it.
func NewSpool(dir string, most int64, content io.Reader, also ...io.Writer) (_ *Spool, err error) {
	file, err := os.CreateTemp(dir, "upload-")
	if err != nil {
		return nil, fmt.Errorf("make a file for it: %w", err)
	}
	s := &Spool{file: file}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("take the name from its file: %w", err)
	}
	from := &blamed{from: io.LimitReader(content, most)}
	if s.size, err = io.Copy(io.MultiWriter(append(also, file)...), from); err != nil && from.err != nil {
		return nil, &ReadError{from.err}
	}
	if err != nil {
		return nil, fmt.Errorf("keep it in its file: %w", err)
	}
	return s, nil
}

// Size is how much has come in, in bytes.
func (s *Spool) Size() int64 { return s.size }

// Reader reads it from its beginning, beside other readers.
func (s *Spool) Reader() *io.SectionReader { return io.NewSectionReader(s.file, 0, s.size) }

// Close gives its room free.
func (s *Spool) Close() { _ = s.file.Close() } // nothing of it is wanted any more

// blamed remembers a reader's error, to tell it from the writer's.
type blamed struct {
	from io.Reader
	err  error
}

func (b *blamed) Read(to []byte) (int, error) {
	n, err := b.from.Read(to)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
