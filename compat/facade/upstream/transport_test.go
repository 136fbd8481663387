package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// TestReuse: which answers leave a connection that the next call may have.
func TestReuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, answer, body string
		conns                      int64 // of three calls
	}{
		{"sized", "GET", ok, "ok", 1},
		{"nothing", "POST", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "", 1},
		{"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok", 1},
		{"trailers", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", "ok", 1},
		{"head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", "", 1},
		{"head of a stream", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", 1},
		{"204", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", "", 1},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "", 1},
		{"after 1xx", "GET", "HTTP/1.1 103 Early Hints\r\n\r\n" + ok, "ok", 1},
		{"close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", 3},
		{"old", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 3},
		{"more than was asked for", "GET", ok + ok, "ok", 3},
		{"a body where none is", "HEAD", ok, "", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, tr := serve(t, answerAll(c.answer)), transport(t)
			for range 3 {
				if _, body, err := call(t, tr, s, c.method, ""); err != nil || body != c.body {
					t.Fatalf("%q, %v", body, err)
				}
			}
			if n := s.conns.Load(); n != c.conns {
				t.Errorf("%d connections, want %d", n, c.conns)
			}
		})
	}
}

// TestWhatCameMeanwhile: a connection that has ended, or on which something came, before the next call.
func TestWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]string{"ended": "", "a word": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := make(chan struct{})
			s := serve(t, func(p *peer) {
				for {
					if _, _, well := p.request(); !well {
						return
					}
					p.say(ok)
					if p.nth == 1 {
						<-next
						p.say("%s", after)
						if after == "" {
							return
						}
					}
				}
			})
			tr := transport(t)
			if _, body, err := call(t, tr, s, "POST", "1"); err != nil || body != "ok" {
				t.Fatalf("%q, %v", body, err)
			}
			close(next)
			gone(t, tr, s) // takes the first byte; the rest of the word is left
			if status, body, err := call(t, tr, s, "POST", "2"); err != nil || status != 200 || body != "ok" || s.conns.Load() != 2 {
				t.Errorf("%d %q, %v, %d connections", status, body, err, s.conns.Load())
			}
		})
	}
}

// TestOnce: the server takes a request on a connection that was used, and closes without a word. What only reads is asked again, and nothing else.
func TestOnce(t *testing.T) {
	t.Parallel()
	for method, again := range map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true, "POST": false, "DELETE": false, "PUT": false} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			asked := make(chan string, 10)
			s := serve(t, func(p *peer) {
				for i := 0; ; i++ {
					r, _, well := p.request()
					if !well || p.nth == 1 && i == 1 {
						if well {
							asked <- r.Method
						}
						return
					}
					asked <- r.Method
					p.say("HTTP/1.1 204 No Content\r\n\r\n")
				}
			})
			tr := transport(t)
			if _, _, err := call(t, tr, s, "GET", ""); err != nil {
				t.Fatal(err)
			}
			status, _, err := call(t, tr, s, method, "")
			if want := 2; again && (err != nil || status != 204 || len(asked) != want+1) {
				t.Errorf("%d, %v, asked %d times", status, err, len(asked))
			} else if !again && (err == nil || NotSent(err) || len(asked) != want) {
				t.Errorf("%d, %v, asked %d times", status, err, len(asked))
			}
		})
	}
	t.Run("not on a fresh connection", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(p *peer) { p.request() })
		if _, _, err := call(t, transport(t), s, "GET", ""); err == nil || s.conns.Load() != 1 {
			t.Errorf("%v, %d connections", err, s.conns.Load())
		}
	})
}

// TestBadAnswers: none of them is an answer, or a whole one.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"nothing":              "",
		"half a header":        "HTTP/1.1 200 OK\r\nContent-Le",
		"no HTTP":              "220 ready\r\n\r\n",
		"half a body":          "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
		"half a chunk":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf",
		"no last chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"two lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
		"unasked protocol":     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
		"a header without end": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHeader) + "\r\n\r\n",
		"too many before it":   strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("x", 1000)+"\r\n\r\n", 1+maxHeader/1000) + ok,
		"1xx and then an end":  "HTTP/1.1 103 Early Hints\r\n\r\n",
		"many lines":           "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", maxHeader/4) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(p *peer) {
				p.request()
				p.say("%s", answer)
			})
			tr := transport(t)
			if status, body, err := call(t, tr, s, "POST", "x"); err == nil || NotSent(err) {
				t.Errorf("%d %q, %v", status, body, err)
			}
			if s.conns.Load() != 1 || tr.idle() != 0 {
				t.Errorf("%d connections, %d wait", s.conns.Load(), tr.idle())
			}
		})
	}
	t.Run("a long header", func(t *testing.T) {
		t.Parallel()
		s := serve(t, answerAll("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", maxHeader/2)+"\r\nContent-Length: 2\r\n\r\nok"))
		if _, body, err := call(t, transport(t), s, "GET", ""); err != nil || body != "ok" {
			t.Errorf("%q, %v", body, err)
		}
	})
}

// TestEarlyAnswer: the server refuses a body without reading it, and closes.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, func(p *peer) {
		if _, err := http.ReadRequest(p.in); err == nil {
			p.say("HTTP/1.1 413 Request Entity Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
			_ = p.Conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, p.in)
		}
	})
	tr := transport(t)
	for range 3 {
		if status, body, err := call(t, tr, s, "POST", strings.Repeat("x", maxBody)); err != nil || status != 413 || body != "no" {
			t.Errorf("%d %q, %v", status, body, err)
		}
	}
	if tr.idle() != 0 {
		t.Error("its connection waits for another call")
	}
}

// TestCancel: the caller goes away before the answer, and in the middle of it.
func TestCancel(t *testing.T) {
	t.Parallel()
	why := errors.New("gone")
	for name, begin := range map[string]string{"before": "", "within": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, ended := make(chan struct{}), make(chan error, 1)
			s := serve(t, func(p *peer) {
				p.request()
				p.say("%s", begin)
				close(asked)
				_, err := p.in.ReadByte() // until the other end is closed
				ended <- err
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-asked
				cancel(why)
			}()
			tr := transport(t)
			res, err := tr.RoundTrip(request(t, ctx, s, "POST", "x"))
			if err == nil {
				_, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			if !errors.Is(err, why) {
				t.Errorf("%v, want the context's cause", err)
			}
			select {
			case err := <-ended:
				if err == nil {
					t.Error("the server got more")
				}
			case <-time.After(patience):
				t.Error("the connection is open still")
			}
			if tr.idle() != 0 {
				t.Error("the connection waits for another call")
			}
		})
	}
}

// TestClosedEarly: an answer that nobody reads to its end takes its connection with it.
func TestClosedEarly(t *testing.T) {
	t.Parallel()
	s, tr := serve(t, answerAll("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlong")), transport(t)
	for range 2 {
		res, err := tr.RoundTrip(request(t, t.Context(), s, "GET", ""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(res.Body, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("it can be read after it was closed")
		}
	}
	if s.conns.Load() != 2 || tr.idle() != 0 {
		t.Errorf("%d connections, %d wait", s.conns.Load(), tr.idle())
	}
}

// TestStreams: what the server has sent is there before the rest.
func TestStreams(t *testing.T) {
	t.Parallel()
	more := make(chan struct{})
	s := serve(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
		for i := range 5 {
			<-more
			p.say("%d", i)
		}
	})
	res, err := transport(t).RoundTrip(request(t, t.Context(), s, "GET", ""))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		more <- struct{}{}
		one := make([]byte, 10)
		if n, err := res.Body.Read(one); string(one[:n]) != fmt.Sprint(i) || err != nil && i < 4 {
			t.Fatalf("%q, %v", one[:n], err)
		}
	}
	res.Body.Close()
}

// broken is a body that ends in an error.
type broken struct{ io.Reader }

var errBroken = errors.New("broken")

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errBroken
	}
	return n, err
}

// TestBodyBreaksOff: nobody is called.
func TestBodyBreaksOff(t *testing.T) {
	t.Parallel()
	s := serve(t, answerAll(ok))
	for name, body := range map[string]io.Reader{"broken": broken{strings.NewReader("half")}, "short": strings.NewReader("half")} {
		r := request(t, t.Context(), s, "POST", "")
		r.Body, r.ContentLength = io.NopCloser(body), 10
		_, err := transport(t).RoundTrip(r)
		if fault := new(BodyError); !errors.As(err, &fault) || !NotSent(err) || name == "broken" && !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.conns.Load() != 0 {
		t.Errorf("%d connections", s.conns.Load())
	}
}

// TestNobodyThere: an error that says so.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, _, err := call(t, transport(t), &server{address: l.Addr().String()}, "POST", "x"); !NotSent(err) {
		t.Errorf("%v", err)
	}
}

// Test1xx: they are told while the answer is waited for.
func Test1xx(t *testing.T) {
	t.Parallel()
	told := make(chan struct{})
	s := serve(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
		<-told
		p.say(ok)
	})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		if code != 103 || header.Get("Link") != "</x>" {
			t.Errorf("%d %v", code, header)
		}
		close(told)
		return nil
	}})
	res, err := transport(t).RoundTrip(request(t, ctx, s, "GET", ""))
	if err != nil || res.StatusCode != 200 {
		t.Fatal(err)
	}
	res.Body.Close()
}

// TestManyAtOnce: each call gets its own answer, and few connections stay.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, func(p *peer) {
		for {
			_, body, well := p.request()
			if !well {
				return
			}
			p.say("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	})
	tr := transport(t)
	var callers sync.WaitGroup
	for i := range 32 {
		callers.Go(func() {
			for j := range 50 {
				want := fmt.Sprintf("%d/%d", i, j)
				if status, body, err := call(t, tr, s, "POST", want); err != nil || status != 200 || body != want {
					t.Errorf("%d %q, %v; want %q", status, body, err, want)
				}
			}
		})
	}
	callers.Wait()
	if n := tr.idle(); n < 1 || n > 4 {
		t.Errorf("%d connections wait, 4 may", n)
	}
}

// TestIdleTimeout: connections that nobody needs are closed, without another call.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	s := serve(t, func(p *peer) {
		answerAll(ok)(p)
		close(ended)
	})
	tr := New(Config{Dial: (&net.Dialer{}).DialContext, Other: nobody{t}, MaxIdle: 4, IdleTimeout: 20 * time.Millisecond})
	if _, _, err := call(t, tr, s, "GET", ""); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the connection is open still")
	}
}

// TestSimple: which calls are made here.
func TestSimple(t *testing.T) {
	t.Parallel()
	s := &server{address: "127.0.0.1:1"}
	for name, c := range map[string]struct {
		change func(r *http.Request)
		want   bool
	}{
		"plain":        {func(*http.Request) {}, true},
		"no body":      {func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 }, true},
		"a long body":  {func(r *http.Request) { r.ContentLength = maxBody + 1 }, false},
		"a stream":     {func(r *http.Request) { r.ContentLength = -1 }, false},
		"100-continue": {func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, false},
		"upgrade":      {func(r *http.Request) { r.Header.Set("Upgrade", "x"); r.Header.Set("Connection", "Upgrade") }, false},
		"https":        {func(r *http.Request) { r.URL.Scheme = "https" }, false},
		"trailers":     {func(r *http.Request) { r.Trailer = http.Header{"X": nil} }, false},
		"to be closed": {func(r *http.Request) { r.Close = true }, false},
	} {
		r := request(t, t.Context(), s, "POST", "x")
		c.change(r)
		if got := simple(r); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
