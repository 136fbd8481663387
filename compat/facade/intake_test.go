package facade

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/compat/facade/mode"
)

// stall begins a call and sends the first bytes of its body.
func stall(t *testing.T, address, call, header, begun string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: b\r\nConnection: close\r\n%s\r\n\r\n%s", call, header, begun); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestStalledBodies: clients that stall in their bodies, on every way to write, hold up no step from any mode; and those that go on at last are served, in the mode
// that there is by then.
func TestStalledBodies(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode, cfg.Hold = mode.BankPrimary, 2*time.Second
	at, _ := startFacade(t, cfg)
	define(t, clientOf(t, at.API, at.Operations))
	const form = "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 500"
	for _, steps := range [][2]mode.Mode{
		{mode.BankPrimary, mode.BKPrimary}, {mode.BKPrimary, mode.BKOnly}, {mode.BKOnly, mode.BKPrimary}, {mode.BKPrimary, mode.BankPrimary}, {mode.BankPrimary, mode.BankOnly},
	} {
		from, to := steps[0], steps[1]
		for _, k := range []struct{ address, call, header, begun string }{
			{at.API, "POST /trades", "Content-Length: 500", "[{"},
			{at.API, "POST /trades", "Content-Length: 500", ""},
			{at.API, "POST /trades", "Transfer-Encoding: chunked", "2\r\n[{\r\n"},
			{at.API, "POST /trades", "Content-Length: 1000000", strings.Repeat(" ", 2*maxInMemory)},
			{at.API, "DELETE /trades/5", "Content-Length: 500", "x"},
			{at.API, "POST /uploads/insert", form, "--b"},
			{at.API, "POST /uploads/cancel", form, "--b"},
			{at.API, "POST /nothing", "Content-Length: 500", "x"},
			{at.API, "PUT /trades", "Transfer-Encoding: chunked", "2\r\n[{\r\n"},
			{at.Operations, "POST /entities", "Content-Length: 500", "{"},
			{at.Operations, "POST /accounts", "Content-Length: 500", "{"},
			{at.Operations, "POST /cash", "Content-Length: 500", "{"},
			{at.Operations, "POST /business-date", "Content-Length: 500", "{"},
			{at.Operations, "POST /replay", "Content-Length: 500", "{"},
		} {
			stall(t, k.address, k.call, k.header, k.begun)
		}
		text := "[" + string(appendTrade(nil, tradeOf(t, fmt.Sprintf("%s to %s", from, to), firstAccount))) + "]"
		slow := stall(t, at.API, "POST /trades", fmt.Sprintf("Content-Length: %d", len(text)), text[:10])
		switchTo(t, at.Admin, to)
		if _, err := io.WriteString(slow, text[10:]); err != nil {
			t.Fatal(err)
		}
		_ = slow.SetReadDeadline(time.Now().Add(patience))
		if got, err := io.ReadAll(slow); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 202 ") {
			t.Errorf("from %s to %s: a slow one gets %q, %v", from, to, got, err)
		}
	}
	if n := count(t, cfg.Postgres, `SELECT count(*) FROM facade.switch WHERE outcome = 'given up'`); n != 0 {
		t.Errorf("%d tries to switch were given up", n)
	}
}

// taking serves by what an intake gives; the answer says how the body came.
func taking(t *testing.T, i *intake) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next, end := i.take(w, r)
		if next == nil {
			return
		}
		defer end()
		all, err := io.ReadAll(next.Body)
		fmt.Fprintf(w, "%T %d %v", next.Body, len(all), err)
	}))
	t.Cleanup(server.Close)
	return server
}

// TestIntake: where bodies are kept, by their length, and that nothing of them is lost.
func TestIntake(t *testing.T) {
	t.Parallel()
	i := &intake{dir: t.TempDir(), long: make(chan struct{}, 1), log: logTo(t)}
	server := taking(t, i)
	for _, c := range []struct {
		length int
		kind   string
	}{
		{0, "http.noBody"}, {1, "*facade.inMemory"}, {4 << 10, "*facade.inMemory"}, {maxInMemory - 1, "*facade.inMemory"}, {maxInMemory, "*facade.inMemory"},
		{maxInMemory + 1, "facade.kept"}, {maxBody, "facade.kept"}, {maxBody + 1, ""},
	} {
		for _, sized := range []bool{true, false} {
			var body io.Reader = bytes.NewReader(make([]byte, c.length))
			if !sized {
				if c.length == 0 {
					continue
				}
				body = io.MultiReader(body)
			}
			res, err := http.Post(server.URL, "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			kind := c.kind
			want := fmt.Sprintf("%s %d <nil>", kind, c.length)
			if kind == "" {
				if want = fmt.Sprintf("facade.failing 0 %v", errTooLarge); !sized {
					want = fmt.Sprintf("facade.kept %d <nil>", c.length)
				}
			}
			if err != nil || string(text) != want {
				t.Errorf("%d bytes, sized %t: %q, %v; want %q", c.length, sized, text, err, want)
			}
		}
	}
	left, err := os.ReadDir(i.dir)
	if err != nil || len(left) != 0 || len(i.long) != 0 {
		t.Errorf("%v are left, %d hold room, %v", left, len(i.long), err)
	}
}

// TestSlowBodies: a client that does not go on is told so, wherever in its body it stalls, and its room goes to the next.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	i := &intake{dir: t.TempDir(), pace: upload.Pace{Within: 300 * time.Millisecond}, long: make(chan struct{}, 1), log: logTo(t)}
	server := taking(t, i)
	for _, begun := range []int{1, 2 * maxInMemory, 2 * maxInMemory} {
		from, to := io.Pipe()
		t.Cleanup(func() { to.CloseWithError(errors.New("over")) })
		go func() { _, _ = to.Write(make([]byte, begun)) }()
		res, err := http.Post(server.URL, "text/plain", from)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), string(bank.MalformedRequest)) || !strings.Contains(string(text), "too slowly") {
			t.Errorf("after %d bytes: %d %s, %v", begun, res.StatusCode, text, err)
		}
	}
	waitFor(t, func() bool { return len(i.long) == 0 })
}
