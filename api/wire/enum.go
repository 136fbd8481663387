package wire

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// The enums of bk.v1 and what they are in the ledger. Index 0 is the enum's zero value: not given.
var (
	tradeKinds     = enum[bkv1.TradeType, ledger.Kind]{"", ledger.KindExchangeTrade, ledger.KindBilateralTrade, ledger.KindAwayTrade, ledger.KindAllocationTrade, ledger.KindTransferTrade}
	directions     = enum[bkv1.Direction, ledger.Direction]{"", ledger.Buy, ledger.Sell}
	effects        = enum[bkv1.Effect, string]{"", "open", "close"}
	capacities     = enum[bkv1.Capacity, string]{"", "agency", "principal", "mixed", "riskless_principal"}
	tradeStates    = enum[bkv1.TradeState, ledger.TradeState]{"", ledger.TradeNew, ledger.TradeOpen, ledger.TradeSettled, ledger.TradeCanceled}
	buckets        = enum[bkv1.Bucket, ledger.Bucket]{0, ledger.Unsettled, ledger.Settled}
	accountKinds   = enum[bkv1.AccountKind, ledger.AccountKind]{"", ledger.KindCustomer, ledger.KindFirm, ledger.KindStreet, ledger.KindLocation, ledger.KindLiability, ledger.KindControl}
	instrumentKind = enum[bkv1.InstrumentKind, ledger.InstrumentKind]{"", ledger.KindSecurity, ledger.KindCurrency}
	identifiers    = enum[bkv1.IdentifierType, ledger.IdentifierType]{"", ledger.Ticker, ledger.CUSIP, ledger.ISIN, ledger.SEDOL, ledger.ISO}
)

// enum maps a protobuf enum, whose numbers go from 0 without gaps, to the ledger's values.
type enum[E ~int32, V comparable] []V

// to gives the ledger's value, or a rejection for a number that the enum doesn't have.
func (m enum[E, V]) to(field string, e E) (v V, rej *ledger.Rejection) {
	if e < 0 || int(e) >= len(m) {
		return v, ledger.Reject(ledger.ReasonInvalid, field, "%d is none of its values", int32(e))
	}
	return m[e], nil
}

// from gives the enum's value, its zero for what it doesn't have.
func (m enum[E, V]) from(v V) E {
	for i := range m {
		if m[i] == v {
			return E(i)
		}
	}
	return 0
}

// Bucket converts the ledger's bucket.
func Bucket(b ledger.Bucket) bkv1.Bucket { return buckets.from(b) }

// AccountKind converts the ledger's kind of account.
func AccountKind(k ledger.AccountKind) bkv1.AccountKind { return accountKinds.from(k) }

// InstrumentKind converts the ledger's kind of instrument.
func InstrumentKind(k ledger.InstrumentKind) bkv1.InstrumentKind { return instrumentKind.from(k) }

// TradeState converts the ledger's state of a trade.
func TradeState(s ledger.TradeState) bkv1.TradeState { return tradeStates.from(s) }

// TradeStateFrom converts a request's state of a trade; not given is "".
func TradeStateFrom(field string, s bkv1.TradeState) (ledger.TradeState, *ledger.Rejection) {
	return tradeStates.to(field, s)
}

// TradeType converts the kind that a trade was booked as.
func TradeType(k ledger.Kind) bkv1.TradeType { return tradeKinds.from(k) }

// Direction converts the ledger's direction.
func Direction(d ledger.Direction) bkv1.Direction { return directions.from(d) }

// InstrumentKindFrom converts a request's kind of instrument; not given is "".
func InstrumentKindFrom(field string, k bkv1.InstrumentKind) (ledger.InstrumentKind, *ledger.Rejection) {
	return instrumentKind.to(field, k)
}
