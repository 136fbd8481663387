package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"

	"github.com/bkledger/bk/api/bulk"
)

var (
	// ErrDamaged: an object is not what was noted when it was written.
	ErrDamaged = errors.New("the object is not what was written")
	// ErrMissing: there is no such document or object.
	ErrMissing = errors.New("there is no such thing in the work store")
)

// Object is what was written.
type Object struct {
	Key    string    `json:"key"`
	Rows   int64     `json:"rows"`
	Bytes  int64     `json:"bytes"`
	SHA256 bulk.Hash `json:"sha256"`
}

// Store is a work store. Its methods may be called from several goroutines.
type Store struct {
	bucket *blob.Bucket
	name   string
	// of S3
	s3Bucket, prefix, region string
}

// Open opens a folder, which is made if it is missing and may be made, or s3://bucket/prefix. S3's credentials are those of the environment; ?region=, ?endpoint= (of another service that speaks S3) and
// ?path_style=true may stand behind the prefix.
func Open(ctx context.Context, at string, mayMake bool) (*Store, error) {
	if !strings.HasPrefix(at, "s3://") {
		if at == "" {
			return nil, errors.New("work store: a folder or s3://bucket/prefix is needed")
		}
		dir, err := filepath.Abs(at)
		if err != nil {
			return nil, fmt.Errorf("work store %s: %w", at, err)
		}
		// Metadata would be a second file beside each, and a temporary folder may be on another disk.
		bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{CreateDir: mayMake, DirFileMode: 0o750, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
		if err != nil {
			return nil, fmt.Errorf("work store %s: %w", at, err)
		}
		return &Store{bucket: bucket, name: dir}, nil
	}
	u, err := url.Parse(at)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("work store %q: not such as s3://bucket/prefix", at)
	}
	query := u.Query()
	var options []func(*config.LoadOptions) error
	if region := query.Get("region"); region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("work store %s: AWS configuration: %w", at, err)
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		if endpoint := query.Get("endpoint"); endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
		o.UsePathStyle = query.Get("path_style") == "true"
	})
	bucket, err := s3blob.OpenBucket(ctx, client, u.Host, nil)
	if err != nil {
		return nil, fmt.Errorf("work store %s: %w", at, err)
	}
	s := &Store{bucket: bucket, name: "s3://" + u.Host + u.Path, s3Bucket: u.Host, region: cfg.Region}
	if s.prefix = strings.Trim(u.Path, "/"); s.prefix != "" {
		s.prefix += "/"
		s.bucket = blob.PrefixedBucket(bucket, s.prefix)
	}
	return s, nil
}

// String gives where it is.
func (s *Store) String() string { return s.name }

// S3 says where a key is, for servers that read or write it by themselves. ok is false for a folder.
func (s *Store) S3(key string) (bucket, full, region string, ok bool) {
	return s.s3Bucket, s.prefix + key, s.region, s.s3Bucket != ""
}

// Close gives it back.
func (s *Store) Close() error { return s.bucket.Close() }

// Put writes an object. What write returns is the number of its rows.
func (s *Store) Put(ctx context.Context, key string, write func(io.Writer) (rows int64, err error)) (Object, error) {
	writing, cancel := context.WithCancel(ctx)
	defer cancel() // before Close it gives the object up
	w, err := s.bucket.NewWriter(writing, key, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return Object{}, fmt.Errorf("write %s: %w", key, err)
	}
	t := &tally{to: w, hash: sha256.New()}
	rows, err := write(t)
	if err != nil {
		cancel()
		w.Close() //nolint:errcheck // it was given up
		return Object{}, err
	}
	if err := w.Close(); err != nil {
		return Object{}, fmt.Errorf("write %s: %w", key, err)
	}
	return Object{Key: key, Rows: rows, Bytes: t.bytes, SHA256: bulk.Hash(t.hash.Sum(nil))}, nil
}

// PutBytes writes an object that is in memory.
func (s *Store) PutBytes(ctx context.Context, key string, rows int64, data []byte) (Object, error) {
	return s.Put(ctx, key, func(w io.Writer) (int64, error) {
		_, err := w.Write(data)
		return rows, err
	})
}

// Weigh reads an object that somebody else has written, and notes what it is.
func (s *Store) Weigh(ctx context.Context, key string, rows int64) (Object, error) {
	in, err := s.open(ctx, key)
	if err != nil {
		return Object{}, err
	}
	defer in.Close()
	t := &tally{to: io.Discard, hash: sha256.New()}
	if _, err := io.Copy(t, in); err != nil {
		return Object{}, fmt.Errorf("read %s: %w", key, err)
	}
	return Object{Key: key, Rows: rows, Bytes: t.bytes, SHA256: bulk.Hash(t.hash.Sum(nil))}, nil
}

type tally struct {
	to    io.Writer
	hash  hash.Hash
	bytes int64
}

func (t *tally) Write(p []byte) (int, error) {
	n, err := t.to.Write(p)
	t.hash.Write(p[:n])
	t.bytes += int64(n)
	return n, err
}

func (s *Store) open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("read %s: %w", key, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return r, nil
}

// Open reads an object. Its end is [ErrDamaged] if it is not what was noted.
func (s *Store) Open(ctx context.Context, o Object) (io.ReadCloser, error) {
	in, err := s.open(ctx, o.Key)
	if err != nil {
		return nil, err
	}
	return &checked{in: in, object: o, hash: sha256.New()}, nil
}

// Check reads all of an object.
func (s *Store) Check(ctx context.Context, o Object) error {
	in, err := s.Open(ctx, o)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(io.Discard, in)
	return err
}

// Raw opens an object without a look at its hash, for who looks by himself.
func (s *Store) Raw(ctx context.Context, o Object) (io.ReadCloser, error) { return s.open(ctx, o.Key) }

type checked struct {
	in     io.ReadCloser
	object Object
	hash   hash.Hash
	bytes  int64
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.hash.Write(p[:n])
	c.bytes += int64(n)
	switch {
	case c.bytes > c.object.Bytes:
		return 0, fmt.Errorf("%s: more than %d bytes: %w", c.object.Key, c.object.Bytes, ErrDamaged)
	case errors.Is(err, io.EOF):
		if have := bulk.Hash(c.hash.Sum(nil)); c.bytes != c.object.Bytes || have != c.object.SHA256 {
			return 0, fmt.Errorf("%s: %d bytes with SHA-256 %s instead of %d with %s: %w", c.object.Key, c.bytes, have, c.object.Bytes, c.object.SHA256, ErrDamaged)
		}
	case err != nil:
		err = fmt.Errorf("read %s: %w", c.object.Key, err)
	}
	return n, err
}

func (c *checked) Close() error { return c.in.Close() }

// Note writes a document.
func (s *Store) Note(ctx context.Context, key string, value any) error {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	_, err = s.PutBytes(ctx, key, 0, append(text, '\n'))
	return err
}

// Read reads a document: [ErrMissing] if there is none.
func (s *Store) Read(ctx context.Context, key string, to any) error {
	in, err := s.open(ctx, key)
	if err != nil {
		return err
	}
	defer in.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(in); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(text.Bytes(), to); err != nil {
		return fmt.Errorf("read %s: %w: %w", key, ErrDamaged, err)
	}
	return nil
}

// List gives the keys that begin with a prefix, ascending.
func (s *Store) List(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	for list := s.bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
		one, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list %s*: %w", prefix, err)
		}
		keys = append(keys, one.Key)
	}
}

// Remove takes away all whose key begins with a prefix.
func (s *Store) Remove(ctx context.Context, prefix string) error {
	keys, err := s.List(ctx, prefix)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("remove %s: %w", key, err)
		}
	}
	return nil
}
