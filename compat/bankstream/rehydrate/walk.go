package rehydrate

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// How a field is written: the lower bits of the tag before it. Above them is its number.
const (
	number = uint64(protowire.VarintType)
	sized  = uint64(protowire.BytesType)
)

// walk goes through a value of protobuf once. When something is not as expected it has failed for good, and is at its end.
type walk struct {
	value  []byte
	text   string // the same
	at     int
	end    int // of the message that it is in
	failed bool
}

func (w *walk) fail() { w.failed, w.at = true, len(w.value) }

// once fails unless something is so: mostly, that a field comes for the first time. (Of a message that comes again, protobuf makes one of both.)
func (w *walk) once(ok bool) {
	if !ok {
		w.fail()
	}
}

func (w *walk) more() bool { return w.at < w.end }

// number reads a varint.
func (w *walk) number() uint64 {
	if w.at < w.end && w.value[w.at] < 0x80 {
		w.at++
		return uint64(w.value[w.at-1])
	}
	return w.long()
}

func (w *walk) long() uint64 {
	if w.at >= w.end {
		w.fail()
		return 0
	}
	n, size := protowire.ConsumeVarint(w.value[w.at:w.end])
	if size < 0 {
		w.fail()
		return 0
	}
	w.at += size
	return n
}

// tag reads what is before a field; 0, which is none, when it has failed.
func (w *walk) tag() uint64 { return w.number() }

// size reads how long a field is, which is all there.
func (w *walk) size() int {
	n := w.number()
	if w.failed || n > uint64(w.end-w.at) {
		w.fail()
		return 0
	}
	return int(n)
}

// into goes into a message, and gives where the one that it is in ends.
func (w *walk) into() (outer int) {
	outer = w.end
	if n := w.size(); !w.failed {
		w.end = w.at + n
	}
	return outer
}

func (w *walk) bytes() []byte {
	n := w.size()
	if w.failed {
		return nil
	}
	from := w.at
	w.at += n
	return w.value[from:w.at:w.at]
}

func (w *walk) string() string {
	n := w.size()
	if w.failed {
		return ""
	}
	s := w.text[w.at : w.at+n]
	w.at += n
	if !utf8.ValidString(s) {
		w.fail()
	}
	return s
}

func (w *walk) moment(to *timestamppb.Timestamp) *timestamppb.Timestamp {
	*to = timestamppb.Timestamp{}
	outer := w.into()
	for w.more() {
		switch w.tag() {
		case 1<<3 | number:
			to.Seconds = int64(w.number())
		case 2<<3 | number:
			to.Nanos = int32(w.number())
		default:
			w.fail()
		}
	}
	w.end = outer
	return to
}

func (w *walk) account(to *bkv1.AccountRef) *bkv1.AccountRef {
	*to = bkv1.AccountRef{}
	outer := w.into()
	for w.more() {
		switch w.tag() {
		case 1<<3 | number:
			to.Id = int64(w.number())
		case 2<<3 | sized:
			to.Code = w.string()
		default:
			w.fail()
		}
	}
	w.end = outer
	return to
}
