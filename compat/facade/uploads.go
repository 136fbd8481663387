package facade

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/compat/facade/mode"
)

// uploads serves files of trades and cancels. In bank-only they are Bank's, which are remembered; in the other modes the façade works them off itself.
type uploads struct {
	store   *upload.Store
	pool    *pgxpool.Pool
	handler http.Handler // on Receive and Upload
	bank    interface {
		UploadState(ctx context.Context, id string) (bank.Upload, error)
	}
	dir    string
	spools chan struct{} // of files that come in
	log    *slog.Logger
}

// Receive takes a file in, unless Bank has it. It implements front.Uploads.
func (u *uploads) Receive(ctx context.Context, kind, name string, content io.Reader) (_ bank.NewUpload, err error) {
	file, err := os.CreateTemp(u.dir, "upload-*")
	if err != nil {
		return bank.NewUpload{}, fmt.Errorf("keep the file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(file, sum), content); err != nil {
		return bank.NewUpload{}, fmt.Errorf("receive the file: %w", err)
	}
	id := hex.EncodeToString(sum.Sum(nil))
	var passed bool
	if err := u.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM facade.passed_upload WHERE kind = $1 AND upload_id = $2)`, kind, id).Scan(&passed); err != nil {
		return bank.NewUpload{}, fmt.Errorf("look for uploads that were passed on: %w", err)
	}
	if passed {
		return bank.NewUpload{}, bank.Errorf(bank.FileExists, "the file was uploaded before: %s", id)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return bank.NewUpload{}, fmt.Errorf("read the file: %w", err)
	}
	return u.store.Receive(ctx, kind, name, file)
}

// Upload says how one of the façade's own uploads stands, or one that Bank has. It implements front.Uploads.
func (u *uploads) Upload(ctx context.Context, id string) (bank.Upload, error) {
	own, err := u.store.Upload(ctx, id)
	if bank.TypeOf(err) != bank.UploadNotFound {
		return own, err
	}
	var passed bool
	if asked := u.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM facade.passed_upload WHERE upload_id = $1)`, id).Scan(&passed); asked != nil || !passed {
		return own, errors.Join(err, asked)
	}
	return u.bank.UploadState(ctx, id)
}

// has reports whether the façade itself has taken a file in, in another mode.
func (u *uploads) has(r *http.Request) bool {
	body, ok := r.Body.(*spooled)
	if !ok {
		return false
	}
	id, err := body.fileID(r.Header.Get("Content-Type"))
	var has bool
	if err == nil && id != "" {
		err = u.pool.QueryRow(r.Context(), `SELECT EXISTS (SELECT FROM facade.upload WHERE kind = $1 AND upload_id = $2)`, strings.TrimPrefix(r.URL.Path, "/uploads/"), id).Scan(&has)
	}
	if err != nil {
		u.log.Warn("an upload is passed on though it can't be told whether the façade has had it", "error", err)
	}
	return has
}

// pass lets Bank take a file, and remembers it before the client hears of it: it holds up the next step until Bank has worked it off. One that the façade itself has had
// is refused as Bank would have.
func (u *uploads) pass(w http.ResponseWriter, r *http.Request, toBank http.Handler) {
	if u.has(r) {
		u.handler.ServeHTTP(w, r)
		return
	}
	answer := newRecord()
	toBank.ServeHTTP(answer, r)
	var taken bank.NewUpload
	if answer.status == http.StatusAccepted && json.Unmarshal(answer.body.Bytes(), &taken) == nil && taken.UploadID != "" {
		kind := strings.TrimPrefix(r.URL.Path, "/uploads/")
		_, err := u.pool.Exec(context.WithoutCancel(r.Context()), `INSERT INTO facade.passed_upload (kind, upload_id) VALUES ($1, $2)
			ON CONFLICT (kind, upload_id) DO UPDATE SET ended = false`, kind, taken.UploadID)
		if err != nil {
			// The client may send it again: Bank knows it.
			answerError(w, bank.Errorf(bank.OutcomeUnknown, "the upload is Bank's, but could not be noted"))
			return
		}
	}
	answer.send(w)
}

// read serves GET /uploads/{id}.
func (u *uploads) read(w http.ResponseWriter, r *http.Request, current mode.Mode, toBank http.Handler) {
	if current != mode.BankOnly {
		u.handler.ServeHTTP(w, r)
		return
	}
	answer := newRecord()
	toBank.ServeHTTP(answer, r)
	if answer.status == http.StatusNotFound {
		if _, err := u.store.Upload(r.Context(), strings.TrimPrefix(r.URL.Path, "/uploads/")); err == nil {
			u.handler.ServeHTTP(w, r)
			return
		}
	}
	answer.send(w)
}

// ended gives an error while an upload is not worked off, here or at Bank.
func (u *uploads) ended(ctx context.Context) error {
	running, err := u.store.Running(ctx)
	if err != nil {
		return err
	}
	if running {
		return errors.New("an upload is being worked off")
	}
	rows, err := u.pool.Query(ctx, `SELECT upload_id FROM facade.passed_upload WHERE NOT ended LIMIT 1000`)
	if err != nil {
		return fmt.Errorf("look for uploads that were passed on: %w", err)
	}
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look for uploads that were passed on: %w", err)
	}
	for _, id := range open {
		state, err := u.bank.UploadState(ctx, id)
		if err != nil && bank.TypeOf(err) != bank.UploadNotFound {
			return fmt.Errorf("ask Bank for upload %s: %w", id, err)
		}
		if err == nil && !state.Completed && state.Status != bank.UploadFailed {
			return fmt.Errorf("Bank is working off upload %s", id)
		}
		if _, err := u.pool.Exec(ctx, `UPDATE facade.passed_upload SET ended = true WHERE upload_id = $1`, id); err != nil {
			return fmt.Errorf("note that upload %s has ended: %w", id, err)
		}
	}
	return nil
}
