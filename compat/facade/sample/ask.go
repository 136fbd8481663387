package sample

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
)

var (
	errTooLong = errors.New("the answer is longer than what is compared")
	errCut     = errors.New("the answer broke off")
)

// call is a read as it is asked again: what the client sent, without what makes answers conditional, partial or compressed.
type call struct {
	target        string // path and query as the client wrote them, without the page's token
	token         string // the page's, as the client sent it
	url           *url.URL
	host          string
	authorization []string // in memory only
	accept        []string
}

func newCall(r *http.Request) call {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(raw, "/") {
		raw = r.URL.EscapedPath()
	}
	c := call{url: r.URL, host: r.Host, authorization: r.Header["Authorization"], accept: r.Header["Accept"]}
	var kept []string
	for _, piece := range strings.Split(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(piece, "=")
		if name, err := url.QueryUnescape(name); err == nil && name == "page_token" {
			if value, err := url.QueryUnescape(value); err == nil && c.token == "" {
				c.token = value
			}
			continue
		}
		kept = append(kept, piece)
	}
	c.target = raw
	if query := strings.Join(kept, "&"); query != "" {
		c.target += "?" + query
	}
	return c
}

// at gives the target of a page. token is "" for the first.
func (c *call) at(token string) string {
	switch {
	case token == "":
		return c.target
	case strings.Contains(c.target, "?"):
		return c.target + "&page_token=" + url.QueryEscape(token)
	}
	return c.target + "?page_token=" + url.QueryEscape(token)
}

// request gives what is sent.
func (c *call) request(ctx context.Context, token string) *http.Request {
	target := c.at(token)
	at := *c.url
	_, at.RawQuery, _ = strings.Cut(target, "?")
	r := &http.Request{
		Method: http.MethodGet, URL: &at, RequestURI: target, Host: c.host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
		Header: http.Header{"User-Agent": {"hotswap-sample"}},
	}
	for name, values := range map[string][]string{"Authorization": c.authorization, "Accept": c.accept} {
		if values != nil {
			r.Header[name] = append([]string(nil), values...)
		}
	}
	return r.WithContext(ctx)
}

// ask gives a system's answer. An error is no answer: the time was over, it broke off, it is too long, or it says that the system can't give one now (5xx).
func (s *Sampler) ask(ctx context.Context, handler http.Handler, c *call, token string, took func(time.Duration)) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	began := time.Now()
	kept := &recorder{header: http.Header{}, limit: s.cfg.MaxBody}
	err := serve(handler, kept, c.request(ctx, token))
	took(time.Since(began))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case kept.long:
		return nil, errTooLong
	case err != nil:
		return nil, err
	case kept.status == 0:
		kept.status = http.StatusOK
	}
	a := newAnswer(kept.status, kept.body.Bytes())
	if kept.status >= 500 {
		return nil, fmt.Errorf("answered %s", a.brief())
	}
	return a, nil
}

// serve calls a handler as net/http does: it may end by a panic.
func serve(handler http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			err = errCut
		} else if p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	handler.ServeHTTP(w, r)
	return nil
}

// recorder keeps an answer up to a limit.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	limit  int
	long   bool
}

func (c *recorder) Header() http.Header { return c.header }

func (c *recorder) WriteHeader(status int) {
	if c.status == 0 && status >= 200 {
		c.status = status
	}
}

// Write fails at the limit, so that the rest isn't fetched.
func (c *recorder) Write(p []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if c.long || c.body.Len()+len(p) > c.limit {
		c.long = true
		return 0, errTooLong
	}
	return c.body.Write(p)
}

// Flush has nothing to do.
func (c *recorder) Flush() {}
