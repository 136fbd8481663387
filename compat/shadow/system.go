package shadow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// System is one that keeps Bank's contract: base URLs such as http://127.0.0.1:8080.
type System struct {
	Name       string // for people
	API        string
	Operations string // its listener of operations
	Key        string // shown as bearer; "": none

	// Serves, if given, is the API itself, in this process: it is called without a socket.
	Serves http.Handler
}

func (s System) validate(field string, operations bool) error {
	var wrong []error
	for name, text := range map[string]string{"API": s.API, "Operations": s.Operations} {
		if text == "" && (name == "Operations" && !operations || name == "API" && s.Serves != nil) {
			continue
		}
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			wrong = append(wrong, fmt.Errorf("%s.%s: %q is no URL such as http://127.0.0.1:8080", field, name, text))
		}
	}
	return errors.Join(wrong...)
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// caller calls a system over plain HTTP: it sends what it is given, faults and all.
type caller struct {
	system  System
	http    *http.Client
	timeout time.Duration // of a call, its answer included
	slots   chan struct{} // bounds calls at once; nil: the caller does
}

func newCaller(s System, connections int, timeout time.Duration) *caller {
	s.API, s.Operations = strings.TrimSuffix(s.API, "/"), strings.TrimSuffix(s.Operations, "/")
	c := &caller{system: s, timeout: timeout, http: &http.Client{
		Transport:     &http.Transport{MaxIdleConns: 2 * connections, MaxIdleConnsPerHost: connections, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if s.Serves != nil {
		c.system.API, c.http.Transport = "http://in.process", inProcess{s.Serves}
	}
	return c
}

func (c *caller) close() { c.http.CloseIdleConnections() }

// request is a call to make.
type request struct {
	method     string
	operations bool // of that listener
	path       string
	body       []byte
}

func get(format string, args ...any) request {
	return request{method: http.MethodGet, path: fmt.Sprintf(format, args...)}
}

func (r request) String() string { return r.method + " " + r.path }

// answer is what came back.
type answer struct {
	code    int
	kind    string // of the error
	body    []byte
	retried bool // the first try had no answer, or one that leaves the outcome open
}

// token says what kind of answer it is: "202", "409 trade_settled".
func (a answer) token() string {
	if a.kind == "" {
		return strconv.Itoa(a.code)
	}
	return strconv.Itoa(a.code) + " " + a.kind
}

// short is the body as far as it is worth showing.
func (a answer) short() string {
	const shown = 400
	if len(a.body) > shown {
		return string(a.body[:shown]) + "..."
	}
	return string(bytes.TrimSpace(a.body))
}

// send makes a call once. An error says that there was no answer.
func (c *caller) send(ctx context.Context, r request) (answer, error) {
	if c.slots != nil {
		select {
		case c.slots <- struct{}{}:
			defer func() { <-c.slots }()
		case <-ctx.Done():
			return answer{}, context.Cause(ctx)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	base := c.system.API
	if r.operations {
		base = c.system.Operations
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	asked, err := http.NewRequestWithContext(ctx, r.method, base+r.path, body)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", r, err)
	}
	if r.body != nil {
		asked.Header.Set("Content-Type", "application/json")
	}
	if c.system.Key != "" {
		asked.Header.Set("Authorization", "Bearer "+c.system.Key)
	}
	response, err := c.http.Do(asked)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", r, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("%s: read the answer: %w", r, err)
	}
	a := answer{code: response.StatusCode, body: text}
	if a.code >= http.StatusBadRequest {
		var fault struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(text, &fault) == nil {
			a.kind = fault.Type
		}
	}
	return a, nil
}

// get makes a GET that must not fail for the system's own reasons.
func (c *caller) get(ctx context.Context, path string) (answer, error) {
	a, err := c.send(ctx, request{method: http.MethodGet, path: path})
	if err != nil {
		return a, fmt.Errorf("%s: %w", c.system.Name, err)
	}
	if a.code >= http.StatusInternalServerError || a.code == http.StatusUnauthorized {
		return a, fmt.Errorf("%s: GET %s: %s: %s", c.system.Name, path, a.token(), a.short())
	}
	return a, nil
}

// read makes a GET that has to succeed, and decodes its answer; numbers keep their text.
func (c *caller) read(ctx context.Context, path string, out any) error {
	a, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	if a.code != http.StatusOK {
		return fmt.Errorf("%s: GET %s: %s: %s", c.system.Name, path, a.token(), a.short())
	}
	if err := decode(a.body, out); err != nil {
		return fmt.Errorf("%s: GET %s: %w in %s", c.system.Name, path, err, a.short())
	}
	return nil
}

// obj is a JSON object.
type obj = map[string]any

// decode reads JSON; numbers keep their text.
func decode(text []byte, out any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(out)
}

// encode gives the JSON of what can't fail.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("shadow: %v", err)) // maps, slices, strings, numbers
	}
	return text
}
