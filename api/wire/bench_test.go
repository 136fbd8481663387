package wire_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
)

// What a command costs on its way in: decoding, the declared rules (single requests and refused commands only), conversion.

func BenchmarkDecode(b *testing.B) {
	raw, err := proto.Marshal(tradeCommand())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var c bkv1.Command
		if err := proto.Unmarshal(raw, &c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeclaredRules(b *testing.B) {
	validator, c := newValidator(b), tradeCommand()
	b.ReportAllocs()
	for b.Loop() {
		if err := validator.Validate(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	c := tradeCommand()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, rej := wire.Command(c); rej != nil {
			b.Fatal(rej)
		}
	}
}
