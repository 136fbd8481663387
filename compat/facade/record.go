package facade

import (
	"bytes"
	"net/http"
)

// record keeps an answer until it may be sent.
type record struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecord() *record { return &record{header: http.Header{}} }

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
