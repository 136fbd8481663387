package wire_test

import (
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"time"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
)

func cmd() *bkv1.Command {
	return &bkv1.Command{Key: "cust:100018/123456789", TradeDate: 20131007, Command: &bkv1.Command_Trade{Trade: &bkv1.Trade{
		Type: bkv1.TradeType_TRADE_TYPE_EXCHANGE, ExecutedAt: timestamppb.New(time.Unix(1381132800, 0)), ClientTradeId: "123456789",
		Account: &bkv1.AccountRef{Id: 100018}, Direction: bkv1.Direction_DIRECTION_BUY, Quantity: "100", Price: "167.41",
		Instrument: &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: "AAPL", Country: "USA", Currency: "USD"},
		Capacity:   bkv1.Capacity_CAPACITY_AGENCY, Mic: "XNYS", ExecMpid: "ABCD", Commission: "1.25",
	}}}
}

func BenchmarkValidate(b *testing.B) {
	v, _ := protovalidate.New(protovalidate.WithMessages(&bkv1.Command{}), protovalidate.WithDisableLazy())
	c := cmd()
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Validate(c); err != nil {
			b.Fatal(err)
		}
	}
}
func BenchmarkUnmarshal(b *testing.B) {
	raw, _ := proto.Marshal(cmd())
	b.ReportAllocs()
	for b.Loop() {
		var c bkv1.Command
		if err := proto.Unmarshal(raw, &c); err != nil {
			b.Fatal(err)
		}
	}
}
func BenchmarkConvert(b *testing.B) {
	c := cmd()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, rej := wire.Command(c); rej != nil {
			b.Fatal(rej)
		}
	}
}
