package contract

import (
	"io"
	"net/http"
	"strings"
)

const mebibyte = 1 << 20

func transportCases() []testCase {
	return join([]testCase{
		{"http 1.1", func(c *client) {
			if a := c.get("/business-date").has(200, `{"date": 0}`); a.proto != "HTTP/1.1" {
				c.Fatalf("answered in %s", a.proto)
			}
		}},
		{"http 2 reads", func(c *client) {
			request, err := http.NewRequestWithContext(c.Context(), http.MethodGet, c.sys.API+"/business-date", nil)
			if err != nil {
				c.Fatal(err)
			}
			if a := c.do(c.http2(), request).has(200, `{"date": 0}`); a.proto != "HTTP/2.0" {
				c.Fatalf("answered in %s", a.proto)
			}
		}},
		{"http 2 writes and errors", func(c *client) {
			h := c.http2()
			account := c.account()
			write := func(method, url, body string) answer {
				request, err := http.NewRequestWithContext(c.Context(), method, url, strings.NewReader(body))
				if err != nil {
					c.Fatal(err)
				}
				return c.do(h, request)
			}
			client := c.name()
			write("POST", c.sys.Operations+"/cash", `{"client_id":"`+client+`","account_id":`+say(account)+`,"currency":"USD","amount":"5","kind":"deposit"}`).status(202)
			write("POST", c.sys.API+"/trades", `[{}]`).fails(400, "malformed_trade", "trades[0].")
			write("PUT", c.sys.API+"/trades", `[]`).fails(405, "method_not_allowed")
			c.get("/accounts/%d/balances", account).has(200, `{"data":[{"currency":"USD","settled_cash":"5"}]}`)
		}},
		{"unknown routes", func(c *client) {
			for _, path := range []string{"/", "/nothing", "/trade", "/accounts/1/nothing", "/uploads", "/v1/trades"} {
				c.get("%s", path).fails(404, "not_found")
				c.post(path, obj{}).fails(404, "not_found")
			}
		}},
		{"unknown routes on the operations listener", func(c *client) {
			for _, path := range []string{"/", "/nothing", "/cash/1"} {
				c.operate(path, obj{}).fails(404, "not_found")
			}
		}},
		{"operations are not on the API's listener", func(c *client) {
			c.post("/cash", obj{}).fails(404, "not_found")
			c.post("/entities", obj{}).fails(405, "method_not_allowed")
			c.post("/accounts", obj{}).fails(405, "method_not_allowed")
			c.post("/business-date", obj{"date": 20131007}).fails(405, "method_not_allowed")
			c.get("/business-date").is(200, `{"date": 0}`)
		}},
		{"wrong methods", func(c *client) {
			for _, call := range [][2]string{
				{"PUT", "/trades"}, {"DELETE", "/trades"}, {"PATCH", "/trades/1"}, {"POST", "/trades/1"}, {"DELETE", "/accounts"}, {"PUT", "/accounts/1"}, {"POST", "/entities/1"},
				{"POST", "/accounts/1/trades"}, {"DELETE", "/accounts/1/positions"}, {"PUT", "/accounts/1/balances"}, {"POST", "/accounts/1/journal"},
				{"PUT", "/uploads/cancel"}, {"DELETE", "/business-date"},
			} {
				a := c.send(call[0], c.sys.API+call[1], nil)
				a.fails(405, "method_not_allowed")
				if a.header.Get("Allow") == "" {
					c.Errorf("%s %s: no Allow header", call[0], call[1])
				}
			}
		}},
		{"wrong methods on the operations listener", func(c *client) {
			for _, path := range []string{"/entities", "/accounts", "/cash", "/business-date"} {
				a := c.send("DELETE", c.sys.Operations+path, nil)
				a.fails(405, "method_not_allowed")
				if !strings.Contains(a.header.Get("Allow"), "POST") {
					c.Errorf("%s: Allow is %q", path, a.header.Get("Allow"))
				}
			}
		}},
		{"method before body", func(c *client) {
			c.send("PUT", c.sys.API+"/trades", "{not json").fails(405, "method_not_allowed")
		}},
		{"answers are JSON", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account))
			for _, path := range []string{"/trades/" + id, "/accounts", "/entities", "/business-date", "/accounts/" + say(account) + "/journal"} {
				if got := c.get("%s", path).status(200).header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
					c.Errorf("%s: Content-Type %q", path, got)
				}
			}
		}},
		{"unknown query parameters are ignored", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account))
			c.get("/trades/%s?colour=red", id).has(200, `{"trade_id":%q}`, id)
			c.get("/accounts/%d/positions?colour=red&page_size=1", account).has(200, `{"data":[{"symbol":"AAPL"}]}`)
			c.get("/business-date?x=1").is(200, `{"date":0}`)
		}},
		{"body of 8 MiB", func(c *client) {
			trade := c.trade(exchange, c.account())
			body := encode(c, []obj{trade})
			c.post("/trades", body+strings.Repeat(" ", 8*mebibyte-len(body))).status(202)
			c.find(number(trade["account_id"]), trade["client_trade_id"]).status(200)
		}},
		{"body over 8 MiB", func(c *client) {
			trade := c.trade(exchange, c.account())
			body := encode(c, []obj{trade})
			c.post("/trades", body+strings.Repeat(" ", 8*mebibyte+1-len(body))).fails(413, "too_large")
			c.unbooked(trade)
		}},
		{"body over 8 MiB without a length", func(c *client) {
			body := strings.Repeat(" ", 8*mebibyte+1)
			request, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.sys.API+"/trades", io.MultiReader(strings.NewReader(body)))
			if err != nil {
				c.Fatal(err)
			}
			c.do(c.sys.http, request).fails(413, "too_large")
		}},
		{"too large before not JSON", func(c *client) {
			c.post("/trades", strings.Repeat("{", 8*mebibyte+1)).fails(413, "too_large")
		}},
		{"operation over 8 MiB", func(c *client) {
			body := encode(c, obj{"client_id": c.name(), "account_id": c.account(), "currency": "USD", "amount": "1", "kind": "deposit"})
			c.operate("/cash", body+strings.Repeat(" ", 8*mebibyte+1-len(body))).fails(413, "too_large")
		}},
	}, notJSON())
}

func notJSON() []testCase {
	var cases []testCase
	for _, body := range [][2]string{
		{"nothing", ""}, {"an open array", "["}, {"an open object", `[{"type":`}, {"words", "hello"}, {"more after the end", `[] []`},
		{"single quotes", `[{'type':'x'}]`}, {"an object", `{}`}, {"a string", `"x"`},
	} {
		cases = append(cases, testCase{"not an array of JSON: " + body[0], func(c *client) {
			c.post("/trades", body[1]).fails(400, "malformed_request")
		}})
	}
	return append(cases, testCase{"not JSON on operations", func(c *client) {
		for _, path := range []string{"/entities", "/accounts", "/cash", "/business-date", "/replay"} {
			for _, body := range []string{"", "{", "[]", `"x"`} {
				c.operate(path, body).fails(400, "malformed_request")
			}
		}
	}})
}

// keyCases run where a key is configured.
func keyCases() []testCase {
	with := func(c *client, authorization, method, path string) answer {
		request, err := http.NewRequestWithContext(c.Context(), method, c.sys.API+path, nil)
		if err != nil {
			c.Fatal(err)
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		return c.do(c.sys.http, request)
	}
	return []testCase{
		{"key: the right one", func(c *client) {
			with(c, "Bearer "+key, "GET", "/business-date").is(200, `{"date":%d}`, monday)
		}},
		{"key: another that is configured", func(c *client) {
			with(c, "Bearer another-key", "GET", "/business-date").is(200, `{"date":%d}`, monday)
		}},
		{"key: none", func(c *client) {
			with(c, "", "GET", "/business-date").fails(401, "unauthorized")
		}},
		{"key: a wrong one", func(c *client) {
			for _, a := range []string{"Bearer wrong", "Bearer " + key + "x", "Bearer " + key[:5], "Bearer ", "Bearer", "Basic " + key, key} {
				with(c, a, "GET", "/business-date").fails(401, "unauthorized")
			}
		}},
		{"key: asked on every route", func(c *client) {
			for _, path := range []string{"/entities", "/entities/1", "/accounts", "/accounts/1", "/accounts/1/trades", "/accounts/1/trades/1", "/accounts/1/positions",
				"/accounts/1/positions/X", "/accounts/1/balances", "/accounts/1/journal", "/trades/1", "/trades?account_id=1&client_trade_id=x", "/uploads/00"} {
				with(c, "", "GET", path).fails(401, "unauthorized")
			}
			for _, path := range []string{"/trades", "/uploads/insert", "/uploads/cancel"} {
				with(c, "", "POST", path).fails(401, "unauthorized")
			}
			with(c, "", "DELETE", "/trades/1").fails(401, "unauthorized")
		}},
		{"key: asked on the operations listener", func(c *client) {
			keyless := &client{c.T, &system{Target: c.sys.Target, http: c.sys.http}}
			for _, path := range []string{"/entities", "/accounts", "/cash", "/business-date", "/replay"} {
				keyless.operate(path, obj{}).fails(401, "unauthorized")
			}
			c.operate("/cash", obj{}).fails(400, "malformed_request")
		}},
		{"key: before an unknown route", func(c *client) {
			with(c, "", "GET", "/nothing").fails(401, "unauthorized")
			with(c, "Bearer "+key, "GET", "/nothing").fails(404, "not_found")
		}},
		{"key: before a wrong method", func(c *client) {
			with(c, "Bearer wrong", "PUT", "/trades").fails(401, "unauthorized")
			with(c, "Bearer "+key, "PUT", "/trades").fails(405, "method_not_allowed")
		}},
		{"key: before a body", func(c *client) {
			with(c, "", "POST", "/trades").fails(401, "unauthorized")
			with(c, "Bearer "+key, "POST", "/trades").fails(400, "malformed_request")
		}},
	}
}

// http2 gives a client that speaks HTTP/2 without TLS and nothing else.
func (c *client) http2() *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	c.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}
