package evidence

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Record is a line of the log.
type Record struct {
	Seq  int64           `json:"seq"` // from 1
	At   time.Time       `json:"at"`  // by the clock of the machine that ran it, UTC
	Run  int             `json:"run"` // from 1: the runs of a folder
	Kind string          `json:"kind"`
	Step string          `json:"step,omitempty"` // "": of the run
	Data json.RawMessage `json:"data,omitempty"` // by kind
	Prev string          `json:"prev"`           // the hash of the record before; "" at the first
	Hash string          `json:"hash,omitempty"` // SHA-256, in hexadecimal, of the line without this
}

// ErrAltered is in the chain of an error that says that a log is not as it was written.
var ErrAltered = errors.New("the log was altered")

const (
	fileName = "evidence.jsonl"
	lockName = "lock"
	// MaxRecord is how long a record may be, in bytes.
	MaxRecord = 1 << 20
	maxLog    = 1 << 30
)

// File gives the path of a folder's log.
func File(dir string) string { return filepath.Join(dir, fileName) }

// Read reads a folder's log and checks it. torn is how many bytes of a line there are at its end that was never whole: of a writer that was killed. The records before the first
// one that is wrong come with an [ErrAltered]. Without a log: fs.ErrNotExist.
func Read(dir string) (records []Record, torn int, err error) {
	records, _, torn, err = read(File(dir))
	return records, torn, err
}

// read gives the length of what is whole, too.
func read(path string) (records []Record, whole int64, torn int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("open the log: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxLog {
		return nil, 0, 0, fmt.Errorf("the log %s can't be looked at, or has more than %d bytes: %w", path, int64(maxLog), errors.Join(err))
	}
	lines := bufio.NewReaderSize(f, 64<<10)
	prev := ""
	for n := int64(1); ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return records, whole, len(line), nil
		}
		if err != nil {
			return records, whole, 0, fmt.Errorf("read the log: %w", err)
		}
		r, err := parse(line[:len(line)-1])
		switch {
		case err != nil:
		case r.Seq != n:
			err = fmt.Errorf("it is number %d", r.Seq)
		case r.Prev != prev:
			err = errors.New("it does not follow the record before")
		}
		if err != nil {
			return records, whole, 0, fmt.Errorf("%w: %s, record %d: %w", ErrAltered, path, n, err)
		}
		prev, whole = r.Hash, whole+int64(len(line))
		records = append(records, r)
	}
}

// parse reads a line and checks its own hash.
func parse(line []byte) (r Record, err error) {
	i := bytes.LastIndex(line, []byte(hashMark)) // the last: a record's data may have it, too
	if i < 0 || len(line) != i+len(hashMark)+2*sha256.Size+2 || !bytes.HasSuffix(line, []byte(`"}`)) {
		return r, errors.New("it does not end with a hash")
	}
	body, told := line[:i], line[i+len(hashMark):]
	if hashOf(body) != string(told[:2*sha256.Size]) {
		return r, errors.New("its hash is not that of what it says")
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("it is no record: %w", err)
	}
	return r, nil
}

const hashMark = `,"hash":"`

// hashOf gives the hash of a line, without its own and without the brace that ends it.
func hashOf(body []byte) string {
	h := sha256.New()
	h.Write(body)
	h.Write([]byte("}"))
	return hex.EncodeToString(h.Sum(nil))
}

// missing reports that there is no log yet.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
