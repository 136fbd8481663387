package bank

import (
	"strings"
	"unicode/utf8"
)

// ReadTrades reads the body of POST /trades: malformed_request for what is not a JSON array, malformed_trade for the first fault of the first element
// that has one, too_many_trades for none and for more than [MaxTrades].
func ReadTrades(body []byte) ([]Trade, error) {
	const shortest = 300 // bytes of a usual trade, at least
	text := string(body) // the texts of the trades share it
	if !utf8.ValidString(text) {
		return nil, errUTF8()
	}
	s := scanner{text: text}
	var r reader
	var fault *Error // of the first trade that has one: answered if all of the body is JSON
	if !s.take('[') {
		if err := checkJSON(text); err != nil {
			return nil, err
		}
		return nil, Errorf(MalformedRequest, "the body is not an array of trades")
	}
	trades, count := make([]Trade, 0, min(MaxTrades, len(text)/shortest+1)), 0
	for more := !s.take(']'); more; more = !s.take(']') {
		if count > 0 && !s.take(',') {
			return nil, s.notJSON()
		}
		s.space()
		r.members = r.members[:0]
		isObject, ok := s.at < len(text) && text[s.at] == '{', false
		if isObject {
			r.members, ok = s.object(r.members, 1)
		} else {
			ok = s.value(1)
		}
		if !ok {
			return nil, s.notJSON()
		}
		if count++; count <= MaxTrades {
			trades = append(trades, Trade{})
		}
		if fault != nil {
			continue
		}
		if isObject {
			o := object{reader: &r}
			o.have(r.members)
			o.trade(&trades[len(trades)-1]) // what is beyond the limit is read for its faults, which come first
		} else {
			r.fail("", "must be an object") // null is no trade, too
		}
		if r.fault != "" {
			fault = Errorf(MalformedTrade, "trades[%d]%s", count-1, dotted(r.fault))
		}
	}
	switch s.space(); {
	case s.at < len(text):
		return nil, s.notJSON()
	case fault != nil:
		return nil, fault
	case count == 0 || count > MaxTrades:
		return nil, Errorf(TooManyTrades, "%d trades in one call; 1 to %d are allowed", count, MaxTrades)
	}
	return trades, nil
}

// ReadTrade reads one trade: malformed_trade, whose message begins with the field.
func ReadTrade(text []byte) (Trade, error) {
	body := string(text)
	if err := checkJSON(body); err != nil {
		return Trade{}, err
	}
	s := scanner{text: body}
	var r reader
	var trade Trade
	o := r.open("", "", s.skip())
	o.trade(&trade)
	if r.fault != "" {
		return Trade{}, &Error{Type: MalformedTrade, Message: strings.TrimPrefix(r.fault, ": ")}
	}
	return trade, nil
}

// dotted puts a point before a fault's field.
func dotted(fault string) string {
	if fault[0] == ':' {
		return fault
	}
	return "." + fault
}

// needs says what a type of trade needs besides what all do, and whether it has another account.
type needs struct{ capacity, mic, execMPID, contraMPID, contraNum, target bool }

func needsOf(tradeType string) needs {
	switch tradeType {
	case ExchangeTrade:
		return needs{capacity: true, mic: true, execMPID: true}
	case BilateralTrade:
		return needs{capacity: true, execMPID: true, contraMPID: true, contraNum: true}
	case AwayTrade:
		return needs{capacity: true, execMPID: true, contraMPID: true}
	case AllocationTrade, TransferTrade:
		return needs{target: true}
	}
	return needs{}
}

// TwoAccounts tells whether the type has a target account.
func TwoAccounts(tradeType string) bool { return needsOf(tradeType).target }

// trade reads a trade's fields in the order of the contract's table, and fills in what is left out.
func (o *object) trade(t *Trade) {
	t.Type = o.oneOf("type", true, ExchangeTrade, BilateralTrade, AllocationTrade, TransferTrade, AwayTrade)
	needed := needsOf(t.Type)
	t.Timestamp = o.timestamp("timestamp", true)
	t.ClientTradeID = o.text("client_trade_id", true, 1, MaxTextLength)
	t.Date = o.date("date", true, MinDate, MaxDate)
	t.AccountID = o.id("account_id", true, MaxAccountID)
	t.Quantity, _ = o.decimal("quantity", true)
	if t.Quantity.Sign() <= 0 {
		o.fail("quantity", "must be more than 0")
	}
	t.Price, _ = o.decimal("price", true)
	if t.Price.Sign() < 0 {
		o.fail("price", "must not be less than 0")
	}
	gross := t.Quantity.span().times(t.Price.span())
	if !gross.inRange() && t.gross().InRange() != nil {
		o.fail("price", "quantity x price has %v", ErrDecimalRange)
	}
	t.Instrument = o.instrument()
	t.Side = o.side()
	t.Capacity = o.oneOf("capacity", needed.capacity, "agency", "principal", "mixed", "riskless_principal")
	t.MIC = o.text("mic", needed.mic, 1, MaxCodeLength)
	t.ExecMPID = o.text("exec_mpid", needed.execMPID, 1, MaxCodeLength)
	t.ContraMPID = o.text("contra_mpid", needed.contraMPID, 1, MaxCodeLength)
	t.ContraClearingNum = o.contraClearingNum(needed.contraNum)
	t.TargetAccountID = o.target(needed.target, t.AccountID)
	budget := MaxKeptBytes
	t.ContraSideQualifier = o.kept("contra_side_qualifier", &budget)
	t.IsWhenIssued = o.flag("is_when_issued")
	t.NSCCClearing = o.kept("nscc_clearing", &budget)
	t.LastMarket = o.kept("last_market", &budget)
	t.Locate = o.kept("locate", &budget)
	t.Settlement = o.settlement(t)
	t.Fees = o.fees()
	t.Interest = o.interest()
	t.BehalfOfAccountID = o.kept("behalf_of_account_id", &budget)
	t.Solicited = o.kept("solicited", &budget)
	t.RegisteredRep = o.kept("registered_rep", &budget)
	t.BranchOffice = o.kept("branch_office", &budget)
	t.OrderID = o.text("order_id", false, 0, MaxTextLength)
	t.UserData = o.kept("user_data", &budget)
	t.CancelTradeID = o.cancelTradeID()
	if !gross.plus(t.Fees.Commission.span()).inRange() || t.Interest != nil {
		o.checkNet(t)
	}
}

func (o *object) instrument() Instrument {
	var in Instrument
	i := o.object("instrument", true)
	in.Identifier = i.madeOf("identifier", true, 1, MaxSymbol, "1 to 32 letters, digits, blanks and ./_-", inSymbol)
	in.IdentifierType = i.oneOf("identifier_type", true, "ticker", "cusip", "isin", "sedol")
	elsewhere := in.IdentifierType != "sedol"
	in.Country = i.madeOf("country", elsewhere, 2, 3, "a country of 2 or 3 capitals", capital)
	in.Currency = i.currency("currency", elsewhere)
	return in
}

func (o *object) side() Side {
	s := o.object("side", true)
	side := Side{
		Direction: s.oneOf("direction", true, Buy, Sell),
		Qualifier: s.oneOf("qualifier", false, "short"),
		Position:  s.oneOf("position", false, "open", "close"),
	}
	if side.Qualifier != "" && side.Direction == Buy {
		s.fail("qualifier", "only a sell is short")
	}
	return side
}

// contraClearingNum reads the field under its name and its old one.
func (o *object) contraClearingNum(needed bool) string {
	number := o.text("contra_clearing_num", false, 1, MaxTextLength)
	old := o.text("contra_dtc_num", false, 1, MaxTextLength)
	switch {
	case number == "" && old == "":
		if needed {
			o.fail("contra_clearing_num", "missing")
		}
	case number == "":
		return old
	case old != "" && old != number:
		o.fail("contra_clearing_num", "contra_dtc_num, its old name, says something else")
	}
	return number
}

// target reads the other account. A type that has none is read as if it were left out, so that nothing can be moved by mistake.
func (o *object) target(needed bool, account ID) ID {
	target := o.id("target_account_id", needed, MaxAccountID)
	if !needed {
		return 0
	}
	if target == account {
		o.fail("target_account_id", "must be another account than account_id")
	}
	return target
}

func (o *object) settlement(t *Trade) Settlement {
	s := o.object("settlement", false)
	settlement := Settlement{Currency: s.currency("currency", false)}
	if settlement.Currency == "" {
		settlement.Currency = t.Instrument.Currency
	}
	if settlement.Currency == "" {
		settlement.Currency = "USD"
	}
	if s.raw("date", false) == whenIssued {
		settlement.Date = WhenIssued
	} else if settlement.Date = s.date("date", false, MinDate, MaxDate); settlement.Date != 0 && settlement.Date < t.Date {
		s.fail("date", "must not be before the trade date")
	}
	return settlement
}

func (o *object) fees() Fees {
	f := o.object("fees", false)
	commission, _ := f.decimal("commission", false)
	return Fees{Commission: commission, OmitSEC: f.flag("omit_sec"), OmitTAF: f.flag("omit_taf"), OmitBill: f.flag("omit_bill")}
}

// interest reads the field, and accrued under its old name. One that says nothing is none.
func (o *object) interest() *Interest {
	const maxAccruedDays = 1_000_000
	i, old := o.object("interest", false), o.object("fixed_income", false)
	if i.members == nil && old.members == nil {
		return nil
	}
	var in Interest
	yield, given := i.decimal("yield", false)
	if given {
		in.Yield = &yield
	}
	accrued, given := i.decimal("accrued", false)
	in.Accrued = accrued
	if days, given := i.integer("accrued_days", false, 0, maxAccruedDays); given {
		in.AccruedDays = &days
	}
	oldAccrued, oldGiven := old.decimal("accrued_interest", false)
	switch {
	case oldGiven && !given:
		in.Accrued = oldAccrued
	case oldGiven && !oldAccrued.Equal(accrued.Decimal):
		i.fail("accrued", "fixed_income.accrued_interest, its old name, says something else")
	}
	if in.Yield == nil && in.AccruedDays == nil && in.Accrued.IsZero() {
		return nil
	}
	return &in
}

// cancelTradeID reads a client's id, or a trade id as a number.
func (o *object) cancelTradeID() string {
	raw := o.raw("cancel_trade_id", false)
	if raw == "" || raw[0] == '"' {
		return o.text("cancel_trade_id", false, 1, MaxTextLength)
	}
	id, err := ParseID(raw)
	if err != nil {
		o.fail("cancel_trade_id", "must be a string or a number of digits")
		return ""
	}
	return id.String()
}

func (t *Trade) gross() Decimal { return Decimal{t.Quantity.Mul(t.Price.Decimal)} }

// checkNet refuses what cannot be paid exactly: the cash of a trade is bounded as each of its parts is.
func (o *object) checkNet(t *Trade) {
	gross := t.gross()
	if t.Interest != nil && !t.Interest.Accrued.IsZero() {
		if gross = (Decimal{gross.Add(t.Interest.Accrued.Abs())}); gross.InRange() != nil {
			o.fail("interest.accrued", "together with quantity x price it has %v", ErrDecimalRange)
		}
	}
	if !t.Fees.Commission.IsZero() && (Decimal{gross.Add(t.Fees.Commission.Abs())}).InRange() != nil {
		o.fail("fees.commission", "together with quantity x price and what is accrued it has %v", ErrDecimalRange)
	}
}
