package front_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/bank/upload"
)

// TestSlowFile: a client that does not go on with its file, or with what stands before it, is told so.
func TestSlowFile(t *testing.T) {
	t.Parallel()
	h, err := front.New(front.Config{Ledger: &memory{}, Uploads: &files{}, Log: slog.New(slog.DiscardHandler), Pace: upload.Pace{Within: 200 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h.API())
	t.Cleanup(server.Close)
	const begun = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\naccount,"
	for name, sent := range map[string]string{"in the file": begun, "before it": begun[:20]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := io.Pipe()
			t.Cleanup(func() { to.CloseWithError(errors.New("over")) })
			go func() { _, _ = io.WriteString(to, sent) }() // and nothing more
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/uploads/insert", from)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), `"malformed_request"`) || !strings.Contains(string(text), "too slowly") {
				t.Errorf("%d %s, %v", res.StatusCode, text, err)
			}
		})
	}
}
