package bank

import (
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Values takes an event's values one after the other, in the order of its JSON. Texts are parts of what is scanned: they are not to be kept.
type Values interface {
	Null() // left out, or null
	Text(string)
	Integer(int64) // dates, ids and times, too
	Flag(bool)
	// Fixed is a decimal of at most 18 digits: number, of whose digits so many stand behind the point.
	Fixed(number int64, fraction int) error
}

// Span is where a value stands in a text.
type Span struct{ From, To int }

// EventScan walks an event's text that is in AppendJSON's spelling, byte for byte, and hands the values on: nothing is made of them, so it is a third of the work of [ReadEvent]. What is
// no such event, or one that is rare (escapes in a text, a decimal of more than 18 digits), it does not take: ReadEvent tells. What it takes ReadEvent reads as the same values, and
// AppendJSON writes as the same text.
type EventScan struct {
	Kind      string
	ID, At    int64
	AccountID ID // 0 of rolled

	businessDate Date
	from, to     Date
	own          [4]Span
	owns         int
	quick        quick
}

// Open begins: the event's head is read.
func (s *EventScan) Open(text []byte) (ok bool) {
	*s = EventScan{}
	if len(text) == 0 || !utf8.Valid(text) {
		return false
	}
	q := &s.quick
	q.text = unsafe.String(&text[0], len(text)) // nothing here keeps a part of it
	q.need(`{"event_id":`)
	s.ID = s.mine(q.integer)
	q.need(`,"event":`)
	s.Kind = q.plain()
	q.need(`,"at":`)
	s.At = s.mine(q.integer)
	q.failed = q.failed || s.ID == 0
	switch s.Kind {
	case EventRolled:
		q.need(`,"from":`)
		s.from = q.date()
		q.need(`,"to":`)
		s.to = q.date()
		return !q.failed && s.to > s.from
	case EventBooked, EventOpened, EventSettled, EventCanceled, Deposit, Withdrawal, CashJournal:
		q.need(`,"business_date":`)
		s.businessDate = q.date()
		q.need(`,"account_id":`)
		s.AccountID = q.id()
		return !q.failed
	}
	return false
}

// Topic is where such an event is published.
func (s *EventScan) Topic() string {
	e := Event{Kind: s.Kind}
	return e.Topic()
}

// mine notes where a value stands that each system has of its own.
func (s *EventScan) mine(read func() int64) int64 {
	from := s.quick.at
	n := read()
	s.own[s.owns] = Span{from, s.quick.at}
	s.owns++
	return n
}

// Own is where the values stand that each system has of its own, in their order: event_id, at, and of a trade booked_at and canceled_at. It is known when Values is done.
func (s *EventScan) Own() []Span { return s.own[:s.owns] }

// Values hands on all values from event_id on. If it is not ok, those that were given are nothing.
func (s *EventScan) Values(to Values) (ok bool) {
	q := &s.quick
	to.Integer(s.ID)
	to.Text(s.Kind)
	to.Integer(s.At)
	if s.Kind == EventRolled {
		to.Integer(int64(s.from))
		to.Integer(int64(s.to))
		q.need(`}`)
		return q.done()
	}
	to.Integer(int64(s.businessDate))
	to.Integer(int64(s.AccountID))
	if s.Topic() == TopicTrades {
		q.need(`,"trade":{`)
		s.trade(to)
		q.sendDecimal(`,"position":`, to)
		q.sendDecimal(`,"balance":`, to)
		q.sendDecimal(`,"settled_position":`, to)
	} else {
		q.sendID(`,"cash_id":`, to)
		q.need(`,"client_id":`)
		client := q.plain()
		q.failed = q.failed || strings.ContainsAny(client, "<>&\u2028\u2029") // they are escaped in it
		to.Text(client)
		q.sendText(`,"currency":`, to)
		q.sendDecimal(`,"amount":`, to)
		q.sendDecimal(`,"balance":`, to)
	}
	q.sendDecimal(`,"settled_balance":`, to)
	q.need(`}`)
	return q.done()
}

func (s *EventScan) trade(to Values) {
	q := &s.quick
	q.sendID(`"trade_id":`, to)
	q.sendText(`,"type":`, to)
	q.sendInteger(`,"timestamp":`, to)
	q.sendText(`,"client_trade_id":`, to)
	q.sendDay(`,"date":`, to)
	q.sendID(`,"account_id":`, to)
	q.sendDecimal(`,"quantity":`, to)
	q.sendDecimal(`,"price":`, to)
	q.sendText(`,"instrument":{"identifier":`, to)
	q.sendText(`,"identifier_type":`, to)
	q.sendGiven(`,"country":`, to)
	q.sendGiven(`,"currency":`, to)
	q.sendText(`},"side":{"direction":`, to)
	q.sendGiven(`,"qualifier":`, to)
	q.sendGiven(`,"position":`, to)
	q.need(`}`)
	q.sendGiven(`,"capacity":`, to)
	q.sendGiven(`,"mic":`, to)
	q.sendGiven(`,"exec_mpid":`, to)
	q.sendGiven(`,"contra_mpid":`, to)
	q.sendGiven(`,"contra_clearing_num":`, to)
	if q.maybe(`,"target_account_id":`) {
		to.Integer(int64(q.id()))
	} else {
		to.Null()
	}
	q.sendText(`,"settlement":{"currency":`, to)
	if q.maybe(`,"date":`) {
		q.sendDay("", to)
	} else {
		to.Null()
	}
	q.sendDecimal(`},"fees":{"commission":`, to)
	q.sendFlag(`,"omit_sec":`, to)
	q.sendFlag(`,"omit_taf":`, to)
	q.sendFlag(`,"omit_bill":`, to)
	q.need(`}`)
	s.interest(to)
	q.sendFlag(`,"is_when_issued":`, to)
	q.sendGiven(`,"order_id":`, to)
	q.sendGiven(`,"cancel_trade_id":`, to)
	q.sendKept(`,"contra_side_qualifier":`, to)
	q.sendKept(`,"nscc_clearing":`, to)
	q.sendKept(`,"last_market":`, to)
	q.sendKept(`,"locate":`, to)
	q.sendKept(`,"behalf_of_account_id":`, to)
	q.sendKept(`,"solicited":`, to)
	q.sendKept(`,"registered_rep":`, to)
	q.sendKept(`,"branch_office":`, to)
	q.sendKept(`,"user_data":`, to)
	q.sendText(`,"state":`, to)
	q.sendDay(`,"settle_date":`, to)
	q.sendDecimal(`,"gross_amount":`, to)
	q.sendDecimal(`,"sec_fee":`, to)
	q.sendDecimal(`,"taf_fee":`, to)
	q.sendDecimal(`,"net_amount":`, to)
	q.need(`,"booked_at":`)
	to.Integer(s.mine(q.integer))
	q.need(`,"canceled_at":`)
	isNull := false
	at := s.mine(func() int64 {
		if isNull = q.maybe("null"); isNull {
			return 0
		}
		return q.integer()
	})
	if isNull {
		to.Null()
	} else {
		to.Integer(at)
	}
	q.sendLink(`,"replaced_by":`, to)
	q.sendLink(`,"replaces":`, to)
	q.need(`}`)
}

func (s *EventScan) interest(to Values) {
	q := &s.quick
	if !q.maybe(`,"interest":{`) {
		to.Null()
		to.Null()
		to.Null()
		return
	}
	if q.maybe(`"yield":`) {
		q.sendDecimal("", to)
		q.need(`,`)
	} else {
		to.Null()
	}
	q.sendDecimal(`"accrued":`, to)
	if q.maybe(`,"accrued_days":`) {
		to.Integer(q.integer())
	} else {
		to.Null()
	}
	q.need(`}`)
}
