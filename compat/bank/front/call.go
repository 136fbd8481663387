package front

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bkledger/bk/compat/bank"
)

// call is a request on its way through an endpoint.
type call struct {
	*http.Request
	writer http.ResponseWriter
	ctx    context.Context
	route  string
	path   []string // what stands for the route's braces
	query  url.Values
	limit  int64 // of its body, bytes
}

// serve answers calls on the routes.
func (h *Handler) serve(routes []route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause)
			default:
				h.config.Log.ErrorContext(r.Context(), "a call panicked", "method", r.Method, "path", r.URL.Path, "cause", cause, "stack", string(debug.Stack()))
				h.respond(w, r, failure(bank.Errorf(bank.Internal, "internal error")))
			}
		}()
		answered, err := h.answer(w, r, routes)
		if err != nil {
			answered = failure(h.told(r, err))
		}
		h.respond(w, r, answered)
	})
}

// answer takes a call through the checks that come before its endpoint, in the order of the contract's table.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, routes []route) (answer, error) {
	if !h.authorized(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return answer{}, bank.Errorf(bank.Unauthorized, "an Authorization header with one of the keys is needed")
	}
	route, path := find(routes, r.URL)
	if route == nil {
		return answer{}, bank.Errorf(bank.NotFound, "there is no %s", r.URL.Path)
	}
	serve, ok := route.methods[r.Method]
	if !ok {
		w.Header().Set("Allow", route.allow)
		return answer{}, bank.Errorf(bank.MethodNotAllowed, "%s takes %s", route.path, route.allow)
	}
	c := &call{Request: r, writer: w, route: route.path, path: path, limit: h.config.MaxBody}
	timeout := h.config.Timeout
	switch r.Method {
	case http.MethodPost, http.MethodDelete:
		timeout = h.config.LongTimeout // it may have to wait for a roll
	}
	if c.route == "/uploads/insert" || c.route == "/uploads/cancel" {
		c.limit = h.config.MaxUpload
	}
	if r.ContentLength > c.limit {
		return answer{}, tooLarge(c.limit)
	}
	if r.Method != http.MethodPost { // no POST has a parameter
		var err error
		if c.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return answer{}, bank.Errorf(bank.MalformedRequest, "the query cannot be read: %v", err)
		}
	}
	for _, text := range path {
		if !storable(text) {
			return answer{}, bank.Errorf(bank.MalformedRequest, "the path is not text")
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	c.ctx = ctx
	return serve(c)
}

// authorized compares what the client shows with every key, in the same time whichever fits.
func (h *Handler) authorized(r *http.Request) bool {
	if len(h.keys) == 0 {
		return true
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	shown, fits := sha256.Sum256([]byte(strings.TrimSpace(key))), 0
	for i := range h.keys {
		fits |= subtle.ConstantTimeCompare(shown[:], h.keys[i][:])
	}
	return fits == 1
}

// told gives what the client is told of an error, and the log what it isn't.
func (h *Handler) told(r *http.Request, err error) *bank.Error {
	var told *bank.Error
	if errors.As(err, &told) && told.Type != bank.Internal {
		if told.Type == bank.OutcomeUnknown {
			h.config.Log.WarnContext(r.Context(), "the outcome of a call is unknown", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		return told
	}
	if r.Context().Err() != nil {
		h.config.Log.InfoContext(r.Context(), "a client left before its answer", "method", r.Method, "path", r.URL.Path, "error", err)
	} else {
		h.config.Log.ErrorContext(r.Context(), "a call failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	return bank.Errorf(bank.Internal, "internal error")
}

func failure(err *bank.Error) answer { return answer{err.Type.Status(), err} }

func tooLarge(limit int64) *bank.Error {
	return bank.Errorf(bank.TooLarge, "the body has more than %d bytes", limit)
}

// respond sends an answer whole.
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, a answer) {
	body, ok := a.body.([]byte)
	if !ok {
		var buffer bytes.Buffer
		encoder := json.NewEncoder(&buffer)
		encoder.SetEscapeHTML(false) // what was kept as given goes out as given
		if err := encoder.Encode(a.body); err != nil {
			h.config.Log.ErrorContext(r.Context(), "an answer could not be encoded", "path", r.URL.Path, "error", err)
			a.status = http.StatusInternalServerError
			buffer.Reset()
			buffer.WriteString(`{"type":"internal","message":"internal error"}`)
		}
		body = bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'})
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	if _, err := w.Write(body); err != nil {
		h.config.Log.DebugContext(r.Context(), "a client left before its answer was sent", "path", r.URL.Path, "error", err)
	}
}

// ahead is how much room is made for a body before a byte of it has come, bytes: what a client says of its length costs the client nothing.
const ahead = 64 << 10

// body reads the whole body: too_large.
func (c *call) body() ([]byte, error) {
	reader := http.MaxBytesReader(c.writer, c.Body, c.limit)
	var buffer bytes.Buffer
	if c.ContentLength > 0 {
		buffer.Grow(int(min(c.ContentLength, ahead)) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(reader); err != nil {
		return nil, bodyError(err, c.limit)
	}
	return buffer.Bytes(), nil
}

func bodyError(err error, limit int64) error {
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return tooLarge(limit)
	}
	if told := new(bank.Error); errors.As(err, &told) {
		return told
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return bank.Errorf(bank.MalformedRequest, "the body ends too early")
	}
	return bank.Errorf(bank.MalformedRequest, "the body could not be read")
}

// id gives the number in the path.
func (c *call) id(place int) (bank.ID, error) {
	id, err := bank.ParseID(c.path[place])
	if err != nil {
		return 0, bank.Errorf(bank.MalformedRequest, "the path: %q is %v", c.path[place], err)
	}
	return id, nil
}

// text gives a query parameter that is text; "" if it is left out.
func (c *call) text(name string) (string, error) {
	text := c.query.Get(name)
	if !storable(text) {
		return "", bank.Errorf(bank.MalformedRequest, "%s: is not text", name)
	}
	return text, nil
}

// flag gives a query parameter that is true or false.
func (c *call) flag(name string) (bool, error) {
	switch text := c.query.Get(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, bank.Errorf(bank.MalformedRequest, "%s: %q is neither true nor false", name, text)
	}
}

// storable tells whether it is text that a database keeps.
func storable(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }
