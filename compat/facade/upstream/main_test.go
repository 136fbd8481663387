package upstream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const patience = 10 * time.Second

// server is one whose every connection a test plays itself.
type server struct {
	address string
	conns   atomic.Int64
}

// peer is the server's end of a connection; nth counts from 1.
type peer struct {
	net.Conn
	in  *bufio.Reader
	nth int64
}

func serve(t *testing.T, play func(p *peer)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &server{address: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				play(&peer{c, bufio.NewReader(c), s.conns.Add(1)})
			}()
		}
	}()
	return s
}

// request reads one, with its body.
func (p *peer) request() (*http.Request, string, bool) {
	r, err := http.ReadRequest(p.in)
	if err != nil {
		return nil, "", false
	}
	body, err := io.ReadAll(r.Body)
	return r, string(body), err == nil
}

func (p *peer) say(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// answerAll gives every request the same answer.
func answerAll(answer string) func(p *peer) {
	return func(p *peer) {
		for {
			if _, _, ok := p.request(); !ok {
				return
			}
			p.say("%s", answer)
		}
	}
}

// nobody is where no call should come to.
type nobody struct{ t *testing.T }

func (n nobody) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s %s was not made by the transport itself", r.Method, r.URL)
	return nil, http.ErrNotSupported
}

func transport(t *testing.T) *Transport {
	t.Helper()
	tr := New(Config{Dial: (&net.Dialer{}).DialContext, Other: nobody{t}, MaxIdle: 4, IdleTimeout: time.Minute})
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func request(t *testing.T, ctx context.Context, s *server, method, body string) *http.Request {
	t.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+"/a?b=c", from)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// call makes one and gives status and body.
func call(t *testing.T, tr *Transport, s *server, method, body string) (int, string, error) {
	t.Helper()
	res, err := tr.RoundTrip(request(t, t.Context(), s, method, body))
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(res.Body)
	res.Body.Close()
	return res.StatusCode, string(text), err
}

// gone waits until the transport's idle connections have seen what happened at the other end.
func gone(t *testing.T, tr *Transport, s *server) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		tr.pool.mu.Lock()
		list := tr.pool.waiting[s.address]
		still := len(list) == 0 || quiet(list[0].Conn)
		tr.pool.mu.Unlock()
		if len(list) == 0 {
			t.Fatal("no connection waits")
		}
		if !still {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing happens on the connection that waits")
		}
	}
}

func (t *Transport) idle() (n int) {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	for _, list := range t.pool.waiting {
		n += len(list)
	}
	return n
}
