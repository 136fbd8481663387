package api

import (
	"testing"

	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

func FuzzPageToken(f *testing.F) {
	list := listOf("entries", int64(7), "trade.exchange")
	f.Add(pageToken(list, 42, 3))
	f.Add("")
	f.Add("MSAxIDIgMw")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := pageFrom(list, token)
		if err != nil {
			if rej := ledger.AsRejection(err); rej == nil || rej.Field != "page_token" {
				t.Errorf("%q: %v", token, err)
			}
			return
		}
		if token != "" && token != pageToken(list, p.a, p.b) {
			t.Errorf("%q is taken for %q", token, pageToken(list, p.a, p.b))
		}
	})
}

// FuzzDecode: whatever comes in, a codec gives a message without a mark, or one whose mark becomes an error that is the caller's fault.
func FuzzDecode(f *testing.F) {
	good, err := proto.Marshal(&bkv1.BookTradeRequest{Key: "k", Trade: &bkv1.Trade{Price: "1"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, false)
	f.Add([]byte(`{"key": "k", "trade": {"price": "1"}}`), true)
	f.Add([]byte(`{"key"`), true)
	f.Add([]byte("\xfa\xff\xff\xff\x0f\x01\x01"), false)
	const limit = 4 << 10
	codecs := newCodecs(limit)
	checker, err := newChecker()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, asJSON bool) {
		codec := codecs[0]
		if asJSON {
			codec = codecs[1]
		}
		var m bkv1.BookTradeRequest
		if err := codec.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		err := marked(&m, limit)
		if len(data) > limit && err == nil {
			t.Errorf("%d bytes are taken", len(data))
		}
		if err == nil {
			err = checker.check(&m)
		}
		if v := (&errorMapper{}).judge(t.Context(), "fuzz", errOr(err)); v.detail.Reason == reasonInternal || v.detail.Message == "" {
			t.Errorf("%v became %v", err, v)
		}
	})
}

// errOr gives some rejection in place of no error.
func errOr(err error) error {
	if err == nil {
		return ledger.Reject(ledger.ReasonInvalid, "key", "accepted")
	}
	return err
}
