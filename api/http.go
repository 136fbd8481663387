package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
	"github.com/bkledger/bk/ledger"
)

// NewHTTPServer makes the HTTP server for a handler: HTTP/1.1 and HTTP/2 without TLS on one port, bounded in headers, streams and time.
func NewHTTPServer(handler http.Handler, limits Limits) *http.Server {
	limits = limits.WithDefaults()
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: limits.Streams,
			SendPingTimeout:      pingAfter,
			WriteByteTimeout:     limits.WriteTimeout,
		},
	}
}

// UseTLS makes a server of [NewHTTPServer] one for TLS alone, HTTP/1.1 and HTTP/2, to be started with ServeTLS and no files.
func UseTLS(server *http.Server, cfg *tls.Config) {
	server.TLSConfig = cfg
	server.Protocols.SetUnencryptedHTTP2(false)
	server.Protocols.SetHTTP2(true)
}

// tooLong refuses a request whose announced length is beyond any message, before a byte of it is read. (What comes without a length is
// cut by Connect at the same bound.)
func (s *Server) tooLong(w http.ResponseWriter, r *http.Request) bool {
	limit := int64(s.cfg.Limits.MessageBytes)
	if r.ContentLength <= limit+messageSlack/2 || r.URL.Path == bkv1connect.BookingServiceBookStreamProcedure {
		return false
	}
	err := s.codes.of(r.Context(), r.URL.Path, &messageTooLarge{size: r.ContentLength, limit: limit})
	errors := connect.NewErrorWriter()
	if !errors.IsSupported(r) {
		http.Error(w, err.Message(), http.StatusRequestEntityTooLarge)
		return true
	}
	w.Header().Set("Connection", "close") // the body is not read
	_ = errors.Write(w, r, err)           // nobody is left to tell
	return true
}

// messageTooLarge is the error of a message beyond [Limits.MessageBytes].
type messageTooLarge struct{ size, limit int64 }

func (e *messageTooLarge) Error() string {
	return fmt.Sprintf("a message of %d bytes, %d are allowed", e.size, e.limit)
}

func (e *messageTooLarge) rejection() *ledger.Rejection {
	return &ledger.Rejection{Reason: ledger.ReasonTooLarge, Message: e.Error()}
}

// flushControl lets a handler say when what it sent goes out. Connect flushes after every message of a stream, which costs a
// system call and a wake-up of the client each; a booking stream flushes when it has nothing more to send at the moment.
type flushControl struct {
	http.ResponseWriter
	flusher http.Flusher
	held    atomic.Bool
}

type flushKey struct{}

func withFlushControl(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
	flusher, ok := w.(http.Flusher)
	if !ok {
		return w, r
	}
	c := &flushControl{ResponseWriter: w, flusher: flusher}
	return c, r.WithContext(context.WithValue(r.Context(), flushKey{}, c))
}

// Flush implements [http.Flusher].
func (c *flushControl) Flush() {
	if !c.held.Load() {
		c.flusher.Flush()
	}
}

// Unwrap serves [http.ResponseController].
func (c *flushControl) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// holdFlushes stops flushing for the next messages.
func holdFlushes(ctx context.Context, hold bool) {
	if c, ok := ctx.Value(flushKey{}).(*flushControl); ok {
		c.held.Store(hold)
	}
}

// flushNow sends what was held.
func flushNow(ctx context.Context) {
	if c, ok := ctx.Value(flushKey{}).(*flushControl); ok {
		c.flusher.Flush()
	}
}

// stopReading makes a read of the request that is under way, and all later ones, fail.
func stopReading(ctx context.Context) {
	if c, ok := ctx.Value(flushKey{}).(*flushControl); ok {
		_ = http.NewResponseController(c.ResponseWriter).SetReadDeadline(time.Unix(1, 0)) // fails only where nothing can be read any more
	}
}

// withDefaultTimeout gives a call a deadline if it has none.
func withDefaultTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}
