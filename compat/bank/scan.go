package bank

import (
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep a request may be nested.
const maxDepth = 200

// scanner walks JSON text. value checks what it walks over; skip is for text that value has accepted.
type scanner struct {
	text    string
	at      int
	escapes int  // how many were met in strings
	deep    bool // maxDepth was met
}

// checkJSON tells whether text is one JSON value (RFC 8259) in UTF-8, no deeper than maxDepth.
func checkJSON(text string) *Error {
	if !utf8.ValidString(text) {
		return errUTF8()
	}
	s := scanner{text: text}
	if !s.value(0) {
		return s.notJSON()
	}
	if s.space(); s.at < len(text) {
		return s.notJSON()
	}
	return nil
}

func errUTF8() *Error { return Errorf(MalformedRequest, "the body is not UTF-8") }

func (s *scanner) notJSON() *Error {
	if s.deep {
		return Errorf(MalformedRequest, "the body is nested deeper than %d", maxDepth)
	}
	return Errorf(MalformedRequest, "the body is not JSON: at byte %d", s.at)
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// take steps over c, with space before it, and tells whether it was there.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// value checks one value and steps over it.
func (s *scanner) value(depth int) bool {
	s.space()
	if s.deep = s.deep || depth > maxDepth; s.at == len(s.text) || s.deep {
		return false
	}
	switch s.text[s.at] {
	case '{':
		return s.composite('}', true, depth)
	case '[':
		return s.composite(']', false, depth)
	case '"':
		return s.quoted()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

func (s *scanner) composite(end byte, named bool, depth int) bool {
	s.at++
	if s.take(end) {
		return true
	}
	for {
		if named {
			s.space()
			if !s.quoted() || !s.take(':') {
				return false
			}
		}
		if !s.value(depth + 1) {
			return false
		}
		if s.take(end) {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

func (s *scanner) word(word string) bool {
	if !strings.HasPrefix(s.text[s.at:], word) {
		return false
	}
	s.at += len(word)
	return true
}

func (s *scanner) quoted() bool {
	if s.at == len(s.text) || s.text[s.at] != '"' {
		return false
	}
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c > '\\' || c < '\\' && c > '"': // nearly all
		case c == '"':
			s.at++
			return true
		case c < ' ':
			return false
		case c == '\\':
			s.escapes++
			if s.at++; s.at == len(s.text) {
				return false
			}
			switch s.text[s.at] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hexRune(s.text[s.at+1:]); !ok {
					return false
				}
				s.at += 4
			default:
				return false
			}
		}
	}
	return false
}

func (s *scanner) number() bool {
	if s.at < len(s.text) && s.text[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.text) && s.text[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && s.text[s.at]-'0' < 10 {
		s.at++
	}
	return s.at > from
}

// skip steps over one value of checked text and gives it, without the space around it.
func (s *scanner) skip() string {
	s.space()
	from, depth := s.at, 0
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '"':
			s.skipQuoted()
			if depth == 0 {
				return s.text[from:s.at]
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return s.text[from:s.at]
			}
			if depth--; depth == 0 {
				s.at++
				return s.text[from:s.at]
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return s.text[from:s.at]
			}
		}
		s.at++
	}
	return s.text[from:s.at]
}

func (s *scanner) skipQuoted() string {
	from := s.at
	for s.at++; ; {
		s.at += strings.IndexByte(s.text[s.at:], '"') + 1
		backstrokes := 0
		for s.text[s.at-2-backstrokes] == '\\' {
			backstrokes++
		}
		if backstrokes%2 == 0 {
			return s.text[from:s.at]
		}
	}
}

// member is one of an object's; a null has no value.
type member struct{ name, value string }

const marks = 64

// markOf gives a number below marks that tells the names of a trade's fields apart, but for two; so a field is found, or known to be left out, at once.
func markOf(name string) uint8 {
	if name == "" {
		return 0
	}
	return (uint8(len(name)) + 14*name[0] + 36*name[len(name)-1]) % marks
}

// object checks one object, as value does, and appends its members, as members does: a call's trades are walked once.
func (s *scanner) object(to []member, depth int) (_ []member, ok bool) {
	s.at++
	if s.take('}') {
		return to, true
	}
	for {
		s.space()
		from, escapes := s.at, s.escapes
		if !s.quoted() {
			return to, false
		}
		quoted, escaped := s.text[from:s.at], s.escapes > escapes
		if !s.take(':') {
			return to, false
		}
		s.space()
		from = s.at
		if !s.value(depth + 1) {
			return to, false
		}
		to = appendMember(to, quoted, escaped, s.text[from:s.at])
		if s.take('}') {
			return to, true
		}
		if !s.take(',') {
			return to, false
		}
	}
}

func appendMember(to []member, quoted string, escaped bool, value string) []member {
	name := quoted[1 : len(quoted)-1]
	if escaped {
		var plain bool
		if name, plain = unquote(quoted); !plain { // a lone surrogate: none of the names that are known
			return to
		}
	}
	if value == "null" {
		value = ""
	}
	return append(to, member{name, value})
}

// members appends the members of a checked object.
func members(to []member, object string) []member {
	s := scanner{text: object, at: 1}
	if s.take('}') {
		return to
	}
	for {
		s.space()
		quoted := s.skipQuoted()
		s.take(':')
		to = appendMember(to, quoted, strings.IndexByte(quoted, '\\') >= 0, s.skip())
		if !s.take(',') {
			return to
		}
	}
}
