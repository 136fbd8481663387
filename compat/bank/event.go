package bank

import (
	"encoding/json"
	"strings"
)

// The topics of Bank's events.
const (
	TopicTrades       = "bank.trades"
	TopicCash         = "bank.cash"
	TopicBusinessDate = "bank.business-date"
)

// The kinds of event, besides those of cash: [Deposit], [Withdrawal], [CashJournal].
const (
	EventBooked   = "booked"   // entered as new
	EventOpened   = "opened"   // in the books
	EventSettled  = "settled"  // its settlement date has come
	EventCanceled = "canceled" // undone
	EventRolled   = "rolled"   // the business date has moved on by one day
)

// Event is one of Bank's events (contract, section 5). What a kind does not have is zero.
type Event struct {
	ID           int64  // ascending for each account
	Kind         string // booked, opened, settled, canceled; deposit, withdrawal, journal; rolled
	At           int64  // of the work, milliseconds
	BusinessDate Date   // of the work, 0 before the first; not of rolled
	AccountID    ID     // whose event it is; not of rolled

	Trade *StoredTrade // as it stands right after the event; of trade events only

	// The account's running totals after the event, in the trade's symbol and currency or the cash's currency. The positions are of trade events only.
	Position, Balance, SettledPosition, SettledBalance Decimal

	CashID             ID // this and what follows: of cash only
	ClientID, Currency string
	Amount             Decimal // negative where it leaves the account

	From, To Date // of rolled; From is 0 for the first
}

// Topic is where it is published.
func (e *Event) Topic() string {
	switch e.Kind {
	case EventRolled:
		return TopicBusinessDate
	case Deposit, Withdrawal, CashJournal:
		return TopicCash
	}
	return TopicTrades
}

// Key is its record's: the account's id, "" for rolled.
func (e *Event) Key() string {
	if e.Kind == EventRolled {
		return ""
	}
	return e.AccountID.String()
}

// AppendJSON appends the event as it is published, in its one spelling. [ReadEvent] reads it as the same event.
func (e *Event) AppendJSON(to []byte) []byte {
	to = appendInteger(to, `{"event_id":`, e.ID)
	return e.AppendFields(append(to, ','))
}

// AppendFields appends what AppendJSON has behind the event's id: for a writer that is given the id later, by a sequence of its database.
func (e *Event) AppendFields(to []byte) []byte {
	to = appendText(to, `"event":`, e.Kind)
	to = appendInteger(to, `,"at":`, e.At)
	if e.Kind == EventRolled {
		to = appendInteger(to, `,"from":`, int64(e.From))
		return append(appendInteger(to, `,"to":`, int64(e.To)), '}')
	}
	to = appendInteger(to, `,"business_date":`, int64(e.BusinessDate))
	to = appendID(to, `,"account_id":`, e.AccountID)
	if e.Trade != nil {
		to = e.Trade.AppendJSON(append(to, `,"trade":`...))
		to = appendDecimal(to, `,"position":`, e.Position)
		to = appendDecimal(to, `,"balance":`, e.Balance)
		to = appendDecimal(to, `,"settled_position":`, e.SettledPosition)
	} else {
		to = appendID(to, `,"cash_id":`, e.CashID)
		to = appendEscaped(append(to, `,"client_id":`...), e.ClientID)
		to = appendText(to, `,"currency":`, e.Currency)
		to = appendDecimal(to, `,"amount":`, e.Amount)
		to = appendDecimal(to, `,"balance":`, e.Balance)
	}
	return append(appendDecimal(to, `,"settled_balance":`, e.SettledBalance), '}')
}

// appendEscaped appends text as a JSON string with the escapes for HTML that Bank has always had in a cash movement's client id, and nowhere else.
func appendEscaped(to []byte, text string) []byte {
	if !strings.ContainsAny(text, "<>&\u2028\u2029") {
		return appendQuoted(to, text)
	}
	quoted, err := json.Marshal(text)
	if err != nil { // a string always has JSON
		panic(err)
	}
	return append(to, quoted...)
}
