package bank

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// hexRune reads four hexadecimal digits.
func hexRune(text string) (rune, bool) {
	if len(text) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		digit := text[i]
		switch {
		case '0' <= digit && digit <= '9':
			digit -= '0'
		case 'a' <= digit|0x20 && digit|0x20 <= 'f':
			digit = digit | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}

// unquote gives the text of a checked JSON string. It is not ok where an escape stands for half a character (a lone surrogate).
func unquote(quoted string) (text string, ok bool) {
	body := quoted[1 : len(quoted)-1]
	if strings.IndexByte(body, '\\') < 0 {
		return body, true
	}
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			out = append(out, body[i])
			continue
		}
		i++
		switch body[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hexRune(body[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				if !strings.HasPrefix(body[i+1:], `\u`) {
					return "", false
				}
				low, _ := hexRune(body[i+3:])
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return "", false
				}
				i += 6
			}
			out = utf8.AppendRune(out, r)
		default: // a quote, a stroke, a backstroke
			out = append(out, body[i])
		}
	}
	return string(out), true
}

// appendQuoted appends text as a JSON string with as few escapes as JSON allows. It is the one spelling of a string here: what others escape besides (as
// encoding/json does with "<") comes back to it when it is read.
func appendQuoted(to []byte, text string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	from := 0
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		to = append(to, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\b':
			to = append(to, `\b`...)
		case '\f':
			to = append(to, `\f`...)
		case '\n':
			to = append(to, `\n`...)
		case '\r':
			to = append(to, `\r`...)
		case '\t':
			to = append(to, `\t`...)
		default:
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(to, text[from:]...), '"')
}

// appendCompact appends checked JSON without space, its strings in their one spelling. It is not ok where a string has half a character.
func appendCompact(to []byte, value string) (_ []byte, ok bool) {
	s := scanner{text: value}
	for s.at < len(value) {
		switch c := value[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		case '"':
			quoted := s.skipQuoted()
			if strings.IndexByte(quoted, '\\') < 0 {
				to = append(to, quoted...)
				continue
			}
			text, ok := unquote(quoted)
			if !ok {
				return nil, false
			}
			to = appendQuoted(to, text)
		default:
			to = append(to, c)
			s.at++
		}
	}
	return to, true
}
