package tradefile

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxRowBytes is what a row may have: more than all limits of a trade together.
const MaxRowBytes = 256 << 10

// lines splits CSV text into records. Fields without quotes are cut out of one string for the whole record.
type lines struct {
	r      io.Reader
	buf    []byte // buf[start:end] is read and not yet used
	start  int
	end    int
	err    error // of the reader; io.EOF at the clean end
	line   int   // of the record given last, from 1
	next   int   // of buf[start]
	fields []string
	text   []byte // of fields with quotes
	ends   []int  // where those fields end in text
	size   int    // bytes of the fields given last
	valid  bool   // and whether they are valid UTF-8, all of them
}

func newLines(r io.Reader) *lines {
	return &lines{r: r, buf: make([]byte, MaxRowBytes+2), next: 1}
}

// badRecord is what is wrong with one record; the next one can be read.
type badRecord struct{ what string }

func (b *badRecord) Error() string { return b.what }

// record gives the fields of the next record that isn't an empty line, valid until the next call; io.EOF at the end; *badRecord for one
// that can't be split; anything else is the reader's error.
func (l *lines) record() ([]string, error) {
	for {
		n, err := l.findLine(0)
		l.line = l.next
		if err != nil {
			return nil, err
		}
		if n < 0 {
			l.skipLine()
			return nil, &badRecord{fmt.Sprintf("the line is longer than %d bytes", MaxRowBytes)}
		}
		line := l.buf[l.start : l.start+n]
		if bytes.IndexByte(line, '"') >= 0 {
			return l.quoted()
		}
		l.advance(n)
		if line = trimEnd(line); len(line) > 0 {
			return l.plain(string(line)), nil
		}
	}
}

// plain cuts a line without quotes.
func (l *lines) plain(line string) []string {
	l.size, l.valid = len(line), utf8.ValidString(line)
	l.fields = l.fields[:0]
	for {
		i := strings.IndexByte(line, ',')
		if i < 0 {
			l.fields = append(l.fields, line)
			return l.fields
		}
		l.fields = append(l.fields, line[:i])
		line = line[i+1:]
	}
}

// quoted cuts a record that has quotes, which may go over several lines. If it is broken, only its first line is used up.
func (l *lines) quoted() ([]string, error) {
	first, err := l.findLine(0) // is there: the caller has seen it
	if err != nil {
		return nil, err
	}
	l.text, l.ends = l.text[:0], l.ends[:0]
	at := 0 // in buf[start:]
	for {
		var bad string
		var done bool
		at, done, bad, err = l.field(at)
		if err != nil {
			return nil, err
		}
		if bad != "" {
			bad = fmt.Sprintf("field %d: %s", len(l.ends)+1, bad)
			l.advance(first)
			return nil, &badRecord{bad}
		}
		l.ends = append(l.ends, len(l.text))
		if done {
			break
		}
	}
	l.advance(at)
	text := string(l.text)
	l.size, l.valid = len(text), utf8.ValidString(text)
	l.fields = l.fields[:0]
	from := 0
	for _, to := range l.ends {
		l.fields = append(l.fields, text[from:to])
		from = to
	}
	return l.fields, nil
}

// field reads one field at buf[start+at] into text and says where the next one begins, or that this was the record's last.
func (l *lines) field(at int) (next int, done bool, bad string, err error) {
	n, err := l.findLine(at)
	if err != nil && err != io.EOF {
		return 0, false, "", err
	}
	if n < 0 {
		return 0, false, fmt.Sprintf("the row is longer than %d bytes", MaxRowBytes), nil
	}
	rest := l.buf[l.start+at : l.start+max(n, at)]
	if len(rest) == 0 || rest[0] != '"' {
		content := trimEnd(rest)
		if i := bytes.IndexByte(content, ','); i >= 0 {
			content, next = content[:i], at+i+1
		} else {
			next, done = n, true
		}
		if bytes.IndexByte(content, '"') >= 0 {
			return 0, false, `a quote (") inside of a field that doesn't begin with one`, nil
		}
		l.text = append(l.text, content...)
		return max(next, at), done, "", nil
	}
	at++
	for {
		rest = l.buf[l.start+at : l.start+n]
		i := bytes.IndexByte(rest, '"')
		if i < 0 { // goes on in the next line
			l.text = append(l.text, rest...)
			at = n
			if n, err = l.findLine(at); err == io.EOF || n < 0 {
				return 0, false, `a quote (") that is never closed`, nil
			} else if err != nil {
				return 0, false, "", err
			}
			continue
		}
		l.text = append(l.text, rest[:i]...)
		at += i + 1
		rest = rest[i+1:]
		switch {
		case len(rest) > 0 && rest[0] == '"':
			l.text = append(l.text, '"')
			at++
		case len(trimEnd(rest)) == 0:
			return n, true, "", nil
		case rest[0] == ',':
			return at + 1, false, "", nil
		default:
			return 0, false, `text behind a closing quote (")`, nil
		}
	}
}

// findLine gives the end, relative to start and with its newline, of the line at buf[start+at]: filled up as far as need be; -1 if it doesn't
// fit; io.EOF if there is nothing at all.
func (l *lines) findLine(at int) (int, error) {
	for seen := at; ; {
		if i := bytes.IndexByte(l.buf[l.start+seen:l.end], '\n'); i >= 0 {
			return seen + i + 1, nil
		}
		seen = l.end - l.start
		switch {
		case l.err == io.EOF && seen > at:
			return seen, nil
		case l.err != nil:
			return 0, l.err
		case seen >= MaxRowBytes:
			return -1, nil
		}
		l.fill()
	}
}

// fill reads once; there is room for at least one byte, as no more than MaxRowBytes are kept.
func (l *lines) fill() {
	if l.start > 0 && (l.end == len(l.buf) || l.start == l.end) {
		copy(l.buf, l.buf[l.start:l.end])
		l.end -= l.start
		l.start = 0
	}
	for empty := 0; empty < 100; empty++ {
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		if err != nil {
			l.err = err
			return
		}
		if n > 0 {
			return
		}
	}
	l.err = io.ErrNoProgress
}

// advance uses up n bytes.
func (l *lines) advance(n int) {
	l.next += bytes.Count(l.buf[l.start:l.start+n], newline)
	l.start += n
}

// skipLine uses up a line of any length.
func (l *lines) skipLine() {
	for {
		if i := bytes.IndexByte(l.buf[l.start:l.end], '\n'); i >= 0 {
			l.advance(i + 1)
			return
		}
		l.start, l.end = 0, 0
		if l.err != nil {
			return
		}
		l.fill()
	}
}

// skipBOM uses up a byte order mark, which some spreadsheets write in front.
func (l *lines) skipBOM() {
	for l.end-l.start < len(byteOrderMark) && l.err == nil {
		l.fill()
	}
	if bytes.HasPrefix(l.buf[l.start:l.end], byteOrderMark) {
		l.start += len(byteOrderMark)
	}
}

// trimEnd cuts the newline off.
func trimEnd(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

var (
	newline       = []byte{'\n'}
	byteOrderMark = []byte("\xef\xbb\xbf")
)
