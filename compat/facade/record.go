package facade

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
)

// record keeps an answer until it may be sent.
type record struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecord() *record { return &record{header: http.Header{}} }

var errCut = errors.New("the answer broke off")

// passRecorded makes a call of Bank and keeps the answer. The proxy ends one that breaks off by a panic where a server has called it; here that is noted as cut, so
// that what stands behind the call is done in any case.
func passRecorded(pass http.Handler, r *http.Request) (answer *record, notes *passing) {
	ctx, notes := withNotes(r.Context())
	answer = newRecord()
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		} else if p != nil && notes.cut == nil {
			notes.cut = errCut
		}
	}()
	pass.ServeHTTP(answer, r.WithContext(ctx))
	return answer, notes
}

// give answers the client: with Bank's words if they are whole. Of others nothing was sent yet, so they are an answer that did not come.
func (c *record) give(w http.ResponseWriter, r *http.Request, notes *passing, log *slog.Logger) {
	if notes.cut != nil {
		failed(w, r, notes.cut, log)
		return
	}
	c.send(w)
}

func (c *record) Header() http.Header { return c.header }

func (c *record) WriteHeader(status int) {
	if c.status == 0 && status >= 200 { // what comes before the answer isn't kept
		c.status = status
	}
}

func (c *record) Write(p []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	return c.body.Write(p)
}

// Flush has nothing to do: the answer is sent as a whole.
func (c *record) Flush() {}

// send gives the answer to the client, who may be gone.
func (c *record) send(w http.ResponseWriter) {
	to := w.Header()
	for name, values := range c.header {
		to[name] = values
	}
	if c.status == 0 {
		c.status = http.StatusOK
	}
	w.WriteHeader(c.status)
	_, _ = w.Write(c.body.Bytes())
}
