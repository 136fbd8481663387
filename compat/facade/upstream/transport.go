package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	maxBody   = 64 << 10 // what a server's socket takes though nobody reads, so that writing it never waits for reading an answer
	maxHeader = 1 << 20
)

// Config says how a Transport connects. All is needed.
type Config struct {
	// Dial connects.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Other makes the calls that are not made here.
	Other http.RoundTripper
	// MaxIdle is how many connections to a server stay open between calls.
	MaxIdle int
	// IdleTimeout is for how long they do. It should be shorter than the server's.
	IdleTimeout time.Duration
}

// Transport is an [http.RoundTripper]. Of the hooks of net/http/httptrace it calls Got1xxResponse. Make it with [New].
type Transport struct {
	cfg     Config
	pool    pool
	buffers sync.Pool // *bytes.Buffer: requests
}

// New makes one.
func New(cfg Config) *Transport {
	return &Transport{cfg: cfg, pool: pool{most: cfg.MaxIdle, patience: cfg.IdleTimeout, waiting: map[string][]*conn{}}}
}

// BodyError is why the body of a request can't be read. Nothing was sent that could be taken for a call.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return fmt.Sprintf("read the request's body: %v", e.Err) }

func (e *BodyError) Unwrap() error { return e.Err }

// NotSent reports whether an error of a call says that the server can't have seen it.
func NotSent(err error) bool {
	if body := new(BodyError); errors.As(err, &body) {
		return true
	}
	op := new(net.OpError)
	return errors.As(err, &op) && op.Op == "dial"
}

// RoundTrip makes a call.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if cause, ok := r.Context().Value(brokenKey{}).(error); ok {
		return t.broken(r, cause)
	}
	if !simple(r) {
		return t.cfg.Other.RoundTrip(r)
	}
	request, err := t.write(r)
	if err != nil {
		return nil, err
	}
	defer t.free(request)
	address := addressOf(r)
	if c := t.pool.take(address); c != nil {
		res, fault := c.call(r, request.Bytes())
		if fault == nil {
			return res, nil
		}
		if !fault.undone(r) || r.Context().Err() != nil {
			return nil, fault.err
		}
	}
	dialled, err := t.cfg.Dial(r.Context(), "tcp", address)
	if err != nil {
		return nil, err
	}
	res, fault := newConn(dialled, address, &t.pool).call(r, request.Bytes())
	if fault != nil {
		return nil, fault.err
	}
	return res, nil
}

// CloseIdleConnections closes what waits for a next call.
func (t *Transport) CloseIdleConnections() {
	t.pool.closeAll()
	if other, ok := t.cfg.Other.(interface{ CloseIdleConnections() }); ok {
		other.CloseIdleConnections()
	}
}

// simple reports whether a call is one that is made here.
func simple(r *http.Request) bool {
	if r.URL.Scheme != "http" || r.URL.Host == "" || r.Method == http.MethodConnect || r.Close || len(r.TransferEncoding) > 0 || r.Trailer != nil {
		return false
	}
	for _, name := range [...]string{"Expect", "Upgrade", "Connection"} {
		if _, ok := r.Header[name]; ok {
			return false
		}
	}
	if r.Body == nil || r.Body == http.NoBody {
		return r.ContentLength == 0
	}
	return r.ContentLength > 0 && r.ContentLength <= maxBody
}

// write puts a request down as it is sent.
func (t *Transport) write(r *http.Request) (*bytes.Buffer, error) {
	to, ok := t.buffers.Get().(*bytes.Buffer)
	if !ok {
		to = &bytes.Buffer{}
	}
	to.Reset()
	out := r
	var from *watched
	if r.Body != nil && r.Body != http.NoBody {
		from = &watched{ReadCloser: r.Body}
		copied := *r
		copied.Body = from
		out = &copied
	}
	err := out.Write(to) // which closes the body
	if err == nil {
		return to, nil
	}
	t.free(to)
	if from != nil && from.err != nil {
		err = from.err
	}
	return nil, &BodyError{err}
}

func (t *Transport) free(request *bytes.Buffer) { t.buffers.Put(request) }

// watched keeps why a body can't be read.
type watched struct {
	io.ReadCloser
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// addressOf gives where a call goes, with the port.
func addressOf(r *http.Request) string {
	if r.URL.Port() != "" {
		return r.URL.Host
	}
	return net.JoinHostPort(r.URL.Hostname(), "80")
}
