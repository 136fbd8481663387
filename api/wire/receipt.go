package wire

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// Receipt tells where an entry is in the journal; what came of its command is there up to the sequence number upTo.
func Receipt(e *ledger.Entry, upTo uint64, repeat bool) *bkv1.Receipt {
	token := ledger.Token{Shard: e.ID.Shard(), Seq: upTo}
	return &bkv1.Receipt{
		EntryId: int64(e.ID), TradeId: int64(e.Links.Trade), Token: token.String(), BookedAt: timestamp(e.BookedAt), Repeat: repeat,
	}
}

// Token gives the place of an entry, "" for one that has none (the repeat of a definition).
func Token(e *ledger.Entry) string {
	if e.ID == 0 {
		return ""
	}
	return ledger.Token{Shard: e.ID.Shard(), Seq: e.ID.Seq()}.String()
}

// ErrorDetail converts a rejection.
func ErrorDetail(rej *ledger.Rejection) *bkv1.ErrorDetail {
	return &bkv1.ErrorDetail{Reason: string(rej.Reason), Field: rej.Field, Message: rej.Message}
}
