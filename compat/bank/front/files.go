package front

import (
	"errors"
	"io"
	"net/http"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
)

func (h *Handler) uploadInsert(c *call) (answer, error) { return h.receive(c, bank.UploadInsert) }
func (h *Handler) uploadCancel(c *call) (answer, error) { return h.receive(c, bank.UploadCancel) }

// receive hands the file of a multipart body on as it comes in.
func (h *Handler) receive(c *call, kind string) (answer, error) {
	body := &content{from: http.MaxBytesReader(c.writer, upload.Steady(c.writer, c.Body, h.config.Pace), c.limit)}
	c.Body = io.NopCloser(body) // the server closes its own
	parts, err := c.MultipartReader()
	if err != nil {
		return answer{}, bank.Errorf(bank.MalformedRequest, "the body is not multipart/form-data with a field file")
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return answer{}, bank.Errorf(bank.MalformedRequest, "the body has no field file")
		}
		if body.err != nil { // it is not always the parts' error
			err = body.err
		}
		if err != nil {
			return answer{}, bodyError(err, c.limit)
		}
		if part.FormName() != "file" {
			continue
		}
		name := part.FileName()
		if !storable(name) || len(name) > maxFileName {
			return answer{}, bank.Errorf(bank.MalformedRequest, "the file's name is not text of at most %d bytes", maxFileName)
		}
		content := &content{from: part}
		taken, err := h.config.Uploads.Receive(c.ctx, kind, name, content)
		if err != nil && content.err != nil {
			return answer{}, bodyError(content.err, c.limit)
		}
		return answer{http.StatusAccepted, taken}, err
	}
}

// maxFileName bounds what a client may call its file, in bytes.
const maxFileName = 1024

// content remembers why what a client sends could not be read, so that it can be told from a failure to keep it, or to make sense of it.
type content struct {
	from io.Reader
	err  error
}

func (c *content) Read(to []byte) (int, error) {
	n, err := c.from.Read(to)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

func (h *Handler) upload(c *call) (answer, error) {
	state, err := h.config.Uploads.Upload(c.ctx, c.path[0])
	if err != nil {
		return answer{}, err
	}
	if state.Errors == nil {
		state.Errors = []bank.UploadError{}
	}
	return answer{http.StatusOK, state}, nil
}
