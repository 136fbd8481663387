package ledger

import "time"

// Direction is the side of a trade as seen from the account that it is booked to.
type Direction string

// The directions.
const (
	Buy  Direction = "buy"
	Sell Direction = "sell"
)

// The kinds of trade (bank-api, section 2).
const (
	KindExchangeTrade   Kind = "trade.exchange"
	KindBilateralTrade  Kind = "trade.bilateral"
	KindAwayTrade       Kind = "trade.away"
	KindAllocationTrade Kind = "trade.allocation"
	KindTransferTrade   Kind = "trade.transfer"
)

// Trade is an execution, an allocation or a transfer, as it was booked.
type Trade struct {
	ExecutedAt    time.Time // UTC, to the millisecond
	ClientTradeID string
	Account       AccountRef
	Direction     Direction
	Short         bool   // a short sale; sells only
	Effect        string // "open", "close" or ""
	Quantity      Amount // > 0
	Price         Amount // >= 0, in Currency for one unit
	Instrument    Identifier
	Currency      string // settlement currency, ISO 4217; the instrument's, else USD, when left out

	Capacity          string     // agency, principal, mixed, riskless_principal; exchange, bilateral and away trades
	MIC               string     // market; exchange trades
	ExecMPID          string     // executing party; exchange, bilateral and away trades
	ContraMPID        string     // the other party; bilateral and away trades
	ContraClearingNum string     // the other party's clearing number; bilateral trades
	Target            AccountRef // the other account; allocations and transfers

	Commission Amount // charged to Account on top
	OmitSEC    bool   // no SEC fee on this sale
	OmitTAF    bool   // no TAF on this sale
	Accrued    Amount // accrued interest that the buyer pays on top
	OrderID    string

	// What the ledger worked out when it booked the trade.
	Kind   Kind   // how it was booked
	Gross  Amount // quantity x price
	SECFee Amount
	TAFFee Amount
	Net    Amount // the account's cash, signed
}

// tradeShape says what a kind of trade needs.
type tradeShape struct{ street, mic, contra, clearing, target bool }

func shapeOf(k Kind) (shape tradeShape, isTrade bool) {
	switch k {
	case KindExchangeTrade:
		return tradeShape{street: true, mic: true}, true
	case KindBilateralTrade:
		return tradeShape{street: true, contra: true, clearing: true}, true
	case KindAwayTrade:
		return tradeShape{street: true, contra: true}, true
	case KindAllocationTrade, KindTransferTrade:
		return tradeShape{target: true}, true
	}
	return tradeShape{}, false
}

// IsTrade reports whether the kind books a trade.
func (k Kind) IsTrade() bool { _, ok := shapeOf(k); return ok }

// normalizeTrade fills in defaults and checks the form of each field, in the order of the contract's table; then it works out the
// trade's cash.
func normalizeTrade(kind Kind, day Date, t *Trade) *Rejection {
	shape, _ := shapeOf(kind)
	if t.ExecutedAt.IsZero() {
		return Reject(ReasonMissing, "trade.executed_at", "a trade needs its execution time")
	}
	t.ExecutedAt = t.ExecutedAt.UTC().Truncate(time.Millisecond)
	if y := t.ExecutedAt.Year(); y < 1970 || y > 9999 {
		return Reject(ReasonInvalid, "trade.executed_at", "the year %d is out of bounds", y)
	}
	if rej := checkText("trade.client_trade_id", t.ClientTradeID, MaxKeyBytes); rej != nil {
		return rej
	}
	if t.Account.IsZero() {
		return Reject(ReasonMissing, "trade.account", "a trade needs its account")
	}
	if t.Quantity.Sign() <= 0 {
		return Reject(ReasonInvalid, "trade.quantity", "%s is not above zero", t.Quantity)
	}
	if t.Price.Sign() < 0 {
		return Reject(ReasonInvalid, "trade.price", "%s is below zero", t.Price)
	}
	if rej := t.Instrument.check("trade.instrument"); rej != nil {
		return rej
	}
	if t.Instrument.Type == ISO {
		return Reject(ReasonInvalid, "trade.instrument.type", "a currency can't be traded as a security")
	}
	if t.Currency == "" {
		t.Currency = t.Instrument.Currency
	}
	if t.Currency == "" {
		t.Currency = "USD"
	}
	t.Instrument = t.Instrument.key()
	if rej := checkCurrency("trade.currency", t.Currency); rej != nil {
		return rej
	}
	if rej := t.checkSide(); rej != nil {
		return rej
	}
	if rej := t.checkParties(shape); rej != nil {
		return rej
	}
	for _, a := range [...]struct {
		field  string
		amount Amount
	}{{"trade.quantity", t.Quantity}, {"trade.price", t.Price}, {"trade.commission", t.Commission}, {"trade.accrued", t.Accrued}} {
		if !a.amount.InRange() {
			return rejectAmount(a.field, ErrAmountRange)
		}
	}
	if rej := checkText("trade.order_id", t.OrderID, MaxNameBytes); rej != nil {
		return rej
	}
	return t.price(day, shape)
}

func (t *Trade) checkSide() *Rejection {
	switch t.Direction {
	case Buy, Sell:
	case "":
		return Reject(ReasonMissing, "trade.direction", "a trade needs its direction: buy or sell")
	default:
		return Reject(ReasonInvalid, "trade.direction", "%q is neither buy nor sell", t.Direction)
	}
	if t.Short && t.Direction != Sell {
		return Reject(ReasonInvalid, "trade.short", "only a sale can be short")
	}
	switch t.Effect {
	case "", "open", "close":
		return nil
	}
	return Reject(ReasonInvalid, "trade.effect", "%q is neither open nor close", t.Effect)
}

func (t *Trade) checkParties(shape tradeShape) *Rejection {
	switch t.Capacity {
	case "agency", "principal", "mixed", "riskless_principal":
	case "":
		if shape.street {
			return Reject(ReasonMissing, "trade.capacity", "needed: agency, principal, mixed or riskless_principal")
		}
	default:
		return Reject(ReasonInvalid, "trade.capacity", "%q is none of agency, principal, mixed, riskless_principal", t.Capacity)
	}
	for _, p := range [...]struct {
		field, value string
		needed       bool
	}{
		{"trade.mic", t.MIC, shape.mic}, {"trade.exec_mpid", t.ExecMPID, shape.street}, {"trade.contra_mpid", t.ContraMPID, shape.contra},
		{"trade.contra_clearing_num", t.ContraClearingNum, shape.clearing},
	} {
		if p.value == "" && p.needed {
			return Reject(ReasonMissing, p.field, "this kind of trade needs it")
		}
		if p.value != "" && !madeOf(p.value, 1, MaxMPIDBytes, letters|digits, "") {
			return Reject(ReasonInvalid, p.field, "%q is not 1 to %d letters and digits", p.value, MaxMPIDBytes)
		}
	}
	if !shape.target {
		return nil
	}
	if t.Target.IsZero() {
		return Reject(ReasonMissing, "trade.target", "an allocation or transfer needs the other account")
	}
	if t.Target == t.Account {
		return Reject(ReasonInvalid, "trade.target", "is the same account")
	}
	return nil
}
