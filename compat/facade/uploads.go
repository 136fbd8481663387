package facade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

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
	pace   upload.Pace   // of clients
	spools chan struct{} // of files that come in
	log    *slog.Logger

	unfinished atomic.Pointer[[]upload.Unfinished] // at the last look
}

// Receive takes a file in, unless Bank has it. It implements front.Uploads.
func (u *uploads) Receive(ctx context.Context, kind, name string, content io.Reader) (bank.NewUpload, error) {
	return u.store.Receive(ctx, kind, name, content)
}

// passed tells whether Bank has a file, or may have it.
func (u *uploads) passed(ctx context.Context, kind, id string) (passed bool, err error) {
	err = u.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM facade.passed_upload WHERE kind = $1 AND upload_id = $2)`, kind, id).Scan(&passed)
	if err != nil {
		return false, fmt.Errorf("look for uploads that were passed on: %w", err)
	}
	return passed, nil
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

// fileOf gives the kind and the id of the file in an upload; the id is "" if it can't be told.
func (u *uploads) fileOf(r *http.Request) (kind, id string) {
	kind = strings.TrimPrefix(r.URL.Path, "/uploads/")
	body, ok := r.Body.(*spooled)
	if !ok || kind != bank.UploadInsert && kind != bank.UploadCancel {
		return kind, ""
	}
	id, err := body.fileID(r.Header.Get("Content-Type"))
	if err != nil {
		u.log.Warn("an upload is passed on though it can't be told whether the façade has had it", "error", err)
		return kind, ""
	}
	return kind, id
}

// has reports whether the façade itself has taken a file in, in another mode.
func (u *uploads) has(ctx context.Context, kind, id string) bool {
	var has bool
	err := u.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM facade.upload WHERE kind = $1 AND upload_id = $2)`, kind, id).Scan(&has)
	if err != nil {
		u.log.Warn("an upload is passed on though it can't be told whether the façade has had it", "error", err)
	}
	return has
}

// note remembers a file that is, or may be, Bank's. It gives the version of the row, and whether there was none.
func (u *uploads) note(ctx context.Context, kind, id string) (version string, fresh bool, err error) {
	err = u.pool.QueryRow(ctx, `INSERT INTO facade.passed_upload (kind, upload_id) VALUES ($1, $2)
		ON CONFLICT (kind, upload_id) DO UPDATE SET ended = false RETURNING xmin::text, xmax = 0`, kind, id).Scan(&version, &fresh)
	return version, fresh, err
}

// pass lets Bank take a file, and remembers it before Bank hears of it: it holds up the next step until Bank has worked it off. One that the façade itself has had
// is refused as Bank would have. A file whose id can't be told before is remembered before the client hears of it.
func (u *uploads) pass(w http.ResponseWriter, r *http.Request, toBank http.Handler) {
	kind, id := u.fileOf(r)
	var version string
	var fresh bool
	if id != "" {
		if u.has(r.Context(), kind, id) {
			u.handler.ServeHTTP(w, r)
			return
		}
		var err error
		if version, fresh, err = u.note(r.Context(), kind, id); err != nil {
			u.log.Error("an upload can't be noted, it is refused", "kind", kind, "upload", id, "error", err)
			answerError(w, bank.Errorf(bank.Internal, "the upload can't be noted"))
			return
		}
	}
	answer, notes := passRecorded(toBank, r)
	ending := context.WithoutCancel(r.Context())
	switch judge(answer, notes) {
	case accepted:
		var taken bank.NewUpload
		if json.Unmarshal(answer.body.Bytes(), &taken) != nil || taken.UploadID == "" {
			break
		}
		if _, _, err := u.note(ending, kind, taken.UploadID); err != nil {
			// The client may send it again: Bank knows it.
			answerError(w, bank.Errorf(bank.OutcomeUnknown, "the upload is Bank's, but could not be noted"))
			return
		}
	case refused:
		// Nothing of it is left, unless Bank has it from another call, or somebody else has noted it meanwhile.
		var fault bank.Error
		if !fresh || json.Unmarshal(answer.body.Bytes(), &fault) == nil && fault.Type == bank.FileExists {
			break
		}
		if _, err := u.pool.Exec(ending, `DELETE FROM facade.passed_upload WHERE kind = $1 AND upload_id = $2 AND xmin::text = $3`, kind, id, version); err != nil {
			u.log.Warn("an upload that Bank has refused stays noted until the next step", "kind", kind, "upload", id, "error", err)
		}
	case unknown: // the next step asks Bank
	}
	answer.give(w, r, notes, u.log)
}

// read serves GET /uploads/{id}.
func (u *uploads) read(w http.ResponseWriter, r *http.Request, current mode.Mode, toBank http.Handler) {
	if current != mode.BankOnly {
		u.handler.ServeHTTP(w, r)
		return
	}
	answer, notes := passRecorded(toBank, r)
	if answer.status == http.StatusNotFound {
		if _, err := u.store.Upload(r.Context(), strings.TrimPrefix(r.URL.Path, "/uploads/")); err == nil {
			u.handler.ServeHTTP(w, r)
			return
		}
	}
	answer.give(w, r, notes, u.log)
}

// being says why a step must wait for an upload.
func being(first upload.Unfinished) error {
	name := fmt.Sprintf("upload %s (%s)", first.UploadID, first.Name)
	if first.Held == nil {
		return fmt.Errorf("%s is being worked off", name)
	}
	return fmt.Errorf("%s waits for its row %d, which has failed %d times since %s, at last with %s: %s (hotswap facade uploads give-up, if it never goes through)",
		name, first.Held.Row, first.Held.Attempts, first.Held.Since.Format(time.RFC3339), first.Held.Type, first.Held.Message)
}

// uploadsAtOnce is how many are looked up at a time.
const uploadsAtOnce = 1000

// ended gives an error while an upload is not worked off, here or at Bank.
func (u *uploads) ended(ctx context.Context) error {
	unfinished, err := u.store.Unfinished(ctx)
	if err != nil {
		return err
	}
	if len(unfinished) > 0 {
		return being(unfinished[0])
	}
	for {
		rows, err := u.pool.Query(ctx, `SELECT upload_id FROM facade.passed_upload WHERE NOT ended LIMIT $1`, uploadsAtOnce)
		if err != nil {
			return fmt.Errorf("look for uploads that were passed on: %w", err)
		}
		open, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("look for uploads that were passed on: %w", err)
		}
		if len(open) == 0 {
			return nil
		}
		for _, id := range open {
			if err := u.settled(ctx, id); err != nil {
				return err
			}
		}
	}
}

// settled asks Bank for a file that was passed on. One that Bank does not have is forgotten.
func (u *uploads) settled(ctx context.Context, id string) error {
	state, err := u.bank.UploadState(ctx, id)
	after := `UPDATE facade.passed_upload SET ended = true WHERE upload_id = $1`
	switch {
	case bank.TypeOf(err) == bank.UploadNotFound:
		after = `DELETE FROM facade.passed_upload WHERE upload_id = $1`
	case err != nil:
		return fmt.Errorf("ask Bank for upload %s: %w", id, err)
	case !state.Completed && state.Status != bank.UploadFailed:
		return fmt.Errorf("Bank is working off upload %s", id)
	}
	if _, err := u.pool.Exec(ctx, after, id); err != nil {
		return fmt.Errorf("note that upload %s has ended: %w", id, err)
	}
	return nil
}
