package sample

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// step is a field's name, or which of an array's elements: its number, or for the rows of a list what tells it from the others.
type step struct {
	text string
	row  bool
}

// Steps of a pattern.
const (
	anyStep = "*"
	anyRest = "**"
)

// path is where in an answer something stands.
type path []step

// with gives a longer path, its own copy.
func (p path) with(s step) path {
	longer := make(path, len(p)+1)
	copy(longer, p)
	longer[len(p)] = s
	return longer
}

// String gives $.data[symbol=IBM].quantity, $.data[3].memo, $.user_data["a b"].
func (p path) String() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range p {
		switch {
		case s.row:
			b.WriteByte('[')
			b.WriteString(strings.Map(plainRow, s.text))
			b.WriteByte(']')
		case plainName(s.text):
			b.WriteByte('.')
			b.WriteString(s.text)
		default:
			b.WriteByte('[')
			b.WriteString(strconv.Quote(s.text))
			b.WriteByte(']')
		}
	}
	return b.String()
}

// plainRow keeps a row's text from looking like something else.
func plainRow(r rune) rune {
	if r == '[' || r == ']' || r == '"' || r < ' ' {
		return '?'
	}
	return r
}

func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return name != ""
}

// parsePattern reads a pattern: a path in which .* and [*] stand for any one step, and .** at the end for any steps, none as well.
func parsePattern(text string) (path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, errors.New("does not begin with $")
	}
	p := path{}
	for rest != "" {
		if len(p) > 0 && p[len(p)-1] == (step{text: anyRest}) {
			return nil, errors.New("** is not at the end")
		}
		switch {
		case strings.HasPrefix(rest, `["`):
			quoted, err := strconv.QuotedPrefix(rest[1:])
			if err != nil || !strings.HasPrefix(rest[1+len(quoted):], "]") {
				return nil, fmt.Errorf("%q is no name in quotes and brackets", rest)
			}
			name, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", quoted, err)
			}
			p, rest = append(p, step{text: name}), rest[len(quoted)+2:]
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 2 {
				return nil, fmt.Errorf("%q is no row in brackets", rest)
			}
			p, rest = append(p, step{text: rest[1:end], row: true}), rest[end+1:]
		case rest[0] == '.':
			name := rest[1:]
			if end := strings.IndexAny(name, ".["); end >= 0 {
				name = name[:end]
			}
			if name != anyStep && name != anyRest && !plainName(name) {
				return nil, fmt.Errorf("%q is no name; write odd ones as [\"name\"]", name)
			}
			p, rest = append(p, step{text: name}), rest[1+len(name):]
		default:
			return nil, fmt.Errorf("%q is neither .name nor [row]", rest)
		}
	}
	return p, nil
}

// matches reports whether the pattern p fits a path.
func (p path) matches(at path) bool {
	for i, want := range p {
		if want == (step{text: anyRest}) {
			return true
		}
		if i >= len(at) || want.row != at[i].row || want.text != anyStep && want.text != at[i].text {
			return false
		}
	}
	return len(p) == len(at)
}
