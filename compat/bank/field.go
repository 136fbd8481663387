package bank

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of fields (contract, section 2; where it is silent, a bound that both systems keep).
const (
	MaxTrades     = 1000          // in one call
	MaxTextLength = 256           // characters of ids and names
	MaxCodeLength = 10            // characters of mic, exec_mpid, contra_mpid
	MaxSymbol     = 32            // characters of instrument.identifier
	MaxKeptBytes  = 32 << 10      // of a trade's fields that are kept as given, together
	MaxAccountID  = ID(1<<40 - 1) // entity ids too
	MinDate       = Date(20010101)
	MaxDate       = Date(21000101)

	secondsBelow = 100_000_000_000     // a timestamp below is in seconds
	maxTimestamp = 253_402_300_799_999 // the last millisecond of the year 9999
)

// reader reads the fields of one object after the other and keeps the first fault: what is read in the order of precedence is answered in it.
type reader struct {
	fault   string // "" while there is none
	members []member
}

func (r *reader) fail(path, format string, args ...any) {
	if r.fault == "" {
		r.fault = path + ": " + fmt.Sprintf(format, args...)
	}
}

// object is one whose fields are being read. Its fields are looked up by name, case and all; of those nobody asks for nothing is known.
type object struct {
	*reader
	path, name string // where it is: name, or path and name
	members    []member
	places     [marks]uint8 // by the mark of a name: 0 if there is none such, the member's place from 1 on, or many
}

// many stands for members whose names have one mark, and for places that a byte does not hold.
const many = 255

// open gives the object that raw is; none, if raw is "".
func (r *reader) open(path, name, raw string) object {
	o := object{reader: r, path: path, name: name}
	if raw == "" {
		return o
	}
	if raw[0] != '{' {
		r.fail(joined(path, name), "must be an object")
		return o
	}
	from := len(r.members)
	r.members = members(r.members, raw)
	o.have(r.members[from:])
	return o
}

// have gives the object its members.
func (o *object) have(members []member) {
	o.members = members
	for i := range members {
		if place := &o.places[markOf(members[i].name)]; *place == 0 && i+1 < many {
			*place = uint8(i + 1)
		} else {
			*place = many
		}
	}
}

// find gives the value of the member of a name, "" if there is none.
func (o *object) find(name string) (value string, twice bool) {
	switch place := o.places[markOf(name)]; place {
	case 0:
	case many:
		found := false
		for i := range o.members {
			if o.members[i].name == name {
				if found {
					return "", true
				}
				value, found = o.members[i].value, true
			}
		}
	default:
		if m := &o.members[place-1]; m.name == name {
			return m.value, false
		}
	}
	return value, false
}

// joined gives the path of a field; it is only asked for when there is a fault in it.
func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (o *object) fail(name, format string, args ...any) {
	if o.fault == "" {
		o.reader.fail(joined(joined(o.path, o.name), name), format, args...)
	}
}

// raw gives the field's value, "" where it is left out or null.
func (o *object) raw(name string, needed bool) string {
	value, twice := o.find(name)
	if twice {
		o.fail(name, "given twice")
		return ""
	}
	if value != "" {
		return value
	}
	if needed {
		o.fail(name, "missing")
	}
	return ""
}

// object gives the object in a field.
func (o *object) object(name string, needed bool) object {
	return o.open(o.name, name, o.raw(name, needed)) // nothing asked for lies deeper
}

// text reads a string of least to most characters; "" where it is left out.
func (o *object) text(name string, needed bool, least, most int) string {
	raw := o.raw(name, needed)
	if raw == "" {
		return ""
	}
	if raw[0] != '"' {
		o.fail(name, "must be a string")
		return ""
	}
	text, ok := unquote(raw)
	switch {
	case !ok:
		o.fail(name, "half a character (a lone surrogate)")
	case strings.IndexByte(text, 0) >= 0:
		o.fail(name, "must not hold a NUL character")
	case len(text) < least || len(text) > most && utf8.RuneCountInString(text) > most:
		o.fail(name, "must have %d to %d characters", least, most)
	default:
		return text
	}
	return ""
}

// oneOf reads one of some words.
func (o *object) oneOf(name string, needed bool, words ...string) string {
	raw := o.raw(name, needed)
	if raw == "" {
		return ""
	}
	if raw[0] == '"' {
		text, _ := unquote(raw)
		for _, word := range words {
			if text == word {
				return word
			}
		}
	}
	o.fail(name, "must be one of %s", strings.Join(words, ", "))
	return ""
}

// madeOf reads a string of least to most characters out of some.
func (o *object) madeOf(name string, needed bool, least, most int, what string, allowed func(byte) bool) string {
	text := o.text(name, needed, 0, MaxTextLength)
	if text == "" && (!needed && o.raw(name, false) == "" || o.fault != "") {
		return ""
	}
	ok := len(text) >= least && len(text) <= most
	for i := 0; ok && i < len(text); i++ {
		ok = allowed(text[i])
	}
	if !ok {
		o.fail(name, "must be %s", what)
		return ""
	}
	return text
}

func capital(c byte) bool { return 'A' <= c && c <= 'Z' }

func inSymbol(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("./ _-", c) >= 0
}

func (o *object) currency(name string, needed bool) string {
	return o.madeOf(name, needed, 3, 3, "a currency of 3 capitals", capital)
}

// decimal reads a decimal string; 0, and not given, where it is left out.
func (o *object) decimal(name string, needed bool) (d Decimal, given bool) {
	raw := o.raw(name, needed)
	if raw == "" {
		return Decimal{}, false
	}
	if raw[0] != '"' {
		o.fail(name, "must be a decimal string")
		return Decimal{}, false
	}
	text, _ := unquote(raw)
	d, err := ParseDecimal(text)
	if err != nil {
		o.fail(name, "%v", err)
	}
	return d, err == nil
}

// id reads a number or a string of digits, from 1 to most; 0 where it is left out.
func (o *object) id(name string, needed bool, most ID) ID {
	raw := o.raw(name, needed)
	if raw == "" {
		return 0
	}
	digits := raw
	if raw[0] == '"' {
		digits, _ = unquote(raw)
	}
	id, err := ParseID(digits)
	if err != nil {
		o.fail(name, "must be a number or a string of digits")
		return 0
	}
	if id < 1 || id > most {
		o.fail(name, "must be 1 to %d", most)
		return 0
	}
	return id
}

// integer reads a number without point or exponent.
func (o *object) integer(name string, needed bool, least, most int64) (number int64, given bool) {
	raw := o.raw(name, needed)
	if raw == "" {
		return 0, false
	}
	number, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		o.fail(name, "must be an integer")
		return 0, false
	}
	if number < least || number > most {
		o.fail(name, "must be %d to %d", least, most)
		return 0, false
	}
	return number, true
}

// flag reads true or false; false where it is left out.
func (o *object) flag(name string) bool {
	raw := o.raw(name, false)
	if raw != "" && raw != "true" && raw != "false" {
		o.fail(name, "must be true or false")
	}
	return raw == "true"
}

// date reads a real day; 0 where it is left out.
func (o *object) date(name string, needed bool, least, most Date) Date {
	number, given := o.integer(name, needed, 0, int64(WhenIssued))
	if !given {
		return 0
	}
	date := Date(number)
	if !date.Real() {
		o.fail(name, "%d is no day", number)
		return 0
	}
	if date < least || date > most {
		o.fail(name, "must be %d to %d", least, most)
		return 0
	}
	return date
}

// timestamp reads milliseconds, or seconds; see appendTimestamp.
func (o *object) timestamp(name string, needed bool) int64 {
	number, _ := o.integer(name, needed, 0, maxTimestamp)
	return milliseconds(number)
}

// milliseconds gives what a timestamp of a request says.
func milliseconds(asGiven int64) int64 {
	if 0 <= asGiven && asGiven < secondsBelow {
		return asGiven * 1000
	}
	return asGiven
}

// kept reads a field that is kept as it is given.
func (o *object) kept(name string, budget *int) json.RawMessage {
	raw := o.raw(name, false)
	if raw == "" {
		return nil
	}
	if len(raw) > 6*MaxKeptBytes { // even if all of it were escapes and space
		o.fail(name, "more than %d bytes are kept of a trade", MaxKeptBytes)
		return nil
	}
	compact, ok := appendCompact(make([]byte, 0, len(raw)), raw)
	if !ok {
		o.fail(name, "half a character (a lone surrogate)")
		return nil
	}
	if *budget -= len(compact); *budget < 0 {
		o.fail(name, "more than %d bytes are kept of a trade", MaxKeptBytes)
		return nil
	}
	return compact
}

// Real tells whether it is a day of the calendar.
func (d Date) Real() bool {
	year, month, day := int(d/10000), time.Month(d/100%100), int(d%100)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 31 {
		return false
	}
	return day <= 28 || time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Day() == day
}
