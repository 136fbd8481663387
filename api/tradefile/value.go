package tradefile

import (
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	maxNumberDigits = 18           // of what fits an int64, whatever the digits
	secondsBelow    = 100000000000 // a timestamp below is in seconds (Bank's rule)
)

// digits reads a number without sign, of limit digits at most.
func digits(text string, limit int) (int64, bool) {
	if len(text) == 0 || len(text) > limit {
		return 0, false
	}
	n := int64(0)
	for i := 0; i < len(text); i++ {
		d := text[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}

// number reads an id, 0 if there is none.
func (p *parser) number(c column) int64 {
	text := p.text(c)
	if text == "" {
		return 0
	}
	n, ok := digits(text, maxNumberDigits)
	if !ok || n == 0 {
		p.fail(c, ReasonInvalid, "%s is no id: a number above zero", shown(text))
	}
	return n
}

// date reads YYYYMMDD, 0 if there is none. Whether there is such a day is the server's to say.
func (p *parser) date(c column) int32 {
	text := p.text(c)
	if text == "" {
		return 0
	}
	n, ok := digits(text, 8)
	if !ok || len(text) != 8 || n == 0 {
		p.fail(c, ReasonInvalid, "%s is no date: YYYYMMDD", shown(text))
	}
	return int32(n)
}

// timestamp reads milliseconds or seconds since 1970.
func (p *parser) timestamp(c column, to *timestamppb.Timestamp) {
	text := p.text(c)
	n, ok := digits(text, maxNumberDigits)
	switch {
	case text == "":
		p.fail(c, ReasonMissing, "a trade needs its execution time")
	case !ok:
		p.fail(c, ReasonInvalid, "%s is no time: milliseconds since 1970-01-01 UTC", shown(text))
	case n < secondsBelow:
		to.Seconds, to.Nanos = n, 0
	default:
		to.Seconds, to.Nanos = n/1000, int32(n%1000)*1e6
	}
}

// flag reads true or false, in any case; nothing is false.
func (p *parser) flag(c column) bool {
	text := p.text(c)
	switch {
	case text == "" || text == "false":
		return false
	case text == "true" || strings.EqualFold(text, "true"):
		return true
	case !strings.EqualFold(text, "false"):
		p.fail(c, ReasonInvalid, "%s is neither true nor false", shown(text))
	}
	return false
}

// renamed gives the field of a column that once had another name.
func (p *parser) renamed(now, before column) string {
	value, old := p.text(now), p.text(before)
	if value == "" {
		return old
	}
	if old != "" && old != value {
		p.fail(now, ReasonInvalid, "is %s, and %s under its old name %s", shown(value), shown(old), columnNames[before])
	}
	return value
}
