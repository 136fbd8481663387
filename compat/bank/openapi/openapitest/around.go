package openapitest

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// Around puts a proxy before each listener of a system and gives the proxies' URLs. Whatever comes back through them is checked and counted. The proxies
// speak HTTP/1.1 and HTTP/2 without TLS, and end with the test.
func Around(t testing.TB, apiURL, operationsURL string) (api, operations string, answers *Answers) {
	t.Helper()
	answers, err := NewAnswers()
	if err != nil {
		t.Fatal(err)
	}
	return before(t, answers, API, apiURL), before(t, answers, Operations, operationsURL), answers
}

func before(t testing.TB, answers *Answers, listener Listener, target string) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: transport,
		ErrorLog:  log.New(t.Output(), string(listener)+" ", 0),
		ModifyResponse: func(response *http.Response) error {
			body, err := io.ReadAll(response.Body)
			if err != nil {
				return err
			}
			response.Body.Close()
			response.Body = io.NopCloser(bytes.NewReader(body))
			request := response.Request
			if request.Method == http.MethodHead {
				return nil
			}
			if err := answers.Check(listener, request.Method, request.URL.EscapedPath(), response.StatusCode, response.Header, body); err != nil {
				t.Errorf("%s %s %s: %d %.2000s: %v", listener, request.Method, request.URL.RequestURI(), response.StatusCode, body, err)
			}
			return nil
		},
	})
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.URL
}
