package bank

import (
	"errors"
	"math"
	"unicode/utf8"
)

// ReadEvent reads an event as Bank publishes it, whoever wrote it: in AppendJSON's spelling at once, in any other by a slower way. It is strict: what a kind of event has must be there, of the
// right kind, once; fields that are not known are not looked at. It checks no rule of the contract about what a trade may be. An error begins with the field, such as
// "trade.quantity: missing". The event keeps no part of text.
func ReadEvent(text []byte) (Event, error) {
	body := string(text)
	if !utf8.ValidString(body) {
		return Event{}, errors.New("the event is not UTF-8")
	}
	if e, ok := quickEvent(body); ok {
		return e, nil
	}
	return slowEvent(body)
}

// slowEvent reads an event whose fields may stand in any order.
func slowEvent(body string) (e Event, err error) {
	if bad := checkJSON(body); bad != nil {
		return e, errors.New("no event: " + bad.Message)
	}
	s := scanner{text: body}
	if body = s.skip(); body[0] != '{' {
		return e, errors.New("the event is not an object")
	}
	var r reader
	o := r.open("", "", body)
	o.event(&e)
	if r.fault != "" {
		return Event{}, errors.New(r.fault)
	}
	return e, nil
}

func (o *object) event(e *Event) {
	e.ID = int64(o.id("event_id", true, math.MaxInt64))
	e.Kind = o.oneOf("event", true, EventBooked, EventOpened, EventSettled, EventCanceled, Deposit, Withdrawal, CashJournal, EventRolled)
	e.At = o.number("at")
	if e.Kind == EventRolled {
		e.From = o.day("from", true)
		e.To = o.day("to", true)
		if e.To <= e.From {
			o.fail("to", "must be after from")
		}
		return
	}
	e.BusinessDate = o.day("business_date", true)
	e.AccountID = o.id("account_id", true, math.MaxInt64)
	switch e.Kind {
	case EventBooked, EventOpened, EventSettled, EventCanceled:
		e.Trade = new(StoredTrade)
		trade := o.object("trade", true)
		trade.stored(e.Trade)
		e.Position = o.total("position")
		e.Balance = o.total("balance")
		e.SettledPosition = o.total("settled_position")
	default:
		e.CashID = o.id("cash_id", true, math.MaxInt64)
		e.ClientID = o.text("client_id", true, 1, math.MaxInt)
		e.Currency = o.text("currency", true, 1, math.MaxInt)
		e.Amount = o.total("amount")
		e.Balance = o.total("balance")
	}
	e.SettledBalance = o.total("settled_balance")
}

// stored reads a trade as AppendJSON of [StoredTrade] writes it.
func (o *object) stored(t *StoredTrade) {
	t.TradeID = o.id("trade_id", true, math.MaxInt64)
	t.Type = o.word("type")
	t.Timestamp = o.number("timestamp")
	t.ClientTradeID = o.word("client_trade_id")
	t.Date = o.realDay("date")
	t.AccountID = o.id("account_id", true, math.MaxInt64)
	t.Quantity = o.total("quantity")
	t.Price = o.total("price")
	in := o.object("instrument", true)
	t.Instrument = Instrument{in.word("identifier"), in.word("identifier_type"), in.maybe("country"), in.maybe("currency")}
	side := o.object("side", true)
	t.Side = Side{side.word("direction"), side.maybe("qualifier"), side.maybe("position")}
	t.Capacity = o.maybe("capacity")
	t.MIC = o.maybe("mic")
	t.ExecMPID = o.maybe("exec_mpid")
	t.ContraMPID = o.maybe("contra_mpid")
	t.ContraClearingNum = o.maybe("contra_clearing_num")
	t.TargetAccountID = o.id("target_account_id", false, math.MaxInt64)
	settlement := o.object("settlement", true)
	t.Settlement = Settlement{settlement.word("currency"), settlement.day("date", false)}
	fees := o.object("fees", true)
	t.Fees = Fees{fees.total("commission"), fees.needFlag("omit_sec"), fees.needFlag("omit_taf"), fees.needFlag("omit_bill")}
	if o.raw("interest", false) != "" {
		interest := o.object("interest", true)
		t.Interest = new(Interest)
		if interest.raw("yield", false) != "" {
			t.Interest.Yield = new(interest.total("yield"))
		}
		t.Interest.Accrued = interest.total("accrued")
		if days, given := interest.integer("accrued_days", false, 0, math.MaxInt64); given {
			t.Interest.AccruedDays = &days
		}
	}
	t.IsWhenIssued = o.needFlag("is_when_issued")
	t.OrderID = o.maybe("order_id")
	t.CancelTradeID = o.maybe("cancel_trade_id")
	budget := math.MaxInt
	t.ContraSideQualifier = o.kept("contra_side_qualifier", &budget)
	t.NSCCClearing = o.kept("nscc_clearing", &budget)
	t.LastMarket = o.kept("last_market", &budget)
	t.Locate = o.kept("locate", &budget)
	t.BehalfOfAccountID = o.kept("behalf_of_account_id", &budget)
	t.Solicited = o.kept("solicited", &budget)
	t.RegisteredRep = o.kept("registered_rep", &budget)
	t.BranchOffice = o.kept("branch_office", &budget)
	t.UserData = o.kept("user_data", &budget)
	t.State = o.word("state")
	t.SettleDate = o.realDay("settle_date")
	t.GrossAmount = o.total("gross_amount")
	t.SECFee = o.total("sec_fee")
	t.TAFFee = o.total("taf_fee")
	t.NetAmount = o.total("net_amount")
	t.BookedAt = o.number("booked_at")
	if at, given := o.integer("canceled_at", false, 0, math.MaxInt64); given {
		t.CanceledAt = &at
	}
	t.ReplacedBy = o.link("replaced_by")
	t.Replaces = o.link("replaces")
}

// word reads a text that must be there, maybe one that may be left out.
func (o *object) word(name string) string  { return o.text(name, true, 1, math.MaxInt) }
func (o *object) maybe(name string) string { return o.text(name, false, 0, math.MaxInt) }

// number reads an integer that must be there, such as a time.
func (o *object) number(name string) int64 {
	number, _ := o.integer(name, true, 0, math.MaxInt64)
	return number
}

// day reads a day, or 0.
func (o *object) day(name string, needed bool) Date {
	number, _ := o.integer(name, needed, 0, int64(WhenIssued))
	if number != 0 && !Date(number).Real() {
		o.fail(name, "%d is no day", number)
	}
	return Date(number)
}

func (o *object) realDay(name string) Date {
	date := o.day(name, true)
	if date == 0 {
		o.fail(name, "0 is no day")
	}
	return date
}

// total reads a decimal string of any size: sums may leave the bounds of what a client may send.
func (o *object) total(name string) (d Decimal) {
	raw := o.raw(name, true)
	if raw == "" {
		return d
	}
	if raw[0] != '"' {
		o.fail(name, "must be a decimal string")
		return d
	}
	text, _ := unquote(raw)
	d, _, _, err := parseDecimal(text)
	if err != nil {
		o.fail(name, "%v", err)
	}
	return d
}

func (o *object) needFlag(name string) bool {
	if o.raw(name, true) == "" {
		return false
	}
	return o.flag(name)
}

func (o *object) link(name string) *ID {
	if id := o.id(name, false, math.MaxInt64); id != 0 {
		return &id
	}
	return nil
}
