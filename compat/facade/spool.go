package facade

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"

	"github.com/bkledger/bk/compat/bank"
)

const (
	maxSpool = 257 << 20 // a file, and what stands around it; what is longer goes on as it comes in, to be refused
	spools   = 8         // files that come in at once; more wait
)

// spooled is the body of an upload that has come in.
type spooled struct {
	io.Reader
	io.Closer // the connection's
	file      *os.File
	size      int64
	whole     bool
}

// remembering keeps why a client's body could not be read.
type remembering struct {
	from io.Reader
	err  error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// failing is a body that breaks off, as the client's did.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// spool takes an upload's body in, so that it is whole before a ticket is taken: a slow client must not hold up a step. end gives its room free. It answers itself
// where that can't be done, and gives nil.
func (u *uploads) spool(w http.ResponseWriter, r *http.Request) (next *http.Request, end func()) {
	if r.ContentLength > maxSpool {
		return r, func() {}
	}
	select {
	case u.spools <- struct{}{}:
	case <-r.Context().Done():
		return nil, nil
	}
	file, err := os.CreateTemp(u.dir, "upload-*")
	if err == nil {
		err = os.Remove(file.Name()) // a crash leaves nothing behind
	}
	end = func() {
		if file != nil {
			_ = file.Close() // it has no name, and nobody reads it any more
		}
		<-u.spools
	}
	from := &remembering{from: r.Body}
	var size int64
	if err == nil {
		size, err = io.Copy(file, io.LimitReader(from, maxSpool))
	}
	if err != nil && from.err == nil {
		end()
		u.log.Error("a file can't be taken in", "path", r.URL.Path, "error", err)
		answerError(w, bank.Errorf(bank.Internal, "the file can't be taken in"))
		return nil, nil
	}
	body := &spooled{Closer: r.Body, file: file, size: size, whole: size < maxSpool && from.err == nil}
	body.Reader = io.MultiReader(io.NewSectionReader(file, 0, size), r.Body)
	if from.err != nil {
		body.Reader = io.MultiReader(io.NewSectionReader(file, 0, size), failing{from.err})
	}
	next = r.WithContext(r.Context())
	next.Body = body
	return next, end
}

// fileID gives the id of the file in an upload, "" if there is none that can be read: then it is refused by whoever gets it.
func (s *spooled) fileID(contentType string) (string, error) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" || !s.whole {
		return "", nil
	}
	parts := multipart.NewReader(io.NewSectionReader(s.file, 0, s.size), parameters["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return "", nil
		}
		if part.FormName() != "file" {
			continue
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, part); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return "", nil
			}
			return "", fmt.Errorf("read the file: %w", err)
		}
		return hex.EncodeToString(sum.Sum(nil)), nil
	}
}
