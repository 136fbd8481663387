package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxReply bounds an admin listener's answer, in bytes.
const maxReply = 64 << 20

// adminCall asks a server's admin listener. Who is asked is for errors: "the façade"; flag is the one that gave its URL.
type adminCall struct {
	who, flag, url string
	timeout        time.Duration
}

// do sends in as JSON, unless it is nil, and reads the answer into out. What the server says of its refusal is the error.
func (c adminCall) do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.url, "/")+path, body)
	if err != nil {
		return &usageError{fmt.Errorf("%s: %w", c.flag, err)}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.who, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.who, err)
	}
	if res.StatusCode != http.StatusOK {
		var fault struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(text, &fault) != nil || fault.Error == "" {
			return fmt.Errorf("ask %s: %s %s: %s", c.who, method, path, res.Status)
		}
		return errors.New(fault.Error)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.who, err)
	}
	return nil
}
