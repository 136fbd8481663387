package bankmap

import (
	"strconv"
	"strings"

	"github.com/bkledger/bk/compat/bank"
)

// OriginKind says what an [Origin] is about.
type OriginKind string

// The kinds of origin.
const (
	OriginTrade  OriginKind = "trade"  // a booking
	OriginCancel OriginKind = "cancel" // the cancel of a trade
	OriginCash   OriginKind = "cash"   // a cash movement
)

// Origin says that Bank decided first what a command asks for: under which id, and when. It is the command's source, and that of all entries that come of
// it.
type Origin struct {
	Kind OriginKind
	ID   bank.ID // of the trade, or of the cash movement
	At   int64   // when it was booked or cancelled, milliseconds; 0: not said
}

const originPrefix = "bank:"

// String gives the source, such as bank:trade/812@1381132800464.
func (o Origin) String() string { return string(o.append(make([]byte, 0, 64))) }

func (o Origin) append(to []byte) []byte {
	to = append(append(append(to, originPrefix...), o.Kind...), '/')
	to = append(strconv.AppendInt(to, int64(o.ID), 10), '@')
	return strconv.AppendInt(to, o.At, 10)
}

// ParseOrigin reads what [Origin.String] gave; of any other source it says that it is none.
func ParseOrigin(source string) (o Origin, ok bool) {
	text, ok := strings.CutPrefix(source, originPrefix)
	if !ok {
		return Origin{}, false
	}
	kind, text, ok := strings.Cut(text, "/")
	if !ok {
		return Origin{}, false
	}
	switch o.Kind = OriginKind(kind); o.Kind {
	case OriginTrade, OriginCancel, OriginCash:
	default:
		return Origin{}, false
	}
	id, at, ok := strings.Cut(text, "@")
	if !ok {
		return Origin{}, false
	}
	var err error
	if o.ID, err = bank.ParseID(id); err != nil || o.ID == 0 {
		return Origin{}, false
	}
	if o.At, err = strconv.ParseInt(at, 10, 64); err != nil {
		return Origin{}, false
	}
	var room [64]byte
	if string(o.append(room[:0])) != source {
		return Origin{}, false
	}
	return o, true
}
