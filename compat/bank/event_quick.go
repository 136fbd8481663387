package bank

import (
	"encoding/json"
	"strings"
)

// quickEvent reads an event whose fields stand as AppendJSON writes them, in one walk. Where anything is otherwise it is not ok, and slowEvent, which looks for each field by
// its name, reads the text or says what is wrong with it. Both agree on what both read.
func quickEvent(text string) (e Event, ok bool) {
	q := quick{scanner: scanner{text: text}}
	q.need(`{"event_id":`)
	e.ID = q.integer()
	q.need(`,"event":`)
	e.Kind = q.string()
	q.need(`,"at":`)
	e.At = q.integer()
	if e.Kind == EventRolled {
		q.need(`,"from":`)
		e.From = q.date()
		q.need(`,"to":`)
		e.To = q.date()
		q.need(`}`)
		return e, q.done() && e.ID > 0 && e.To > e.From
	}
	q.need(`,"business_date":`)
	e.BusinessDate = q.date()
	q.need(`,"account_id":`)
	e.AccountID = q.id()
	switch e.Kind {
	case EventBooked, EventOpened, EventSettled, EventCanceled:
		e.Trade = new(StoredTrade)
		q.need(`,"trade":{`)
		q.trade(e.Trade)
		q.need(`,"position":`)
		e.Position = q.decimal()
		q.need(`,"balance":`)
		e.Balance = q.decimal()
		q.need(`,"settled_position":`)
		e.SettledPosition = q.decimal()
	case Deposit, Withdrawal, CashJournal:
		q.need(`,"cash_id":`)
		e.CashID = q.id()
		q.need(`,"client_id":`)
		e.ClientID = q.string()
		q.need(`,"currency":`)
		e.Currency = q.string()
		q.need(`,"amount":`)
		e.Amount = q.decimal()
		q.need(`,"balance":`)
		e.Balance = q.decimal()
		q.failed = q.failed || e.ClientID == "" || e.Currency == ""
	default:
		return e, false
	}
	q.need(`,"settled_balance":`)
	e.SettledBalance = q.decimal()
	q.need(`}`)
	return e, q.done() && e.ID > 0
}

// quick reads values where they are expected. Once something is otherwise it has failed for good.
type quick struct {
	scanner
	failed bool
}

func (q *quick) done() bool { return !q.failed && q.at == len(q.text) }

// need steps over what must be there, maybe over what may be there.
func (q *quick) need(text string) {
	if !q.maybe(text) {
		q.failed = true
	}
}

func (q *quick) maybe(text string) bool {
	if !strings.HasPrefix(q.text[q.at:], text) {
		return false
	}
	q.at += len(text)
	return true
}

// integer reads digits that fit a word.
func (q *quick) integer() (number int64) {
	from := q.at
	for q.at < len(q.text) && q.text[q.at]-'0' < 10 {
		number = number*10 + int64(q.text[q.at]-'0')
		q.at++
	}
	if n := q.at - from; n == 0 || n > wordDigits || n > 1 && q.text[from] == '0' {
		q.failed = true
	}
	return number
}

func (q *quick) id() ID {
	q.need(`"`)
	id := q.integer()
	q.need(`"`)
	if id == 0 {
		q.failed = true
	}
	return ID(id)
}

func (q *quick) idOrNull() *ID {
	if q.maybe("null") {
		return nil
	}
	return new(q.id())
}

// date reads a day, or 0.
func (q *quick) date() Date {
	number := q.integer()
	if number != 0 && (number > int64(WhenIssued) || !Date(number).Real()) {
		q.failed = true
	}
	return Date(number)
}

func (q *quick) flag() bool {
	if q.maybe("true") {
		return true
	}
	q.need("false")
	return false
}

func (q *quick) decimal() Decimal {
	q.need(`"`)
	from := q.at
	for q.at < len(q.text) && q.text[q.at] != '"' {
		q.at++
	}
	d, _, _, err := parseDecimal(q.text[from:q.at])
	q.need(`"`)
	if err != nil {
		q.failed = true
	}
	return d
}

// string reads a string.
func (q *quick) string() string {
	from, escapes := q.at, q.escapes
	if q.failed || !q.quoted() {
		q.failed = true
		return ""
	}
	if q.escapes == escapes {
		return q.text[from+1 : q.at-1]
	}
	text, ok := unquote(q.text[from:q.at])
	if !ok || strings.IndexByte(text, 0) >= 0 {
		q.failed = true
	}
	return text
}

// given reads a text field that may be left out.
func (q *quick) given(name string) string {
	if !q.maybe(name) {
		return ""
	}
	return q.string()
}

// kept reads a field that is kept as given and may be left out.
func (q *quick) kept(name string) json.RawMessage {
	if !q.maybe(name) {
		return nil
	}
	from := q.at
	if q.failed || !q.value(2) {
		q.failed = true
		return nil
	}
	value := q.text[from:q.at]
	if value == "null" {
		return nil
	}
	if !strings.ContainsAny(value, " \t\n\r\\") {
		return json.RawMessage(value)
	}
	compact, ok := appendCompact(make([]byte, 0, len(value)), value)
	if !ok {
		q.failed = true
	}
	return compact
}

// trade reads one behind its opening brace.
func (q *quick) trade(t *StoredTrade) {
	q.need(`"trade_id":`)
	t.TradeID = q.id()
	q.need(`,"type":`)
	t.Type = q.string()
	q.need(`,"timestamp":`)
	t.Timestamp = q.integer()
	q.need(`,"client_trade_id":`)
	t.ClientTradeID = q.string()
	q.need(`,"date":`)
	t.Date = q.date()
	q.need(`,"account_id":`)
	t.AccountID = q.id()
	q.need(`,"quantity":`)
	t.Quantity = q.decimal()
	q.need(`,"price":`)
	t.Price = q.decimal()
	q.need(`,"instrument":{"identifier":`)
	t.Instrument.Identifier = q.string()
	q.need(`,"identifier_type":`)
	t.Instrument.IdentifierType = q.string()
	t.Instrument.Country = q.given(`,"country":`)
	t.Instrument.Currency = q.given(`,"currency":`)
	q.need(`},"side":{"direction":`)
	t.Side.Direction = q.string()
	t.Side.Qualifier = q.given(`,"qualifier":`)
	t.Side.Position = q.given(`,"position":`)
	q.need(`}`)
	t.Capacity = q.given(`,"capacity":`)
	t.MIC = q.given(`,"mic":`)
	t.ExecMPID = q.given(`,"exec_mpid":`)
	t.ContraMPID = q.given(`,"contra_mpid":`)
	t.ContraClearingNum = q.given(`,"contra_clearing_num":`)
	if q.maybe(`,"target_account_id":`) {
		t.TargetAccountID = q.id()
	}
	q.need(`,"settlement":{"currency":`)
	t.Settlement.Currency = q.string()
	if q.maybe(`,"date":`) {
		t.Settlement.Date = q.date()
	}
	q.need(`},"fees":{"commission":`)
	t.Fees.Commission = q.decimal()
	q.need(`,"omit_sec":`)
	t.Fees.OmitSEC = q.flag()
	q.need(`,"omit_taf":`)
	t.Fees.OmitTAF = q.flag()
	q.need(`,"omit_bill":`)
	t.Fees.OmitBill = q.flag()
	q.need(`}`)
	if q.maybe(`,"interest":{`) {
		t.Interest = new(Interest)
		if q.maybe(`"yield":`) {
			t.Interest.Yield = new(q.decimal())
			q.need(`,`)
		}
		q.need(`"accrued":`)
		t.Interest.Accrued = q.decimal()
		if q.maybe(`,"accrued_days":`) {
			t.Interest.AccruedDays = new(q.integer())
		}
		q.need(`}`)
	}
	q.need(`,"is_when_issued":`)
	t.IsWhenIssued = q.flag()
	t.OrderID = q.given(`,"order_id":`)
	t.CancelTradeID = q.given(`,"cancel_trade_id":`)
	t.ContraSideQualifier = q.kept(`,"contra_side_qualifier":`)
	t.NSCCClearing = q.kept(`,"nscc_clearing":`)
	t.LastMarket = q.kept(`,"last_market":`)
	t.Locate = q.kept(`,"locate":`)
	t.BehalfOfAccountID = q.kept(`,"behalf_of_account_id":`)
	t.Solicited = q.kept(`,"solicited":`)
	t.RegisteredRep = q.kept(`,"registered_rep":`)
	t.BranchOffice = q.kept(`,"branch_office":`)
	t.UserData = q.kept(`,"user_data":`)
	q.need(`,"state":`)
	t.State = q.string()
	q.need(`,"settle_date":`)
	t.SettleDate = q.date()
	q.need(`,"gross_amount":`)
	t.GrossAmount = q.decimal()
	q.need(`,"sec_fee":`)
	t.SECFee = q.decimal()
	q.need(`,"taf_fee":`)
	t.TAFFee = q.decimal()
	q.need(`,"net_amount":`)
	t.NetAmount = q.decimal()
	q.need(`,"booked_at":`)
	t.BookedAt = q.integer()
	q.need(`,"canceled_at":`)
	if !q.maybe("null") {
		t.CanceledAt = new(q.integer())
	}
	q.need(`,"replaced_by":`)
	t.ReplacedBy = q.idOrNull()
	q.need(`,"replaces":`)
	t.Replaces = q.idOrNull()
	q.need(`}`)
	q.failed = q.failed || !t.whole()
}

// whole tells whether a trade that was read has what none is without.
func (t *StoredTrade) whole() bool {
	switch "" {
	case t.Type, t.ClientTradeID, t.Instrument.Identifier, t.Instrument.IdentifierType, t.Side.Direction, t.Settlement.Currency, t.State:
		return false
	}
	return t.Date != 0 && t.SettleDate != 0
}
