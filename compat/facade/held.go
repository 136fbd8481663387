package facade

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/compat/facade/idle"
)

const (
	lookEvery    = time.Second      // at the uploads that are not worked off yet
	giveUpWait   = 50 * time.Second // for the worker to decide; then what was asked for stands on
	shownGivenUp = 100
)

// Uploads is GET /uploads of the admin listener.
type Uploads struct {
	Unfinished []upload.Unfinished `json:"unfinished"` // in order; the first may wait for a row
	GivenUp    []upload.GivenUp    `json:"given_up"`   // the latest rows
}

// GiveUpRequest is POST /uploads/{upload_id}/rows/{row}/give-up.
type GiveUpRequest struct {
	Who   string `json:"who"`
	Why   string `json:"why"`
	Force bool   `json:"force"` // also where nobody can tell whether the row is booked
}

// watch keeps an eye on the uploads that the façade works off, for the status and metrics, until ctx ends.
func (u *uploads) watch(ctx context.Context) {
	for {
		if list, err := u.store.Unfinished(ctx); err == nil {
			u.unfinished.Store(&list)
		} else if ctx.Err() == nil {
			u.log.Warn("it can't be told how uploads stand", "error", err)
		}
		if !idle.For(ctx, lookEvery) {
			return
		}
	}
}

// seen gives them as they stood at the last look. Nobody is asked.
func (u *uploads) seen() []upload.Unfinished {
	if list := u.unfinished.Load(); list != nil && *list != nil {
		return *list
	}
	return []upload.Unfinished{}
}

func (s *Service) listUploads(w http.ResponseWriter, r *http.Request) {
	all := Uploads{Unfinished: []upload.Unfinished{}, GivenUp: []upload.GivenUp{}}
	unfinished, err := s.uploads.store.Unfinished(r.Context())
	given, err2 := s.uploads.store.GivenUp(r.Context(), shownGivenUp)
	all.Unfinished, all.GivenUp = append(all.Unfinished, unfinished...), append(all.GivenUp, given...)
	done(w, errors.Join(err, err2), all)
}

// giveUp answers when the worker has decided, or when it takes too long.
func (s *Service) giveUp(w http.ResponseWriter, r *http.Request) {
	var q GiveUpRequest
	if !ask(w, r, &q) {
		return
	}
	row, err := strconv.ParseInt(r.PathValue("row"), 10, 64)
	if err != nil {
		reply(w, http.StatusBadRequest, Fault{"row: not a number"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), giveUpWait)
	defer cancel()
	err = s.uploads.store.GiveUp(ctx, upload.GiveUp{UploadID: r.PathValue("upload"), Row: row, Who: q.Who, Why: q.Why, Force: q.Force})
	switch {
	case errors.Is(err, upload.ErrRequest):
		reply(w, http.StatusBadRequest, Fault{err.Error()})
	case errors.Is(err, upload.ErrNotHeld), errors.Is(err, upload.ErrKept), errors.Is(err, context.DeadlineExceeded):
		reply(w, http.StatusConflict, Fault{err.Error()})
	default:
		done(w, err, struct{}{})
	}
}
