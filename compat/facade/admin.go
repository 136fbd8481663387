package facade

import (
	"context"
	_ "embed" // the status page
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
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
	To    string `json:"to"`
	Kill  bool   `json:"kill"`  // leave the secondary at once
	Final bool   `json:"final"` // declare bk-only final, after Bank has got all that it lacks
	// LeaveBehind goes with Final: Bank gets no more. It is what Bank lacks, as GET /mode says; anything else is refused.
	LeaveBehind *mode.Left `json:"leave_behind"`
	Who         string     `json:"who"`
	Why         string     `json:"why"`
	WaitMS      int64      `json:"wait_ms"` // how long it is tried again
}

// InForce is GET /mode of the admin listener.
type InForce struct {
	mode.State
	BankLacks *mode.Left `json:"bank_lacks"` // of what BK has booked; null where Bank is the primary, or bk-only is final
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
	Primary   Primary   `json:"primary"`
	Degraded  bool      `json:"degraded"`  // the primary can't be reached: calls fail
	Writes    bool      `json:"writes"`    // are taken; if not, they are held for a switch, the façade's database can't be reached, or the primary can't
	Secondary *Backlog  `json:"secondary"` // null where there is none
	Lags      bool      `json:"lags"`      // the secondary does
	Gaps      int       `json:"gaps"`      // parts of Bank's topics that Kafka had deleted before they were read: BK lacks them
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
	mux.HandleFunc("GET /mode", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusOK, s.inForce(r.Context()))
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
	mux.HandleFunc("GET /divergences/{id}", s.divergence)
	mux.HandleFunc("GET /uploads", s.listUploads)
	mux.HandleFunc("POST /uploads/{upload}/rows/{row}/give-up", s.giveUp)
	mux.HandleFunc("POST /follow", s.reopen)
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
	if s.cfg.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
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
	if chosen != 1 || wait < 0 || wait > maxWait || q.LeaveBehind != nil && !q.Final {
		reply(w, http.StatusBadRequest, Fault{fmt.Sprintf("one of to, kill and final; leave_behind goes with final; wait_ms from 0 to %d", maxWait.Milliseconds())})
		return
	}
	var err error
	switch {
	case q.Kill:
		err = s.keeper.Kill(r.Context(), q.Who, q.Why)
	case q.Final:
		err = s.finalise(r.Context(), q, wait)
	default:
		err = s.keeper.Switch(r.Context(), mode.Request{To: mode.Mode(q.To), Who: q.Who, Why: q.Why, Wait: wait})
	}
	if err == nil {
		err = s.keeper.Refresh(r.Context())
	}
	if err != nil {
		done(w, err, nil)
		return
	}
	reply(w, http.StatusOK, s.inForce(r.Context()))
}

// inForce gives the mode. What Bank lacks is left out where the façade's database does not answer.
func (s *Service) inForce(ctx context.Context) InForce {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	answer := InForce{}
	answer.State, _ = s.keeper.State()
	lacks, err := s.bankLacks(ctx, answer.Epoch)
	if err != nil {
		s.cfg.Log.Warn("it can't be told what Bank lacks", "error", err)
		lacks = nil
	}
	answer.BankLacks = lacks
	return answer
}

// ready says whether the replica can serve: it knows the mode. One whose lease has run out can: reads go on, and where the façade's database is away that is so on all
// replicas at once, so that nobody would be left to answer them. Likewise one whose primary can't be reached, which is degraded: it is so for all replicas, and a load
// balancer that takes them all out gives clients refused connections in the place of the contract's errors, and needs its own time to come back. What readiness is good for
// is the trouble of one replica. Alert on degraded. Nobody is asked.
func (s *Service) ready(w http.ResponseWriter, _ *http.Request) {
	state, _ := s.keeper.State()
	gate := s.keeper.Gate()
	answer := Readiness{Mode: state.Mode, Epoch: state.Epoch.Epoch, Primary: s.health.now(), Writes: gate.Open, Secondary: s.lag(), Gaps: len(s.gaps())}
	answer.Ready = state.Mode != ""
	answer.Degraded = !answer.Primary.Up
	answer.Writes = answer.Writes && !answer.Degraded
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
	var listed []backlog.Row
	var err error
	if r.URL.Query().Get("left_out") == "true" {
		listed, err = rows.Divergences(r.Context(), listedRows)
	} else {
		listed, err = rows.List(r.Context(), after, listedRows, r.URL.Query().Get("blocked") == "true")
	}
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
