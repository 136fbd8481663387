package contract

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// raw sends bytes on a connection of their own, ends it for its part if half, and gives the first answer.
func (c *client) raw(base, request string, half bool) answer {
	line, _, _ := strings.Cut(request, "\r\n")
	a := answer{t: c.T, call: fmt.Sprintf("%q", line)}
	at, err := url.Parse(base)
	if err != nil {
		a.err = err
		return a
	}
	conn, err := net.Dial("tcp", at.Host)
	if err != nil {
		a.err = err
		return a
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // TCP has deadlines
	if _, a.err = io.WriteString(conn, request); a.err != nil {
		return a
	}
	if half {
		if a.err = conn.(*net.TCPConn).CloseWrite(); a.err != nil {
			return a
		}
	}
	method, _, _ := strings.Cut(line, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		a.err = err
		return a
	}
	defer response.Body.Close()
	a.code, a.proto, a.header = response.StatusCode, response.Proto, response.Header
	a.body, a.err = io.ReadAll(response.Body)
	return a
}

// brokenCases are calls whose bodies can't be read to their end.
func brokenCases() []testCase {
	const json, form = "application/json", "multipart/form-data; boundary=b"
	bodies := []struct {
		name, text string
		half       bool
	}{
		{"a bad chunk", "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", false},
		{"a bad second chunk", "Transfer-Encoding: chunked\r\n\r\n2\r\n[{\r\nzz\r\n", false},
		{"no last chunk", "Transfer-Encoding: chunked\r\n\r\n2\r\n[{\r\n", true},
		{"less than was announced", "Content-Length: 50\r\n\r\n[1", true},
		{"nothing of what was announced", "Content-Length: 50\r\n\r\n", true},
		{"far less than was announced", "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 100_000), true},
	}
	calls := []struct {
		call       string
		operations bool
		code       int
		kind       string
	}{
		{"POST /trades", false, 400, "malformed_request"},
		{"POST /uploads/insert", false, 400, "malformed_request"},
		{"POST /uploads/cancel", false, 400, "malformed_request"},
		{"POST /entities", true, 400, "malformed_request"},
		{"POST /accounts", true, 400, "malformed_request"},
		{"POST /cash", true, 400, "malformed_request"},
		{"POST /business-date", true, 400, "malformed_request"},
		{"POST /replay", true, 400, "malformed_request"},
		{"POST /nope", false, 404, "not_found"},
		{"POST /nope", true, 404, "not_found"},
		{"PUT /trades", false, 405, "method_not_allowed"},
		{"POST /trades/5", false, 405, "method_not_allowed"},
		{"POST /uploads/other", false, 405, "method_not_allowed"},
		{"DELETE /trades/999999999", false, 404, "trade_not_found"},
		{"GET /trades/999999999", false, 404, "trade_not_found"},
		{"GET /nope", false, 404, "not_found"},
	}
	var cases []testCase
	for _, b := range bodies {
		cases = append(cases, testCase{"broken body: " + b.name, func(c *client) {
			for _, k := range calls {
				base, kind := c.sys.API, json
				if k.operations {
					base = c.sys.Operations
				}
				if strings.Contains(k.call, "/uploads/") {
					kind = form
				}
				c.raw(base, k.call+" HTTP/1.1\r\nHost: b\r\nContent-Type: "+kind+"\r\n"+b.text, b.half).fails(k.code, k.kind)
			}
		}})
	}
	return append(cases, []testCase{
		{"broken body: of a cancel, which needs none", func(c *client) {
			account := c.account()
			for _, b := range bodies {
				id := c.one(c.trade(exchange, account))
				c.raw(c.sys.API, "DELETE /trades/"+id+" HTTP/1.1\r\nHost: b\r\n"+b.text, b.half).is(202, "{}")
				c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
			}
		}},
		{"broken body: of a read, which needs none", func(c *client) {
			for _, b := range bodies {
				c.raw(c.sys.API, "GET /business-date HTTP/1.1\r\nHost: b\r\n"+b.text, b.half).is(200, `{"date":0}`)
			}
		}},
		{"a body of more than is allowed is refused before it comes", func(c *client) {
			for _, call := range []string{"POST /trades", "DELETE /trades/1", "GET /trades/1"} {
				c.raw(c.sys.API, call+" HTTP/1.1\r\nHost: b\r\nContent-Length: 9437184\r\n\r\n[", false).fails(413, "too_large")
			}
			for _, path := range []string{"/entities", "/accounts", "/cash", "/business-date", "/replay"} {
				c.raw(c.sys.Operations, "POST "+path+" HTTP/1.1\r\nHost: b\r\nContent-Length: 9437184\r\n\r\n{", false).fails(413, "too_large")
			}
			c.raw(c.sys.API, "POST /uploads/insert HTTP/1.1\r\nHost: b\r\nContent-Type: "+form+"\r\nContent-Length: 300000000\r\n\r\n--b", false).fails(413, "too_large")
			c.raw(c.sys.API, "POST /nope HTTP/1.1\r\nHost: b\r\nContent-Length: 9437184\r\n\r\n[", false).fails(404, "not_found")
		}},
		{"a body that is expected is asked for", func(c *client) {
			trade := c.trade(exchange, c.account())
			body := encode(c, []obj{trade})
			request, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.sys.API+"/trades", strings.NewReader(body))
			if err != nil {
				c.Fatal(err)
			}
			request.Header.Set("Expect", "100-continue")
			c.do(c.sys.http, request).status(202)
			c.find(number(trade["account_id"]), trade["client_trade_id"]).status(200)
		}},
		{"trades that can't be named", func(c *client) {
			account := c.account()
			for path, want := range map[string]struct {
				code int
				kind string
			}{
				"/trades/0": {404, "trade_not_found"}, "/trades/-1": {400, "malformed_request"}, "/trades/99999999999999999999999": {400, "malformed_request"},
				"/trades/%00": {400, "malformed_request"}, "/trades/%ff": {400, "malformed_request"}, "/trades/%zz": {400, ""}, "/trades/1/2": {404, "not_found"}, "/trades/": {404, "not_found"},
				"/trades/%ff?is_client_trade_id=true&account_id=" + say(account):   {400, "malformed_request"},
				"/trades/%00?is_client_trade_id=true&account_id=" + say(account):   {400, "malformed_request"},
				"/trades/x?is_client_trade_id=true&account_id=0":                   {404, "trade_not_found"},
				"/trades/x?is_client_trade_id=true&account_id=%zz":                 {400, "malformed_request"},
				"/trades/x?is_client_trade_id=yes&account_id=" + say(account):      {400, "malformed_request"},
				"/trades/a%2Fb?is_client_trade_id=true&account_id=" + say(account): {404, "trade_not_found"},
			} {
				a := c.raw(c.sys.API, "DELETE "+path+" HTTP/1.1\r\nHost: b\r\n\r\n", false)
				if want.kind == "" {
					a.status(want.code) // the HTTP library's
					continue
				}
				a.fails(want.code, want.kind)
			}
		}},
	}...)
}
