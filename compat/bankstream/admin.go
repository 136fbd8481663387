package bankstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const maxAdminBody = 64 << 10

// SkipRequest is POST /partitions/{partition}/skip.
type SkipRequest struct {
	Offset *int64 `json:"offset"` // at which the partition stands, as GET /status gives it
	Who    string `json:"who"`
	Why    string `json:"why"`
}

// Fault is an answer that is none.
type Fault struct {
	Error string `json:"error"`
}

// Handler serves the instance's own listener: /healthz, /readyz, /status, /metrics and POST /partitions/{partition}/skip.
func (s *Service) Handler(metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := s.Status().Unready(); why != "" {
			reply(w, http.StatusServiceUnavailable, Fault{why})
			return
		}
		reply(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.Status()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("POST /partitions/{partition}/skip", s.skip)
	return mux
}

func (s *Service) skip(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("partition"), 10, 32)
	if err != nil || id < 0 {
		reply(w, http.StatusBadRequest, Fault{fmt.Sprintf("partition: %q is no number of one", r.PathValue("partition"))})
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	if err != nil {
		reply(w, http.StatusBadRequest, Fault{fmt.Sprintf("read the request: %v", err)})
		return
	}
	var q SkipRequest
	if err := json.Unmarshal(text, &q); err != nil {
		reply(w, http.StatusBadRequest, Fault{fmt.Sprintf("the request is not JSON as it should be: %v", err)})
		return
	}
	for name, missing := range map[string]bool{"offset": q.Offset == nil, "who": q.Who == "", "why": q.Why == ""} {
		if missing {
			reply(w, http.StatusBadRequest, Fault{name + ": needed"})
			return
		}
	}
	switch err := s.Skip(r.Context(), int32(id), *q.Offset, q.Who, q.Why); {
	case errors.Is(err, ErrNoSkip):
		reply(w, http.StatusConflict, Fault{err.Error()})
	case err != nil:
		reply(w, http.StatusServiceUnavailable, Fault{err.Error()})
	default:
		reply(w, http.StatusOK, q)
	}
}

func reply(w http.ResponseWriter, status int, answer any) {
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error": "the answer can't be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
