package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// obj is a JSON object. Decoded numbers are [json.Number]: their text.
type obj = map[string]any

// status gives the answer if it has the status, and ends the test otherwise.
func (a answer) status(code int) answer {
	a.t.Helper()
	if a.err != nil {
		a.t.Fatalf("%s: %v", a.call, a.err)
	}
	if a.code != code {
		a.t.Fatalf("%s: status %d, not %d: %s", a.call, a.code, code, a.short())
	}
	return a
}

// is compares the whole answer with JSON.
func (a answer) is(code int, want string, args ...any) {
	a.t.Helper()
	text := fmt.Sprintf(want, args...)
	if at := differ(a.status(code).value(), a.parse(text), false, "answer"); at != "" {
		a.t.Fatalf("%s: %s\n got %s\nwant %s", a.call, at, a.short(), text)
	}
}

// has compares what the JSON names, in objects of any depth; arrays have the same length.
func (a answer) has(code int, want string, args ...any) answer {
	a.t.Helper()
	text := fmt.Sprintf(want, args...)
	if at := differ(a.status(code).value(), a.parse(text), true, "answer"); at != "" {
		a.t.Fatalf("%s: %s\n got %s\nwant %s", a.call, at, a.short(), text)
	}
	return a
}

// fails compares with an error; the message begins as given.
func (a answer) fails(code int, kind string, begins ...string) {
	a.t.Helper()
	body := a.status(code).object()
	message, _ := body["message"].(string)
	if body["type"] != kind || message == "" || len(body) != 2 {
		a.t.Fatalf("%s: %s, not an error of type %s", a.call, a.short(), kind)
	}
	for _, b := range begins {
		if !strings.HasPrefix(message, b) {
			a.t.Fatalf("%s: message %q does not begin with %q", a.call, message, b)
		}
	}
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		a.t.Fatalf("%s: an error of Content-Type %q", a.call, got)
	}
}

// names is fails with a message that names a field anywhere.
func (a answer) names(code int, kind, field string) {
	a.t.Helper()
	a.fails(code, kind)
	if message, _ := a.object()["message"].(string); !strings.Contains(message, field) {
		a.t.Fatalf("%s: message %q does not name %s", a.call, message, field)
	}
}

// value gives the answer's JSON.
func (a answer) value() any {
	a.t.Helper()
	return a.parse(string(a.body))
}

func (a answer) parse(text string) any {
	a.t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		a.t.Fatalf("%s: %v in %s", a.call, err, text)
	}
	if _, err := decoder.Token(); err != io.EOF {
		a.t.Fatalf("%s: more than one JSON value in %s", a.call, text)
	}
	return v
}

// object gives the answer as an object.
func (a answer) object() obj {
	a.t.Helper()
	o, ok := a.value().(obj)
	if !ok {
		a.t.Fatalf("%s: not an object: %s", a.call, a.short())
	}
	return o
}

// list gives the answer as an array of objects.
func (a answer) list(code int) []obj {
	a.t.Helper()
	return a.objects(a.status(code).value())
}

// page gives a list's rows and the token of the next page, "" if this is the last.
func (a answer) page() ([]obj, string) {
	a.t.Helper()
	body := a.status(http.StatusOK).object()
	token, given := body["next_page_token"]
	text, _ := token.(string)
	if given && text == "" {
		a.t.Fatalf("%s: a next_page_token that is none: %s", a.call, a.short())
	}
	return a.objects(body["data"]), text
}

func (a answer) objects(v any) []obj {
	a.t.Helper()
	items, ok := v.([]any)
	if !ok {
		a.t.Fatalf("%s: no array: %s", a.call, a.short())
	}
	rows := make([]obj, len(items))
	for i, item := range items {
		if rows[i], ok = item.(obj); !ok {
			a.t.Fatalf("%s: not an object: %v", a.call, item)
		}
	}
	return rows
}

func (a answer) short() string {
	if len(a.body) > 3000 {
		return string(a.body[:3000]) + "..."
	}
	return string(bytes.TrimSpace(a.body))
}

// differ says where got is not as wanted, "" if nowhere. Some: got may have more fields.
func differ(got, want any, some bool, at string) string {
	switch w := want.(type) {
	case obj:
		g, ok := got.(obj)
		if !ok {
			return fmt.Sprintf("%s is %v, not an object", at, got)
		}
		for name, value := range w {
			field, given := g[name]
			if !given {
				return fmt.Sprintf("%s.%s is missing", at, name)
			}
			if d := differ(field, value, some, at+"."+name); d != "" {
				return d
			}
		}
		for name := range g {
			if _, expected := w[name]; !expected && !some {
				return fmt.Sprintf("%s.%s is too much", at, name)
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s is %v, not %d elements", at, got, len(w))
		}
		for i := range w {
			if d := differ(g[i], w[i], some, fmt.Sprintf("%s[%d]", at, i)); d != "" {
				return d
			}
		}
		return ""
	}
	if got != want {
		return fmt.Sprintf("%s is %#v, not %#v", at, got, want)
	}
	return ""
}

// number reads an id or a count out of JSON or out of a request; -1 if it is none.
func number(v any) int64 {
	n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// ascending says whether the numbers in a field go up.
func ascending(rows []obj, field string) bool {
	last := int64(-1)
	for _, row := range rows {
		n := number(row[field])
		if n <= last {
			return false
		}
		last = n
	}
	return true
}
