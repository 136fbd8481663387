package facade

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank/front"
)

// scripted is a server that answers every request with the same bytes, and keeps what it was sent.
type scripted struct {
	address string
	mu      sync.Mutex
	got     []string
}

func script(t testing.TB, answer string) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &scripted{address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn, answer)
		}
	}()
	return s
}

func (s *scripted) serve(conn net.Conn, answer string) {
	defer conn.Close()
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &raw))
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		s.mu.Lock()
		s.got = append(s.got, raw.String())
		s.mu.Unlock()
		raw.Reset()
		if _, err := io.WriteString(conn, answer); err != nil || strings.Contains(answer, "BREAK") {
			return
		}
	}
}

// stand puts a proxy before an address.
func stand(t testing.TB, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := front.Server(newProxy(&url.URL{Scheme: "http", Host: address}, newTransport(), slog.New(slog.DiscardHandler)))
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// exchange sends bytes and gives all that comes until the other side closes, or nothing comes for a while.
func exchange(t *testing.T, address, request string, patience time.Duration) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(patience))
	all, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, error(nil)) {
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatal(err)
		}
	}
	return string(all)
}

// sorted gives a message with its header lines in order, those of one hop left out.
func sorted(message string) string {
	var out []string
	for part := range strings.SplitSeq(message, "HTTP/1.1 ") { // each answer of several, as 1xx has
		head, body, _ := strings.Cut(part, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		header := slices.DeleteFunc(lines[1:], func(l string) bool { return strings.HasPrefix(l, "Connection:") })
		slices.Sort(header)
		out = append(out, strings.Join(append([]string{lines[0]}, header...), "\n")+"\n\n"+body)
	}
	return strings.Join(out, "\n")
}

// TestProxyBytes compares what a client gets from a server, and what the server gets from it, with and without the proxy between them.
func TestProxyBytes(t *testing.T) {
	t.Parallel()
	const get = "GET /a/%7Eb/./c//d;e=f?x=1&y=%zz&x=;2 HTTP/1.1\r\nHost: bank.example\r\n\r\n"
	post := func(header, body string) string {
		return fmt.Sprintf("POST /trades HTTP/1.1\r\nHost: bank\r\nContent-Length: %d\r\n%s\r\n%s", len(body), header, body)
	}
	for _, c := range []struct{ name, request, answer string }{
		{"plain", get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: application/json\r\nDate: Mon, 07 Oct 2013 14:00:00 GMT\r\n\r\n{\"a\":"},
		{"nothing but the body", get, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"},
		{"headers twice", get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Empty: \r\nVia: 1.1 x\r\nServer: Bank\r\n\r\n"},
		{"the client's own forwarding", "GET / HTTP/1.1\r\nHost: b\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=1\r\nX-Forwarded-Proto: https\r\nAccept-Encoding: br\r\nUser-Agent: curl\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"a body", post("Content-Type: application/json\r\nAuthorization: Bearer k\r\n", `[{"a":"ü"}]`), "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n[]"},
		{"an empty body", post("", ""), "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno"},
		{"a chunked body", "POST /x HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"},
		{"compressed", get, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"},
		{"an odd status", get, "HTTP/1.1 299 status code 299\r\nContent-Length: 1\r\n\r\nx"},
		{"too many requests", get, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"},
		{"no content", "DELETE /trades/1 HTTP/1.1\r\nHost: b\r\n\r\n", "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"},
		{"not modified", get, "HTTP/1.1 304 Not Modified\r\nEtag: \"1\"\r\n\r\n"},
		{"a redirect", get, "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"},
		{"chunked", get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
		{"chunked and empty", get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"trailers", get, "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"},
		{"head", "HEAD /accounts HTTP/1.1\r\nHost: b\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nContent-Type: application/json\r\n\r\n"},
		{"early hints", get, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
		{"an unknown method", "BREW /pot HTTP/1.1\r\nHost: b\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n"},
		{"an error of the server", get, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bank := script(t, c.answer)
			const quiet = 300 * time.Millisecond // connections stay open: the end of an answer is that nothing more comes
			direct := sorted(exchange(t, bank.address, c.request, quiet))
			through := sorted(exchange(t, stand(t, bank.address), c.request, quiet))
			if direct != through {
				t.Errorf("the client got\n%q\nfor\n%q", through, direct)
			}
			bank.mu.Lock()
			defer bank.mu.Unlock()
			if len(bank.got) != 2 {
				t.Fatalf("Bank got %d requests", len(bank.got))
			}
			if sorted(bank.got[0]) != sorted(bank.got[1]) {
				t.Errorf("Bank got\n%q\nfor\n%q", sorted(bank.got[1]), sorted(bank.got[0]))
			}
		})
	}
}

// TestProxyStreams: each side gets what the other has sent before the rest is there.
func TestProxyStreams(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echo := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		in := bufio.NewReader(r.Body)
		for {
			line, err := in.ReadString('\n')
			io.WriteString(w, line)
			control.Flush()
			if err != nil {
				return
			}
		}
	})}
	go echo.Serve(l)
	t.Cleanup(func() { echo.Close() })
	out, in := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+stand(t, l.Addr().String())+"/", out)
	if err != nil {
		t.Fatal(err)
	}
	go io.WriteString(in, "0\n")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got := bufio.NewReader(res.Body)
	for i := range 100 {
		if line, err := got.ReadString('\n'); err != nil || line != fmt.Sprintln(i) {
			t.Fatalf("line %d: %q, %v", i, line, err)
		}
		if _, err := fmt.Fprintln(in, i+1); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	if rest, err := io.ReadAll(got); err != nil || string(rest) != "100\n" {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestProxyUnsized: an answer of unknown length has one header, whoever sends it first.
func TestProxyUnsized(t *testing.T) {
	t.Parallel()
	address := stand(t, script(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").address)
	for range 300 {
		res, err := http.Get("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || string(got) != "ok" {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

func TestProxyFailures(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, c := range []struct {
		name, address, method string
		status                int
		want                  string
	}{
		{"nobody there, read", closed.Addr().String(), "GET", 500, `"type":"internal"`},
		{"nobody there, write", closed.Addr().String(), "POST", 500, `"type":"internal"`},
		{"no answer, read", script(t, "BREAK").address, "GET", 500, `"type":"internal"`},
		{"no answer, write", script(t, "BREAK").address, "POST", 504, `"type":"outcome_unknown"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+stand(t, c.address)+"/trades", strings.NewReader("[]"))
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != c.status || !strings.Contains(string(body), c.want) || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s, %v", res.StatusCode, body, err)
			}
		})
	}
	t.Run("an answer that breaks off", func(t *testing.T) {
		t.Parallel()
		res, err := http.Get("http://" + stand(t, script(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nBREAK").address))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%q ends as if it were whole", body)
		}
	})
}

// TestProxySlowAnswer: the header of an answer goes on before its body is there, and each part of that before the next, though its length is known.
func TestProxySlowAnswer(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // an answer that comes before the end of a long body may break off
		w.Header().Set("Content-Length", "3")
		w.WriteHeader(http.StatusAccepted)
		for i := range 3 {
			_ = http.NewResponseController(w).Flush()
			<-next
			fmt.Fprint(w, i)
		}
	}))
	t.Cleanup(server.Close)
	for _, length := range []int{2, 1 << 20} { // of the request: both ways to Bank
		res, err := http.Post("http://"+stand(t, server.Listener.Addr().String())+"/trades", "text/plain", strings.NewReader(strings.Repeat("x", length)))
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusAccepted || res.ContentLength != 3 {
			t.Errorf("%d, %d bytes", res.StatusCode, res.ContentLength)
		}
		one := make([]byte, 1)
		for i := range 3 {
			next <- struct{}{}
			if _, err := io.ReadFull(res.Body, one); err != nil || string(one) != fmt.Sprint(i) {
				t.Errorf("%q, %v; want %d", one, err, i)
			}
		}
		res.Body.Close()
	}
}

// TestProxyClientLeaves: Bank is told by the end of the connection.
func TestProxyClientLeaves(t *testing.T) {
	t.Parallel()
	asked, left := make(chan struct{}, 2), make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not look whether the client is there
		asked <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	}))
	t.Cleanup(server.Close)
	for _, request := range []string{"GET /accounts HTTP/1.1\r\nHost: b\r\n\r\n", "POST /trades HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\n[]"} {
		conn, err := net.Dial("tcp", stand(t, server.Listener.Addr().String()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		<-asked
		conn.Close()
		select {
		case <-left:
		case <-time.After(patience):
			t.Fatal("Bank goes on")
		}
	}
}

// TestProxyBodyBreaksOff: Bank does not hear of a call whose client was cut in its body.
func TestProxyBodyBreaksOff(t *testing.T) {
	t.Parallel()
	bank := script(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	conn, err := net.Dial("tcp", stand(t, bank.address))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /trades HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n\r\n[{"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || !strings.Contains(string(answer), `"type":"malformed_request"`) {
		t.Errorf("%q, %v", answer, err)
	}
	bank.mu.Lock()
	defer bank.mu.Unlock()
	if len(bank.got) != 0 {
		t.Errorf("Bank got %q", bank.got)
	}
}

// TestProxyRefusedEarly: Bank refuses a long body without reading it.
func TestProxyRefusedEarly(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 1<<20 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(server.Close)
	address := stand(t, server.Listener.Addr().String())
	for _, length := range []int{1<<20 + 1, 10, 1<<20 + 100, 1 << 20, 100} {
		want := http.StatusOK
		if length > 1<<20 {
			want = http.StatusRequestEntityTooLarge
		}
		res, err := http.Post("http://"+address+"/trades", "text/plain", strings.NewReader(strings.Repeat("x", length)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want || want == http.StatusOK && got != int64(length) {
			t.Errorf("%d bytes: %d with %d, %v", length, res.StatusCode, got, err)
		}
	}
}

func TestRouteOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/trades": "/trades", "/trades/12": "/trades/{trade_id}", "/accounts/1/positions/BRK.B": "/accounts/{account_id}/positions/{symbol}", "/": "other", "": "other",
		"/trades/": "other", "/trades/1/2": "other", "/accounts/1/trades/7": "/accounts/{account_id}/trades/{trade_id}", "//trades": "other", "/uploads/insert": "/uploads/insert",
		"/uploads/abc": "/uploads/{upload_id}", "/nothing": "other",
	} {
		if got := routeOf(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}
