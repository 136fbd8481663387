package wire

import (
	"slices"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// Entry converts an entry of the journal. The message shares the entry's maps: neither may be changed.
func Entry(e *ledger.Entry) *bkv1.Entry {
	out := &bkv1.Entry{
		Id: int64(e.ID), Shard: int32(e.ID.Shard()), Sequence: int64(e.ID.Seq()), Epoch: e.Epoch, BookedAt: timestamp(e.BookedAt),
		Kind: string(e.Kind), Key: e.Key, Source: e.Source,
		TradeDate: int32(e.TradeDate), SettleDate: int32(e.SettleDate), EffectiveDate: int32(e.EffectiveDate),
		Fields: e.Fields, Metadata: e.Metadata, Hash: slices.Clone(e.Hash[:]), Content: slices.Clone(e.Content[:]),
	}
	if e.Links != (ledger.Links{}) {
		out.Links = &bkv1.Links{
			Trade: int64(e.Links.Trade), Reverses: int64(e.Links.Reverses),
			Corrects: int64(e.Links.Corrects), ReplacedBy: int64(e.Links.ReplacedBy), Root: int64(e.Links.Root),
		}
	}
	if len(e.Postings) > 0 {
		postings := make([]bkv1.Posting, len(e.Postings))
		out.Postings = make([]*bkv1.Posting, len(e.Postings))
		for i, p := range e.Postings {
			to := &postings[i]
			to.Account, to.Instrument, to.Bucket, to.Quantity = p.Account, p.Instrument, buckets.from(p.Bucket), p.Quantity.String()
			out.Postings[i] = to
		}
	}
	if e.Trade != nil {
		out.Trade = record(e)
	}
	if e.Account != nil {
		out.Account = Account(*e.Account)
	}
	if e.Define != nil {
		out.Instrument = Instrument(*e.Define)
	}
	if e.Day != nil {
		out.Day = day(e.Day)
	}
	return out
}

// EntryFrom is the inverse of [Entry]; a message that no entry gave is a rejection.
func EntryFrom(e *bkv1.Entry) (*ledger.Entry, *ledger.Rejection) {
	out := &ledger.Entry{
		ID: ledger.ID(e.GetId()), Epoch: e.GetEpoch(), Kind: ledger.Kind(e.GetKind()), Key: e.GetKey(), Source: e.GetSource(),
		TradeDate: ledger.Date(e.GetTradeDate()), SettleDate: ledger.Date(e.GetSettleDate()), EffectiveDate: ledger.Date(e.GetEffectiveDate()),
		Links: ledger.Links{
			Trade: ledger.ID(e.GetLinks().GetTrade()), Reverses: ledger.ID(e.GetLinks().GetReverses()),
			Corrects: ledger.ID(e.GetLinks().GetCorrects()), ReplacedBy: ledger.ID(e.GetLinks().GetReplacedBy()),
			Root: ledger.ID(e.GetLinks().GetRoot()),
		},
		Fields: e.GetFields(), Metadata: e.GetMetadata(),
	}
	if len(e.GetHash()) != len(out.Hash) {
		return nil, ledger.Reject(ledger.ReasonInvalid, "hash", "%d bytes instead of %d", len(e.GetHash()), len(out.Hash))
	}
	if len(e.GetContent()) != len(out.Content) {
		return nil, ledger.Reject(ledger.ReasonInvalid, "content", "%d bytes instead of %d", len(e.GetContent()), len(out.Content))
	}
	copy(out.Hash[:], e.Hash)
	copy(out.Content[:], e.Content)
	if out.ID <= 0 || int32(out.ID.Shard()) != e.Shard || int64(out.ID.Seq()) != e.Sequence {
		return nil, ledger.Reject(ledger.ReasonInvalid, "id", "%d is not shard %d, sequence %d", e.Id, e.Shard, e.Sequence)
	}
	var rej *ledger.Rejection
	if out.BookedAt, rej = moment("booked_at", e.BookedAt); rej != nil {
		return nil, rej
	}
	if len(e.Postings) > 0 {
		out.Postings = make([]ledger.Posting, len(e.Postings))
	}
	for i, p := range e.Postings {
		field := indexed("postings", i)
		to := &out.Postings[i]
		to.Account, to.Instrument = p.GetAccount(), p.GetInstrument()
		if to.Bucket, rej = buckets.to(field+".bucket", p.GetBucket()); rej != nil {
			return nil, rej
		}
		if to.Quantity, rej = Amount(field+".quantity", p.GetQuantity()); rej != nil {
			return nil, rej
		}
	}
	if e.Trade != nil {
		if out.Trade, rej = recordFrom(e.Trade); rej != nil {
			return nil, rej
		}
		if out.State, rej = tradeStates.to("trade.state", e.Trade.State); rej != nil {
			return nil, rej
		}
	}
	if e.Account != nil {
		if out.Account, rej = AccountFrom(e.Account); rej != nil {
			return nil, rej
		}
	}
	if e.Instrument != nil {
		if out.Define, rej = InstrumentFrom(e.Instrument); rej != nil {
			return nil, rej
		}
	}
	if e.Day != nil {
		if out.Day, rej = dayFrom(e.Day); rej != nil {
			return nil, rej
		}
	}
	return out, nil
}
