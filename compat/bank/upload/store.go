package upload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
)

// partBytes is the size of a part of a file in the database.
const partBytes = 1 << 20

// Config is what a [Store] needs.
type Config struct {
	Pool   *pgxpool.Pool
	Schema string       // where the tables of [Migration] are: small letters and _
	Log    *slog.Logger // what a worker meets

	Dir       string // files stay here while they come in; "": the system's folder for such
	MaxFile   int64  // bytes; 256 MiB if 0
	Receiving int    // files that come in at once, the others wait; 4 if 0

	// Known tells whether a file is known to somebody else, so that it is file_exists here, too; it gets kind and id. Nobody if nil.
	Known func(ctx context.Context, kind, id string) (bool, error)
}

// WithDefaults fills in what is 0.
func (c Config) WithDefaults() Config {
	if c.Dir == "" {
		c.Dir = os.TempDir()
	}
	if c.MaxFile == 0 {
		c.MaxFile = 256 << 20
	}
	if c.Receiving == 0 {
		c.Receiving = 4
	}
	if c.Known == nil {
		c.Known = func(context.Context, string, string) (bool, error) { return false, nil }
	}
	return c
}

var schemaName = regexp.MustCompile(`^[a-z_]+$`)

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	if c.Pool == nil {
		wrong = append(wrong, errors.New("Pool: missing"))
	}
	if c.Log == nil {
		wrong = append(wrong, errors.New("Log: missing"))
	}
	if !schemaName.MatchString(c.Schema) {
		wrong = append(wrong, fmt.Errorf("Schema: %q is not made of small letters and _", c.Schema))
	}
	if c.MaxFile < 0 || c.Receiving < 0 {
		wrong = append(wrong, errors.New("MaxFile, Receiving: must not be negative"))
	}
	return errors.Join(wrong...)
}

// Store keeps uploads. Its methods may be called from any goroutine, and several stores may work on the same tables.
type Store struct {
	config    Config
	receiving chan struct{}
	wake      chan struct{} // a file has come in
	sql       statements
}

// statements are the store's SQL with its schema in it.
type statements struct {
	exists, order, insert, part, get, errors, next, begin, content, save, fault, forget string
	held                                                                                heldStatements
}

// nowMS is the server's clock in milliseconds.
const nowMS = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

// New makes a store; the error is that of [Config.Validate].
func New(config Config) (*Store, error) {
	config = config.WithDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	in := func(sql string) string {
		return strings.NewReplacer("SCHEMA", config.Schema, "NOW", nowMS).Replace(sql)
	}
	return &Store{
		config:    config,
		receiving: make(chan struct{}, config.Receiving),
		wake:      make(chan struct{}, 1),
		sql: statements{
			exists: in(`SELECT EXISTS (SELECT 1 FROM SCHEMA.upload WHERE kind = $1 AND upload_id = $2)`),
			order:  in(`SELECT pg_advisory_xact_lock(hashtextextended('SCHEMA.upload arrives', 0))`),
			insert: in(`INSERT INTO SCHEMA.upload (kind, upload_id, name, created_at, updated_at) SELECT $1, $2, $3, at, at FROM (SELECT NOW AS at) AS clock
				ON CONFLICT DO NOTHING RETURNING seq, created_at`),
			part:    in(`INSERT INTO SCHEMA.upload_part (seq, part, content) VALUES ($1, $2, $3)`),
			get:     in(`SELECT seq, kind, name, created_at, updated_at, status, processed, skipped FROM SCHEMA.upload WHERE upload_id = $1 ORDER BY seq DESC LIMIT 1`),
			errors:  in(`SELECT row, type, message FROM SCHEMA.upload_error WHERE seq = $1 ORDER BY row`),
			next:    in(`SELECT seq, kind, name, status <> 'pending', processed, skipped, attempted FROM SCHEMA.upload WHERE status IN ('pending', 'running') ORDER BY seq LIMIT 1`),
			begin:   in(`SELECT pg_try_advisory_lock(hashtextextended('SCHEMA.upload works', 0))`),
			content: in(`SELECT content FROM SCHEMA.upload_part WHERE seq = $1 AND part = $2`),
			save:    in(`UPDATE SCHEMA.upload SET status = $2, processed = $3, skipped = $4, attempted = $5, updated_at = greatest(updated_at, NOW) WHERE seq = $1`),
			fault:   in(`INSERT INTO SCHEMA.upload_error (seq, row, type, message) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`),
			forget:  in(`DELETE FROM SCHEMA.upload_part WHERE seq = $1`),
			held:    newHeldStatements(in),
		},
	}, nil
}

// Receive keeps a file, whole or not at all: file_exists, empty_file, unsupported_file, too_large. It is worked off later.
func (s *Store) Receive(ctx context.Context, kind, name string, content io.Reader) (bank.NewUpload, error) {
	select {
	case s.receiving <- struct{}{}:
		defer func() { <-s.receiving }()
	case <-ctx.Done():
		return bank.NewUpload{}, fmt.Errorf("receive %q: wait for others that come in: %w", name, ctx.Err())
	}
	hash := sha256.New()
	spool, err := NewSpool(s.config.Dir, s.config.MaxFile+1, content, hash)
	if err != nil {
		return bank.NewUpload{}, fmt.Errorf("receive %q: %w", name, err)
	}
	defer spool.Close()
	if spool.Size() > s.config.MaxFile {
		return bank.NewUpload{}, bank.Errorf(bank.TooLarge, "the file has more than %d bytes", s.config.MaxFile)
	}
	id := hex.EncodeToString(hash.Sum(nil))
	var exists bool
	if err = s.config.Pool.QueryRow(ctx, s.sql.exists, kind, id).Scan(&exists); err == nil && !exists {
		exists, err = s.config.Known(ctx, kind, id)
	}
	if err != nil {
		return bank.NewUpload{}, fmt.Errorf("receive %q: look for the same: %w", name, err)
	}
	if exists {
		return bank.NewUpload{}, fileExists(kind)
	}
	lower := strings.ToLower(name)
	switch rows, zipped := look(spool.Reader()); {
	case !rows && !zipped && strings.HasSuffix(lower, ".gz") && spool.Size() > 0:
		return bank.NewUpload{}, bank.Errorf(bank.EmptyFile, "%q is not zipped, and read as plain text it has no rows", name)
	case !rows:
		return bank.NewUpload{}, bank.Errorf(bank.EmptyFile, "the file has no rows")
	}
	if !strings.HasSuffix(lower, ".csv") && !strings.HasSuffix(lower, ".csv.gz") {
		return bank.NewUpload{}, bank.Errorf(bank.UnsupportedFile, "%q is neither *.csv nor *.csv.gz", name)
	}
	upload, err := s.insert(ctx, kind, id, name, spool)
	if err != nil {
		return bank.NewUpload{}, fmt.Errorf("keep upload %q: %w", name, err)
	}
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
	return upload, nil
}

func fileExists(kind string) error {
	return bank.Errorf(bank.FileExists, "the same file was uploaded to /uploads/%s before", kind)
}

func (s *Store) insert(ctx context.Context, kind, id, name string, file *Spool) (bank.NewUpload, error) {
	var seq, createdAt int64
	err := pgx.BeginFunc(ctx, s.config.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.sql.order); err != nil { // one after another: what has a lower number is there before
			return err
		}
		err := tx.QueryRow(ctx, s.sql.insert, kind, id, name).Scan(&seq, &createdAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return fileExists(kind)
		}
		if err != nil {
			return err
		}
		content, buffer := file.Reader(), make([]byte, partBytes)
		for part := 0; ; part++ {
			n, err := io.ReadFull(content, buffer)
			if n > 0 {
				if _, err := tx.Exec(ctx, s.sql.part, seq, part, buffer[:n]); err != nil {
					return err
				}
			}
			switch {
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				return nil
			case err != nil:
				return err
			}
		}
	})
	return newUpload(kind, id, name, createdAt), err
}

func newUpload(kind, id, name string, createdAt int64) bank.NewUpload {
	return bank.NewUpload{UploadID: id, OrgID: 1, UserID: 1, Name: name, CreatedAt: createdAt, S3Key: "uploads/" + kind + "/" + id}
}

// Upload tells how an upload stands: upload_not_found. Where the same file was given for both kinds, it is the later one.
func (s *Store) Upload(ctx context.Context, id string) (bank.Upload, error) {
	var u bank.Upload
	err := pgx.BeginTxFunc(ctx, s.config.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var seq int64
		var kind string
		err := tx.QueryRow(ctx, s.sql.get, id).Scan(&seq, &kind, &u.Name, &u.CreatedAt, &u.UpdatedAt, &u.Status, &u.TradesProcessed, &u.TradesSkipped)
		if errors.Is(err, pgx.ErrNoRows) {
			return bank.Errorf(bank.UploadNotFound, "there is no upload %q", id)
		}
		if err != nil {
			return err
		}
		u.NewUpload = newUpload(kind, id, u.Name, u.CreatedAt)
		u.Completed = u.Status == bank.UploadDone || u.Status == bank.UploadFailed
		rows, err := tx.Query(ctx, s.sql.errors, seq)
		if err != nil {
			return err
		}
		u.Errors, err = pgx.CollectRows(rows, pgx.RowToStructByPos[bank.UploadError])
		return err
	})
	if err != nil {
		return bank.Upload{}, fmt.Errorf("read upload %q: %w", id, err)
	}
	return u, nil
}
