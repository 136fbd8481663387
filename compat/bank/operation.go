package bank

import (
	"encoding/json"
	"math"
)

// The first and last day that a business date may be.
const (
	minBusinessDate = MinDate
	maxBusinessDate = MaxDate
)

// readBody reads a body that is one object: malformed_request for the first fault.
func readBody(body []byte, read func(*object)) error {
	text := string(body)
	if err := checkJSON(text); err != nil {
		return err
	}
	s := scanner{text: text}
	if text = s.skip(); text[0] != '{' {
		return Errorf(MalformedRequest, "the body is not an object")
	}
	var r reader
	o := r.open("", "", text)
	read(&o)
	if r.fault != "" {
		return &Error{Type: MalformedRequest, Message: r.fault}
	}
	return nil
}

// ReadEntity reads the body of POST /entities.
func ReadEntity(body []byte) (e Entity, err error) {
	err = readBody(body, func(o *object) {
		e.EntityID = o.id("entity_id", true, MaxAccountID)
		e.ClientCode = o.text("client_code", true, 1, MaxTextLength)
		e.LegalName = o.text("legal_name", true, 1, MaxTextLength)
	})
	return e, err
}

// ReadAccount reads the body of POST /accounts.
func ReadAccount(body []byte) (a NewAccount, err error) {
	err = readBody(body, func(o *object) {
		a.AccountID = o.id("account_id", true, MaxAccountID)
		a.EntityID = o.id("entity_id", true, MaxAccountID)
		a.Name = o.text("name", true, 1, MaxTextLength)
	})
	return a, err
}

// ReadCash reads the body of POST /cash.
func ReadCash(body []byte) (c Cash, err error) {
	err = readBody(body, func(o *object) { c = o.cash() })
	return c, err
}

func (o *object) cash() Cash {
	var c Cash
	c.ClientID = o.text("client_id", true, 1, MaxTextLength)
	c.AccountID = o.id("account_id", true, MaxAccountID)
	c.Currency = o.currency("currency", true)
	c.Amount, _ = o.decimal("amount", true)
	if c.Amount.Sign() <= 0 {
		o.fail("amount", "must be more than 0")
	}
	c.Kind = o.oneOf("kind", true, Deposit, Withdrawal, CashJournal)
	c.TargetAccountID = o.id("target_account_id", c.Kind == CashJournal, MaxAccountID)
	switch {
	case c.TargetAccountID == 0:
	case c.Kind != CashJournal:
		o.fail("target_account_id", "only a journal has one")
	case c.TargetAccountID == c.AccountID:
		o.fail("target_account_id", "must be another account than account_id")
	}
	return c
}

// ReadBusinessDate reads the body of POST /business-date.
func ReadBusinessDate(body []byte) (d Date, err error) {
	err = readBody(body, func(o *object) { d = o.date("date", true, minBusinessDate, maxBusinessDate) })
	return d, err
}

// ReadReplay reads the body of POST /replay. A fault of the request in it is malformed_request too, its field behind `request.`.
func ReadReplay(body []byte) (replay Replay, err error) {
	err = readBody(body, func(o *object) {
		replay.CashID = o.id("cash_id", false, math.MaxInt64)
		if replay.CashID != 0 {
			replay.BookedAt = o.timestamp("booked_at", false)
			asked := o.object("cash", true)
			cash := asked.cash()
			replay.Cash = &cash
			return
		}
		replay.TradeID = o.id("trade_id", true, math.MaxInt64)
		replay.CanceledAt = o.timestamp("canceled_at", false)
		request := o.raw("request", replay.CanceledAt == 0)
		if replay.CanceledAt != 0 {
			if request != "" {
				o.fail("canceled_at", "a replay books or cancels, not both")
			}
			return
		}
		replay.BookedAt = o.timestamp("booked_at", true)
		replay.Request = new(Trade)
		asked := o.open("", "request", request)
		asked.trade(replay.Request)
	})
	if err != nil {
		return Replay{}, err
	}
	return replay, nil
}

// MarshalJSON gives what [ReadReplay] reads.
func (r Replay) MarshalJSON() ([]byte, error) {
	to := make([]byte, 0, 1<<10)
	switch {
	case r.Cash != nil:
		cash, err := json.Marshal(r.Cash)
		if err != nil {
			return nil, err
		}
		to = appendID(to, `{"cash_id":`, r.CashID)
		if r.BookedAt != 0 {
			to = appendTimestamp(to, `,"booked_at":`, r.BookedAt)
		}
		to = append(append(to, `,"cash":`...), cash...)
	case r.Request != nil:
		to = appendID(to, `{"trade_id":`, r.TradeID)
		to = appendTimestamp(to, `,"booked_at":`, r.BookedAt)
		to = r.Request.AppendJSON(append(to, `,"request":`...))
	default:
		to = appendID(to, `{"trade_id":`, r.TradeID)
		to = appendTimestamp(to, `,"canceled_at":`, r.CanceledAt)
	}
	return append(to, '}'), nil
}

// ReadTradeRef reads the query of DELETE and GET on a trade: either the trade's id, or, by the client's id, its account and that id. account is the text of
// account_id, "" if it is not given: missing_account_id where it is needed.
func ReadTradeRef(name string, byClientID bool, account string) (TradeRef, error) {
	if !byClientID {
		id, err := ParseID(name)
		if err != nil {
			return TradeRef{}, Errorf(MalformedRequest, "trade_id: %v", err)
		}
		return TradeRef{TradeID: id}, nil
	}
	if account == "" {
		return TradeRef{}, Errorf(MissingAccountID, "account_id is needed with a client's trade id")
	}
	id, err := ParseID(account)
	if err != nil {
		return TradeRef{}, Errorf(MalformedRequest, "account_id: %v", err)
	}
	return TradeRef{AccountID: id, ClientTradeID: name}, nil
}
