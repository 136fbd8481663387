package facade

import (
	"context"
	_ "embed" // the status page
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/mode"
)

//go:embed status.html
var statusPage []byte

const (
	maxAdminBody = 64 << 10
	maxWait      = 10 * time.Minute
	listedRows   = 1000
)

// SwitchRequest is POST /mode of the admin listener. One of To, Kill and Final.
type SwitchRequest struct {
	To     string `json:"to"`
	Kill   bool   `json:"kill"`  // leave the secondary at once
	Final  bool   `json:"final"` // declare bk-only final
	Who    string `json:"who"`
	Why    string `json:"why"`
	WaitMS int64  `json:"wait_ms"` // how long it is tried again
}

// SampleRequest is POST /sampling.
type SampleRequest struct {
	Rate float64 `json:"rate"` // from 0 to 1
	Who  string  `json:"who"`
	Why  string  `json:"why"`
}

// SkipRequest is POST /queue/{position}/skip.
type SkipRequest struct {
	Who string `json:"who"`
	Why string `json:"why"`
}

// Fault is an answer of the admin listener that is none.
type Fault struct {
	Error string `json:"error"`
}

// Readiness is GET /readyz.
type Readiness struct {
	Ready     bool      `json:"ready"`
	Mode      mode.Mode `json:"mode"`
	Epoch     int64     `json:"epoch"`
	Writes    bool      `json:"writes"`    // are taken; if not, they are held for a switch, or the façade's database can't be reached
	Secondary *Backlog  `json:"secondary"` // null where there is none
	Lags      bool      `json:"lags"`      // the secondary does
}

// admin serves the façade's own listener.
func (s *Service) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
		_, _ = w.Write(statusPage)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		reply(w, http.StatusOK, s.status(ctx))
	})
	mux.HandleFunc("GET /mode", func(w http.ResponseWriter, _ *http.Request) {
		state, _ := s.keeper.State()
		reply(w, http.StatusOK, state)
	})
	mux.HandleFunc("POST /mode", s.switchMode)
	mux.HandleFunc("POST /sampling", func(w http.ResponseWriter, r *http.Request) {
		var q SampleRequest
		if !ask(w, r, &q) {
			return
		}
		done(w, s.keeper.SetSampling(r.Context(), q.Rate, q.Who, q.Why), q)
	})
	mux.HandleFunc("GET /divergences", s.listDivergences)
	mux.HandleFunc("GET /{backlog}", s.listRows)
	mux.HandleFunc("POST /{backlog}/{position}/retry", func(w http.ResponseWriter, r *http.Request) {
		if rows, position, ok := s.row(w, r); ok {
			done(w, rows.Retry(r.Context(), position), struct{}{})
		}
	})
	mux.HandleFunc("POST /{backlog}/{position}/skip", func(w http.ResponseWriter, r *http.Request) {
		var q SkipRequest
		if !ask(w, r, &q) {
			return
		}
		if rows, position, ok := s.row(w, r); ok {
			done(w, rows.Skip(r.Context(), position, q.Who, q.Why), struct{}{})
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

// switchMode answers when the switch is done, or given up.
func (s *Service) switchMode(w http.ResponseWriter, r *http.Request) {
	var q SwitchRequest
	if !ask(w, r, &q) {
		return
	}
	chosen := 0
	for _, c := range []bool{q.To != "", q.Kill, q.Final} {
		if c {
			chosen++
		}
	}
	wait := time.Duration(q.WaitMS) * time.Millisecond
	if chosen != 1 || wait < 0 || wait > maxWait {
		reply(w, http.StatusBadRequest, Fault{fmt.Sprintf("one of to, kill and final; wait_ms from 0 to %d", maxWait.Milliseconds())})
		return
	}
	var err error
	switch {
	case q.Kill:
		err = s.keeper.Kill(r.Context(), q.Who, q.Why)
	case q.Final:
		err = s.keeper.Finalise(r.Context(), q.Who, q.Why)
	default:
		err = s.keeper.Switch(r.Context(), mode.Request{To: mode.Mode(q.To), Who: q.Who, Why: q.Why, Wait: wait})
	}
	if err == nil {
		err = s.keeper.Refresh(r.Context())
	}
	state, _ := s.keeper.State()
	done(w, err, state)
}

// ready says whether the replica can serve: it knows the mode. One whose lease has run out can: reads go on, and where the façade's database is away that is so on all
// replicas at once, so that nobody would be left to answer them. Nobody is asked.
func (s *Service) ready(w http.ResponseWriter, _ *http.Request) {
	state, _ := s.keeper.State()
	gate := s.keeper.Gate()
	answer := Readiness{Mode: state.Mode, Epoch: state.Epoch.Epoch, Writes: gate.Open, Secondary: s.lag()}
	answer.Ready = state.Mode != ""
	if b := answer.Secondary; b != nil {
		answer.Lags = b.Blocked > 0 || b.AgeSeconds > lagSeconds
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	reply(w, status, answer)
}

// rows gives a backlog by its name.
func (s *Service) rows(name string) *backlog.Store {
	switch {
	case s.queue == nil:
		return nil
	case name == toBK:
		return s.queue.Rows()
	case name == toBank:
		return s.feed.Rows()
	}
	return nil
}

func (s *Service) listRows(w http.ResponseWriter, r *http.Request) {
	rows := s.rows(r.PathValue("backlog"))
	if rows == nil {
		reply(w, http.StatusNotFound, Fault{"there is no such page; a façade without BK has no queue"})
		return
	}
	after := int64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseInt(text, 10, 64); err != nil {
			reply(w, http.StatusBadRequest, Fault{"after: not a position"})
			return
		}
	}
	listed, err := rows.List(r.Context(), after, listedRows, r.URL.Query().Get("blocked") == "true")
	if listed == nil {
		listed = []backlog.Row{}
	}
	done(w, err, listed)
}

// row gives the row that a path names.
func (s *Service) row(w http.ResponseWriter, r *http.Request) (rows *backlog.Store, position int64, ok bool) {
	rows = s.rows(r.PathValue("backlog"))
	position, err := strconv.ParseInt(r.PathValue("position"), 10, 64)
	if rows == nil || err != nil {
		reply(w, http.StatusNotFound, Fault{"there is no such row"})
		return nil, 0, false
	}
	return rows, position, true
}

// ask reads a request's body; it answers itself if it can't.
func ask(w http.ResponseWriter, r *http.Request, to any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		reply(w, http.StatusBadRequest, Fault{"body: " + err.Error()})
		return false
	}
	return true
}

// done answers with what is there, or with the error.
func done(w http.ResponseWriter, err error, answer any) {
	switch {
	case err == nil:
		reply(w, http.StatusOK, answer)
	case errors.Is(err, mode.ErrRequest), errors.Is(err, mode.ErrNoStep):
		reply(w, http.StatusBadRequest, Fault{err.Error()})
	case errors.Is(err, mode.ErrFinal), errors.Is(err, mode.ErrBusy), errors.Is(err, mode.ErrNotReady), errors.Is(err, mode.ErrGivenUp), errors.Is(err, backlog.ErrNotWaiting):
		reply(w, http.StatusConflict, Fault{err.Error()})
	default:
		reply(w, http.StatusInternalServerError, Fault{err.Error()})
	}
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}
