package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// rows are the journal's rows as the engine wrote them, in Postgres' binary COPY format, one after the other. Sides without an engine
// write them again.
type rows struct {
	data   []byte
	ends   []int // of each row in data
	before int   // definitions and warm-up: so many rows are stored before the clock runs
}

const (
	columns    = 7
	copyOut    = `COPY (SELECT shard, seq, epoch, key_hash, subject, hash, payload FROM bk.journal ORDER BY shard, seq) TO STDOUT (FORMAT binary)`
	copyIn     = `COPY bk.journal (shard, seq, epoch, key_hash, subject, hash, payload) FROM STDIN (FORMAT binary)`
	insertRow  = `INSERT INTO bk.journal (shard, seq, epoch, key_hash, subject, hash, payload) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	lastColumn = columns - 1 // the payload
)

var (
	copyHeader  = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	copyTrailer = []byte{0xff, 0xff}
)

// capture reads a journal back.
func capture(ctx context.Context, dsn string, before int) (*rows, error) {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("read the rows back: %w", err)
	}
	defer hangUp(conn)
	var stream bytes.Buffer
	if _, err := conn.CopyTo(ctx, &stream, copyOut); err != nil {
		return nil, fmt.Errorf("read the rows back: %w", err)
	}
	r := &rows{before: before}
	if err := r.parse(stream.Bytes()); err != nil {
		return nil, fmt.Errorf("read the rows back: %w", err)
	}
	if len(r.ends) < before {
		return nil, fmt.Errorf("read the rows back: %d rows, at least %d were booked", len(r.ends), before)
	}
	return r, nil
}

var errRows = errors.New("not what COPY writes")

// parse finds the rows in a stream of COPY.
func (r *rows) parse(stream []byte) error {
	if !bytes.HasPrefix(stream, copyHeader) {
		return errRows
	}
	r.data = stream[len(copyHeader):]
	for at := 0; ; {
		if len(r.data) < at+2 {
			return errRows
		}
		count := binary.BigEndian.Uint16(r.data[at:])
		if count == 0xffff {
			r.data = r.data[:at]
			return nil
		}
		if count != columns {
			return errRows
		}
		at += 2
		for range columns {
			if len(r.data) < at+4 {
				return errRows
			}
			at += 4 + int(max(0, int32(binary.BigEndian.Uint32(r.data[at:]))))
		}
		r.ends = append(r.ends, at)
	}
}

// measured is how many rows the clock runs over.
func (r *rows) measured() int { return len(r.ends) - r.before }

// row gives the n-th row of all.
func (r *rows) row(n int) []byte {
	if n == 0 {
		return r.data[:r.ends[0]]
	}
	return r.data[r.ends[n-1]:r.ends[n]]
}

// values gives the columns of the n-th row of all as binary parameters; nil is NULL.
func (r *rows) values(n int) [][]byte {
	row := r.row(n)[2:]
	out := make([][]byte, columns)
	for i := range out {
		size := int32(binary.BigEndian.Uint32(row))
		row = row[4:]
		if size >= 0 {
			out[i], row = row[:size:size], row[size:]
		}
	}
	return out
}

// streams gives rows from to to-1 as COPY streams of size rows each.
func (r *rows) streams(from, to, size int) [][]byte {
	var out [][]byte
	for ; from < to; from += size {
		end := min(to, from+size)
		start := 0
		if from > 0 {
			start = r.ends[from-1]
		}
		out = append(out, bytes.Join([][]byte{copyHeader, r.data[start:r.ends[end-1]], copyTrailer}, nil))
	}
	return out
}

// payloadBytes is the mean size of an encoded entry.
func (r *rows) payloadBytes() float64 {
	sum := 0
	for n := r.before; n < len(r.ends); n++ {
		sum += len(r.values(n)[lastColumn])
	}
	return float64(sum) / float64(max(1, r.measured()))
}

func hangUp(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // its database is dropped anyway
}
