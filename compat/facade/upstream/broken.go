package upstream

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
)

type brokenKey struct{}

// Broken gives a context for a call whose own body broke off, by err, wherever it did. The server is sent the head, which announces the body, and then an end: it answers for
// itself, and can't take the call for a whole one. If it does not answer, the error is a [BodyError].
func Broken(ctx context.Context, err error) context.Context {
	return context.WithValue(ctx, brokenKey{}, err)
}

var errNoBody = errors.New("there is no more of it")

// nothing is a body of which nothing is there. It notes that it was asked for it.
type nothing struct{ asked bool }

func (n *nothing) Read([]byte) (int, error) {
	n.asked = true
	return 0, errNoBody
}

func (n *nothing) Close() error { return nil }

// broken makes a call whose body broke off by cause.
func (t *Transport) broken(r *http.Request, cause error) (*http.Response, error) {
	if r.URL.Scheme != "http" {
		return nil, &BodyError{cause}
	}
	head, body := *r, &nothing{}
	head.Body, head.Header, head.Trailer = body, maps.Clone(r.Header), nil
	for _, name := range []string{"Expect", "Upgrade", "Connection"} {
		head.Header.Del(name)
	}
	var request bytes.Buffer
	if err := head.Write(&request); err == nil || !body.asked {
		return nil, &BodyError{cause} // it announces none, or can't be written down
	}
	dialled, err := t.cfg.Dial(r.Context(), "tcp", addressOf(r))
	if err != nil {
		return nil, err
	}
	if _, ok := dialled.(interface{ CloseWrite() error }); !ok {
		_ = dialled.Close()
		return nil, &BodyError{cause}
	}
	c := newConn(dialled, addressOf(r), &t.pool)
	c.half = true
	res, fault := c.call(r, request.Bytes())
	if fault != nil {
		if r.Context().Err() != nil {
			return nil, fault.err
		}
		return nil, &BodyError{cause}
	}
	return res, nil
}
