package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"
	"time"
)

const readBytes = 16 << 10

var (
	errHeader  = fmt.Errorf("the answer's header is above %d bytes", maxHeader)
	errUpgrade = errors.New("the server changes to another protocol, which nobody asked for")
	errClosed  = errors.New("the answer was closed before its end")
)

// conn is a connection to a server. It makes one call at a time.
type conn struct {
	net.Conn
	address string
	pool    *pool
	in      *bufio.Reader // reads by Read
	got     int64         // bytes read in this call
	limit   int64         // of them
	since   time.Time     // when it began to wait
	half    bool          // it ends, for our part, behind the request
}

func newConn(to net.Conn, address string, in *pool) *conn {
	c := &conn{Conn: to, address: address, pool: in}
	c.in = bufio.NewReaderSize(c, readBytes)
	return c
}

// Read counts what comes.
func (c *conn) Read(p []byte) (int, error) {
	if c.got >= c.limit {
		return 0, errHeader
	}
	n, err := c.Conn.Read(p)
	c.got += int64(n)
	return n, err
}

// fault is why a call has no answer.
type fault struct {
	err           error
	written, read bool // any byte
}

// undone reports whether the call may be made again.
func (f *fault) undone(r *http.Request) bool {
	if !f.written {
		return true
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return !f.read && (r.Body == nil || r.Body == http.NoBody)
	}
	return false
}

// call sends a request and reads the answer up to its body. The connection belongs to the answer then; after a fault it is closed.
func (c *conn) call(r *http.Request, request []byte) (*http.Response, *fault) {
	c.got, c.limit = 0, maxHeader
	ctx := r.Context()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // which ends what waits for it
	failed := func(err error, written bool) *fault {
		stop()
		_ = c.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return &fault{err, written, c.got > 0}
	}
	n, wrong := c.Write(request)
	if wrong != nil && n == 0 {
		return nil, failed(wrong, false)
	}
	if to, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.half {
		_ = to.CloseWrite() // if it fails, so does what follows
	}
	res, err := c.answer(r)
	if err != nil {
		return nil, failed(errors.Join(wrong, err), true)
	}
	c.limit = math.MaxInt64
	b := &body{ReadCloser: res.Body, conn: c, stop: stop, ctx: ctx, last: wrong != nil || res.Close || c.half}
	if res.Body == http.NoBody {
		b.end()
	} else {
		res.Body = b
	}
	return res, nil
}

// answer reads an answer's header, and those of all that come before it.
func (c *conn) answer(r *http.Request) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(c.in, r)
		if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		switch {
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errUpgrade
		case res.StatusCode < 200:
			trace := httptrace.ContextClientTrace(r.Context())
			if trace == nil || trace.Got1xxResponse == nil {
				continue
			}
			if err := trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header)); err != nil {
				return nil, err
			}
		default:
			return res, nil
		}
	}
}

// body is that of an answer, and gives the connection back at its end.
type body struct {
	io.ReadCloser
	conn  *conn
	ctx   context.Context
	stop  func() bool
	last  bool // the connection is not for another call
	state atomic.Int32
}

// The states of a body.
const (
	unread int32 = iota
	ended        // was read to its end: the connection is not its any more
	closed       // before its end
)

func (b *body) Read(p []byte) (int, error) {
	if b.state.Load() == closed {
		return 0, errClosed
	}
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		b.end()
		return n, err
	}
	if cause := context.Cause(b.ctx); cause != nil {
		err = cause
	}
	_ = b.Close()
	return n, err
}

// Ready reports whether the next Read will not wait.
func (b *body) Ready() bool { return b.state.Load() != unread || b.conn.in.Buffered() > 0 }

// end is where an answer was read to.
func (b *body) end() {
	if !b.state.CompareAndSwap(unread, ended) {
		return
	}
	if stopped := b.stop(); !stopped || b.last || b.conn.in.Buffered() > 0 {
		_ = b.conn.Close()
		return
	}
	b.conn.pool.put(b.conn)
}

// Close closes the connection unless the answer was read to its end: what is left of it may be long.
func (b *body) Close() error {
	if !b.state.CompareAndSwap(unread, closed) {
		return nil
	}
	b.stop()
	return b.conn.Close()
}
