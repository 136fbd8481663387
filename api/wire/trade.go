package wire

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// trade converts a request's trade; rejections name fields below "trade".
func trade(t *bkv1.Trade) (ledger.Kind, *ledger.Trade, *ledger.Rejection) {
	if t == nil {
		return "", nil, ledger.Reject(ledger.ReasonMissing, "trade", "a trade is needed")
	}
	kind, rej := tradeKinds.to("trade.type", t.Type)
	if rej != nil {
		return "", nil, rej
	}
	if kind == "" {
		return "", nil, ledger.Reject(ledger.ReasonMissing, "trade.type", "a trade needs its type")
	}
	terms, rej := terms(t)
	return kind, terms, rej
}

// terms converts all of a trade but its type.
func terms(t *bkv1.Trade) (*ledger.Trade, *ledger.Rejection) {
	var rej *ledger.Rejection
	out := &ledger.Trade{
		ClientTradeID: t.ClientTradeId, Account: AccountRefFrom(t.Account), Short: t.Short,
		Currency: t.Currency, MIC: t.Mic, ExecMPID: t.ExecMpid, ContraMPID: t.ContraMpid, ContraClearingNum: t.ContraClearingNum,
		Target: AccountRefFrom(t.Target), OmitSEC: t.OmitSec, OmitTAF: t.OmitTaf, OrderID: t.OrderId,
	}
	if rej = checkRef("trade.account", t.Account); rej != nil {
		return nil, rej
	}
	if rej = checkRef("trade.target", t.Target); rej != nil {
		return nil, rej
	}
	if out.ExecutedAt, rej = moment("trade.executed_at", t.ExecutedAt); rej != nil {
		return nil, rej
	}
	if out.Direction, rej = directions.to("trade.direction", t.Direction); rej != nil {
		return nil, rej
	}
	if out.Effect, rej = effects.to("trade.effect", t.Effect); rej != nil {
		return nil, rej
	}
	if out.Capacity, rej = capacities.to("trade.capacity", t.Capacity); rej != nil {
		return nil, rej
	}
	if out.Instrument, rej = IdentifierFrom("trade.instrument", t.Instrument); rej != nil {
		return nil, rej
	}
	if out.Quantity, rej = Amount("trade.quantity", t.Quantity); rej != nil {
		return nil, rej
	}
	if out.Price, rej = Amount("trade.price", t.Price); rej != nil {
		return nil, rej
	}
	if out.Commission, rej = optionalAmount("trade.commission", t.Commission); rej != nil {
		return nil, rej
	}
	if out.Accrued, rej = optionalAmount("trade.accrued", t.Accrued); rej != nil {
		return nil, rej
	}
	return out, nil
}

// Trade converts the terms of a trade, booked as kind.
func Trade(kind ledger.Kind, t *ledger.Trade) *bkv1.Trade {
	out := &bkv1.Trade{
		Type: tradeKinds.from(kind), ExecutedAt: timestamp(t.ExecutedAt), ClientTradeId: t.ClientTradeID, Account: accountRef(t.Account),
		Direction: directions.from(t.Direction), Short: t.Short, Effect: effects.from(t.Effect),
		Quantity: t.Quantity.String(), Price: t.Price.String(), Instrument: Identifier(t.Instrument), Currency: t.Currency,
		Capacity: capacities.from(t.Capacity), Mic: t.MIC, ExecMpid: t.ExecMPID, ContraMpid: t.ContraMPID,
		ContraClearingNum: t.ContraClearingNum, Target: accountRef(t.Target), OmitSec: t.OmitSEC, OmitTaf: t.OmitTAF, OrderId: t.OrderID,
	}
	if !t.Commission.IsZero() {
		out.Commission = t.Commission.String()
	}
	if !t.Accrued.IsZero() {
		out.Accrued = t.Accrued.String()
	}
	return out
}

// record is the trade of an entry as it stood right after it.
func record(e *ledger.Entry) *bkv1.TradeRecord {
	return &bkv1.TradeRecord{
		Id: int64(e.Links.Trade), State: tradeStates.from(e.State), Trade: Trade(e.Trade.Kind, e.Trade),
		Gross: e.Trade.Gross.String(), SecFee: e.Trade.SECFee.String(), TafFee: e.Trade.TAFFee.String(), Net: e.Trade.Net.String(),
		TradeDate: int32(e.TradeDate), SettleDate: int32(e.SettleDate),
		Corrects: int64(e.Links.Corrects), ReplacedBy: int64(e.Links.ReplacedBy),
	}
}

// TradeRecord is a trade as it stands after entries about it, as of an effective date, 0 for all; life is not empty and begins with its booking.
func TradeRecord(life ledger.Life, asOf ledger.Date) *bkv1.TradeRecord {
	r := record(life[0])
	r.State = tradeStates.from(stateOf(life, asOf))
	for _, e := range life[1:] {
		if e.Links.ReplacedBy != 0 {
			r.ReplacedBy = int64(e.Links.ReplacedBy)
		}
	}
	return r
}

// stateOf gives where a trade stands as of a date. A cancel undoes the trade from its beginning, whatever the date; what opened or settled
// it counts from its effective date on.
func stateOf(life ledger.Life, asOf ledger.Date) ledger.TradeState {
	if asOf == 0 || life.State() == ledger.TradeCanceled {
		return life.State()
	}
	state := ledger.TradeNew
	for _, e := range life {
		switch {
		case e.EffectiveDate > asOf:
		case e.Kind == ledger.KindSettle:
			return ledger.TradeSettled
		case e.Kind == ledger.KindTradeOpen, e.Kind.IsTrade() && e.State != ledger.TradeNew:
			state = ledger.TradeOpen
		}
	}
	return state
}

// recordFrom is the inverse of record.
func recordFrom(r *bkv1.TradeRecord) (*ledger.Trade, *ledger.Rejection) {
	if r.GetTrade() == nil {
		return nil, ledger.Reject(ledger.ReasonMissing, "trade.trade", "a trade is needed")
	}
	t, rej := terms(r.Trade)
	if rej != nil {
		return nil, rej.Under("trade")
	}
	if t.Kind, rej = tradeKinds.to("trade.trade.type", r.Trade.Type); rej != nil {
		return nil, rej
	}
	for _, a := range []struct {
		field string
		text  string
		to    *ledger.Amount
	}{
		{"trade.gross", r.Gross, &t.Gross}, {"trade.sec_fee", r.SecFee, &t.SECFee},
		{"trade.taf_fee", r.TafFee, &t.TAFFee}, {"trade.net", r.Net, &t.Net},
	} {
		if *a.to, rej = Amount(a.field, a.text); rej != nil {
			return nil, rej
		}
	}
	return t, nil
}
