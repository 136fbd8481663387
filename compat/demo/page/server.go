package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// How often a browser is told, and how long it may take to read it.
const (
	every    = 250 * time.Millisecond
	patience = 5 * time.Second
)

// policy lets the page do what it does, and nothing else.
const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"

// Handler serves the live page at /, its events at /events, and the State at /state. now gives the State as it is; it is called by several goroutines. Events end when
// done is closed, so that a server can be shut down.
func Handler(now func() State, done <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		var text bytes.Buffer
		if err := write(&text, now(), true); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(text.Bytes()) // the browser may be gone
	})
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(now()) // likewise
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { events(w, r, now, done) })
	return mux
}

// events tells a browser until it goes away. The first event has all points.
func events(w http.ResponseWriter, r *http.Request, now func() State, done <-chan struct{}) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := -1.0
	for name := "all"; ; name = "more" {
		s := now()
		s.Points = after(s.Points, last)
		if n := len(s.Points); n > 0 {
			last = s.Points[n-1].At
		}
		text, err := json.Marshal(s)
		if err != nil {
			return
		}
		if err := out.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, text); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-done:
			return
		case <-tick.C:
		}
	}
}
