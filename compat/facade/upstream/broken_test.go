package upstream

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

// TestBroken: the server gets a head and an end, and can't take that for a whole call; its answer is given, and the connection is not used again.
func TestBroken(t *testing.T) {
	t.Parallel()
	why := errors.New("why")
	for name, change := range map[string]func(r *http.Request){
		"sized":    func(r *http.Request) { r.ContentLength = 50 },
		"chunked":  func(r *http.Request) { r.ContentLength, r.TransferEncoding = -1, []string{"chunked"} },
		"expected": func(r *http.Request) { r.ContentLength = 50; r.Header.Set("Expect", "100-continue") },
	} {
		for _, answer := range []string{"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", ""} {
			s := serve(t, func(p *peer) {
				r, err := http.ReadRequest(p.in)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				if body, err := io.ReadAll(r.Body); len(body) != 0 || !errors.Is(err, io.ErrUnexpectedEOF) || r.Header.Get("Expect") != "" {
					t.Errorf("%s: %q, %v, %v", name, body, err, r.Header)
				}
				p.say("%s", answer)
			})
			r := request(t, Broken(t.Context(), why), s, "POST", "x")
			change(r)
			tr := transport(t)
			res, err := tr.RoundTrip(r)
			if answer == "" {
				if fault := new(BodyError); !errors.As(err, &fault) || fault.Err != why {
					t.Errorf("%s: without an answer: %v", name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != 404 || string(text) != "no" || tr.idle() != 0 {
				t.Errorf("%s: %d %q, %v, %d wait", name, res.StatusCode, text, err, tr.idle())
			}
		}
	}
}
