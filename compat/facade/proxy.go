package facade

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

const (
	bufferBytes     = 32 << 10
	idleConnections = 1024             // to Bank
	idleTimeout     = 30 * time.Second // shorter than that of any server: a connection that Bank closes at that moment would cost a call
	dialTimeout     = 5 * time.Second
)

// newTransport makes the connections to Bank, shared by all that call it. It adds nothing to a request, and takes nothing from an answer.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConns:        2 * idleConnections,
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true, // or it would ask for gzip by itself
		WriteBufferSize:     bufferBytes,
		ReadBufferSize:      bufferBytes,
		// A client that waits for "100 Continue" waits for Bank's.
		ExpectContinueTimeout: time.Minute,
	}
}

// proxy passes calls on to one of Bank's listeners, as they are, and its answers back, as they are. The reason phrase of a status line, and the order
// and capitals of headers, are the ones of Go's HTTP library. Hop-by-hop headers are each hop's own.
type proxy struct {
	reverse httputil.ReverseProxy
}

// passing is what the proxy notes about one call.
type passing struct {
	unsized  bool          // the answer's length isn't known before its end
	upstream time.Duration // what was waited for Bank
	err      error         // no answer came from Bank
	cut      error         // one came, and broke off
}

type passingKey struct{}

func newProxy(target *url.URL, transport http.RoundTripper, logger *slog.Logger) *proxy {
	p := &proxy{}
	p.reverse = httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			// The path as the client wrote it, not as Go would; but "//host/..." would be taken for another host.
			if raw, _, _ := strings.Cut(r.In.RequestURI, "?"); strings.HasPrefix(raw, "/") && !strings.HasPrefix(raw, "//") {
				r.Out.URL.Opaque = raw
			}
			r.Out.URL.RawQuery, r.Out.URL.ForceQuery = r.In.URL.RawQuery, r.In.URL.ForceQuery
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if values, ok := r.In.Header[name]; ok { // the client's own; we add none
					r.Out.Header[name] = values
				}
			}
		},
		Transport:     timed{transport},
		FlushInterval: -1,
		BufferPool:    &buffers{},
		ErrorLog:      log.New(io.Discard, "", 0), // clients that go away; what concerns Bank comes to ErrorHandler
		ModifyResponse: func(res *http.Response) error {
			noted(res.Request.Context()).unsized = res.ContentLength < 0
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			noted(r.Context()).err = err
			failed(w, r, err, logger)
		},
	}
	return p
}

// noted gives the notes on a call.
func noted(ctx context.Context) *passing {
	if p, ok := ctx.Value(passingKey{}).(*passing); ok {
		return p
	}
	return &passing{}
}

// withNotes gives a context in which the proxy keeps notes on a call.
func withNotes(ctx context.Context) (context.Context, *passing) {
	if p, ok := ctx.Value(passingKey{}).(*passing); ok {
		return ctx, p
	}
	p := &passing{}
	return context.WithValue(ctx, passingKey{}, p), p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, notes := withNotes(r.Context())
	control := http.NewResponseController(w)
	if r.ProtoMajor == 1 && r.ContentLength < 0 {
		_ = control.EnableFullDuplex() // the answer to a stream may begin before its end; where that can't be, it waits
	}
	p.reverse.ServeHTTP(asIs{w}, r.WithContext(ctx))
	if notes.unsized {
		_ = control.Flush() // even an empty answer of unknown length stays one; a client that is gone doesn't mind
	}
}

// asIs keeps Go's server from filling in what Bank left out.
type asIs struct{ http.ResponseWriter }

func (a asIs) WriteHeader(status int) {
	if header := a.Header(); status >= 200 {
		for _, name := range []string{"Content-Type", "Date"} {
			if _, ok := header[name]; !ok {
				header[name] = nil
			}
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (a asIs) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// failed answers where Bank did not.
func failed(w http.ResponseWriter, r *http.Request, err error, logger *slog.Logger) {
	fault := bank.Errorf(bank.Internal, "Bank can't be reached")
	if writes(r) && !notSent(err) {
		fault = bank.Errorf(bank.OutcomeUnknown, "Bank's answer was lost")
	}
	if r.Context().Err() == nil {
		logger.Warn("Bank did not answer", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	answerError(w, fault)
}

// notSent reports whether an error says that Bank can't have seen the call.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// unreadable gives the answer to a client whose body can't be read: what it was told to say, nobody was.
func unreadable(err error) *bank.Error {
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return bank.Errorf(bank.TooLarge, "the body is above %d bytes", large.Limit)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return bank.Errorf(bank.MalformedRequest, "the body ends too early")
	}
	return bank.Errorf(bank.MalformedRequest, "the body could not be read")
}

// answerError writes an error of the contract.
func answerError(w http.ResponseWriter, fault *bank.Error) {
	text, err := json.Marshal(fault)
	if err != nil {
		panic("facade: " + err.Error()) // two strings
	}
	w.Header()["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(fault.Type.Status())
	_, _ = w.Write(text) // the client may be gone
}

// timed notes what is waited for Bank.
type timed struct{ next http.RoundTripper }

func (t timed) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	res, err := t.next.RoundTrip(r)
	notes := noted(r.Context())
	notes.upstream += time.Since(began)
	if err == nil && res.StatusCode != http.StatusSwitchingProtocols {
		res.Body = &timedBody{res.Body, notes}
	}
	return res, err
}

type timedBody struct {
	io.ReadCloser
	notes *passing
}

func (b *timedBody) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := b.ReadCloser.Read(p)
	b.notes.upstream += time.Since(began)
	if err != nil && !errors.Is(err, io.EOF) {
		b.notes.cut = err
	}
	return n, err
}

// buffers are what answers are copied through.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, bufferBytes)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// writes reports whether a call may change something.
func writes(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return true
}
