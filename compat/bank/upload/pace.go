package upload

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// Pace is how fast a client must send a file, or another body: one that is slow holds up room that others wait for.
type Pace struct {
	Bytes  int64         // that come ...; 1 MiB if 0; as it comes if below 0
	Within time.Duration // ... in this time, or what is left of the file does; 1 min if 0
	Whole  time.Duration // in which all of it comes; 15 min if 0
}

// WithDefaults fills in what is 0.
func (p Pace) WithDefaults() Pace {
	if p.Bytes == 0 {
		p.Bytes = 1 << 20
	}
	if p.Within == 0 {
		p.Within = time.Minute
	}
	if p.Whole == 0 {
		p.Whole = 15 * time.Minute
	}
	return p
}

// Steady gives the body of a request that w answers, which ends with malformed_request once the client falls behind the pace: then the connection can be answered on and
// nothing more can be read from it. Where w knows no deadlines, the body is as it is.
func Steady(w http.ResponseWriter, body io.ReadCloser, pace Pace) io.ReadCloser {
	if pace = pace.WithDefaults(); pace.Bytes < 0 {
		return body
	}
	return &steady{ReadCloser: body, control: http.NewResponseController(w), pace: pace, end: time.Now().Add(pace.Whole)}
}

type steady struct {
	io.ReadCloser
	control *http.ResponseController
	pace    Pace
	end     time.Time // when all must have come
	left    int64     // to come until the present deadline
}

func (s *steady) Read(to []byte) (int, error) {
	if s.left <= 0 {
		s.left = s.pace.Bytes
		deadline := time.Now().Add(s.pace.Within)
		if s.end.Before(deadline) {
			deadline = s.end
		}
		_ = s.control.SetReadDeadline(deadline) // else there is none
	}
	n, err := s.ReadCloser.Read(to)
	s.left -= int64(n)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = bank.Errorf(bank.MalformedRequest, "the body comes too slowly: %d bytes are to come within %s, and all within %s", s.pace.Bytes, s.pace.Within, s.pace.Whole)
	default:
		_ = s.control.SetReadDeadline(time.Time{}) // the connection is watched on, for a client that leaves
	}
	return n, err
}
