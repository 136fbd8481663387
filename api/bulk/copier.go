package bulk

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// ErrDamaged is the error of an object that is not what its manifest says. Nothing of it is loaded.
var ErrDamaged = errors.New("bulk: the object is not what the manifest says")

// Object is a file that is copied into a table, wherever it lies.
type Object struct {
	Name   string // for errors
	SHA256 Hash   // of all its bytes
	Bytes  int64
	// Open opens it for reading from the beginning. Needed by [Stream].
	Open func(ctx context.Context) (io.ReadCloser, error)
	// Bucket, Key and Region are where S3 has it. Needed by [Aurora].
	Bucket, Key, Region string
}

// Copier copies an object into a table, on a connection that may be in a transaction, and says how many rows it had. It is the one step that differs from one Postgres to the
// other. Columns are separated by commas.
type Copier interface {
	Copy(ctx context.Context, conn *pgx.Conn, table, columns string, o Object) (rows int64, err error)
}

const binaryFormat = "(FORMAT binary)"

// Stream reads the object here and sends it to any Postgres: COPY ... FROM STDIN. An object that is not what its hash says fails before the COPY has ended, so that nothing of it is
// there.
type Stream struct {
	// Options of COPY, such as "(FORMAT csv, HEADER true)". Default: (FORMAT binary).
	Options string
}

// Copy implements [Copier].
func (s Stream) Copy(ctx context.Context, conn *pgx.Conn, table, columns string, o Object) (rows int64, err error) {
	in, err := o.open(ctx)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	tag, err := conn.PgConn().CopyFrom(ctx, in, fmt.Sprintf("COPY %s (%s) FROM STDIN %s", table, columns, options(s.Options)))
	if in.err != nil { // what Postgres says of it is that the client gave up
		err = in.err
	}
	if err != nil {
		return 0, fmt.Errorf("copy %s into %s: %w", o.Name, table, err)
	}
	return tag.RowsAffected(), nil
}

// Aurora lets the server read the object from S3 by itself: aws_s3.table_import_from_s3. Nobody hashes what the server reads; so where the object can be opened it is read
// and hashed here just before, and the journal's hash chain, which covers each byte of each row, is checked over all that was loaded in the end.
type Aurora struct {
	// Options of COPY; see [Stream].
	Options string
}

var imported = regexp.MustCompile(`^(\d+) rows imported into relation`)

// Copy implements [Copier].
func (a Aurora) Copy(ctx context.Context, conn *pgx.Conn, table, columns string, o Object) (rows int64, err error) {
	if o.Open != nil {
		if err := o.check(ctx); err != nil {
			return 0, fmt.Errorf("import %s into %s: %w", o.Name, table, err)
		}
	}
	var answer string
	err = conn.QueryRow(ctx, `SELECT aws_s3.table_import_from_s3($1, $2, $3, aws_commons.create_s3_uri($4, $5, $6))`,
		table, columns, options(a.Options), o.Bucket, o.Key, o.Region).Scan(&answer)
	if err != nil {
		return 0, fmt.Errorf("import %s (s3://%s/%s) into %s: %w", o.Name, o.Bucket, o.Key, table, err)
	}
	found := imported.FindStringSubmatch(answer)
	if found == nil {
		return 0, fmt.Errorf("import %s (s3://%s/%s) into %s: the server answered %q, which does not say how many rows", o.Name, o.Bucket, o.Key, table, answer)
	}
	if rows, err = strconv.ParseInt(found[1], 10, 64); err != nil {
		return 0, fmt.Errorf("import %s into %s: rows: %w", o.Name, table, err)
	}
	return rows, nil
}

func options(given string) string {
	if given == "" {
		return binaryFormat
	}
	return given
}

// open opens the object; reading it ends with [ErrDamaged] instead of its end if it was not what its hash says.
func (o Object) open(ctx context.Context) (*checked, error) {
	if o.Open == nil {
		return nil, fmt.Errorf("open %s: the object can't be read from here", o.Name)
	}
	in, err := o.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Name, err)
	}
	return &checked{in: in, object: o, hash: sha256.New()}, nil
}

// check reads all of the object.
func (o Object) check(ctx context.Context) error {
	in, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(io.Discard, in)
	return err
}

// checked reads an object, and compares at its end.
type checked struct {
	in     io.ReadCloser
	object Object
	hash   hash.Hash
	read   int64
	err    error // why reading failed
}

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.hash.Write(p[:n])
	if c.read += int64(n); c.read > c.object.Bytes {
		err = c.damaged("has more than %d bytes", c.object.Bytes)
	} else if errors.Is(err, io.EOF) {
		if have := Hash(c.hash.Sum(nil)); c.read != c.object.Bytes || have != c.object.SHA256 {
			err = c.damaged("has %d bytes with the SHA-256 %s instead of %d with %s", c.read, have, c.object.Bytes, c.object.SHA256)
		}
	} else if err != nil {
		err = fmt.Errorf("read %s: %w", c.object.Name, err)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
		return 0, err
	}
	return n, err
}

func (c *checked) damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s "+format, append([]any{ErrDamaged, c.object.Name}, args...)...)
}

// Close implements io.Closer.
func (c *checked) Close() error { return c.in.Close() }
