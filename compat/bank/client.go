package bank

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrNotSent is in the chain of an error of a call that never reached the system: nothing was booked.
var ErrNotSent = errors.New("the call was not sent")

// ClientConfig says whom a [Client] calls.
type ClientConfig struct {
	API        string        // base URL, such as http://127.0.0.1:8080
	Operations string        // base URL of the operations listener; "": none of its calls are made
	Key        string        // shown as bearer; "": none
	HTTP       *http.Client  // nil: one with a pool of its own. Its redirects are not followed anyway
	Timeout    time.Duration // of a call, its answer included; 30 s if 0
	Roll       time.Duration // of POST /business-date, which may take many days in turn; 10 min if 0
	MaxAnswer  int64         // bytes of an answer; 64 MiB if 0
}

// WithDefaults fills in what is 0.
func (c ClientConfig) WithDefaults() ClientConfig {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Roll == 0 {
		c.Roll = 10 * time.Minute
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = 64 << 20
	}
	if c.HTTP == nil {
		const connections = 64
		c.HTTP = &http.Client{Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConns:        connections,
			MaxIdleConnsPerHost: connections,
			IdleConnTimeout:     time.Minute,
		}}
	}
	return c
}

// Validate reports everything that is wrong.
func (c ClientConfig) Validate() error {
	var wrong []error
	check := func(field, text string) {
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			wrong = append(wrong, fmt.Errorf("%s: %q is no URL such as http://127.0.0.1:8080", field, text))
		}
	}
	check("API", c.API)
	if c.Operations != "" {
		check("Operations", c.Operations)
	}
	if c.Timeout < 0 || c.Roll < 0 || c.MaxAnswer < 0 {
		wrong = append(wrong, errors.New("Timeout, Roll, MaxAnswer: must not be negative"))
	}
	return errors.Join(wrong...)
}

// Client calls a system that keeps the contract. What the system refuses comes back as *[Error]. A write of which nobody can say whether it was done
// (the answer was outcome_unknown, or it was lost, or makes no sense) is an *[Error] of type [OutcomeUnknown]; one that was never sent has [ErrNotSent] in
// its chain and no *[Error]. A read that fails for want of an answer has no *[Error] either.
type Client struct {
	config ClientConfig
	http   http.Client
}

// NewClient makes a client; the error is that of [ClientConfig.Validate].
func NewClient(config ClientConfig) (*Client, error) {
	config = config.WithDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	c := &Client{config: config, http: *config.HTTP}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// Close gives idle connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is a call to make.
type request struct {
	base, method, path string
	query              url.Values
	contentType        string // of the body; JSON if ""
	body               io.Reader
	timeout            time.Duration
}

func (r request) writes() bool { return r.method != http.MethodGet }

// call makes a call and reads its answer into out.
func (c *Client) call(ctx context.Context, r request, out any) (status int, err error) {
	if r.base == "" {
		return 0, fmt.Errorf("%s %s: %w: no URL of the operations listener is set", r.method, r.path, ErrNotSent)
	}
	if r.timeout == 0 {
		r.timeout = c.config.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	target := strings.TrimSuffix(r.base, "/") + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	asked, err := http.NewRequestWithContext(ctx, r.method, target, r.body)
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w: %w", r.method, r.path, ErrNotSent, err)
	}
	if r.body != nil {
		asked.Header.Set("Content-Type", "application/json")
		if r.contentType != "" {
			asked.Header.Set("Content-Type", r.contentType)
		}
	}
	if c.config.Key != "" {
		asked.Header.Set("Authorization", "Bearer "+c.config.Key)
	}
	response, err := c.http.Do(asked)
	if err != nil {
		return 0, r.lost(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	answer, err := io.ReadAll(io.LimitReader(response.Body, c.config.MaxAnswer+1))
	if err != nil {
		return response.StatusCode, r.lost(err)
	}
	if int64(len(answer)) > c.config.MaxAnswer {
		return response.StatusCode, r.lost(fmt.Errorf("the answer has more than %d bytes", c.config.MaxAnswer))
	}
	if response.StatusCode/100 != 2 {
		return response.StatusCode, r.refused(response.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return response.StatusCode, r.lost(fmt.Errorf("the answer to status %d makes no sense: %w", response.StatusCode, err))
	}
	return response.StatusCode, nil
}

// lost is the error of a call without an answer.
func (r request) lost(cause error) error {
	if dial := new(net.OpError); errors.As(cause, &dial) && dial.Op == "dial" {
		return fmt.Errorf("%s %s: %w: %w", r.method, r.path, ErrNotSent, cause)
	}
	if !r.writes() {
		return fmt.Errorf("%s %s: %w", r.method, r.path, cause)
	}
	return fmt.Errorf("%s %s: %w: %w", r.method, r.path, Errorf(OutcomeUnknown, "there is no answer"), cause)
}

// refused is the error of a call that was answered with one.
func (r request) refused(status int, answer []byte) error {
	told := new(Error)
	if err := json.Unmarshal(answer, told); err == nil && told.Type != "" && told.Type.Status() == status {
		return told
	}
	const shown = 200
	err := fmt.Errorf("status %d with no error of the contract: %.*q", status, shown, answer)
	if status/100 == 4 { // somebody said no
		return fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	return r.lost(err)
}

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := c.call(ctx, request{base: c.config.API, method: http.MethodGet, path: path, query: query}, out)
	return err
}

// operate makes a POST of operations; timeout 0 is the usual one.
func (c *Client) operate(ctx context.Context, path string, body, out any, timeout time.Duration) (status int, err error) {
	return c.operateBy(ctx, http.MethodPost, path, body, out, timeout)
}

func (c *Client) operateBy(ctx context.Context, method, path string, body, out any, timeout time.Duration) (status int, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w: %w", method, path, ErrNotSent, err)
	}
	return c.call(ctx, request{base: c.config.Operations, method: method, path: path, body: bytes.NewReader(text), timeout: timeout}, out)
}
