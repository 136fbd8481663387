package openapitest

import (
	"fmt"
	"maps"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// Listener is one of the two that a system has, by the variable of its URL in the document.
type Listener string

// The listeners.
const (
	API        Listener = "{bank}"
	Operations Listener = "{operations}"
)

// ListenerOf gives the listener that an operation is on.
func ListenerOf(doc *openapi3.T, op *openapi3.Operation) Listener {
	if op.Servers != nil && len(*op.Servers) > 0 {
		return Listener((*op.Servers)[0].URL)
	}
	return Listener(doc.Servers[0].URL)
}

// Answers checks answers. It may be used by many at once.
type Answers struct {
	doc *openapi3.T

	mu   sync.Mutex
	seen map[string]int
}

// NewAnswers reads the document.
func NewAnswers() (*Answers, error) {
	doc, err := LoadStrict()
	if err != nil {
		return nil, err
	}
	return &Answers{doc: doc, seen: map[string]int{}}, nil
}

// Seen tells how many answers of an operation (its operationId) with a status there were.
func (a *Answers) Seen(operation string, status int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[operation+" "+strconv.Itoa(status)]
}

// Check says what is wrong with the answer to a request, nil if nothing. The path is as it was sent, escapes and all.
func (a *Answers) Check(listener Listener, method, path string, status int, header http.Header, body []byte) error {
	response, err := a.described(listener, method, path, status)
	if err != nil {
		return err
	}
	for name, h := range response.Headers {
		if h.Value.Required && header.Get(name) == "" {
			return fmt.Errorf("no header %s", name)
		}
	}
	if kind, _, err := mime.ParseMediaType(header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fmt.Errorf("Content-Type is %q", header.Get("Content-Type"))
	}
	return Fits(response.Content["application/json"].Schema, body)
}

// described gives the description of an answer.
func (a *Answers) described(listener Listener, method, path string, status int) (*openapi3.Response, error) {
	components := a.doc.Components.Responses
	if status == http.StatusUnauthorized { // told before anything is known of the route
		return components["Unauthorized"].Value, nil
	}
	op, routed := a.operation(listener, method, path)
	switch {
	case !routed && status == http.StatusNotFound:
		return components["NotFound"].Value, nil
	case op == nil && routed && status == http.StatusMethodNotAllowed:
		return components["MethodNotAllowed"].Value, nil
	case op == nil:
		return nil, fmt.Errorf("the listener has no such route and method, and answers %d", status)
	}
	response := op.Responses.Status(status)
	if response == nil {
		return nil, fmt.Errorf("%s does not answer %d", op.OperationID, status)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[op.OperationID+" "+strconv.Itoa(status)]++
	return response.Value, nil
}

// operation finds the operation of a listener, and whether the path has any there. Of two routes that match, the one without variables counts.
func (a *Answers) operation(listener Listener, method, path string) (op *openapi3.Operation, routed bool) {
	literal := false
	for template, item := range a.doc.Paths.Map() {
		if literal || !matches(template, path) {
			continue
		}
		literal = !strings.Contains(template, "{")
		here := item.Operations()
		maps.DeleteFunc(here, func(_ string, o *openapi3.Operation) bool { return ListenerOf(a.doc, o) != listener })
		if literal || len(here) > 0 {
			op, routed = here[method], len(here) > 0
		}
	}
	return op, routed
}

func matches(template, path string) bool {
	t, p := strings.Split(template, "/"), strings.Split(path, "/")
	if len(t) != len(p) {
		return false
	}
	for i := range t {
		if t[i] != p[i] && (t[i] == "" || t[i][0] != '{' || p[i] == "") {
			return false
		}
	}
	return true
}
