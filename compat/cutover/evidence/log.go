package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// ErrBusy says that another runner has the log.
var ErrBusy = errors.New("another runner has this log")

// KindTorn is the record of a line that a killed writer left: how many bytes were cut off.
const KindTorn = "torn"

// Log adds to a folder's log. It is safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	file    *os.File
	lock    *flock.Flock
	records []Record
	size    int64
	broken  error
}

// Open takes a folder's log, for this process alone, and makes what is missing. [ErrBusy] while another has it, [ErrAltered] where it is not as it was written.
func Open(dir string) (l *Log, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the log's folder: %w", err)
	}
	l = &Log{}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	l.lock = flock.New(filepath.Join(dir, lockName))
	switch ours, err := l.lock.TryLock(); {
	case err != nil:
		return l, fmt.Errorf("lock the log: %w", err)
	case !ours:
		return l, fmt.Errorf("%s: %w", dir, ErrBusy)
	}
	records, whole, torn, err := read(File(dir))
	if err != nil && !missing(err) {
		return l, err
	}
	if l.file, err = os.OpenFile(File(dir), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		return l, fmt.Errorf("open the log: %w", err)
	}
	l.records, l.size = records, whole
	if torn > 0 {
		if err := l.file.Truncate(whole); err != nil {
			return l, fmt.Errorf("cut off the log's last line, which is not whole: %w", err)
		}
		run := 0
		if n := len(records); n > 0 {
			run = records[n-1].Run
		}
		if _, err := l.Append(run, KindTorn, "", map[string]int{"bytes": torn}); err != nil {
			return l, err
		}
	}
	folder, err := os.Open(dir)
	if err != nil {
		return l, fmt.Errorf("the log's folder: %w", err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return l, fmt.Errorf("write the log's folder: %w", err)
	}
	return l, nil
}

// Append adds a record; data becomes JSON. When it comes back without an error the record is on disk.
func (l *Log) Append(run int, kind, step string, data any) (Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return Record{}, l.broken
	}
	r := Record{Seq: int64(len(l.records)) + 1, At: time.Now().UTC(), Run: run, Kind: kind, Step: step}
	if n := len(l.records); n > 0 {
		r.Prev = l.records[n-1].Hash
	}
	if data != nil {
		var err error
		if r.Data, err = json.Marshal(data); err != nil {
			return r, fmt.Errorf("encode a record of kind %s: %w", kind, err)
		}
	}
	line, err := json.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("encode a record of kind %s: %w", kind, err)
	}
	if len(line) > MaxRecord {
		return r, fmt.Errorf("a record of kind %s has %d bytes, above %d", kind, len(line), MaxRecord)
	}
	body := line[:len(line)-1]
	r.Hash = hashOf(body)
	line = append(append(append([]byte{}, body...), hashMark...), r.Hash+"\"}\n"...)
	_, err = l.file.Write(line)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		l.broken = fmt.Errorf("write the log: %w", errors.Join(err, l.file.Truncate(l.size)))
		return r, l.broken
	}
	l.size += int64(len(line))
	l.records = append(l.records, r)
	return r, nil
}

// Records gives all, the first first.
func (l *Log) Records() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Record{}, l.records...)
}

// Head is the last record's hash, which fixes all before it; "" if there is none.
func (l *Log) Head() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == 0 {
		return ""
	}
	return l.records[len(l.records)-1].Hash
}

// Close gives the log up.
func (l *Log) Close() error {
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.Close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Unlock()) // closing alone leaves it to a command of ours that is between fork and exec
	}
	return errors.Join(errs...)
}
