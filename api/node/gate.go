package node

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

// gate is the API's handler from the moment the port is bound: until the API is there it turns everybody away.
type gate struct {
	api atomic.Pointer[http.Handler]
	why func() string
}

func (g *gate) open(api http.Handler) { g.api.Store(&api) }

// ServeHTTP implements [http.Handler].
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if api := g.api.Load(); api != nil {
		(*api).ServeHTTP(w, r)
		return
	}
	// Connect's form of an error; gRPC clients make the same of the status.
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintf(w, "{\"code\":\"unavailable\",\"message\":%q}\n", "the server is starting: "+g.why())
}
