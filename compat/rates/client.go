package rates

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// caller is a connection that HTTP/1.1 calls are made on, one after the other. It does as little as can be: its work is on the processors that it measures with.
type caller struct {
	host   string
	conn   net.Conn
	read   *bufio.Reader
	buffer []byte
}

const callTimeout = time.Minute

func dial(ctx context.Context, api string) (*caller, error) {
	host := strings.TrimPrefix(api, "http://")
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	return &caller{host: host, conn: conn, read: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *caller) close() { _ = c.conn.Close() }

// call makes a call and wants an answer of a status.
func (c *caller) call(method, path string, body []byte, want int) error {
	to := append(c.buffer[:0], method...)
	to = append(append(append(to, ' '), path...), " HTTP/1.1\r\nHost: "...)
	to = append(to, c.host...)
	if body != nil {
		to = append(to, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		to = strconv.AppendInt(to, int64(len(body)), 10)
	}
	to = append(append(to, "\r\n\r\n"...), body...)
	c.buffer = to
	if err := c.conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(to); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	status, answer, err := c.answer()
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if status != want {
		return fmt.Errorf("%s %s: %d: %s", method, path, status, answer)
	}
	return nil
}

var errAnswer = errors.New("the answer is no HTTP")

// answer reads one; the body is valid until the next call.
func (c *caller) answer() (status int, body []byte, err error) {
	line, err := c.read.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errAnswer
	}
	length, chunked := 0, false
	for {
		if line, err = c.read.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		name, value, more := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		if !more {
			break
		}
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, errAnswer
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	if !chunked {
		body = c.buffer[:0]
		for range length {
			b, err := c.read.ReadByte()
			if err != nil {
				return 0, nil, err
			}
			body = append(body, b)
		}
		c.buffer = body
		return status, body, nil
	}
	for {
		if line, err = c.read.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return 0, nil, errAnswer
		}
		part := make([]byte, size+2)
		if _, err := io.ReadFull(c.read, part); err != nil {
			return 0, nil, err
		}
		if body = append(body, part[:size]...); size == 0 {
			return status, body, nil
		}
	}
}
