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
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/upstream"
)

const (
	bufferBytes     = 32 << 10
	idleConnections = 1024             // to Bank
	idleTimeout     = 30 * time.Second // shorter than that of any server: a connection that Bank closes at that moment would cost a call
	dialTimeout     = 5 * time.Second
)

func newDialer() *net.Dialer { return &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second} }

// newTransport makes the connections to Bank of all calls but those that package upstream makes. It adds nothing to a request, and takes nothing from an answer.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         newDialer().DialContext,
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
	answer   *asIs                     // to the client
	unsized  bool                      // the answer's length isn't known before its end
	upstream time.Duration             // what was waited for Bank
	err      error                     // no answer came from Bank
	cut      error                     // one came, and broke off
	begun    atomic.Pointer[bodyFault] // the client's body broke off on its way to Bank
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
		Transport: timed{upstream.New(upstream.Config{
			Dial: newDialer().DialContext, Other: transport, MaxIdle: idleConnections, IdleTimeout: idleTimeout,
		})},
		// No FlushInterval: it takes a timer and a goroutine even where it is none. asIs and timedBody do it.
		BufferPool: &buffers{},
		ErrorLog:   log.New(io.Discard, "", 0), // clients that go away; what concerns Bank comes to ErrorHandler
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
	answer := &asIs{ResponseWriter: w, control: control}
	notes.answer = answer
	if r.ProtoMajor == 1 && r.ContentLength < 0 {
		_ = control.EnableFullDuplex() // the answer to a stream may begin before its end; where that can't be, it waits
	}
	out := r.WithContext(ctx)
	if _, ok := r.Body.(*inMemory); !ok && r.ContentLength != 0 {
		out.Body = &notedBody{r.Body, notes}
	}
	p.reverse.ServeHTTP(answer, out)
	if notes.unsized {
		_ = answer.FlushError() // even an empty answer of unknown length stays one; a client that is gone doesn't mind
	}
}

// asIs keeps Go's server from filling in what Bank left out, and from keeping back what Bank has sent. httputil flushes the header of an answer of unknown length on a
// goroutine of its own, beside the one that copies the answer: they take turns.
type asIs struct {
	http.ResponseWriter
	control *http.ResponseController
	mu      sync.Mutex
}

func (a *asIs) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if header := a.Header(); status >= 200 {
		for _, name := range []string{"Content-Type", "Date"} {
			if _, ok := header[name]; !ok {
				header[name] = nil
			}
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *asIs) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, err := a.ResponseWriter.Write(p)
	if err == nil {
		err = a.control.Flush()
	}
	if errors.Is(err, http.ErrNotSupported) {
		err = nil // an answer that is recorded
	}
	return n, err
}

// FlushError is for [http.ResponseController].
func (a *asIs) FlushError() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.control.Flush()
}

// Unwrap is for [http.ResponseController].
func (a *asIs) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// failed answers where Bank did not.
func failed(w http.ResponseWriter, r *http.Request, err error, logger *slog.Logger) {
	fault := bank.Errorf(bank.Internal, "Bank can't be reached")
	if body := new(upstream.BodyError); errors.As(err, &body) {
		answerError(w, unreadable(body.Err))
		return
	}
	if broke := noted(r.Context()).begun.Load(); broke != nil { // Bank can't take it for a whole one
		answerError(w, unreadable(broke.err))
		return
	}
	if writes(r) && !notSent(err) {
		fault = bank.Errorf(bank.OutcomeUnknown, "Bank's answer was lost")
	}
	if r.Context().Err() == nil {
		logger.Warn("Bank did not answer", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	answerError(w, fault)
}

// notSent reports whether an error says that Bank can't have seen the call.
func notSent(err error) bool { return upstream.NotSent(err) }

// unreadable gives the answer to a client whose body can't be read: what it was told to say, nobody was.
func unreadable(err error) *bank.Error {
	if told := new(bank.Error); errors.As(err, &told) {
		return told
	}
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
	if err == nil && res.StatusCode != http.StatusSwitchingProtocols && res.Body != http.NoBody {
		res.Body = &timedBody{res.Body, notes}
	}
	return res, err
}

// notedBody is a client's body on its way to Bank.
type notedBody struct {
	io.ReadCloser
	notes *passing
}

type bodyFault struct{ err error }

func (b *notedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.notes.begun.Store(&bodyFault{err})
	}
	return n, err
}

type timedBody struct {
	io.ReadCloser
	notes *passing
}

func (b *timedBody) Read(p []byte) (int, error) {
	if some, ok := b.ReadCloser.(interface{ Ready() bool }); (!ok || !some.Ready()) && b.notes.answer != nil {
		_ = b.notes.answer.FlushError() // the header must not wait for a body that is slow; a client that is gone is found out at the next write
	}
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
