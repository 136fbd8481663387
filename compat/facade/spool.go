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

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
)

const (
	maxSpool = 257 << 20 // a file, and what stands around it; what is longer is refused
	spools   = 8         // files that come in at once; more wait
)

// spooled is the body of an upload that has come in.
type spooled struct {
	io.Reader
	io.Closer // the connection's
	spool     *upload.Spool
}

// whole tells whether there is nothing behind it.
func (s *spooled) whole() bool { return s.spool.Size() < maxSpool }

// spool takes an upload's body in, so that it is whole before a ticket is taken: a slow client must not hold up a step, and one that is too slow not the others that
// want to come in. end gives its room free. It answers itself where that can't be done, and gives nil.
func (u *uploads) spool(w http.ResponseWriter, r *http.Request) (next *http.Request, end func()) {
	if r.ContentLength > maxSpool {
		return headOnly(r, errTooLarge), func() {}
	}
	select {
	case u.spools <- struct{}{}:
	case <-r.Context().Done():
		return nil, nil
	}
	body := upload.Steady(w, r.Body, u.pace)
	spool, err := upload.NewSpool(u.dir, maxSpool, body)
	if err != nil {
		<-u.spools
		if client := new(upload.ReadError); errors.As(err, &client) {
			return broken(w, r, client.Err)
		}
		u.log.Error("a file can't be taken in", "path", r.URL.Path, "error", err)
		answerError(w, bank.Errorf(bank.Internal, "the file can't be taken in"))
		return nil, nil
	}
	next = r.WithContext(r.Context())
	next.Body = &spooled{Reader: io.MultiReader(spool.Reader(), body), Closer: r.Body, spool: spool}
	return next, func() {
		spool.Close()
		<-u.spools
	}
}

// fileID gives the id of the file in an upload, "" if there is none that can be read: then it is refused by whoever gets it.
func (s *spooled) fileID(contentType string) (string, error) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" || !s.whole() {
		return "", nil
	}
	parts := multipart.NewReader(s.spool.Reader(), parameters["boundary"])
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
