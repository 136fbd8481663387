package upload_test

import (
	"bytes"
	"errors"
	"io"

	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
)

// A client that does not send, or sends a byte now and then, is told so and lets go; one that keeps the pace may take its time. The answer can be sent in any case,
// and what is done behind the body is not cut short.
func TestSteady(t *testing.T) {
	t.Parallel()
	pace := upload.Pace{Bytes: 1000, Within: time.Second, Whole: time.Minute}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, upload.Steady(w, r.Body, pace))
		if told := new(bank.Error); errors.As(err, &told) {
			w.WriteHeader(told.Type.Status())
			_, _ = io.WriteString(w, told.Error())
			return
		}
		select { // work that takes longer than the pace
		case <-r.Context().Done():
			w.WriteHeader(http.StatusTeapot)
		case <-time.After(2 * pace.Within):
			if err != nil || n == 0 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}
	}))
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		pause time.Duration // between pieces
		piece int
		count int
		want  int
	}{
		"nothing":          {0, 0, 0, http.StatusBadRequest},
		"a byte at a time": {20 * time.Millisecond, 1, 1 << 20, http.StatusBadRequest},
		"at the pace":      {30 * time.Millisecond, 500, 60, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := io.Pipe()
			defer from.Close()
			go func() {
				for range c.count {
					if _, err := to.Write(bytes.Repeat([]byte("x"), c.piece)); err != nil {
						return // the client's side has ended
					}
					time.Sleep(c.pause) // the client's slowness
				}
				if c.count > 0 {
					to.Close()
				}
			}()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, from)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != c.want || c.want == http.StatusBadRequest && !strings.Contains(string(text), "malformed_request: the body comes too slowly: 1000 bytes") {
				t.Errorf("%d %s, %v", res.StatusCode, text, err)
			}
		})
	}
}
