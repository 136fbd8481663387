package api

import (
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/bkledger/bk/ledger"
)

// Connect decodes messages before any interceptor sees the call, and makes an error of its own of what can't be decoded, without a
// detail. So these codecs never fail: they leave a mark in the message, as an unknown field, and the interceptor turns the mark
// into an error like all others. A caller that sends the mark itself gets just that error.

// markField is the number of the unknown field: the last that protobuf has.
const markField = protowire.Number(1<<29 - 1)

const (
	markMalformed = 1
	markTooLarge  = 2
)

func newCodecs(limit int) []connect.Codec {
	return []connect.Codec{
		&binaryCodec{limit: limit},
		&jsonCodec{name: "json", limit: limit}, &jsonCodec{name: "json; charset=utf-8", limit: limit},
	}
}

// binaryCodec is protobuf's binary encoding. Unknown fields are kept and ignored, as protobuf's evolution rules want it.
type binaryCodec struct{ limit int }

func (*binaryCodec) Name() string   { return "proto" }
func (*binaryCodec) IsBinary() bool { return true }

func (c *binaryCodec) Marshal(message any) ([]byte, error) { return c.MarshalAppend(nil, message) }

func (*binaryCodec) MarshalAppend(dst []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no protobuf message", message)
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, m)
}

func (*binaryCodec) MarshalStable(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no protobuf message", message)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func (c *binaryCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no protobuf message", message)
	}
	if len(data) > c.limit {
		return mark(m, markTooLarge, "")
	}
	if err := proto.Unmarshal(data, m); err != nil {
		return mark(m, markMalformed, "not protobuf of this message: "+err.Error())
	}
	return nil
}

// jsonCodec is protobuf's JSON with the names of the proto files. Unknown fields are errors: a misspelled settle_date must not be lost.
type jsonCodec struct {
	name  string
	limit int
}

func (c *jsonCodec) Name() string { return c.name }
func (*jsonCodec) IsBinary() bool { return false }

func (c *jsonCodec) Marshal(message any) ([]byte, error) { return c.MarshalAppend(nil, message) }

func (*jsonCodec) MarshalAppend(dst []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no protobuf message", message)
	}
	return protojson.MarshalOptions{UseProtoNames: true}.MarshalAppend(dst, m)
}

func (c *jsonCodec) MarshalStable(message any) ([]byte, error) { return c.Marshal(message) }

func (c *jsonCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no protobuf message", message)
	}
	if len(data) > c.limit {
		return mark(m, markTooLarge, "")
	}
	if len(data) == 0 {
		return mark(m, markMalformed, "not JSON: the body is empty")
	}
	if err := protojson.Unmarshal(data, m); err != nil {
		return mark(m, markMalformed, "not JSON of this message: "+err.Error())
	}
	return nil
}

// mark empties the message and leaves the mark in it. It gives nil, the codecs' answer.
func mark(m proto.Message, what uint64, text string) error {
	proto.Reset(m)
	b := protowire.AppendTag(nil, markField, protowire.BytesType)
	b = protowire.AppendBytes(b, append(protowire.AppendVarint(nil, what), text...))
	m.ProtoReflect().SetUnknown(b)
	return nil
}

// marked gives the error that a codec left in the message, or nil.
func marked(message any, limit int) error {
	m, ok := message.(proto.Message)
	if !ok {
		return nil
	}
	b := m.ProtoReflect().GetUnknown()
	if len(b) == 0 {
		return nil
	}
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 || number != markField || kind != protowire.BytesType {
		return nil
	}
	value, n := protowire.ConsumeBytes(b[n:])
	if n < 0 {
		return nil
	}
	what, n := protowire.ConsumeVarint(value)
	switch {
	case n < 0:
		return nil
	case what == markTooLarge:
		return &messageTooLarge{size: int64(limit) + 1, limit: int64(limit)}
	case what == markMalformed:
		return &ledger.Rejection{Reason: ledger.ReasonMalformed, Message: "can't be read: " + printable(string(value[n:]))}
	}
	return nil
}

// printable cuts a decoder's text to what an error can carry.
func printable(text string) string {
	const most = 300
	if len(text) > most {
		text = text[:most] + "…"
	}
	clean := make([]rune, 0, len(text))
	for _, r := range text {
		switch {
		case r == '\u00a0': // protobuf's errors have these, so that nobody relies on them
			r = ' '
		case r < ' ', r == '\ufffd':
			r = '?'
		}
		clean = append(clean, r)
	}
	return string(clean)
}
