package sample

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Kind says in what way the secondary's answer is another.
type Kind string

// The kinds. What is missing the primary has and the secondary has not; extra is the reverse.
const (
	Status       Kind = "status"
	MissingField Kind = "missing_field"
	ExtraField   Kind = "extra_field"
	Value        Kind = "value"
	Order        Kind = "order" // the same elements in another order
	MissingRow   Kind = "missing_row"
	ExtraRow     Kind = "extra_row"
	Body         Kind = "body" // one at least is not JSON
)

func kinds() []Kind {
	return []Kind{Status, MissingField, ExtraField, Value, Order, MissingRow, ExtraRow, Body}
}

const (
	maxDifferences = 50   // of one pair of answers
	maxValue       = 1000 // bytes of a value that are kept
	nextPage       = "next_page_token"
)

// ignored are the fields of a resource that are each system's own (contract, section 5).
var ignored = [...]string{"event_id", "at", "journal_id"}

// difference is one between two answers.
type difference struct {
	kind               Kind
	at                 path
	primary, secondary string // as JSON, cut; "" where there is nothing
}

// identity tells a difference from others, and finds the same one again.
type identity struct {
	kind                   Kind
	at, primary, secondary string
}

func (d difference) identity() identity {
	return identity{d.kind, d.at.String(), d.primary, d.secondary}
}

// answer is one that can be compared.
type answer struct {
	status int
	body   []byte
	isJSON bool
	value  any
	next   string // the next page's token
}

// newAnswer reads a body. JSON is what one value and nothing behind it is.
func newAnswer(status int, body []byte) *answer {
	a := &answer{status: status, body: body}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&a.value) != nil {
		return a
	}
	if len(bytes.TrimSpace(body[decoder.InputOffset():])) > 0 {
		a.value = nil
		return a
	}
	a.isJSON = true
	if fields, ok := a.value.(map[string]any); ok {
		a.next, _ = fields[nextPage].(string)
		delete(fields, nextPage)
	}
	return a
}

// brief is the status, with the error's type.
func (a *answer) brief() string {
	text := strconv.Itoa(a.status)
	if fields, ok := a.value.(map[string]any); ok && a.status >= 400 {
		if kind, ok := fields["type"].(string); ok {
			text += " " + kind
		}
	}
	return cut(text)
}

// compare gives the differences of two answers to the same read, at most maxDifferences.
func compare(on *route, primary, secondary *answer) []difference {
	d := &differ{}
	switch {
	case primary.status != secondary.status:
		return []difference{{Status, path{}, primary.brief(), secondary.brief()}}
	case bytes.Equal(primary.body, secondary.body):
		return nil
	case !primary.isJSON || !secondary.isJSON:
		return []difference{{Body, path{}, cut(string(primary.body)), cut(string(secondary.body))}}
	case primary.status >= 400:
		// The text of an error is for people.
		d.values(path{}, withoutMessage(primary.value), withoutMessage(secondary.value))
		return d.found
	}
	if a, b, ok := lists(on, primary.value, secondary.value); ok {
		d.rows(on.key, a, b, primary.next != "", secondary.next != "")
		d.fields(path{}, without(primary.value, "data"), without(secondary.value, "data"))
	} else {
		d.resource(path{}, primary.value, secondary.value)
	}
	if len(d.found) == 0 && (primary.next == "") != (secondary.next == "") {
		// Where rows differ, the end of a page does of itself.
		at := path{{text: nextPage}}
		if secondary.next == "" {
			d.add(MissingField, at, primary.next, nil)
		} else {
			d.add(ExtraField, at, nil, secondary.next)
		}
	}
	return d.found
}

// lists gives the rows of two answers that are lists of resources.
func lists(on *route, a, b any) (_, _ []map[string]any, ok bool) {
	if len(on.key) == 0 {
		return nil, nil, false
	}
	var both [2][]map[string]any
	for i, value := range []any{a, b} {
		fields, _ := value.(map[string]any)
		rows, ok := fields["data"].([]any)
		if !ok {
			return nil, nil, false
		}
		for _, row := range rows {
			resource, ok := row.(map[string]any)
			if !ok {
				return nil, nil, false
			}
			both[i] = append(both[i], resource)
		}
	}
	return both[0], both[1], true
}

func without(value any, name string) map[string]any {
	fields, _ := value.(map[string]any)
	fields = maps.Clone(fields)
	delete(fields, name)
	return fields
}

func withoutMessage(value any) any {
	if _, ok := value.(map[string]any); !ok {
		return value
	}
	return without(value, "message")
}

type differ struct{ found []difference }

func (d *differ) add(kind Kind, at path, primary, secondary any) {
	if len(d.found) >= maxDifferences {
		return
	}
	one := difference{kind, at, cut(spell(primary)), cut(spell(secondary))}
	switch kind {
	case MissingField, MissingRow:
		one.secondary = ""
	case ExtraField, ExtraRow:
		one.primary = ""
	}
	d.found = append(d.found, one)
}

// resource compares two, without the fields that are each system's own.
func (d *differ) resource(at path, a, b any) {
	x, ok := a.(map[string]any)
	y, both := b.(map[string]any)
	if !ok || !both {
		d.values(at, a, b)
		return
	}
	x, y = maps.Clone(x), maps.Clone(y)
	for _, name := range ignored {
		delete(x, name)
		delete(y, name)
	}
	d.fields(at, x, y)
}

func (d *differ) fields(at path, a, b map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		where := at.with(step{text: name})
		if other, ok := b[name]; ok {
			d.values(where, a[name], other)
		} else {
			d.add(MissingField, where, a[name], nil)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[name]; !ok {
			d.add(ExtraField, at.with(step{text: name}), nil, b[name])
		}
	}
}

// values compares any two. Numbers and texts are the same if they are spelled so: decimals are exact text.
func (d *differ) values(at path, a, b any) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			d.fields(at, x, y)
			return
		}
	case []any:
		if y, ok := b.([]any); ok {
			d.elements(at, x, y)
			return
		}
	default:
		switch b.(type) {
		case map[string]any, []any:
		default:
			if a == b {
				return
			}
		}
	}
	d.add(Value, at, a, b)
}

// elements compares arrays inside a resource: by place.
func (d *differ) elements(at path, a, b []any) {
	if len(a) == len(b) && len(a) > 1 {
		x, y := spelled(a), spelled(b)
		if slices.Equal(x, y) {
			return
		}
		slices.Sort(x)
		slices.Sort(y)
		if slices.Equal(x, y) {
			d.add(Order, at, a, b)
			return
		}
	}
	for i := range max(len(a), len(b)) {
		where := at.with(step{strconv.Itoa(i), true})
		switch {
		case i >= len(a):
			d.add(ExtraRow, where, nil, b[i])
		case i >= len(b):
			d.add(MissingRow, where, a[i], nil)
		default:
			d.values(where, a[i], b[i])
		}
	}
}

func spelled(values []any) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = spell(v)
	}
	return texts
}

// spell gives JSON with the fields in order. What was read from JSON can be written as such.
func spell(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return strings.TrimSuffix(b.String(), "\n")
}

// cut gives text that a database takes, not too long.
func cut(text string) string {
	text = strings.ReplaceAll(text, "\x00", "?")
	if len(text) > maxValue {
		text = text[:maxValue] + "…"
	}
	return strings.ToValidUTF8(text, "?")
}
