package faults

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fault stands in the way of a call. pass takes it to the system.
type fault func(w http.ResponseWriter, r *http.Request, pass http.Handler)

// way leads to a system. It can be closed, and calls can meet a fault on it. It speaks HTTP/1.1 and HTTP/2, as the systems do.
type way struct {
	address string
	to      atomic.Pointer[url.URL]
	fault   atomic.Pointer[fault]
	proxy   *httputil.ReverseProxy

	mu     sync.Mutex
	server *http.Server
}

// newWay leads to the address of a system; bk: it is BK.
func newWay(t *testing.T, to string, bk bool) *way {
	t.Helper()
	listener, err := net.Listen("tcp", address(t))
	if err != nil {
		t.Fatal(err)
	}
	w := &way{address: listener.Addr().String()}
	said := slog.New(slog.NewTextHandler(t.Output(), nil))
	w.lead(to)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!bk)
	transport.Protocols.SetUnencryptedHTTP2(bk)
	w.proxy = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(w.to.Load()); r.Out.Host = r.In.Host },
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			said.Info("a call did not get through", "way", w.address, "method", r.Method, "path", r.URL.Path, "error", err)
			panic(http.ErrAbortHandler)
		},
	}
	w.serve(listener)
	t.Cleanup(func() {
		w.close()
		transport.CloseIdleConnections()
	})
	return w
}

func (w *way) url() string { return "http://" + w.address }

// lead makes calls go to an address from now on.
func (w *way) lead(to string) { w.to.Store(&url.URL{Scheme: "http", Host: to}) }

func (w *way) serve(listener net.Listener) {
	server := &http.Server{Handler: w, ErrorLog: log.New(io.Discard, "", 0), Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	w.mu.Lock()
	w.server = server
	w.mu.Unlock()
	go func() { _ = server.Serve(listener) }() // until it is closed
}

// close cuts all connections; no new ones are taken, as if nobody listened there.
func (w *way) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.server.Close() // of what listens nowhere any more, nothing is needed
}

// open takes connections again.
func (w *way) open(t *testing.T) {
	t.Helper()
	var listener net.Listener
	eventually(t, "the way's port", func() (ok bool) {
		var err error
		listener, err = net.Listen("tcp", w.address)
		return err == nil
	})
	w.serve(listener)
}

// meets puts a fault in the way of all calls; nil takes it away.
func (w *way) meets(f fault) {
	if f == nil {
		w.fault.Store(nil)
		return
	}
	w.fault.Store(&f)
}

func (w *way) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if f := w.fault.Load(); f != nil {
		(*f)(rw, r, w.proxy)
		return
	}
	w.proxy.ServeHTTP(rw, r)
}

// slow lets every call wait before it goes on.
func slow(by time.Duration) fault {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		select {
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-time.After(by):
		}
		pass.ServeHTTP(w, r)
	}
}

// when lets only some calls meet a fault.
func when(some func(*http.Request) bool, f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if !some(r) {
			pass.ServeHTTP(w, r)
			return
		}
		f(w, r, pass)
	}
}

// once lets one call meet a fault.
func once(some func(*http.Request) bool, f fault) fault {
	var met atomic.Bool
	return when(func(r *http.Request) bool { return some(r) && met.CompareAndSwap(false, true) }, f)
}

// before does something instead of taking a call to the system.
func before(do func()) fault {
	return func(http.ResponseWriter, *http.Request, http.Handler) {
		do()
		panic(http.ErrAbortHandler)
	}
}

// after does something when the system has answered, and loses the answer.
func after(do func(status int)) fault {
	return func(_ http.ResponseWriter, r *http.Request, pass http.Handler) {
		answer := httptest.NewRecorder()
		pass.ServeHTTP(answer, r)
		do(answer.Code)
		panic(http.ErrAbortHandler)
	}
}

// lost keeps the answer, or, if it is not passed, the call, for as long as the caller waits.
func lost(passed bool) fault {
	return func(_ http.ResponseWriter, r *http.Request, pass http.Handler) {
		if passed {
			pass.ServeHTTP(httptest.NewRecorder(), r)
		}
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

// aBooking recognises bookings of trades, of Bank and of BK.
func aBooking(r *http.Request) bool {
	return r.Method == http.MethodPost && (r.URL.Path == "/trades" || strings.HasSuffix(r.URL.Path, "/BookBatch"))
}

// says recognises a call by a text in its body.
func says(text string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		if !aBooking(r) {
			return false
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return bytes.Contains(body, []byte(text))
	}
}
