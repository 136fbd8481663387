package facade

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/compat/facade/upstream"
)

const (
	maxInMemory = 64 << 10         // of a body; what is longer waits in a file
	longBodies  = 256              // that are in files at once; more wait
	brokenFor   = 30 * time.Second // bounds a call whose body broke off: its client may be gone
)

// bodyPace is how fast a client must send what is no file.
var bodyPace = upload.Pace{Bytes: 1 << 20, Within: 30 * time.Second, Whole: 5 * time.Minute}

// intake takes the bodies of calls in before anybody is asked for anything, so that a client that stalls in its body has no ticket, and holds up no step.
type intake struct {
	dir  string
	pace upload.Pace
	long chan struct{} // bodies in files
	log  *slog.Logger
}

// inMemory is a body that is there whole.
type inMemory struct {
	bytes.Reader
	all []byte
}

func newInMemory(all []byte) *inMemory {
	m := &inMemory{all: all}
	m.Reset(all)
	return m
}

func (m *inMemory) Close() error { return nil }

// failing is a body that broke off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (f failing) Close() error { return nil }

// kept is a body in a file, and what is behind it.
type kept struct {
	io.Reader
	io.Closer // the connection's
}

// take takes a body in, and gives the call with it; end gives its room free. What says that it is above the contract's limit goes on without its body, to be refused;
// what shows it only as it comes, as it comes. A body that breaks off goes
// on as one that does ([broken]). A client that is too slow is told so here: then there is no call.
func (i *intake) take(w http.ResponseWriter, r *http.Request) (next *http.Request, end func()) {
	end = func() {}
	if r.Body == nil || r.Body == http.NoBody {
		return r, end
	}
	body := upload.Steady(w, r.Body, i.pace)
	if r.ContentLength > maxBody {
		return headOnly(r, errTooLarge), end
	}
	next = r.WithContext(r.Context())
	first, whole, err := begin(body, r.ContentLength)
	if err != nil {
		return broken(w, r, err)
	}
	if whole {
		next.Body = newInMemory(first)
		return next, end
	}
	select {
	case i.long <- struct{}{}:
	case <-r.Context().Done():
		return nil, nil
	}
	spool, err := upload.NewSpool(i.dir, maxBody+1, io.MultiReader(bytes.NewReader(first), body))
	if err != nil {
		<-i.long
		if client := new(upload.ReadError); errors.As(err, &client) {
			return broken(w, r, client.Err)
		}
		i.log.Error("a body can't be taken in", "method", r.Method, "path", r.URL.Path, "error", err)
		answerError(w, bank.Errorf(bank.Internal, "the body can't be taken in"))
		return nil, nil
	}
	next.Body = kept{spool.Reader(), r.Body}
	if spool.Size() > maxBody {
		next.Body = kept{io.MultiReader(spool.Reader(), body), r.Body}
	}
	return next, func() {
		spool.Close()
		<-i.long
	}
}

// begin reads what may be kept in memory of a body.
func begin(body io.Reader, length int64) (first []byte, whole bool, err error) {
	room := int64(4 << 10)
	if length > 0 {
		room = min(length, maxInMemory) + 1 // its end is seen before it is full
	}
	first = make([]byte, 0, room)
	for {
		if len(first) > maxInMemory {
			return first, false, nil
		}
		if len(first) == cap(first) {
			first = append(first, 0)[:len(first)]
		}
		n, err := body.Read(first[len(first):cap(first)])
		first = first[:len(first)+n]
		if errors.Is(err, io.EOF) && len(first) <= maxInMemory {
			return first, true, nil
		} else if errors.Is(err, io.EOF) {
			return first, false, nil // and the next to read will say so again
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// broken gives a call whose body broke off to whoever answers it: for the methods to which the contract gives no body, without it; for the others with one that can't be
// read, so that nobody does anything, and the answer is that of the system that is asked. A client that has ended its side of the connection still gets that answer. If the
// client was too slow, it answers itself, and gives nil.
func broken(w http.ResponseWriter, r *http.Request, err error) (next *http.Request, end func()) {
	if told := new(bank.Error); errors.As(err, &told) {
		answerError(w, told)
		return nil, nil
	}
	ctx, end := context.WithTimeout(context.WithoutCancel(r.Context()), brokenFor)
	next = r.WithContext(ctx)
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodDelete:
		next.Body, next.ContentLength, next.TransferEncoding = http.NoBody, 0, nil
	default:
		next = headOnly(next, err)
	}
	return next, end
}

// headOnly gives a call of whose body nothing goes on.
func headOnly(r *http.Request, why error) *http.Request {
	next := r.WithContext(upstream.Broken(r.Context(), why))
	next.Body = failing{why}
	return next
}
