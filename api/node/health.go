package node

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bkledger/bk/ledger/publisher"
)

const readyTimeout = 2 * time.Second

// phase is where the node is in its life; its reason is for people.
type phase struct {
	serving bool
	reason  string // why not serving
}

func (n *node) starting(reason string) { n.phase.Store(&phase{reason: reason}) }

// reason says why the node doesn't serve; "" if it does.
func (n *node) reason() string { return n.phase.Load().reason }

// operations is the handler of the metrics listener.
func (n *node) operations() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.registry, promhttp.HandlerOpts{Registry: n.registry, Timeout: 10 * time.Second}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		status, text := n.readiness(r.Context())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintln(w, text)
	})
	if n.cfg.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// readiness says whether calls make sense here, and what else is to be known.
func (n *node) readiness(ctx context.Context) (status int, text string) {
	if p := n.phase.Load(); !p.serving {
		return http.StatusServiceUnavailable, "not ready: " + p.reason
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := n.journal.Pool().Ping(ctx); err != nil {
		return http.StatusServiceUnavailable, fmt.Sprintf("not ready: postgres does not answer: %v", err)
	}
	role := "standby"
	if n.journal.Leading() {
		role = "leading"
	}
	text = fmt.Sprintf("%s at %s", role, n.journal.Head())
	if n.publisher == nil {
		return http.StatusOK, text
	}
	switch s := n.publisher.Status(); {
	case n.halted() != "":
		text += "\npublisher halted: " + n.halted()
	case s.State == publisher.Down:
		text += fmt.Sprintf("\npublisher down, it keeps trying: %v", s.Err)
	}
	return http.StatusOK, text
}
